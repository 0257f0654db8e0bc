"""Every stock Keras layer that computes on floats, one model each: what the audit must have nothing to say about."""

FLOATS = (8, 16)
IMAGE = (8, 8, 4)


def layers():
    """Return name -> (a function that makes the layer, the shapes of its inputs without the batch)."""
    from keras import layers as k

    return {
        "Activation": (lambda: k.Activation("gelu"), [FLOATS]),
        "ActivityRegularization": (lambda: k.ActivityRegularization(1e-3, 1e-3), [FLOATS]),
        "Add": (k.Add, [FLOATS, FLOATS]),
        "AdditiveAttention": (k.AdditiveAttention, [FLOATS, FLOATS]),
        "AlphaDropout": (lambda: k.AlphaDropout(0.1), [FLOATS]),
        "Attention": (lambda: k.Attention(use_scale=True), [FLOATS, FLOATS]),
        "Average": (k.Average, [FLOATS, FLOATS]),
        "AveragePooling1D": (lambda: k.AveragePooling1D(2), [FLOATS]),
        "AveragePooling2D": (lambda: k.AveragePooling2D(2), [IMAGE]),
        "BatchNormalization": (k.BatchNormalization, [FLOATS]),
        "Bidirectional": (lambda: k.Bidirectional(k.LSTM(4)), [FLOATS]),
        "CategoryEncoding": (lambda: k.CategoryEncoding(4), [(3,)]),
        "Concatenate": (k.Concatenate, [FLOATS, FLOATS]),
        "Conv1D": (lambda: k.Conv1D(4, 3, activation="relu"), [FLOATS]),
        "Conv1DTranspose": (lambda: k.Conv1DTranspose(4, 3), [FLOATS]),
        "Conv2D": (lambda: k.Conv2D(4, 3), [IMAGE]),
        "Conv2DTranspose": (lambda: k.Conv2DTranspose(4, 3), [IMAGE]),
        "ConvLSTM1D": (lambda: k.ConvLSTM1D(4, 3), [(4, 8, 4)]),
        "Cropping1D": (k.Cropping1D, [FLOATS]),
        "Dense": (lambda: k.Dense(4, activation="softmax"), [FLOATS]),
        "DepthwiseConv1D": (lambda: k.DepthwiseConv1D(3), [FLOATS]),
        "DepthwiseConv2D": (lambda: k.DepthwiseConv2D(3), [IMAGE]),
        "Discretization": (lambda: k.Discretization([0.0, 1.0]), [FLOATS]),
        "Dot": (lambda: k.Dot(axes=-1), [FLOATS, FLOATS]),
        "Dropout": (lambda: k.Dropout(0.1), [FLOATS]),
        "ELU": (k.ELU, [FLOATS]),
        "EinsumDense": (lambda: k.EinsumDense("abc,cd->abd", (8, 4), bias_axes="d"), [FLOATS]),
        "Embedding": (lambda: k.Embedding(64, 4), [(8,)]),
        "Flatten": (k.Flatten, [FLOATS]),
        "GRU": (lambda: k.GRU(4), [FLOATS]),
        "GaussianDropout": (lambda: k.GaussianDropout(0.1), [FLOATS]),
        "GaussianNoise": (lambda: k.GaussianNoise(0.1), [FLOATS]),
        "GlobalAveragePooling1D": (k.GlobalAveragePooling1D, [FLOATS]),
        "GlobalAveragePooling2D": (k.GlobalAveragePooling2D, [IMAGE]),
        "GlobalMaxPooling1D": (k.GlobalMaxPooling1D, [FLOATS]),
        "GroupNormalization": (lambda: k.GroupNormalization(4), [FLOATS]),
        "GroupQueryAttention": (lambda: k.GroupQueryAttention(4, 4, 2), [FLOATS, FLOATS]),
        "LSTM": (lambda: k.LSTM(4), [FLOATS]),
        "LayerNormalization": (k.LayerNormalization, [FLOATS]),
        "LeakyReLU": (k.LeakyReLU, [FLOATS]),
        "Masking": (k.Masking, [FLOATS]),
        "MaxPooling1D": (k.MaxPooling1D, [FLOATS]),
        "Maximum": (k.Maximum, [FLOATS, FLOATS]),
        "MelSpectrogram": (lambda: k.MelSpectrogram(fft_length=64, num_mel_bins=8), [(256,)]),
        "Minimum": (k.Minimum, [FLOATS, FLOATS]),
        "MultiHeadAttention": (lambda: k.MultiHeadAttention(2, 8), [FLOATS, FLOATS]),
        "Multiply": (k.Multiply, [FLOATS, FLOATS]),
        "Normalization": (lambda: k.Normalization(mean=0.0, variance=1.0), [FLOATS]),
        "PReLU": (k.PReLU, [FLOATS]),
        "Permute": (lambda: k.Permute((2, 1)), [FLOATS]),
        "RMSNormalization": (k.RMSNormalization, [FLOATS]),
        "ReLU": (lambda: k.ReLU(max_value=6.0), [FLOATS]),
        "RepeatVector": (lambda: k.RepeatVector(3), [(16,)]),
        "Rescaling": (lambda: k.Rescaling(1 / 255), [IMAGE]),
        "Reshape": (lambda: k.Reshape((16, 8)), [FLOATS]),
        "Resizing": (lambda: k.Resizing(4, 4), [IMAGE]),
        "SeparableConv1D": (lambda: k.SeparableConv1D(4, 3), [FLOATS]),
        "SimpleRNN": (lambda: k.SimpleRNN(4), [FLOATS]),
        "Softmax": (k.Softmax, [FLOATS]),
        "SpatialDropout1D": (lambda: k.SpatialDropout1D(0.1), [FLOATS]),
        "SpectralNormalization": (lambda: k.SpectralNormalization(k.Dense(4)), [FLOATS]),
        "Subtract": (k.Subtract, [FLOATS, FLOATS]),
        "TimeDistributed": (lambda: k.TimeDistributed(k.Dense(4)), [FLOATS]),
        "UnitNormalization": (k.UnitNormalization, [FLOATS]),
        "UpSampling1D": (k.UpSampling1D, [FLOATS]),
        "ZeroPadding1D": (k.ZeroPadding1D, [FLOATS]),
    }


LISTS = {"Add", "AdditiveAttention", "Attention", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply"} | {
    "Subtract"
}


def model(name):
    """Return the function that builds a model of 16-bit inputs and the layer, under the audit's policy."""

    def build():
        import keras

        make, shapes = layers()[name]
        inputs = [keras.Input(shape, dtype=keras.config.dtype_policy().compute_dtype) for shape in shapes]
        if name in ("Embedding", "CategoryEncoding"):
            inputs = [keras.Input(shapes[0], dtype="int32")]
        layer = make()
        return keras.Model(inputs, layer(inputs) if name in LISTS else layer(*inputs))

    return build

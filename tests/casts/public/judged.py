"""Every finding of the audit in public models, read and sorted: what a run shows, what the rule says, what is wrong.

`FAULT`: a run of the model shows the harm. `RIGHT`: what the rule says is so, the harm depends on the values.
`MILD`: so too, and of little consequence. `WRONG`: nothing is the matter; there must be none.
"""

FAULT, RIGHT, MILD, WRONG = "fault", "right", "right, mild", "wrong"

MASK = "-1e9 is infinite in float16, and 0 * inf is NaN wherever the mask lets something through: all outputs are NaN"
EXPERTS = "the experts' outputs are summed in 16 bits; most of the terms are zero"
SQUARES = "a sum of squares in 16 bits: in float16 infinite beyond 255"
POSITIONS = "10000 ** x in 16 bits: the frequencies of the positions keep 3 digits (float16) or 2 (bfloat16)"
COUNTED = "positions are counted in 16 bits: in float16 neighbours beyond 2048 are equal, in bfloat16 beyond 256"

# (rule, file) -> (verdict, why), for keras-hub 0.32
KERAS_HUB = {
    ("CAST001", "esm_attention.py"): (FAULT, "TensorFlow refuses Range in float16: predict() cannot be compiled"),
    ("CAST001", "roformer_v2_attention.py"): (FAULT, "TensorFlow refuses Range in float16 of a known length"),
    ("CAST002", "roformer_v2_attention.py"): (FAULT, COUNTED),
    ("CAST003", "roformer_v2_attention.py"): (FAULT, COUNTED),
    ("CAST004", "gemma3_decoder_block.py"): (
        RIGHT,
        "the sum is made in float32, rounded, and widened for the next sum of the same block",
    ),
    ("CAST004", "gemma4_decoder_block.py"): (
        RIGHT,
        "the sum is made in float32, rounded, and widened for the next sum of the same block",
    ),
    ("NUM101", "gemma3n_attention.py"): (
        FAULT,
        "-1e9 is infinite in float16: in left-padded batches the rows that see nothing are NaN, and then all",
    ),
    ("NUM105", "edrec_layers.py"): (RIGHT, SQUARES),
    ("NUM105", "gemma3n_text_model.py"): (RIGHT, SQUARES),
    ("NUM105", "rms_normalization.py"): (RIGHT, SQUARES),
    ("NUM105", "t5_layer_norm.py"): (RIGHT, SQUARES),
    ("NUM101", "rwkv7_layer.py"): (FAULT, "-1e9 is infinite in float16: padded batches are NaN"),
    ("NUM102", "rwkv7_layer.py"): (FAULT, "1e-12 is 0 in float16: a vector of zeros is divided by 0"),
    ("NUM105", "rwkv7_layer.py"): (RIGHT, SQUARES),
    ("NUM101", "t5_multi_head_attention.py"): (FAULT, MASK),
    ("NUM103", "t5_multi_head_attention.py"): (FAULT, MASK),
    ("NUM101", "t5gemma_decoder.py"): (FAULT, MASK),
    ("NUM103", "t5gemma_decoder.py"): (FAULT, MASK),
    ("NUM101", "t5gemma_encoder.py"): (FAULT, MASK),
    ("NUM103", "t5gemma_encoder.py"): (FAULT, MASK),
    ("NUM101", "t5gemma2_decoder.py"): (FAULT, MASK),
    ("NUM103", "t5gemma2_decoder.py"): (FAULT, MASK),
    ("NUM101", "t5gemma2_encoder.py"): (FAULT, MASK),
    ("NUM103", "t5gemma2_encoder.py"): (FAULT, MASK),
    ("NUM104", "t5gemma2_encoder.py"): (FAULT, "two such masks are added"),
    ("NUM105", "esm_attention.py"): (RIGHT, POSITIONS),
    ("NUM105", "xlnet_content_and_query_embedding.py"): (RIGHT, POSITIONS),
    ("NUM105", "qwen3_5_gated_delta_net.py"): (RIGHT, SQUARES),
    ("NUM102", "gpt_oss_decoder.py"): (RIGHT, "the bound of -1e9 is infinite in float16, so it bounds nothing"),
    ("NUM105", "gpt_oss_decoder.py"): (MILD, EXPERTS),
    ("NUM105", "mixtral_decoder.py"): (MILD, EXPERTS),
    ("NUM105", "qwen3_5_moe_decoder.py"): (MILD, EXPERTS),
    ("NUM105", "qwen3_moe_decoder.py"): (MILD, EXPERTS),
    ("NUM105", "qwen_moe_decoder.py"): (MILD, EXPERTS),
}

# layer -> (verdict, why), for Keras 3.15
STOCK_LAYERS = {
    "CategoryEncoding": (FAULT, "ids go through the layer's 16 bits: in float16 predict() encodes id 2049 as 2048"),
    "ActivityRegularization": (RIGHT, "the penalty is a sum over all values in 16 bits: beyond 65504 it is infinite"),
    "AdditiveAttention": (RIGHT, "the scores are a sum over the width in 16 bits"),
    "UnitNormalization": (FAULT, SQUARES + ", and then the result is 0"),
}

# model of old_keras.py -> (verdict, why), for tf_keras 2.21
TF_KERAS = {
    "convolution": (RIGHT, "GlobalAveragePooling2D takes its mean in 16 bits; Keras 3 widens for it"),
}

# (rule, file) -> (verdict, why), for transformers 4.57 on tf_keras 2.21
HUGGING_FACE = {
    ("NUM102", "tf_utils.py"): (MILD, "softmax(x + 1e-9) adds 0 in float16; no result changes"),
}

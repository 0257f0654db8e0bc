"""Small models of public packages, for the table of docs/casts-public-models.md: build functions by package.

A builder returns a model, or (model, specs). Sizes are such that a model is traced in seconds; what an architecture
does is all there. A package that is not installed has none.
"""

import contextlib
import importlib
import os
import sys
from importlib.util import find_spec

LENGTH = 16


def _ids(*names):
    import tensorflow as tf

    return {name: tf.TensorSpec((2, LENGTH), tf.int32, name=name) for name in names}


def keras_bert():
    """keras-bert 0.89, which is made of tf.keras."""
    import keras_bert as package

    sizes = {
        "token_num": 32,
        "head_num": 2,
        "transformer_num": 2,
        "embed_dim": 16,
        "feed_forward_dim": 32,
        "seq_len": LENGTH,
        "pos_num": LENGTH,
    }

    def encoder():
        import tensorflow as tf

        inputs, outputs = package.get_model(**sizes, training=False)
        return tf.keras.Model(inputs, outputs)

    def pretraining():
        return package.get_model(**sizes, training=True)

    def adapter():
        import tensorflow as tf

        inputs, outputs = package.get_model(**sizes, training=False, use_adapter=True)
        return tf.keras.Model(inputs, outputs)

    return {"encoder": encoder, "pretraining": pretraining, "adapter": adapter}


def bert_for_tf2():
    """bert-for-tf2 0.14: a layer, in a functional model and in a subclassed one."""
    import tensorflow as tf

    # The package takes its Keras from within TensorFlow, where only a part of it is left.
    sys.modules["tensorflow.python"].keras = sys.modules["tensorflow.python.keras"] = tf.keras
    import bert

    def layer(**options):
        sizes = {
            "vocab_size": 32,
            "num_layers": 2,
            "num_heads": 2,
            "hidden_size": 16,
            "intermediate_size": 32,
            "max_position_embeddings": 32,
            "hidden_dropout": 0.0,
            "attention_dropout": 0.0,
        }
        return bert.BertModelLayer(**{**sizes, **options}, name="bert")

    def functional(**options):
        ids = tf.keras.Input((LENGTH,), dtype="int32", batch_size=2)
        return tf.keras.Model(ids, layer(**options)(ids))

    def with_types():
        ids, types = (tf.keras.Input((LENGTH,), dtype="int32", batch_size=2) for _ in range(2))
        return tf.keras.Model([ids, types], layer(use_token_type=True, token_type_vocab_size=2)([ids, types]))

    class Classifier(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = layer()
            self.head = tf.keras.layers.Dense(2)

        def call(self, ids):
            return self.head(self.encoder(ids)[:, 0])

    def subclassed():
        return Classifier(), tf.TensorSpec((2, LENGTH), tf.int32)

    return {
        "functional": functional,
        "with types": with_types,
        "subclassed": subclassed,
        "albert": lambda: functional(shared_layer=True, embedding_size=8),
        "adapters": lambda: functional(adapter_size=4),
    }


_SMALL = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
_BART = {
    "vocab_size": 64,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 64,
    "max_length": None,
}
_TEXT = {
    "Bert": _SMALL,
    "Albert": {**_SMALL, "embedding_size": 8},
    "DistilBert": {"vocab_size": 64, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "Electra": {**_SMALL, "embedding_size": 16},
    "Roberta": {**_SMALL, "max_position_embeddings": 66},
    "XLMRoberta": {**_SMALL, "max_position_embeddings": 66},
    "RoFormer": {**_SMALL, "embedding_size": 16},
    "RemBert": {**_SMALL, "input_embedding_size": 16, "output_embedding_size": 16},
    "MPNet": {**_SMALL, "relative_attention_num_buckets": 8},
    "ConvBert": {**_SMALL, "embedding_size": 16, "conv_kernel_size": 3},
    "MobileBert": {**_SMALL, "embedding_size": 16, "intra_bottleneck_size": 16, "num_feedforward_networks": 1},
    "DebertaV2": {**_SMALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    "Deberta": {**_SMALL, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "Longformer": {**_SMALL, "attention_window": [8, 8], "max_position_embeddings": 66},
    "Esm": {**_SMALL, "position_embedding_type": "rotary", "pad_token_id": 1, "max_position_embeddings": 66},
    "LayoutLM": _SMALL,
    "Funnel": {"vocab_size": 64, "block_sizes": [1, 1], "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 32},
    "XLNet": {"vocab_size": 64, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
    "Flaubert": {"n_words": 64, "vocab_size": 64, "emb_dim": 16, "n_layers": 2, "n_heads": 2},
    "GPT2": {"vocab_size": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32},
    "OpenAIGPT": {"vocab_size": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32},
    "CTRL": {"vocab_size": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "dff": 32, "n_positions": 32},
    "OPT": {**_SMALL, "ffn_dim": 32, "word_embed_proj_dim": 16},
}
_TWO_SIDED = {
    "T5": {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
    "Bart": _BART,
    "Pegasus": _BART,
    "Marian": {**_BART, "pad_token_id": 63, "decoder_start_token_id": 63},
    "LED": {
        **_BART,
        "attention_window": [8],
        "max_encoder_position_embeddings": 64,
        "max_decoder_position_embeddings": 64,
    },
}
_IMAGES = {
    "ViT": {**_SMALL, "image_size": 16, "patch_size": 8},
    "DeiT": {**_SMALL, "image_size": 16, "patch_size": 8},
    "ConvNext": {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1], "num_stages": 4},
    "Swin": {
        "image_size": 32,
        "patch_size": 4,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [1, 2],
        "window_size": 4,
    },
    "ResNet": {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1]},
}
NO_TYPES = (
    "DistilBert",
    "Flaubert",
    "Esm",
    "OPT",
    "GPT2",
    "OpenAIGPT",
    "CTRL",
    "XLMRoberta",
    "Roberta",
    "Longformer",
    "MPNet",
)


@contextlib.contextmanager
def _keras_2():
    """Hand tf_keras to what imports Keras 2 by the name keras, as transformers did before 4.37."""

    def taken(root):
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == root}

    for name in ("tf_keras.__internal__", "tf_keras.src.engine.base_layer_utils"):
        importlib.import_module(name)
    kept, old = taken("keras"), {name: each for name, each in sys.modules.items() if name.startswith("tf_keras")}
    sys.modules.update({name.removeprefix("tf_"): each for name, each in old.items()})
    try:
        yield
    finally:
        taken("keras")
        sys.modules.update(kept)


def _hugging_face(family, sizes, specs):
    def build():
        import transformers

        config = getattr(transformers, f"{family}Config")(**{k: v for k, v in sizes.items() if v is not None})
        return getattr(transformers, f"TF{family}Model")(config), specs

    return build


def transformers():
    """Hugging Face transformers with TensorFlow: 4.57 (the last) and 4.30 (2023)."""
    import tensorflow as tf
    import transformers as package

    made = {}
    for family, sizes in _TEXT.items():
        names = ("input_ids", "attention_mask") + (() if family in NO_TYPES else ("token_type_ids",))
        made[family] = _hugging_face(family, sizes, _ids(*names))
    for family, sizes in _TWO_SIDED.items():
        made[family] = _hugging_face(family, sizes, _ids("input_ids", "attention_mask", "decoder_input_ids"))
    for family, sizes in _IMAGES.items():
        size = sizes.get("image_size", 32)
        pixels = {"pixel_values": tf.TensorSpec((2, 3, size, size), tf.float32, name="pixel_values")}
        made[family] = _hugging_face(family, sizes, pixels)
    with _keras_2():
        return {family: build for family, build in made.items() if hasattr(package, f"TF{family}Model")}


def model_garden():
    """tf-models-official 2.20: encoders for text, and two for images."""
    from official.nlp.modeling import networks

    def encoder(name, inputs=("input_word_ids", "input_mask", "input_type_ids"), **options):
        def build():
            import tensorflow as tf

            encoder = getattr(networks, name)(**options)
            ids = {each: tf.keras.Input((LENGTH,), dtype="int32", batch_size=2, name=each) for each in inputs}
            return tf.keras.Model(ids, encoder(ids)), _ids(*inputs)

        return build

    small = {
        "vocab_size": 64,
        "hidden_size": 16,
        "num_layers": 2,
        "num_attention_heads": 2,
        "max_sequence_length": LENGTH,
        "type_vocab_size": 2,
    }
    made = {
        "BertEncoder": encoder("BertEncoder", **small, inner_dim=32),
        "BertEncoderV2": encoder("BertEncoderV2", **small, inner_dim=32),
        "AlbertEncoder": encoder("AlbertEncoder", **small, embedding_width=8, intermediate_size=32),
        "FNet": encoder("FNet", **small, inner_dim=32, attention_layers=(1,)),
        "SparseMixer": encoder("SparseMixer", **small, moe_layers=(1,), attention_layers=(1,), num_experts=2),
        "FunnelTransformerEncoder": encoder("FunnelTransformerEncoder", **small, inner_dim=32, pool_stride=2),
        "PackedSequence": encoder("PackedSequenceEmbedding"),
        "MobileBERTEncoder": encoder(
            "MobileBERTEncoder",
            word_vocab_size=64,
            word_embed_size=16,
            type_vocab_size=2,
            max_sequence_length=LENGTH,
            num_blocks=1,
            hidden_size=16,
            num_attention_heads=2,
            intermediate_size=32,
            intra_bottleneck_size=16,
        ),
    }
    del made["PackedSequence"]
    return made


_IMAGE_MODELS = {
    "Xception": 71,
    "VGG16": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "DenseNet121": 32,
    "NASNetMobile": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "ConvNeXtTiny": 32,
}


def keras_applications():
    """keras.applications: a member of each family; Keras 3, or tf_keras with TF_USE_LEGACY_KERAS=1."""
    import tensorflow as tf

    def build(name, size):
        def made():
            return getattr(tf.keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=4)

        return made

    return {name: build(name, size) for name, size in _IMAGE_MODELS.items() if hasattr(tf.keras.applications, name)}


def keras_hub():
    """keras-hub: every text backbone."""
    from tests.casts.public import keras_hub_models

    return {name: keras_hub_models.backbone(name) for name in keras_hub_models.BACKBONES}


PACKAGES = {
    "keras-bert": ("keras_bert", keras_bert),
    "bert-for-tf2": ("bert", bert_for_tf2),
    "transformers": ("transformers", transformers),
    "tf-models-official": ("official", model_garden),
    "keras.applications": ("keras", keras_applications),
    "keras-hub": ("keras_hub", keras_hub),
}


def models(package):
    """Return the builders of a package by the names of their models, none where it is not installed."""
    module, builders = PACKAGES[package]
    return builders() if find_spec(module) is not None else {}


LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") == "1"

"""Every text backbone of keras-hub at a size that traces in a second: what public code the audit is judged on."""

import inspect

# One size for each parameter name that keras-hub's text backbones have; what a model needs otherwise stands below.
SIZES = {
    "vocabulary_size": 64,
    "vocab_size": 64,
    "num_layers": 2,
    "num_layers_enc": 1,
    "num_layers_dec": 1,
    "num_heads": 2,
    "num_attention_heads": 2,
    "num_query_heads": 2,
    "num_key_value_heads": 1,
    "hidden_dim": 16,
    "hidden_size": 16,
    "embedding_dim": 16,
    "intermediate_dim": 32,
    "moe_intermediate_dim": 32,
    "shared_expert_intermediate_dim": 32,
    "shared_expert_intermediate_size": 32,
    "head_dim": 8,
    "head_size": 8,
    "num_experts": 8,
    "top_k": 2,
    "max_sequence_length": 32,
}

_T5GEMMA = {
    f"{side}_{name}": value
    for side in ("encoder", "decoder")
    for name, value in {
        "hidden_dim": 16,
        "intermediate_dim": 32,
        "num_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "layer_types": ["sliding_attention", "full_attention"],
    }.items()
}
_LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}
_GEMMA3N = {
    "text_vocab_size": 64,
    "text_hidden_size": 16,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "num_key_value_heads": 1,
    "intermediate_size": [32, 32],
    "hidden_activation": "gelu_approximate",
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 4,
    "rope_theta": 10000.0,
    "max_position_embeddings": 32,
    "vocab_size_per_layer_input": 64,
    "hidden_size_per_layer_input": 8,
    "altup_num_inputs": 2,
    "laurel_rank": 4,
}
_SMOLLM3 = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "rope_layer_enabled_list": [True, False],
    "layer_types": ["full_attention", "full_attention"],
    "mlp_bias": False,
    "layer_norm_epsilon": 1e-6,
    "max_position_embeddings": 32,
    "rope_theta": 10000.0,
    "partial_rotary_factor": 1.0,
}

# Class -> what it needs beside SIZES.
BACKBONES = {
    "AlbertBackbone": {},
    "BartBackbone": {},
    "BertBackbone": {},
    "BloomBackbone": {},
    "DebertaV3Backbone": {"bucket_size": 8},
    "DistilBertBackbone": {},
    "EdRecBackbone": {},
    "ElectraBackbone": {},
    "ESMBackbone": {},
    "FNetBackbone": {},
    "FalconBackbone": {},
    "GPT2Backbone": {},
    "GPTNeoXBackbone": {},
    "GemmaBackbone": {},
    "Gemma3Backbone": {"image_size": 16},
    "Gemma3nBackbone": _GEMMA3N,
    "Gemma4Backbone": {"image_size": 16},
    "GptOssBackbone": {},
    "LlamaBackbone": {},
    "Llama3Backbone": {},
    "MistralBackbone": {},
    "MixtralBackbone": {},
    "OPTBackbone": {},
    "Phi3Backbone": {},
    "QwenBackbone": {},
    "Qwen3Backbone": {},
    "Qwen3_5Backbone": _LINEAR,
    "Qwen3_5MoeBackbone": _LINEAR,
    "Qwen3MoeBackbone": {},
    "QwenMoeBackbone": {},
    "RWKV7Backbone": {"gate_lora": 4, "mv_lora": 4, "aaa_lora": 4, "decay_lora": 4},
    "RobertaBackbone": {},
    "RoformerV2Backbone": {},
    "SmolLM3Backbone": _SMOLLM3,
    "T5Backbone": {},
    "T5GemmaBackbone": {**_T5GEMMA, "sliding_window": 4},
    "T5Gemma2Backbone": {**_T5GEMMA, "sliding_window": 4},
    "XLMRobertaBackbone": {},
    "XLNetBackbone": {},
}


def backbone(name):
    """Return the function that builds a tiny backbone, under the global policy as the audit sets it."""
    import keras_hub

    made = getattr(keras_hub.models, name, None) or _unlisted(name)
    parameters = {}
    for each in inspect.getmro(made):
        if each.__module__.startswith("keras_hub") and "__init__" in vars(each):
            parameters |= dict(inspect.signature(each.__init__).parameters)
            if not any(it.kind is it.VAR_KEYWORD for it in parameters.values()) or len(parameters) > 3:
                break
    chosen = {key: value for key, value in SIZES.items() if key in parameters} | BACKBONES[name]

    def build():
        return made(**chosen)

    return build


def _unlisted(name):
    """Return a backbone that keras-hub holds and does not export."""
    import importlib

    homes = {"EdRecBackbone": "edrec.edrec_backbone"}
    return getattr(importlib.import_module(f"keras_hub.src.models.{homes[name]}"), name)

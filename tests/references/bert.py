"""BERT Joint in float64 NumPy, as slow and plain as it can be read: what the network must agree with.

Source: Devlin et al. 2018 (arXiv 1810.04805), and for the heads Alberti, Lee and Collins 2019 (arXiv 1901.08634).
"""

import math

import numpy as np


def encode(weights, config, input_ids, input_mask, segment_ids):
    """Return the sequence output [n, s, h] and the pooled output [n, h]."""
    weights = {name: values.astype(np.float64) for name, values in weights.items()}
    positions = np.arange(input_ids.shape[1])
    hidden = weights["bert.embeddings.word_embeddings.weight"][input_ids]
    hidden = hidden + weights["bert.embeddings.position_embeddings.weight"][positions]
    hidden = hidden + weights["bert.embeddings.token_type_embeddings.weight"][segment_ids]
    hidden = layer_norm(weights, config, "bert.embeddings.LayerNorm", hidden)
    for index in range(config.num_hidden_layers):
        layer = f"bert.encoder.layer.{index}"
        attended = attention(weights, config, f"{layer}.attention", hidden, input_mask)
        hidden = layer_norm(weights, config, f"{layer}.attention.output.LayerNorm", hidden + attended)
        inner = gelu(config, dense(weights, f"{layer}.intermediate.dense", hidden))
        outer = dense(weights, f"{layer}.output.dense", inner)
        hidden = layer_norm(weights, config, f"{layer}.output.LayerNorm", hidden + outer)
    return hidden, np.tanh(dense(weights, "bert.pooler.dense", hidden[:, 0]))


def logits(weights, config, input_ids, input_mask, segment_ids):
    """Return start [n, s], end [n, s] and answer-type [n, 5] logits."""
    sequence, pooled = encode(weights, config, input_ids, input_mask, segment_ids)
    span = dense(weights, "span", sequence)
    return span[:, :, 0], span[:, :, 1], dense(weights, "answer_type", pooled)


def attention(weights, config, name, hidden, input_mask):
    """Attend head by head, feature by feature."""
    size = config.hidden_size // config.num_attention_heads
    query, key, value = (dense(weights, f"{name}.self.{role}", hidden) for role in ("query", "key", "value"))
    mixed = np.zeros_like(hidden)
    for row in range(len(hidden)):
        masked = (1.0 - input_mask[row]) * -10000.0
        for head in range(config.num_attention_heads):
            part = slice(head * size, (head + 1) * size)
            scores = query[row][:, part] @ key[row][:, part].T / math.sqrt(size) + masked
            exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
            probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
            mixed[row][:, part] = probabilities @ value[row][:, part]
    return dense(weights, f"{name}.output.dense", mixed)


def dense(weights, name, values):
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def layer_norm(weights, config, name, values):
    centred = values - values.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + config.layer_norm_eps)
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(config, values):
    if config.hidden_act == "gelu_new":
        return values / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (values + 0.044715 * values**3)))
    return values / 2 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))

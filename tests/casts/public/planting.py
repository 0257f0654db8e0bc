"""Conflicts planted into models that nobody here wrote: one layer's call is wrapped, and the audit must name it."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tests.casts.public.findings import findings_of
from tests.casts.public.keras_hub_models import backbone


def float32_constant(_layer, x):
    return ops.add(x, ops.full((x.shape[-1],), 0.1, dtype="float32"))


def refused_constant(_layer, x):
    return x + tf.fill((x.shape[-1],), 0.1)


def float32_mask(_layer, x):
    return ops.multiply(x, ops.cast(ops.not_equal(x, 0), "float32"))


def leaking_cast(_layer, x):
    return ops.cast(x, "float32")


def other_half(_layer, x):
    """A literal half type, right in one policy and wrong in the other."""
    other = "float16" if x.dtype == "bfloat16" else "bfloat16"
    return ops.add(x, ops.cast(ops.full((x.shape[-1],), 0.1), other))


def large_mask(_layer, x):
    return x + (1.0 - ops.cast(ops.not_equal(x, 0), x.dtype)) * -1e9


def tiny_epsilon(_layer, x):
    return x * ops.rsqrt(ops.max(ops.square(x), axis=-1, keepdims=True) + 1e-12)


def write_back(layer, x):
    layer.last.assign(ops.max(x))
    return x


def round_trip(_layer, x):
    narrow = ops.cast(ops.tanh(ops.cast(x, "float32")), x.dtype)
    return ops.cast(ops.sin(ops.cast(narrow, "float32")), x.dtype)


def redundant_casts(_layer, x):
    return ops.cast(ops.cast(x, "float32"), x.dtype)


def half_mean(_layer, x):
    return x - tf.reduce_mean(x, axis=-1, keepdims=True)


def stored_weight(layer, x):
    """A weight that is read as it is stored, without the layer's autocast."""
    return ops.matmul(x, layer.extra)


# What is planted -> the rules that name it; those in NARROW exist in float16 alone, whose range is short. A mean is
# among them: in bfloat16 it goes wrong from 256 terms on, which no layer of these small models has.
PLANTS = {
    float32_constant: {"CAST002"},
    refused_constant: {"CAST001"},
    float32_mask: {"CAST002"},
    leaking_cast: {"CAST003", "CAST005"},
    other_half: {"CAST002"},
    large_mask: {"NUM101", "NUM103"},
    tiny_epsilon: {"NUM102"},
    write_back: {"CAST008"},
    round_trip: {"CAST004"},
    redundant_casts: {"CAST005"},
    half_mean: {"NUM105"},
    stored_weight: {"CAST002"},
}
# Backbones in which the audit finds nothing of itself.
CLEAN = (
    "AlbertBackbone",
    "BertBackbone",
    "BloomBackbone",
    "DebertaV3Backbone",
    "ElectraBackbone",
    "FNetBackbone",
    "FalconBackbone",
    "GPT2Backbone",
    "GPTNeoXBackbone",
    "GemmaBackbone",
    "LlamaBackbone",
    "Qwen3Backbone",
    "RobertaBackbone",
)
NARROW = (large_mask, tiny_epsilon, half_mean)


def sites(model):
    """Return the layers into which can be planted: those inside the model that make one float tensor of known width."""
    made = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.LayerNormalization, keras.layers.Embedding)
    own = [layer for layer in model._flatten_layers() if layer is not model and layer.built and layer.path]
    return sorted(
        (layer for layer in own if isinstance(layer, made) or type(layer).__name__.endswith(("LayerNorm", "Norm"))),
        key=lambda layer: layer.path,
    )


def plant(layer, conflict):
    """Wrap the call of `layer`, so that its result goes through `conflict`."""
    genuine = layer.call

    @functools.wraps(genuine)
    def call(*args, **kwargs):
        made = genuine(*args, **kwargs)
        if conflict is stored_weight and not hasattr(layer, "extra"):
            _unlocked(layer, "extra", tf.Variable(np.eye(made.shape[-1], dtype=np.float32), trainable=False))
        return conflict(layer, made)

    if conflict is write_back:
        _unlocked(layer, "last", tf.Variable(0.0, trainable=False))
    _unlocked(layer, "call", call)
    return layer.path


def _unlocked(layer, name, value):
    object.__setattr__(layer, name, value)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conflict, the model it is planted into, at which of its sites, and the policy."""

    conflict: Any
    model: str
    number: int
    precision: str


def cases(count=60):
    """Return conflicts spread over models, sites and precisions."""
    kinds = list(PLANTS)
    chosen = []
    for number in range(count):
        conflict = kinds[number % len(kinds)]
        wide = number % 5 in (2, 4) and conflict not in NARROW
        chosen.append(
            Case(
                conflict=conflict,
                model=CLEAN[number % len(CLEAN)],
                number=7 * number + 3,
                precision="mixed_bfloat16" if wide else "mixed_float16",
            )
        )
    return chosen


def outcome(case):
    """Return the layer that was planted into, and whether a finding names it, the line and one of the rules."""
    site = ""

    def build():
        nonlocal site
        model = backbone(case.model)()
        layers = sites(model)
        site = plant(layers[case.number % len(layers)], case.conflict)
        return model

    findings, _ = findings_of(build, case.precision)
    return site, any(
        finding.rule in PLANTS[case.conflict]
        and finding.layer == site
        and Path(finding.path or "").name == Path(__file__).name
        for finding in findings
    )

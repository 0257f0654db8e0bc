"""NUM106: a variable whose norm is mostly subnormal, or which overflows; a few small numbers are rounded by nothing.

Nor is anything lost of a small variable that is only added to other values.
"""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from nqperf.casts.audit import audit
from nqperf.casts.rules.weight_rules import weights_out_of_range

BIAS = np.float32([0.1, 0.2, -0.1, 1e-6, 0.3, 0.05])


def found(values, dtype="float16"):
    """Return the messages for a variable of such `values` that is cast to `dtype`."""
    cast = SimpleNamespace(layer="head", op_type="Cast", kind="variable", out_dtype=dtype, location=None, shape=None)
    flow = SimpleNamespace(trace=SimpleNamespace(ops=[cast]))
    model = SimpleNamespace(variables=[SimpleNamespace(path="head/bias", name="bias")])
    return [each.message for each in weights_out_of_range(flow, model, {"head/bias": values})]


@pytest.mark.parametrize("values", [BIAS, np.float32([1e-6] * 5 + [0.3]), np.zeros(6, np.float32)])
def test_small_numbers_beside_larger_ones_are_no_finding(values):
    """Their error in float16 is below the type's own rounding of the whole."""
    error = np.linalg.norm(values.astype(np.float16).astype(np.float32) - values)
    assert error <= 2.0**-11 * np.linalg.norm(values)
    assert found(values) == []


def test_a_norm_that_is_mostly_subnormal_is_found_and_loses_more_than_the_type_rounds():
    values = np.random.default_rng(0).normal(0, 1e-5, 4096).astype(np.float32)
    error = np.linalg.norm(values.astype(np.float16).astype(np.float32) - values)
    assert error > 2.0**-11 * np.linalg.norm(values)
    assert found(values) == ["of the weights head/bias 100.0%, most of the norm, are subnormal in float16"]
    assert found(values, "bfloat16") == []


def test_one_number_that_overflows_is_found():
    assert found(np.float32([*BIAS, 1e5])) == ["of the weights head/bias 14.29% overflow in float16"]


class Attention(keras.layers.Layer):
    """What softmax makes of a key's bias is nothing at all, and training leaves it near zero."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.query, self.key = keras.layers.Dense(8), keras.layers.Dense(8, name="key")
        self.value = keras.layers.EinsumDense("abc,cd->abd", (None, 8), bias_axes="d")

    def call(self, x):
        scores = ops.matmul(self.query(x), ops.transpose(self.key(x), (0, 2, 1)))
        return ops.matmul(ops.softmax(scores), self.value(x))


class OneWeight(keras.layers.Layer):
    """Does with its only weight what `does` says."""

    def __init__(self, does, **keywords):
        super().__init__(**keywords)
        self.does = does

    def build(self, shape):
        self.weight = self.add_weight(shape=(shape[-1],), name="weight")

    def call(self, x):
        return self.does(x, self.weight)


def rules_of(layer, shape, variable, value):
    """Return the rules that find something in `layer` where its `variable`, by path, has `value` throughout."""

    def build():
        inputs = keras.Input(shape, batch_size=2)
        model = keras.Model(inputs, layer()(inputs))
        found = next(each for each in model.variables if each.path == variable)
        found.assign(np.full(found.shape, value, np.float32))
        return model

    return [each.rule for each in audit(build, precision="mixed_float16").findings]


@pytest.mark.parametrize(
    ("layer", "shape", "variable"),
    [
        (lambda: Attention(name="mine"), (4, 8), "mine/key/bias"),
        (lambda: keras.layers.Conv2D(4, 3, name="mine"), (8, 8, 3), "mine/bias"),
        (lambda: keras.layers.LayerNormalization(name="mine"), (8,), "mine/beta"),
        (lambda: keras.layers.BatchNormalization(name="mine"), (8, 8, 3), "mine/beta"),
        (lambda: OneWeight(lambda x, weight: x + weight, name="mine"), (8,), "mine/weight"),
        (lambda: OneWeight(lambda x, weight: ops.sqrt(2 + x) - weight, name="mine"), (8,), "mine/weight"),
    ],
)
def test_a_small_variable_that_is_only_added_is_no_finding_and_one_that_overflows_is(layer, shape, variable):
    assert rules_of(layer, shape, variable, 5e-6) == []
    assert rules_of(layer, shape, variable, 1e5) == ([] if "beta" in variable else ["NUM106"])


@pytest.mark.parametrize(
    "does",
    [
        lambda x, weight: x * weight + x,
        lambda x, weight: x / (ops.relu(x) + weight),
        lambda x, weight: ops.log(ops.maximum(ops.relu(x) + weight, 0)),
        lambda x, weight: ops.sqrt(ops.reshape(ops.relu(x) + weight, (-1,))),
        lambda x, weight: ops.rsqrt(ops.relu(x) + ops.expand_dims(weight, 0)),
    ],
)
def test_a_small_variable_that_scales_or_guards_is_found(does):
    assert rules_of(lambda: OneWeight(does, name="mine"), (8,), "mine/weight", 5e-6) == ["NUM106"]

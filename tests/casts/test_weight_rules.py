"""NUM106: a variable whose norm is mostly subnormal, or which overflows; a few small numbers are rounded by nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from nqperf.casts.rules.weight_rules import weights_out_of_range

BIAS = np.float32([0.1, 0.2, -0.1, 1e-6, 0.3, 0.05])


def found(values, dtype="float16"):
    """Return the messages for a variable of such `values` that is cast to `dtype`."""
    cast = SimpleNamespace(layer="head", op_type="Cast", kind="variable", out_dtype=dtype, location=None)
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

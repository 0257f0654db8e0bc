"""A quotient that its epsilon alone keeps finite is beyond float16: not it is brought back, but what it multiplies."""

import importlib

import keras
import numpy as np
import pytest

from nqperf.casts.audit import audit
from nqperf.casts.edits.in_memory import in_force
from nqperf.casts.edits.text import edited
from nqperf.casts.trace import source

WIDE_PRODUCT = 'ops.cast(ops.cast(x, "float32") * '


def layers_of_the_tests():
    """Import them here: what is imported while tests are collected is frozen, and no edit reaches it."""
    return importlib.import_module("tests.casts.normalizing")


def audited(name, precision="mixed_float16"):
    made = layers_of_the_tests()
    return audit(lambda: made.model(getattr(made, name)), precision=precision)


@pytest.mark.parametrize(
    ("name", "rules", "edit"),
    [
        ("Halved", {"NUM105", "NUM102"}, f"{WIDE_PRODUCT}ops.rsqrt(s + 1e-12), self.compute_dtype)"),
        ("RootBroughtBack", {"NUM101"}, f"{WIDE_PRODUCT}ops.rsqrt(s + 1e-12), self.compute_dtype)"),
        ("QuotientBroughtBack", {"NUM101"}, f"{WIDE_PRODUCT}inverse, x.dtype)"),
        ("BoundBroughtBack", {"NUM101"}, f"{WIDE_PRODUCT}ops.rsqrt(ops.maximum(mean, 1e-12)), x.dtype)"),
        ("QuotientInHalf", {"NUM101"}, f'{WIDE_PRODUCT}(1.0 / (ops.cast(largest, "float32") + 1e-6)), x.dtype)'),
    ],
)
def test_the_product_is_brought_back_and_not_the_quotient(name, rules, edit):
    outcome = audited(name)
    assert {found.rule for found in outcome.findings} == rules
    for found in outcome.findings:
        assert found.unverified == ""
        assert edit in found.edit_text


@pytest.mark.parametrize("name", ["Halved", "RootBroughtBack", "QuotientBroughtBack", "QuotientInHalf"])
def test_with_the_edit_a_row_of_zeros_stays_zero(name):
    """The edits are run, for an audit that calls its own edit clean proves nothing."""
    made, zeros = layers_of_the_tests(), np.zeros((1, 16), np.float16)
    edits = [each.fix for each in audited(name).findings]
    path = edits[0].path
    kind = getattr(made, name)
    assert np.isnan(np.asarray(kind(dtype="mixed_float16")(zeros), np.float32)).all()
    with in_force({path: (edited(source.text_at(path), edits), ())}):
        assert not np.asarray(kind(dtype="mixed_float16")(zeros), np.float32).any()


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("LargeEpsilon", "mixed_float16"),
        ("ProductBroughtBack", "mixed_float16"),
        ("NeverZero", "mixed_float16"),
        ("RootBroughtBack", "mixed_bfloat16"),
        ("QuotientInHalf", "mixed_bfloat16"),
    ],
)
def test_what_fits_the_type_is_no_finding(name, precision):
    assert audited(name, precision).findings == ()


@pytest.mark.parametrize("epsilon", [1e-9, 1e-10, 1e-12])
def test_the_bound_is_what_float16_holds(epsilon):
    class Scaled(keras.layers.Layer):
        def call(self, x):
            s = keras.ops.sum(keras.ops.square(keras.ops.cast(x, "float32")), axis=-1, keepdims=True)
            return x * keras.ops.cast(keras.ops.rsqrt(s + epsilon), x.dtype)

    found = {
        each.rule for each in audit(lambda: layers_of_the_tests().model(Scaled), precision="mixed_float16").findings
    }
    assert found == ({"NUM101"} if epsilon**-0.5 > float(np.finfo(np.float16).max) else set())


def test_a_quotient_beyond_all_types_is_a_finding_and_ends_nothing():
    class Sharp(keras.layers.Layer):
        def call(self, x):
            s = keras.ops.sum(keras.ops.square(keras.ops.cast(x, "float32")), axis=-1, keepdims=True)
            return x * keras.ops.cast(keras.ops.power(s + 1e-30, -12.0), x.dtype)

    outcome = audit(lambda: layers_of_the_tests().model(Sharp), precision="mixed_float16")
    assert "the Pow is inf where its epsilon alone is left" in "".join(each.message for each in outcome.findings)

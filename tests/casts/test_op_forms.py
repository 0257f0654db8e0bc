"""Over sixty forms in which two float types meet: found, the wide operand named, and an edit with which it runs.

Each form is a function of x and y of shape (2, 4) that is written to a module, for an edit needs a source. Either is
wide in turn. The truth is TensorFlow: the function as it is must be refused, and run with the edit in force.
"""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from nqperf.casts.audit import audit
from nqperf.casts.edits.in_memory import in_force
from nqperf.casts.edits.text import edited

FORMS = """
x + y | x - y | x * y | x / y | x % y | x // y | x ** y | x > y | x >= y | x < y | x <= y | x @ tf.transpose(y)
(x + 1.0) * (y + 2.0) | -x + y | tf.nn.relu(x) - tf.nn.relu(y) | x[0] + y[1] | (x + y) + x
tf.add(x, y) | tf.subtract(x, y) | tf.multiply(x, y) | tf.divide(x, y) | tf.math.truediv(x, y) | tf.pow(x, y)
tf.maximum(x, y) | tf.minimum(x, y) | tf.math.divide_no_nan(x, y) | tf.math.multiply_no_nan(x, y)
tf.math.floordiv(x, y) | tf.math.floormod(x, y) | tf.math.squared_difference(x, y) | tf.math.atan2(x, y)
tf.math.xdivy(x, y) | tf.math.xlogy(x, y) | tf.math.xlog1py(x, y) | tf.equal(x, y) | tf.not_equal(x, y)
tf.greater(x, y) | tf.less_equal(x, y) | tf.add(x=x, y=y) | tf.maximum(y=y, x=x)
tf.matmul(x, y, transpose_b=True) | tf.matmul(a=x, b=tf.transpose(y)) | tf.linalg.matvec(x, y[0])
tf.einsum("ij,kj->ik", x, y) | tf.tensordot(x, y, [[1], [1]]) | tf.linalg.matmul(x[None], y[None], transpose_b=True)
tf.concat([x, y], 0) | tf.stack([x, y]) | tf.stack([x[0], y[0], x[1]], axis=1) | tf.add_n([x, y])
tf.concat((x, x, y), axis=-1)
tf.where(x > 0, x, y) | tf.where(tf.constant([True, False, True, False]), x, y) | tf.clip_by_value(x, y - 3, y)
tf.tensor_scatter_nd_add(x, [[0]], y[:1]) | tf.tensor_scatter_nd_update(x, [[0]], y[:1])
tf.tensor_scatter_nd_sub(x, [[1]], y[:1]) | tf.tensor_scatter_nd_max(x, [[1]], y[:1])
tf.nn.bias_add(x, y[0]) | tf.linalg.set_diag(x, y[0, :2]) | tf.pad(x, [[0, 1], [0, 0]], constant_values=y[0, 0])
tf.nn.conv1d(x[None], tf.ones_like(y)[None], 1, "SAME") | tf.math.scalar_mul(x[0, 0], y) | tf.math.polyval([x, y], x)
tf.raw_ops.AddV2(x=x, y=y)
tf.raw_ops.Select(condition=x > 0, x=x, y=y) | tf.one_hot([0, 1], 4, on_value=x[0, 0], off_value=y[0, 0])
"""
EXPRESSIONS = [each.strip() for line in FORMS.strip().splitlines() for each in line.split(" | ")]
AUGMENTED = ["+", "-", "*", "/"]
HALF, SINGLE = tf.TensorSpec((2, 4), tf.float16), tf.TensorSpec((2, 4), tf.float32)


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """Return the module that holds all forms as functions, and its path."""
    path = tmp_path_factory.mktemp("forms") / "op_forms.py"
    lines = ["import tensorflow as tf", ""]
    for number, text in enumerate(EXPRESSIONS):
        lines += [f"def form_{number}(x, y):", f"    return {text}", ""]
    for number, symbol in enumerate(AUGMENTED, len(EXPRESSIONS)):
        lines += [f"def form_{number}(x, y):", f"    x {symbol}= y", "    return x", ""]
    path.write_text("\n".join(lines))
    spec = importlib.util.spec_from_file_location("op_forms", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["op_forms"] = module
    spec.loader.exec_module(module)
    return module, str(path)


def names():
    return [*EXPRESSIONS, *(f"x {symbol}= y" for symbol in AUGMENTED)]


def run(function, specs):
    x = tf.constant(np.linspace(0.25, 2.0, 8).reshape(2, 4), specs[0].dtype)
    y = tf.constant(np.linspace(1.0, 2.5, 8).reshape(2, 4), specs[1].dtype)
    return [np.asarray(tf.cast(each, tf.float64)) for each in tf.nest.flatten(tf.function(function)(x, y))]


def test_there_are_sixty_forms_and_more():
    assert len(set(names())) == len(names()) >= 60


@pytest.mark.slow(0.2)
@pytest.mark.parametrize(("number", "wide"), list(itertools.product(range(len(names())), "xy")))
def test_a_form_is_found_its_operand_named_and_mended(forms, number, wide):
    module, path = forms
    function = getattr(module, f"form_{number}")
    specs = (SINGLE, HALF) if wide == "x" else (HALF, SINGLE)
    with pytest.raises((TypeError, ValueError)):
        run(function, specs)
    outcome = audit(function, inputs=specs)
    assert outcome.complete, outcome.stopped
    hard = [each for each in outcome.findings if each.rule == "CAST001"]
    assert hard, names()[number]
    assert all("float32" in each.message and "float16" in each.message for each in hard)
    fixes = [each.fix for each in outcome.findings if each.fix is not None]
    assert {id(each) for each in hard} == {id(each) for each in hard if each.fix is not None}, [e.edit for e in hard]
    text = edited(Path(path).read_text(), fixes)
    expected = run(function, (SINGLE, SINGLE))
    with in_force({path: (text, ())}):
        for value, reference in zip(run(function, specs), expected, strict=True):
            np.testing.assert_allclose(value, reference, rtol=0.02, atol=0.02)

"""What an edit changes in the float32 model: a number is told, a cast that comes to nothing there is not."""

import json
import sys

import pytest

from nqperf.casts.audit import audit_target
from nqperf.casts.edits.in_float32 import changes_in_float32
from nqperf.casts.edits.text import Change, Edit
from nqperf.casts.targets import resolve
from nqperf.casts.telling import told
from nqperf.report.casts_text import github_annotations


def edit_of(tmp_path, old, new, *, drops=True):
    """Return the edit that writes `new` in the place of `old`, the whole right side of a file's only line."""
    path = tmp_path / "masked.py"
    path.write_text(f"x = {old}\n")
    span = (1, 4, 1, 4 + len(old))
    return Edit(path=str(path), changes=(Change(span=span, before=new, after="" if drops else ", d)", drops=drops),))


LEAST = "which is -3.40282e+38 there"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-1e9", "-10000.0", "-1e9 becomes -10000.0"),
        ("LARGE", "-10000.0", "LARGE becomes -10000.0"),
        ("-1e9", "y.dtype.min", f"-1e9 becomes y.dtype.min, {LEAST}"),
        ("-1e9", "ops.cast(y.dtype.min, y.dtype)", f"-1e9 becomes y.dtype.min, {LEAST}"),
        ("np.finfo(np.float32).min", "-10000.0", "np.finfo(np.float32).min becomes -10000.0"),
        ("np.finfo(np.float32).min", "y.dtype.min", None),
        ("-10000", "-10000.0", None),
        ("tf.float32", "y.dtype", None),
        ("tf.cast(y, z.dtype)", "y", None),
        ("tf.cast(y, tf.float16)", "y", "nothing is rounded to float16"),
        ("tf.cast(y, 'bfloat16')", "y", "nothing is rounded to bfloat16"),
        ("tf.float64", "self.compute_dtype", "nothing is rounded to float64"),
        ("self.half_of(y)", "y", None),
    ],
)
def test_a_number_or_a_type_by_name_is_told(tmp_path, old, new, said):
    assert changes_in_float32(edit_of(tmp_path, old, new)) == ((said,) if said else ())


def test_what_is_put_around_changes_nothing(tmp_path):
    assert changes_in_float32(edit_of(tmp_path, "y", "tf.cast(", drops=False)) == ()


def test_a_cast_that_moves_inside_keeps_its_rounding(tmp_path):
    path = tmp_path / "moved.py"
    path.write_text("x = tf.cast(y - z, tf.float16)\n")
    changes = (
        Change(span=(1, 4, 1, 12), before="", drops=True),
        Change(span=(1, 17, 1, 30), before="", drops=True),
        Change(span=(1, 12, 1, 13), before="tf.cast(", after=", tf.float16)"),
        Change(span=(1, 16, 1, 17), before="tf.cast(", after=", tf.float16)"),
    )
    assert changes_in_float32(Edit(path=str(path), changes=changes)) == ()


MODULE = """
import keras
import tensorflow as tf


class Masked(keras.layers.Layer):
    def call(self, x):
        scale = tf.constant(0.5)
        y = x * scale
        return tf.nn.softmax(y + (1.0 - tf.cast(x > 0.0, y.dtype)) * -1e9)


def build():
    inputs = keras.Input((8,), batch_size=2)
    return keras.Model(inputs, Masked()(inputs))
"""


@pytest.fixture
def masked(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "masked_model.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "masked_model", raising=False)


@pytest.mark.usefixtures("masked")
def test_fix_and_audit_say_which_edit_changes_the_float32_model_and_what_they_do_meanwhile(recwarn):
    heard = []
    with told(lambda stage, name, _share: heard.append(f"{stage} {name}")):
        found = audit_target(resolve("masked_model:build"), "mixed_float16")[0]
    held = {each.line: list(each.changes_in_float32) for each in found.findings}
    assert held == {9: [], 10: ["-1e9 becomes -10000.0"]}
    document = json.loads(found.to_json())
    assert {each["line"]: each["changes_in_float32"] for each in document["findings"]} == held
    assert "edit (in the float32 model, too, -1e9 becomes -10000.0): " in github_annotations(found)
    assert heard[:2] == ["tracing mixed_float16", "running the model in float32, to hold edits to it"]
    assert {"trying 2 edits together", "running the model with 2 edits"} <= set(heard)
    assert [str(each.message) for each in recwarn if "overflow" in str(each.message)] == []

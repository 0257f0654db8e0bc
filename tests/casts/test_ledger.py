"""The ledger stands still while lines move, and says in words what became of a cast."""

import dataclasses
import json
from pathlib import Path

import pytest

from nqperf.casts import ledger
from nqperf.casts.audit import audit_target, audited_trace
from nqperf.casts.targets import packaged
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.casts.ledger_json import CastRecord, ledger_text, read_ledger, update_ledger

LOCK = Path(__file__).parents[2] / "casts.lock.json"
SOFTMAX = CastRecord(
    layer="bert/block/attention",
    function="model.precision.attention_probabilities",
    reads="BatchMatMulV2",
    from_dtype="float16",
    to_dtype="float32",
    kind="explicit",
    feeds="AddV2",
    times=1,
    layers=12,
)
BACK = dataclasses.replace(SOFTMAX, reads="Softmax", from_dtype="float32", to_dtype="float16", feeds="BatchMatMulV2")
MODULE = """
import keras
from keras import ops


class Scaled(keras.layers.Layer):
    def call(self, x):
        wide = ops.cast(x, "float32")
        return ops.cast(ops.tanh(wide), x.dtype)


def build():
    inputs = keras.Input((4,), batch_size=2, dtype="float16")
    return keras.Model(inputs, Scaled(dtype="mixed_float16", name="scaled")(inputs), name="small")
"""


def recorded(path, text):
    """Return the casts of the model that the module in `path` builds, once `text` is written there."""
    import linecache

    from nqperf.casts.trace import source

    path.write_text(text)
    linecache.clearcache()
    source.module_of.cache_clear()
    names = {}
    exec(compile(text, str(path), "exec"), names)  # noqa: S102  # our own text
    return ledger.records(audited_trace(names["build"])[1])


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_the_ledger_in_the_repository_holds(precision):
    target = packaged()
    outcome, trace = audit_target(target, precision)
    assert outcome.clean
    held = read_ledger(LOCK, model=target.name)
    assert ledger.difference(held[precision], ledger.records(trace)) == []


def test_the_file_is_canonical_with_one_record_a_line(tmp_path):
    path = tmp_path / "casts.lock.json"
    text = ledger_text("small", {"b": (SOFTMAX,), "a": (SOFTMAX, BACK)}, {"tensorflow": "2", "keras": "3"})
    path.write_text(text)
    assert read_ledger(path, model="small") == {"a": tuple(sorted((SOFTMAX, BACK))), "b": (SOFTMAX,)}
    assert ledger_text("small", read_ledger(path, model="small"), {"keras": "3", "tensorflow": "2"}) == text
    assert sum("attention_probabilities" in line for line in text.splitlines()) == 3
    assert json.loads(text)["schema_version"] == 1


def test_the_ledger_stands_still_when_lines_move(tmp_path):
    path = tmp_path / "small.py"
    before = recorded(path, MODULE)
    moved = recorded(path, MODULE.replace("class Scaled", "# a comment\n\n\nMAGIC = 3\n\n\nclass Scaled"))
    assert len(before) == 2
    assert moved == before
    assert before[0].function.endswith("small.Scaled.call")


def test_a_cast_that_moves_to_another_function_is_noticed(tmp_path):
    path = tmp_path / "small.py"
    before = recorded(path, MODULE)
    text = MODULE.replace('wide = ops.cast(x, "float32")', "wide = widened(x)").replace(
        "def build", 'def widened(x):\n    return ops.cast(x, "float32")\n\n\ndef build'
    )
    (change,) = ledger.difference(before, recorded(path, text))
    assert change.startswith("moved: ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ((SOFTMAX, BACK), (SOFTMAX,), "lost: bert/block/attention in 12 layers"),
        ((SOFTMAX,), (SOFTMAX, BACK), "added: bert/block/attention in 12 layers"),
        ((SOFTMAX,), (dataclasses.replace(SOFTMAX, to_dtype="bfloat16"),), "dtype changed: "),
        ((SOFTMAX,), (dataclasses.replace(SOFTMAX, feeds="Softmax"),), "redirected: "),
        ((SOFTMAX,), (dataclasses.replace(SOFTMAX, kind="promotion"),), "kind changed: "),
        ((SOFTMAX,), (dataclasses.replace(SOFTMAX, times=2),), "number changed: "),
        ((SOFTMAX,), (dataclasses.replace(SOFTMAX, layers=11),), "number changed: "),
        ((SOFTMAX,), (dataclasses.replace(SOFTMAX, layer="bert/pooler"),), "moved: "),
    ],
)
def test_every_change_has_its_word(old, new, said):
    (change,) = ledger.difference(old, new)
    assert change.startswith(said)
    assert ledger.difference(old, old) == []


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{", FormatError, "expected a cast ledger, a JSON object"),
        ('{"schema_version": 99, "model": "small"}', FormatError, "schema_version is 99, expected 1"),
        ("[]", FormatError, "expected a cast ledger, a JSON object"),
        ("{}", FormatError, "schema_version is None"),
        ('{"schema_version": 1, "model": "large", "precisions": {}}', ConfigError, "is the ledger of 'large'"),
        ('{"schema_version": 1, "model": "small", "precisions": {"a": [{}]}}', FormatError, "broken record"),
        (None, ConfigError, "there is no such ledger yet; write it with --update"),
    ],
)
def test_a_ledger_of_another_kind_is_one_clear_error(tmp_path, content, error, message):
    path = tmp_path / "casts.lock.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=message):
        read_ledger(path, model="small")


def test_a_precision_that_the_ledger_does_not_have_is_no_change_but_an_error(tmp_path):
    path = tmp_path / "casts.lock.json"
    update_ledger(path, {"mixed_float16": ()}, model="small", versions={})
    assert ledger.changes(path, {"mixed_float16": ()}, model="small") == {"mixed_float16": []}
    with pytest.raises(ConfigError, match=r"has no mixed_bfloat16; it has mixed_float16: .*--nqperf-ledger-update"):
        ledger.changes(path, {"mixed_bfloat16": ()}, model="small")

import json
import re

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import FormatError
from nqperf.formats.results.results_json import read_results, write_results
from nqperf.records.results import (
    SCHEMA_VERSION,
    Agreement,
    Control,
    Controls,
    Pairs,
    Results,
    Subject,
    VariantResult,
    Verdict,
)
from tests import runs
from tests.runs import FINGERPRINT

PAIRS = Pairs(baseline_seconds=(1.0, 1.25), variant_seconds=(0.5, 0.625))
VERDICT = Verdict(
    outcome="PASS", pairs=2, floor=1.5, ratio=2.0, interval=(1.9, 2.1), confidence=0.9934, p_fail=1.0, p_pass=1e-6
)


def results(**changes):
    run = Results(
        command="nqperf bench",
        created="2026-01-02T03:04:05Z",
        fingerprint=FINGERPRINT,
        model=Subject(name="tiny", sha256="ab12"),
        data=Subject(name="world", counts={"examples": 3, "features": 9}),
        workload={"batch_size": 4, "layout": "dense"},
        profile=None,
        variants=(
            VariantResult(name="baseline", status="measured", metrics={"micro-f1": 0.5}),
            VariantResult(
                name="xla",
                status="measured",
                requested={"jit_compile": True},
                observed={"compiled_clusters": 1},
                agreement=Agreement(
                    metric="micro-f1",
                    value=0.5,
                    baseline_value=0.5,
                    compared=3,
                    changed=0,
                    details={"max_abs_logit_difference": 1e-6},
                ),
                samples=(PAIRS,),
                verdict=VERDICT,
            ),
            VariantResult(name="tf32", status="skipped", reason="needs an Ampere GPU or later"),
        ),
        controls=Controls(same=Control(samples=(PAIRS,), verdict=VERDICT), planted=None),
        judged=1,
        expected=1,
        outcome="PASS",
    )
    return msgspec.structs.replace(run, **changes)


def test_there_and_back(tmp_path):
    path = tmp_path / "run.json"
    write_results(path, results())
    assert read_results(path) == results()
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


@settings(deadline=None)
@given(st.lists(st.floats(min_value=1e-9, max_value=1e6), min_size=1, max_size=40))
def test_times_come_back_to_the_last_bit(tmp_path_factory, seconds):
    path = tmp_path_factory.mktemp("results") / "run.json"
    pairs = Pairs(baseline_seconds=tuple(seconds), variant_seconds=tuple(reversed(seconds)))
    row = VariantResult(name="xla", status="measured", samples=(pairs,))
    write_results(path, results(variants=(row,)))
    assert read_results(path).variant("xla") == row


def test_numpy_values_are_written_as_numbers(tmp_path):
    path = tmp_path / "run.json"
    row = VariantResult(
        name="xla",
        status="measured",
        observed={"tf32": np.bool_(False), "retraces": np.int64(0), "share": np.float32(0.5)},
        samples=(Pairs(baseline_seconds=np.array([1.0, 2.0]), variant_seconds=tuple(np.array([3.0, 4.0]))),),
        metrics={"micro-f1": np.float64(0.25)},
    )
    write_results(path, results(variants=(row,), judged=np.int64(0)))
    read = read_results(path).variant("xla")
    assert read.observed == {"tf32": False, "retraces": 0, "share": 0.5}
    assert read.samples == (Pairs(baseline_seconds=(1.0, 2.0), variant_seconds=(3.0, 4.0)),)
    assert read.metrics == {"micro-f1": 0.25}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), 1 + 2j])
def test_what_json_cannot_hold_is_not_written(tmp_path, value):
    row = VariantResult(name="xla", status="measured", metrics={"micro-f1": value})
    with pytest.raises(FormatError, match=r"run\.json"):
        write_results(tmp_path / "run.json", results(variants=(row,)))
    assert list(tmp_path.iterdir()) == []


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "run.json"
    write_results(path, results())
    whole = path.read_bytes()
    for end in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError, match=r"run\.json"):
            read_results(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            f'{{"schema_version": {SCHEMA_VERSION + 1}, "rows": []}}',
            rf"field schema_version: is {SCHEMA_VERSION + 1}, .* expected {SCHEMA_VERSION}: read it with that version",
        ),
        ('{"schema_version": 1, "data": {"examples": 3}}', "is 1, as nqperf of an unknown version wrote it"),
        (
            '{"schema_version": 1, "created": "2026-10-01", "fingerprint": {"versions": {"nqperf": "0.0.9"}}}',
            "is 1, as nqperf 0.0.9 wrote it on 2026-10-01; .*or make the results again with this one",
        ),
        ('{"machine_info": {}, "benchmarks": []}', "expected a results file of nqperf"),
        ('{"schema_version": 3, "nqperf": "0.1.0", "configuration": {}}', "is the record of `nqperf run`, .*name one"),
        ('{"schema_version": 1, "base": {}, "change": {}}', "is a comparison of two revisions; .*name one"),
        ("[]", "expected a results file of nqperf"),
        (f'{{"schema_version": {SCHEMA_VERSION}}}', "missing required field `command`"),
        ("", "expected a results file of nqperf"),
        ("\x00\xff", "expected a results file of nqperf"),
    ],
)
def test_foreign_files_are_refused(tmp_path, content, message):
    path = tmp_path / "run.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(FormatError, match=message):
        read_results(path)


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (["variants", 1, "samples", 0, "baseline_seconds"], [1.0], "variants[1].samples[0]"),
        (["variants", 1, "samples", 0, "baseline_seconds"], [1.0, 0.0], "variants[1].samples[0]"),
        (["variants", 1, "samples", 0, "variant_seconds"], [1.0, "2"], "variants[1].samples[0].variant_seconds[1]"),
        (["variants", 2, "reason"], None, "variants[2]"),
        (["variants", 1, "status"], "failed", "variants[1]"),
        (["variants", 1, "reason"], "it died", "variants[1]"),
        (["variants", 2, "name"], "xla", None),
        (["variants", 1, "verdict", "outcome"], "CONTINUE", "variants[1].verdict.outcome"),
        (["fingerprint", "gpu"], "V100", "fingerprint"),
        (["outcome"], "GREEN", "outcome"),
        (["workload", "batch_size"], 4.5, "workload[...]"),
        (["data", "counts", "features"], "9", "data.counts[...]"),
        (["variants", 1, "agreement", "compared"], None, "variants[1].agreement.compared"),
    ],
)
def test_a_spoilt_field_is_named(tmp_path, place, value, field):
    path = tmp_path / "run.json"
    write_results(path, results())
    document = json.loads(path.read_text())
    record = document
    for key in place[:-1]:
        record = record[key]
    record[place[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=f"field {re.escape(field)}: " if field else "stand twice"):
        read_results(path)


def test_no_such_file(tmp_path):
    with pytest.raises(FormatError, match="no such file; expected a results file"):
        read_results(tmp_path / "absent.json")


def test_the_device_key_is_the_device_and_not_the_run():
    other_run = msgspec.structs.replace(
        FINGERPRINT, versions={"tensorflow": "2.20.0"}, tf32=False, intra_op_threads=1, driver="1", observed={"a": "b"}
    )
    assert other_run.device_key == FINGERPRINT.device_key == "cpu: A CPU (AuthenticAMD-26-2), 2 cores, avx512_bf16"
    two_gpus = msgspec.structs.replace(FINGERPRINT, gpus=("NVIDIA H200", "NVIDIA H200"))
    assert two_gpus.device_key == "gpu: 2 x NVIDIA H200"


def test_a_file_of_version_2_is_read(tmp_path):
    """As the last version before sets wrote it: two sets of a FAIL, and a planted slowdown that was found."""
    pairs = {"baseline_seconds": [0.1, 0.11], "variant_seconds": [0.12, 0.13]}
    verdict = {
        "outcome": "FAIL",
        "pairs": 2,
        "floor": 1.0,
        "ratio": 0.9,
        "interval": [0.8, 0.95],
        "confidence": 0.99,
        "p_fail": 0.001,
        "p_pass": 0.9,
        "processes": 2,
    }
    whole = msgspec.to_builtins(runs.run(runs.measured("xla", 1.2, 1.1)))
    del whole["sets"]
    row = {"name": "xla", "status": "measured", "samples": [pairs, pairs], "verdict": verdict}
    same = {"samples": [pairs], "verdict": {**verdict, "outcome": "PASS"}}
    older = {
        **whole,
        "variants": [{"name": "baseline", "status": "measured"}, row],
        "controls": {"same": same, "planted": {"samples": [pairs], "verdict": verdict}},
        "schema_version": 2,
    }
    path = tmp_path / "old.json"
    path.write_bytes(msgspec.json.encode(older))
    found = read_results(path)
    assert found.schema_version == 3
    xla = found.variant("xla")
    assert (xla.verdict.sets, xla.verdict.outcome, [sample.number for sample in xla.samples]) == (2, "FAIL", [0, 1])
    assert found.controls.planted.verdict.outcome == "PASS"
    assert found.controls.same.verdict.outcome == "PASS"
    assert found.sets == ()
    del older["variants"][1]["verdict"]["ratio"]
    path.write_bytes(msgspec.json.encode(older))
    with pytest.raises(FormatError, match="missing required field `ratio`"):
        read_results(path)

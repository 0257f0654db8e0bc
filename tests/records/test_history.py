import msgspec
import pytest

from nqperf.errors import ConfigError
from nqperf.records.history import history
from tests import runs


def at(day, *rows, **changes):
    return runs.run(*rows, created=f"2026-01-{day:02}T00:00:00Z", **changes)


def test_runs_stand_in_the_order_in_which_they_were_made():
    xla = runs.measured("xla", 1.2, 1.1)
    found = history({"b.json": at(9, xla), "a.json": at(10, runs.SKIPPED), "c.json": at(2, xla, runs.SKIPPED)})
    assert [moment.source for moment in found.runs] == ["c.json", "b.json", "a.json"]
    assert [point.run for point in found.variants["xla"]] == [0, 1]
    first = found.variants["xla"][0]
    verdict = xla.verdict
    assert (first.ratio, first.interval, first.pairs, first.floor) == (verdict.ratio, verdict.interval, 20, 1.1)
    skipped = found.variants["tf32"]
    assert [(point.run, point.ratio, point.outcome) for point in skipped] == [
        (0, None, "skipped"),
        (2, None, "skipped"),
    ]
    assert skipped[0].reason == "needs an Ampere GPU or later"
    assert "baseline" not in found.variants


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"fingerprint": msgspec.structs.replace(runs.FINGERPRINT, cores=64)}, "device: "),
        (
            {
                "fingerprint": msgspec.structs.replace(
                    runs.FINGERPRINT, versions={"tensorflow": "2.20.0", "keras": "3.15.0"}
                )
            },
            "tensorflow: 2.21.0 -> 2.20.0",
        ),
        ({"workload": {"batch_size": 8}}, "work: hidden_size 32"),
        ({"model": runs.Subject(name="large")}, "model: tiny -> large"),
        ({"model": runs.Subject(name="tiny", sha256="1")}, "model: tiny, other content"),
        # What no speed depends on is no change of the machine.
        ({"fingerprint": msgspec.structs.replace(runs.FINGERPRINT, intra_op_threads=1)}, None),
        ({"command": "another"}, None),
    ],
)
def test_a_change_is_told_of_the_run_after_it(changes, said):
    row = runs.measured("xla", 1.2)
    found = history({"a.json": at(1, row), "b.json": at(2, row, **changes), "c.json": at(3, row, **changes)})
    first, second, third = (moment.changes for moment in found.runs)
    assert first == third == ()
    assert (second[0][: len(said)] if said else second) == (said or ())


def test_no_runs_are_no_history():
    with pytest.raises(ConfigError, match="no runs"):
        history({})

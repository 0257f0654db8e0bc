import dataclasses

import msgspec
import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.records.history import exit_status, history
from nqperf.records.levels import Speed
from nqperf.records.results import Pairs, VariantResult, Verdict
from tests import runs


def at(day, *rows, **changes):
    return runs.run(*rows, created=f"2026-01-{day:02}T00:00:00Z", **changes)


def on_pages(pages, **changes):
    return msgspec.structs.replace(runs.FINGERPRINT, states={"pages": pages}, **changes)


def test_runs_stand_in_the_order_in_which_they_were_made():
    xla = runs.measured("xla", 1.2, 1.1)
    found = history({"b.json": at(9, xla), "a.json": at(10, runs.SKIPPED), "c.json": at(2, xla, runs.SKIPPED)})
    assert [moment.source for moment in found.runs] == ["c.json", "b.json", "a.json"]
    assert [point.run for point in found.variants["xla"]] == [0, 1]
    first = found.variants["xla"][0]
    verdict = xla.verdict
    assert (first.ratio, first.interval, first.pairs, first.floor) == (verdict.ratio, verdict.interval, 120, 1.1)
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
        ({"fingerprint": on_pages("huge")}, "memory pages: plain -> huge"),
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


BASE = runs.run()
# Of one run: the SD of a set's log ratio, and the sets.
SD, SETS = 0.006, 5


def planted(*speeds, seed=0, run_sd=0.004, machine=(), settings=None, **changes):
    """Return runs by file: the log speed-ups of a row "xla" and of an even one, as sets with noise would give them.

    `machine` are the logs of how slow the machine was, `settings` the fingerprint of each run.
    """
    drawn = np.random.default_rng(seed)
    found = {}
    for number, speed in enumerate(speeds):
        slow = float(machine[number]) if len(machine) else 0.0
        rows = []
        for name, value in (("xla", speed), ("even", 0.0)):
            measured = float(value + drawn.normal(0, np.hypot(run_sd, SD / SETS**0.5)))
            seconds = tuple((0.1 * np.exp(slow + drawn.normal(0, 0.01, SETS))).tolist())
            samples = tuple(
                Pairs(baseline_seconds=(one,), variant_seconds=(one,), number=place)
                for place, one in enumerate(seconds)
            )
            verdict = Verdict(
                outcome="REPORTED",
                pairs=SETS,
                floor=None,
                ratio=float(np.exp(measured)),
                interval=None,
                confidence=0.99,
                sets=SETS,
                sd=SD,
            )
            rows.append(VariantResult(name=name, status="measured", samples=samples, verdict=verdict))
        fingerprint = {} if settings is None else {"fingerprint": settings[number]}
        made = f"2026-01-01T{number:04}"  # in order; the form of a date is the file format's to hold
        variants = (BASE.variants[0], *rows)
        found[f"{number:03}.json"] = msgspec.structs.replace(
            BASE, variants=variants, created=made, **fingerprint, **changes
        )
    return found


def steps_of(found, row="xla"):
    return [step.run for step in found.steps if step.row == row]


def test_ten_small_changes_are_found_one_by_one_where_each_has_runs_enough():
    found = history(planted(*np.repeat(-0.015 * np.arange(11), 20), run_sd=0.002))
    places = steps_of(found)
    assert len(places) == 10
    assert all(abs(place - 20 * number) <= 2 for number, place in enumerate(places, start=1))
    assert steps_of(found, "even") == []
    (slower,) = found.slower
    assert (slower.row, slower.run) == ("xla", places[-1])
    assert slower.last < places[0] + 1
    assert slower.interval[0] < np.exp(-0.15) < slower.interval[1]
    assert exit_status(found) == 1


def test_ten_small_changes_from_run_to_run_are_found_together():
    """None of them could be told from noise; in nine of ten histories or more the sum is."""
    found = [history(planted(*(-0.015 * np.arange(11)), seed=seed)) for seed in range(40)]
    assert sum(any(step.row == "xla" for step in one.slower) for one in found) >= 36
    assert not any(step.row == "even" for one in found for step in one.slower)


def test_histories_without_a_change_are_quiet():
    found = [history(planted(*np.zeros(12), seed=seed)) for seed in range(60)]
    assert sum(bool(one.steps) for one in found) <= 3  # 1 % and what chance adds
    assert sum(exit_status(one) for one in found) <= 3


def test_what_got_faster_or_recovered_is_told_and_is_no_error():
    for levels in ((0.0, 0.1), (0.1, 0.0, 0.1)):
        found = history(planted(*np.repeat(levels, 10)))
        assert steps_of(found) == list(range(10, 10 * len(levels), 10))
        assert exit_status(found) == 0


def test_a_slowdown_too_small_to_matter_is_told_and_is_no_error():
    found = history(planted(*np.repeat([0.0, -0.006], 40), run_sd=0.0))
    assert len(steps_of(found)) == 1
    assert found.slower == ()


def test_a_change_of_the_machine_is_no_slowdown_of_the_code():
    settings = [on_pages("huge")] * 10 + [on_pages("plain")] * 10
    found = history(planted(*np.repeat([0.0, -0.06], 10), settings=settings))
    assert (found.steps, found.slower) == ((), ())
    assert [number for number, run in enumerate(found.runs) if run.changes] == [10]


def test_runs_of_two_machines_in_turns_are_two_series():
    settings = [on_pages("huge", cores=2 + number % 2) for number in range(40)]
    speeds = np.repeat([0.0, -0.05], 20) + 0.5 * (np.arange(40) % 2)
    found = history(planted(*speeds, settings=settings))
    assert [(step.last, step.run) for step in found.slower] == [(18, 20), (19, 21)]


def test_a_slowdown_under_an_older_library_is_past():
    old, new = (
        msgspec.structs.replace(runs.FINGERPRINT, versions={"tensorflow": version}) for version in ("2.20.0", "2.21.0")
    )
    found = history(planted(*np.repeat([0.0, -0.05, 0.0], 10), settings=[old] * 20 + [new] * 10))
    assert steps_of(found) == [10]
    assert found.slower == ()


def test_what_slows_all_rows_alike_is_seen_in_the_baselines_own_seconds():
    found = history(planted(*np.zeros(20), machine=np.repeat([0.0, np.log(3)], 10)))
    assert [(step.row, step.run) for step in found.slower] == [("baseline", 10)]
    assert found.slower[0].factor == pytest.approx(1 / 3, rel=0.05)
    assert [run.seconds for run in found.runs][9:11] == pytest.approx([0.1, 0.3], rel=0.05)
    weather = np.random.default_rng(3).normal(0, 0.05, 20)
    assert history(planted(*np.zeros(20), machine=weather)).steps == ()


def test_an_invalid_run_stands_in_the_list_and_counts_for_nothing():
    kept = planted(*np.repeat([0.0, 0.2, 0.0], [10, 1, 9]))
    assert history(kept).steps != ()
    kept["010.json"] = msgspec.structs.replace(kept["010.json"], outcome="INVALID")
    found = history(kept)
    assert (found.steps, found.slower) == ((), ())
    assert found.runs[10].outcome == "INVALID"
    assert len(found.variants["xla"]) == 20


def test_rows_that_were_wrong_or_ended_at_their_limit_have_no_level():
    kept = planted(*np.zeros(20))
    for number in range(10, 20):
        run = kept[f"{number:03}.json"]
        row = run.variant("xla")
        verdict = msgspec.structs.replace(row.verdict, ratio=0.05, at_most=number % 2 == 0)
        status = {} if number % 2 == 0 else {"status": "failed", "reason": "parity: other answers"}
        row = msgspec.structs.replace(row, verdict=verdict, **status)
        kept[f"{number:03}.json"] = msgspec.structs.replace(run, variants=(run.variants[0], row, run.variants[2]))
    assert history(kept).steps == ()


@pytest.mark.parametrize("interval", [(0.9, 1.1), None])
def test_runs_of_older_versions_count_by_their_intervals(interval):
    """Without an interval the run is as uncertain as the worst of the others, and here all are equally unknown."""
    kept = planted(*np.repeat([0.0, -0.2], 10))
    for source, run in kept.items():
        row = run.variant("xla")
        bounds = None if interval is None else tuple(row.verdict.ratio * end for end in interval)
        verdict = msgspec.structs.replace(row.verdict, sd=None, interval=bounds)
        rows = (run.variants[0], msgspec.structs.replace(row, verdict=verdict), run.variants[2])
        kept[source] = msgspec.structs.replace(run, variants=rows)
    found = history(kept)
    assert steps_of(found) == [10]
    half = np.log(found.slower[0].interval[1] / found.slower[0].interval[0]) / 2
    assert (half > 0.03) == (interval is not None)


def test_since_a_day_older_runs_are_left_out():
    kept = planted(*np.repeat([0.0, -0.05], 10))
    assert exit_status(history(kept)) == 1
    found = history(kept, since="2026-01-01T0010")
    assert (found.runs[0].source, exit_status(found)) == ("010.json", 0)
    with pytest.raises(ConfigError, match=r"no run was made since 2027; the last is of 2026-01-01T0019"):
        history(kept, since="2027")


def test_steps_are_told_oldest_first_and_are_plain_records():
    found = history(planted(*np.repeat([0.0, -0.05, -0.1], 15)))
    assert steps_of(found) == sorted(steps_of(found))
    assert msgspec.json.decode(msgspec.json.encode(found))["slower"][0]["row"] == "xla"
    assert dataclasses.asdict(found.steps[0])["last"] == found.steps[0].run - 1


def test_a_few_runs_of_single_sets_tell_no_change():
    """Two runs of one set each, by chance 25 % apart, had said SLOWER with an interval of 2 %."""
    kept = {f"{day}.json": at(day, runs.measured("xla", ratio, sets=1)) for day, ratio in ((1, 1.5), (2, 1.1))}
    found = history(kept)
    assert (found.steps, found.slower, exit_status(found)) == ((), (), 0)
    assert "xla" in found.unjudged
    assert history({"a.json": at(1, runs.measured("xla", 1.5)), "b.json": at(2, runs.measured("xla", 1.1))}).slower


def test_a_single_set_scatters_as_one_set_of_the_other_runs():
    row = runs.measured("xla", 1.5)
    point = Speed.of(0, at(1, row), "xla")
    assert (point.sets, point.sd) == (row.verdict.sets, row.verdict.sd)
    single = Speed.of(0, at(1, runs.measured("xla", 1.5, sets=1)), "xla")
    assert (single.sets, single.sd) == (1, None)

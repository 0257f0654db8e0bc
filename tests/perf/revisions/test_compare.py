"""Two revisions before the judge, with scripted processes: what is said of a change, and what ends a comparison."""

import itertools
import json
import math
import os
import random
import re
from pathlib import Path

import msgspec
import pytest

from nqperf.errors import ConfigError, FormatError, NqPerfError
from nqperf.formats.results.revisions_json import read_revisions, write_revisions
from nqperf.perf.pairs.sameness import Close, agree
from nqperf.perf.revisions.compare import compare_revisions
from nqperf.perf.revisions.config import RevisionsConfig
from nqperf.perf.revisions.judging import MEASURES, MeasuresJudge
from nqperf.perf.revisions.rows import PairedRow
from nqperf.perf.revisions.session import RowsSession
from nqperf.perf.revisions.sides import Side
from nqperf.perf.workers.builder_worker import Build, Run
from nqperf.perf.workers.process import WorkerError
from nqperf.records.results import OTHERS
from nqperf.records.revisions import RevisionSide, joined
from nqperf.records.work import CountedWork
from nqperf.report.next_step import next_steps
from nqperf.report.revisions import headline, revisions_markdown, revisions_text, rows

MIB = 1 << 20
SIDES = tuple(
    Side(record=RevisionSide(label=label, commit="c0ffee" * 6), root=Path("/there") / label)
    for label in ("main", "the working tree")
)


def failed(request, reason, side="base"):
    """Return what a worker of `side` that says that it cannot do a `request` ends with."""
    said = f"worker of {side} failed at {request.__name__}: {reason}"
    return WorkerError(said, request=request, reason=reason)


class Scripted:
    """A side that takes the seconds of its script, with noise of its own in every process and round."""

    def __init__(self, script, drawn):
        if "start_fault" in script:
            raise NqPerfError(script["start_fault"])
        # Of its own: both sides of a duet are asked at once, by two threads.
        self.script, self.drawn, self.pid = script, random.Random(drawn.getrandbits(32)), 0
        self.level = script.get("seconds", 0.1) * math.exp(drawn.gauss(0, script.get("noise", 0.004)))
        self.warm_up_seconds = self.level
        self.start_seconds = script.get("start", 2.0) * math.exp(drawn.gauss(0, 0.01))
        self.peak_bytes = script.get("peak", 100 * MIB)
        self.runs = 0

    def ready(self):
        if "build_fault" in self.script:
            raise self.script["build_fault"]

    def work(self):
        return self.script.get("work")

    def batch(self, number):
        self.runs += 1
        if number >= self.script.get("fails_at", math.inf):
            raise NqPerfError("gave no reply")
        return self.level * math.exp(self.drawn.gauss(0, 0.01))

    def repeat(self, count):
        pass

    def output(self, *, again=False):
        assert again is bool(self.runs)
        return self.script.get("later", self.script.get("output", 1.0)) if self.runs else self.script.get("output", 1.0)

    def end(self):
        pass


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    """Script the machine, too: two cores on which nobody else computes, and scripted processes are held to none."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    monkeypatch.setattr("nqperf.perf.measuring.duets.hold_to", lambda *_: None)
    monkeypatch.setattr("nqperf.perf.measuring.load.Load.others", lambda _: None)


def compare_rows(scripts, seed=1, **settings):
    """Compare rows that are given as (base, change) scripts by their names."""
    drawn = random.Random(seed)

    def starts(pair):
        return lambda _: tuple(lambda script=script: Scripted(script, drawn) for script in pair)

    def same(base, change):
        return (*agree(Close(), base, change), None)

    paired = [PairedRow(name=name, starts=starts(pair), same=same) for name, pair in scripts.items()]
    session = RowsSession(rows=paired, config=RevisionsConfig(budget=3600, seed=seed, **settings))
    session.run()
    return session.results(SIDES, new=["mine"], gone=["theirs"])


def compare(base=None, change=None, seed=1, **settings):
    drawn = random.Random(seed)
    scripts = {"base": base or {}, "change": change or {}}
    config = RevisionsConfig(**{"budget": 3600, "seed": seed, **settings})
    return compare_revisions(
        "work:build", SIDES, Path("/there"), config=config, start=lambda name, *_: Scripted(scripts[name], drawn)
    )


def words(results):
    (row,) = results.rows
    return {one.measure: one.word for one in row.judged}


def reasons(results):
    return results.rows[0].reasons


def sets(results):
    return results.rows[0].sets


@pytest.mark.parametrize("seed", range(5))
def test_equal_code_is_the_same(seed):
    results = compare(seed=seed)
    assert results.outcome == "PASS"
    assert words(results) == {"time": "SAME", "memory": "SAME", "start": "SAME"}
    assert reasons(results) == ()
    assert "no slower" in headline(results)
    assert headline(results).endswith("answers the same")


@pytest.mark.parametrize("seed", range(5))
def test_a_slowdown_fails_with_its_size(seed):
    results = compare(change={"seconds": 0.105}, seed=seed)
    assert results.outcome == "FAIL"
    time = results.rows[0].measure("time")
    assert time.word == "SLOWER"
    assert time.interval[0] < 1.05 < time.interval[1]
    assert words(results)["memory"] == "SAME"
    low, high = (100 * (bound - 1) for bound in time.interval)
    said = f"{100 * (time.ratio - 1):.1f} % slower than main ({low:.1f} .. {high:.1f}), answers the same"
    assert headline(results) == said


def test_a_slower_builder_is_told_with_what_finds_its_commit():
    results = compare(change={"seconds": 0.2})
    base, change = msgspec.structs.replace(results.base, commit="0" * 40), results.change
    after = msgspec.structs.replace(results, base=base, change=msgspec.structs.replace(change, commit="1" * 40))
    said = 'which commit made it slower: nqperf bisect work:build --good "$(git merge-base 0000000000 HEAD)"'
    assert said in revisions_text(after)
    strange = msgspec.structs.replace(base, commit="$(x)")
    dirty = msgspec.structs.replace(after.change, dirty=True)
    for other in ({"base": strange}, {"change": dirty}, {"change": msgspec.structs.replace(change, commit="0" * 40)}):
        assert "bisect" not in revisions_text(msgspec.structs.replace(after, **other))


def test_a_speed_up_is_faster():
    results = compare(change={"seconds": 0.08})
    assert (results.outcome, words(results)["time"]) == ("PASS", "FASTER")
    assert "faster" in headline(results)


def test_more_memory_and_a_longer_start_fail_by_themselves():
    results = compare(change={"peak": 130 * MIB})
    assert results.outcome == "FAIL"
    assert words(results) == {"time": "SAME", "memory": "SLOWER", "start": "SAME"}
    assert reasons(results) == ("memory: 30.0 % more",)
    results = compare(change={"start": 4.0})
    assert words(results)["start"] == "SLOWER"
    assert results.outcome == "FAIL"


def test_the_table_says_base_change_and_ratio_of_one_comparison():
    """Medians over all sets stand in the record; beside the ratio they had contradicted it."""
    results = compare(change={"seconds": 0.2})
    (row,) = results.rows
    odd = msgspec.structs.replace(row.judged[0], base=0.100, change=0.150, ratio=2.0)
    results = msgspec.structs.replace(results, rows=(msgspec.structs.replace(row, judged=(odd, *row.judged[1:])),))
    _, _, base, change, ratio, *_ = rows(results)[0]
    assert (base, change, ratio) == ("100.0 ms", "200.0 ms", "2.000")
    assert "columns: base is the median over its sets, change is base times the ratio" in revisions_text(results)


def test_the_words_of_the_verdicts_are_told_with_the_figures_of_their_margins():
    text = revisions_text(compare(change={"seconds": 0.2, "peak": 130 * MIB}, margin=0.05))
    slower = "which is 2 % (time of a run), 4 % (peak memory); seen again in a new set"
    assert f"SLOWER: surely slower, and at 92% by more than 0.4 of its margin, {slower}" in text
    assert "SAME: surely less than its margin more, which is 25 % (time to start)" in text


def test_what_is_open_beside_the_time_is_told_to_fail_only_where_it_grew():
    results = compare()
    (row,) = results.rows
    said = "memory and the time to start fail only where they surely grew"
    assert said not in revisions_text(results)
    opened = [msgspec.structs.replace(one, word="INCONCLUSIVE") for one in row.judged if one.measure == "memory"]
    beside = msgspec.structs.replace(row, judged=(row.judged[0], *opened))
    assert said in revisions_text(msgspec.structs.replace(results, rows=(beside,)))


def test_other_answers_fail_before_anything_is_timed():
    results = compare(change={"output": 1.5, "seconds": 0.2})
    assert results.outcome == "FAIL"
    assert sets(results) == ()
    assert words(results) == {}
    assert reasons(results)[0].startswith("the answers differ: 1 of 1 values")
    assert "answers differ" in headline(results)


def test_answers_that_change_after_the_first_run_fail():
    results = compare(change={"later": 0.0, "seconds": 0.01})
    assert results.outcome == "FAIL"
    assert "after the timed rounds" in reasons(results)[0]


@pytest.mark.parametrize(("how", "budget", "rounds"), [("duet", 1e6, 12), ("duet", 2000, 5), ("turns", 2000, 3)])
def test_a_set_of_a_slow_machine_has_as_many_rounds_as_leave_room_for_the_other_sets(how, budget, rounds):
    results = compare(base={"seconds": 90}, change={"seconds": 95}, how=how, budget=budget)
    assert {len(taken.base) for taken in sets(results)} == {rounds}


def test_a_change_that_does_not_start_or_dies_fails_and_a_base_is_bad_input():
    for fault in ({"start_fault": "does not build"}, {"build_fault": NqPerfError("does not build")}):
        assert reasons(compare(change=fault)) == ("the change fails: does not build",)
        with pytest.raises(NqPerfError, match="does not build"):
            compare(base=fault)
    results = compare(change={"fails_at": 3})
    assert (results.outcome, reasons(results)) == ("FAIL", ("the change fails: gave no reply",))
    with pytest.raises(NqPerfError, match="gave no reply"):
        compare(base={"fails_at": 3})


@pytest.mark.parametrize(
    "fault",
    [
        "AttributeError: module 'work' has no attribute 'build'",
        "ImportError: cannot import name 'slope' from 'rivers'",
        "ModuleNotFoundError: No module named 'rivers.slope'",
    ],
)
def test_a_builder_that_only_the_change_has_is_new_and_no_bad_input(fault):
    results = compare(base={"build_fault": failed(Build, fault)})
    assert (results.outcome, results.new, results.rows[0].outcome) == ("INCONCLUSIVE", ("work:build",), None)
    assert headline(results) == "nothing to compare: main has no work:build yet"
    assert f"the base fails: worker of base failed at Build: {fault}" in revisions_text(results)
    with pytest.raises(NqPerfError, match="at Run"):  # it is there: what it does later is its own fault
        compare(base={"build_fault": failed(Run, fault)})
    with pytest.raises(NqPerfError, match="Error: "):
        compare(base={"build_fault": failed(Build, fault)}, change={"build_fault": failed(Build, fault)})


def test_what_is_done_is_told_before_each_round_with_the_seconds_that_are_left():
    """A log says what is done once nothing was said for a while, and it can say nothing between two events."""
    told = []
    results = compare(progress=told.append, budget=3600)
    stages = [one.stage for one in told]
    assert stages[:3] == ["set", "answers", "rounds"]
    assert stages.count("rounds") == sum(len(taken.base) for taken in sets(results))
    assert {one.name for one in told} == {"work:build"}
    assert all(0 < one.left <= 3600 for one in told)
    said = list(dict.fromkeys(one.so_far for one in told))
    assert said[0] == ""
    assert re.fullmatch(r"1 set done, so far [+-]\d\.\d %", said[1])
    # An interval of two sets that tells nothing yet is left out.
    assert re.fullmatch(r"2 sets done, so far [+-]\d\.\d %( \(-?\d+\.\d \.\. -?\d+\.\d\))?", said[2])
    assert re.fullmatch(r"3 sets done, so far [+-]\d\.\d % \(-?\d+\.\d \.\. -?\d\.\d\)", said[3])


def test_an_interval_that_tells_nothing_yet_is_not_shown(monkeypatch):
    """Of two sets that scattered it was "-100.0 .. 9272431.7"."""
    ticks = itertools.count(0.0, 30.0)
    monkeypatch.setattr("nqperf.perf.revisions.session.time.monotonic", lambda: next(ticks))
    told = []
    compare({"noise": 0.1}, {"noise": 0.1}, progress=told.append, margin=0.02)
    said = list(dict.fromkeys(one.so_far for one in told))
    assert re.fullmatch(r"2 sets done, so far [+-]\d+\.\d %", said[2])
    assert re.fullmatch(r"\d+ sets done, so far [+-]\d+\.\d % \(-?\d+\.\d \.\. -?\d+\.\d\)", said[-1])


def test_what_neither_side_builds_is_no_fault_of_the_base():
    both = {side: {"build_fault": failed(Build, "TypeError: no weights", side)} for side in ("base", "change")}
    with pytest.raises(ConfigError) as caught:
        compare(**both)
    assert str(caught.value) == "work:build builds neither in the base nor in this tree: TypeError: no weights"
    with pytest.raises(NqPerfError, match=r"^worker of base failed at Build: TypeError: no weights$"):
        compare(base=both["base"])

    class Refused(Scripted):
        def ready(self):
            raise WorkerError("worker of base failed at Build: ConfigError: is no builder", fault="is no builder")

    with pytest.raises(ConfigError, match=r"^is no builder$"):
        compare_revisions("work:build", SIDES, Path("/there"), start=lambda *_: Refused({}, random.Random(1)))


def test_outputs_that_the_base_itself_does_not_repeat_are_told():
    assert "fixed seed" not in revisions_text(compare(change={"output": 1.5}))
    drawn = itertools.count()

    class Drawing(Scripted):
        def output(self, *, again=False):  # noqa: ARG002
            return float(next(drawn))

    made = random.Random(1)
    results = compare_revisions("work:build", SIDES, Path("/there"), start=lambda *_: Drawing({}, made))
    assert results.outcome == "FAIL"
    assert "the base gives other outputs each time: draw its input from a fixed seed" in revisions_text(results)


def test_outputs_without_a_value_are_not_compared_and_do_not_differ():
    results = compare(base={"output": None}, change={"output": None})
    assert (results.outcome, headline(results)) == ("FAIL", "answers not compared; nothing was timed")
    assert reasons(results)[0].startswith("nothing was compared")


@pytest.mark.parametrize(
    ("tick", "noise", "said"),
    [
        (900.0, 0.004, r"at least \d+ more minutes for a first look: --budget \d+0\n"),
        (200.0, 0.02, r"at least \d+ more minutes to tell what would decide: --budget \d+0\n"),
        (80.0, 0.004, r"about \d+ more minutes would decide: --budget \d+0\n"),
    ],
    ids=["one set", "two sets", "more sets"],
)
def test_time_that_is_up_is_inconclusive_and_says_what_it_takes(monkeypatch, tick, noise, said):
    ticks = itertools.count(0.0, tick)
    monkeypatch.setattr("nqperf.perf.revisions.session.time.monotonic", lambda: next(ticks))
    results = compare({"noise": noise}, {"seconds": 0.102, "noise": noise}, seed=3, margin=0.02)
    assert results.outcome == "INCONCLUSIVE"
    assert words(results)["time"] == "INCONCLUSIVE"
    assert re.search(said, revisions_text(results))
    in_a_test = msgspec.structs.replace(results, command="pytest benchmarks")
    assert re.search(r": nqperf_paired\(..., budget=\d+\)", revisions_text(in_a_test))
    named = [msgspec.structs.replace(row, name="baseline") for row in results.rows]
    assert ": pytest --nqperf-budget " in revisions_text(msgspec.structs.replace(in_a_test, rows=tuple(named)))


@pytest.mark.parametrize("margin", [None, 0.02])
def test_where_the_noise_hides_the_usual_margin_a_wider_one_passes_and_is_named(monkeypatch, margin):
    """Equal code was INCONCLUSIVE three times of three on a machine whose sets scatter by 4 %; a typed margin stays."""
    ticks = itertools.count(0.0, 60.0)
    monkeypatch.setattr("nqperf.perf.revisions.session.time.monotonic", lambda: next(ticks))
    results = compare({"noise": 0.015}, {"noise": 0.015}, margin=margin)
    (row,) = results.rows
    time = row.measure("time")
    text = revisions_text(results)
    if margin is not None:
        assert (results.outcome, time.word, time.margin, time.asked) == ("INCONCLUSIVE", "INCONCLUSIVE", 0.02, None)
        return
    assert (results.outcome, time.word, time.margin, time.asked) == ("PASS", "SAME", 0.05, 0.02)
    assert time.interval[1] < 1.05
    assert headline(results).startswith("no slower than main by the margin of 5 %: ")
    assert "times scatter too far here to tell 2 % in this time, so less than 5 % slower is no slower; about " in text
    assert " would tell 2 %: --budget " in text
    assert "SAME: surely less than its margin more, which is 5 % (time of a run)" in text


def test_rows_that_passed_by_a_wider_margin_are_said_to():
    results = compare()
    (row,) = results.rows
    wide = msgspec.structs.replace(row.measure("time"), margin=0.05, asked=0.02, more_sets=None)
    other = msgspec.structs.replace(row, name="other", judged=(wide, *row.judged[1:]))
    both = msgspec.structs.replace(results, rows=(row, other))
    assert headline(both) == "2 rows no slower than main by the margin of 5 %, answers the same"
    assert next_steps(both) == [
        "times scatter too far here to tell 2 % in this time, so less than 5 % slower is no slower"
    ]


def open_results(high, more_sets, *, sets=25, seconds=180.0):
    """Return an open comparison of so many `sets` in so many `seconds`, its interval up to `high`."""
    results = compare(change={"seconds": 0.1})
    (row,) = results.rows
    time = msgspec.structs.replace(
        row.measure("time"), word="INCONCLUSIVE", interval=(0.969, high), sets=sets, more_sets=more_sets
    )
    row = msgspec.structs.replace(row, outcome="INCONCLUSIVE", judged=(time,), sets=row.sets[:1] * sets)
    return msgspec.structs.replace(results, outcome="INCONCLUSIVE", rows=(row,), seconds=seconds)


FAR = "not within 10 times the budget"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (open_results, ["about 1 more minute would decide: --budget 240"]),  # 195 s
        (lambda _, more: open_results(1.044, more, seconds=25.0), ["about 5 more seconds would decide: --budget 30"]),
        (
            lambda high, _: open_results(high, 226),
            [f"{FAR}; sets like these would pass at --margin 0.05, as would what is less than 5 % slower"],
        ),
        (
            lambda high, _: open_results(high, 225),
            [
                (
                    "about 28 more minutes would decide: --budget 1860; as it is, sets like these would pass at "
                    "--margin 0.05, as would what is less than 5 % slower"
                )
            ],
        ),
        (lambda high, _: open_results(high, 1, seconds=172.0), ["about 2 more minutes would decide: --budget 240"]),
        (
            lambda high, _: open_results(high, None),
            [f"{FAR}; sets like these would pass at --margin 0.05, as would what is less than 5 % slower"],
        ),
        (
            lambda *_: open_results(1.01, None),
            [f"{FAR}; sets like these would pass at --margin 0.05, as would what is less than 5 % slower"],
        ),
        (
            lambda *_: open_results(1.05, None),
            [f"{FAR}; sets like these would pass at --margin 0.1, as would what is less than 10 % slower"],
        ),
        (
            lambda *_: open_results(1.21, None),
            [f"{FAR}: no budget would decide on this machine as it is now; end what else computes on it"],
        ),
        (
            lambda high, _: open_results(high, None, sets=4),
            ["at least 2 more minutes to tell what would decide: --budget 300"],
        ),
    ],
)
def test_what_is_open_has_one_next_step(found, said):
    """25 sets that ended at +0.6 % (-3.1 .. 4.4) had no advice: a margin or the machine is told where time is not."""
    results = found(1.044, 1)
    assert next_steps(results) == said
    assert f"\n{said[0]}\n" in revisions_text(results)


@pytest.mark.parametrize(
    ("scatter", "count", "told"), [((0.01, 0.05), 20, True), ((0.01, 0.012), 20, False), ((0.01, 0.05), 10, False)]
)
def test_sets_that_scatter_more_than_those_before_are_told(scatter, count, told):
    """Five times the sets had an interval that was 40 % wider, and nothing said why."""
    results = open_results(1.044, 1)
    (row,) = results.rows
    sizes = [scatter[2 * number >= count] for number in range(count)]
    changes = [math.exp(size * (-1) ** number) for number, size in enumerate(sizes)]
    sets = tuple(msgspec.structs.replace(row.sets[0], base=(1.0,), change=(change,)) for change in changes)
    results = msgspec.structs.replace(results, rows=(msgspec.structs.replace(row, sets=sets),))
    steps = next_steps(results)
    assert any("its later sets scatter 5.0 times as far as its earlier ones" in step for step in steps) == told
    assert told or len(steps) == 1


def test_a_row_that_was_not_reached_is_open_beside_one_that_is_decided():
    results = compare(change={"seconds": 0.1})
    missed = msgspec.structs.replace(results.rows[0], name="missed", outcome="INCONCLUSIVE", judged=(), sets=())
    results = msgspec.structs.replace(results, outcome="INCONCLUSIVE", rows=(*results.rows, missed), seconds=90.0)
    assert next_steps(results)[0].startswith("at least ")
    nothing = msgspec.structs.replace(results, rows=(missed,), seconds=2.0)
    assert next_steps(nothing) == ["at least 8 more seconds for a first look: --budget 10"]
    failed = msgspec.structs.replace(missed, outcome=None)
    assert next_steps(msgspec.structs.replace(results, rows=(failed,))) == []


def test_a_slowdown_within_the_margin_is_not_called_none():
    results = compare(change={"seconds": 0.105}, margin=0.3)
    assert results.outcome == "PASS"
    assert headline(results).startswith("slower than main by less than the margin of 30 %: +")


def test_turns_are_tried_where_a_duet_scatters(monkeypatch):
    monkeypatch.setattr("nqperf.perf.revisions.rows.round_scatter", lambda taken: 0.2 if taken.how == "duet" else 0.01)
    monkeypatch.setattr("nqperf.perf.revisions.session.can_duet", lambda: True)
    assert {taken.how for taken in sets(compare())} == {"turns"}
    monkeypatch.setattr("nqperf.perf.revisions.rows.round_scatter", lambda taken: 0.2 if taken.how == "turns" else 0.1)
    assert {taken.how for taken in sets(compare())} == {"duet"}


@pytest.mark.parametrize(("seconds", "how"), [(0.11, "duet"), (0.3, "turns"), (0.03, "turns")])
def test_sides_that_are_far_apart_take_turns(monkeypatch, seconds, how):
    """Short work is favoured in a duet where others compute: so much apart, nobody needs its precision."""
    monkeypatch.setattr("nqperf.perf.revisions.rows.round_scatter", lambda _: 0.01)
    monkeypatch.setattr("nqperf.perf.revisions.session.can_duet", lambda: True)
    results = compare(change={"seconds": seconds})
    assert {taken.how for taken in sets(results)} == {how}
    assert results.rows[0].measure("time").ratio == pytest.approx(seconds / 0.1, rel=0.05)


def by_way(duet, turns):
    """Return what starts sides whose processes scatter by other SDs in a duet than in turns."""
    drawn = random.Random(7)

    def start(_name, _side, starting):
        return Scripted({"noise": turns if starting.cores is None else duet}, drawn)

    return start


@pytest.mark.parametrize(("duet", "turns", "how"), [(0.08, 0.003, "turns"), (0.01, 0.08, "duet")])
def test_the_way_is_chosen_again_while_the_interval_stays_wide(duet, turns, how):
    """A duet whose rounds were quiet was kept for 83 sets that scattered by 10 to 20 %; turns told it in 18 s."""
    config = RevisionsConfig(budget=3600, seed=1, margin=0.02)
    results = compare_revisions("work:build", SIDES, Path("/there"), config=config, start=by_way(duet, turns))
    assert results.outcome == "PASS"
    assert {taken.how for taken in sets(results)} == {how}
    low, high = results.rows[0].measure("time").interval
    assert low < 1 < high
    assert results.rows[0].measure("time").sets == len(sets(results)) < 20


def test_a_way_that_was_asked_for_is_kept():
    settings = {"budget": 3600, "seed": 1, "margin": 0.02, "how": "turns"}
    results = compare_revisions(
        "work:build", SIDES, Path("/there"), config=RevisionsConfig(**settings), start=by_way(0.003, 0.02)
    )
    assert {taken.how for taken in sets(results)} == {"turns"}
    assert len(sets(results)) > 8


def test_a_row_that_begins_anew_is_judged_by_what_chance_to_err_is_left():
    judge = MeasuresJudge(config=RevisionsConfig(), rows={"a": MEASURES, "b": MEASURES})
    noisy = [sets(compare({"noise": 0.05}, {"noise": 0.05}, seed=seed, budget=1))[0] for seed in range(6)]
    for count in range(1, 5):
        judge.look_at({"a": noisy[:count], "b": noisy[:count]}, 10, time_is_up=False)
    assert judge.can_begin_anew("a")
    spent = 1 - judge.judges["time"].unspent
    assert 0.1 < spent < 0.9
    judge.begin_anew("a")
    assert judge.is_open("a")
    judge.look_at({"a": noisy[4:5], "b": noisy[:5]}, 10, time_is_up=False)
    assert judge.judged("a", noisy[4:5])[0].sets == 1
    assert judge.judged("b", noisy[:5])[0].sets == 5
    judge.look_at({"a": noisy[4:6], "b": noisy}, 10, time_is_up=True)
    assert judge.judged("a", noisy[4:6])[0].sets == 2
    assert not judge.can_begin_anew("a")  # at the last look all is spent


def test_a_busy_machine_is_named_where_nothing_is_decided():
    results = open_results(1.044, 1)
    said = msgspec.structs.replace(results, fingerprint=results.fingerprint.and_observed({OTHERS: "1.4 of 2 cores"}))
    assert headline(said).endswith("answers the same, the machine was busy: other programs used 1.4 of 2 cores")
    assert "busy" not in headline(msgspec.structs.replace(said, outcome="PASS"))
    assert "busy" not in headline(results)


def test_a_busy_machine_is_told_while_it_is_measured(monkeypatch):
    monkeypatch.setattr("nqperf.perf.measuring.load.Load.others", lambda _: "1.4 of 2 cores")
    told = []
    results = compare(progress=told.append)
    assert results.fingerprint.observed[OTHERS] == "1.4 of 2 cores"
    assert told[0].so_far == ""
    assert re.fullmatch(r"1 set done, so far [+-]\d\.\d %, others use 1\.4 of 2 cores", told[-1].so_far) or told[
        -1
    ].so_far.endswith("), others use 1.4 of 2 cores")


def test_an_interval_that_tells_nothing_is_not_in_the_sentence():
    results = open_results(1.95, 3)
    assert "(too rough for an interval)" in headline(results)
    assert "too rough" not in headline(open_results(1.93, 3))


def test_turns_are_named_where_duets_were_asked_for_and_decided_nothing():
    results = open_results(1.044, 1)
    assert len(next_steps(results)) == 1
    (_, said) = next_steps(msgspec.structs.replace(results, command="nqperf ab work:build --how duet"))
    assert said.endswith("turns may tell more in the same time: --how turns")


def test_one_core_takes_turns(monkeypatch):
    for module in ("session", "config"):
        monkeypatch.setattr(f"nqperf.perf.revisions.{module}.can_duet", lambda: False)
    assert {taken.how for taken in sets(compare())} == {"turns"}
    with pytest.raises(ConfigError, match="a duet needs two cores"):
        compare(how="duet")


@pytest.mark.parametrize(
    "settings",
    [{"margin": 0}, {"margin": -1}, {"memory_margin": math.nan}, {"rounds": 0}, {"how": "both"}, {"pages": "x"}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        compare(**settings)


@pytest.mark.parametrize("name", ["margin", "memory_margin", "start_margin"])
def test_a_margin_in_per_cent_is_no_share(name):
    with pytest.raises(ConfigError, match=f"{name} is 5; .*: 0.05 is 5 %"):
        RevisionsConfig(**{name: 5})


def test_the_record_is_written_and_read_whole(tmp_path):
    results = compare(change={"seconds": 0.12})
    write_revisions(tmp_path / "ab.json", results)
    assert read_revisions(tmp_path / "ab.json") == results


def test_a_record_of_the_version_before_is_read(tmp_path):
    """It had no margin that was asked for beside the one a row passed by."""
    results = compare(change={"seconds": 0.12})
    write_revisions(tmp_path / "ab.json", results)
    old = json.loads((tmp_path / "ab.json").read_text())
    old["schema_version"] = 2
    for one in old["rows"][0]["judged"]:
        del one["asked"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert read_revisions(tmp_path / "old.json") == msgspec.structs.replace(results, schema_version=2)
    old["schema_version"] = 1
    (tmp_path / "old.json").write_text(json.dumps(old))
    with pytest.raises(FormatError, match="is 1; expected 4"):
        read_revisions(tmp_path / "old.json")


def test_the_report_escapes_what_strangers_wrote():
    results = compare()
    evil = RevisionSide(label="\x1b[31m::error::|x", subject="<b>")
    results = msgspec.structs.replace(results, base=evil)
    assert "\x1b" not in revisions_text(results)
    assert "\x1b" not in revisions_markdown(results)
    assert "<b>" not in revisions_markdown(results)


def test_a_slower_row_fails_alone_and_is_named():
    results = compare_rows({"baseline": ({}, {}), "read": ({}, {}), "answer": ({}, {"seconds": 0.11})})
    assert {row.name: row.outcome for row in results.rows} == {"baseline": "PASS", "read": "PASS", "answer": "FAIL"}
    said = headline(results)
    assert said.startswith("answer ")
    assert "% slower than main (" in said
    assert said.endswith("the other 2 rows no slower than main, answers the same")
    text = revisions_text(results)
    assert "rows that only the change has: mine" in text
    assert "rows that only the base has: theirs" in text


def test_answers_that_differ_in_one_row_end_the_timing_of_all():
    results = compare_rows({"baseline": ({}, {"output": 2.0}), "read": ({}, {"seconds": 1.0}), "answer": ({}, {})})
    assert results.outcome == "FAIL"
    assert [row.outcome for row in results.rows] == ["FAIL", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert all(row.sets == () for row in results.rows)
    assert results.rows[1].agreement.changed == 0
    assert headline(results) == "answers differ (1 of 1 in baseline); nothing was timed"


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (None, "1 of 17 answers changed, within the tolerance"),
        ("answers undecided: 1 of 17", "1 of 17 answers changed, too few to decide"),
    ],
)
def test_answers_that_changed_are_not_said_to_be_the_same(note, said):
    results = compare()
    agreed = msgspec.structs.replace(results.rows[0].agreement, changed=1, compared=17)
    row = msgspec.structs.replace(results.rows[0], agreement=agreed, note=note)
    assert headline(msgspec.structs.replace(results, rows=(row,))).endswith(said)


def test_a_base_that_fails_in_a_row_is_no_fault_of_the_change():
    results = compare_rows(
        {
            "baseline": ({}, {}),
            "xla": ({"build_fault": NqPerfError("no compiler")}, {"build_fault": NqPerfError("none")}),
        }
    )
    assert [row.outcome for row in results.rows] == ["PASS", None]
    assert results.outcome == "PASS"
    assert "xla: the base fails: no compiler" in revisions_text(results)
    assert headline(results).endswith("answers the same, 1 row not compared, for main fails there")


def test_more_work_fails_after_one_set_which_says_what_it_costs():
    once, thrice = (CountedWork(products=times, product_flops=times * 10**9) for times in (24, 72))
    results = compare_rows({"baseline": ({"work": once}, {"work": thrice, "seconds": 0.3})})
    (row,) = results.rows
    assert row.outcome == "FAIL"
    assert row.reasons == ("more work: MatMul 24 -> 72, 3 times the GFLOP of products (24 -> 72)",)
    assert len(row.sets) == 1
    assert row.work == (once, thrice)
    assert 2.5 < row.measure("time").ratio < 3.5
    assert "work of baseline: MatMul 24 -> 72" in revisions_text(results)


@pytest.mark.parametrize("seed", range(3))
def test_seven_equal_rows_are_all_the_same(seed):
    results = compare_rows({f"row {number}": ({}, {}) for number in range(7)}, seed=seed)
    assert results.outcome == "PASS"
    assert headline(results) == "7 rows no slower than main, answers the same"


def test_several_comparisons_are_one_record_with_the_worst_outcome():
    whole = joined([compare(), compare(change={"seconds": 0.2})])
    assert (whole.outcome, len(whole.rows)) == ("FAIL", 2)
    with pytest.raises(ValueError, match="no comparison"):
        joined([])

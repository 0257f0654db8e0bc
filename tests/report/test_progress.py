import dataclasses
import re
import threading
from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nqperf.perf.workers.progress import Doing, RowFinished, Rows, SetFinished
from nqperf.records.results import SAME
from nqperf.report.progress import SECONDS_A_LINE, UnderWay, doing_text, finished_text, repeated, row_lines, set_text
from nqperf.statistics.verdicts import RowVerdict
from tests import runs


def finished(name="xla", row=None, seconds=12.3, left=3):
    return RowFinished(name=name, row=row or runs.measured("xla", 1.2, 1.1), seconds=seconds, left=left)


def test_a_row_is_told_in_the_tables_words():
    run = runs.run(runs.measured("xla", 1.2, 1.1))
    ratio = run.variant("xla").verdict.ratio
    assert finished_text(finished(row=run.variant("xla"))) == f"xla: ratio {ratio:.3f}, PASS, 12 s"
    assert finished_text(finished(row=run.variant("xla").verdict)) == f"xla: ratio {ratio:.3f}, PASS, 12 s"
    samples = run.variant("xla").samples[0]
    alone = np.median(np.divide(samples.baseline_seconds, samples.variant_seconds))
    assert finished_text(finished(row=samples)) == f"xla: ratio {alone:.3f}, measured, 12 s"
    assert finished_text(finished("baseline", run.variant("baseline"))) == "baseline: baseline, 12 s"
    with_others = finished_text(finished("tf32", runs.SKIPPED, seconds=0.01))
    assert with_others == "tf32: skipped (needs an Ampere GPU or later)"
    single = finished_text(finished(row=runs.measured("xla", 1.2, sets=1)))
    assert single.startswith("xla: ratio 1.")
    assert " (one set, no interval), REPORTED, 12 s" in single
    late = next(row for row in runs.full().variants if row.verdict and row.verdict.at_most)
    assert finished_text(finished(late.name, late)).startswith(f"{late.name}: ratio below 0.050, FAIL")
    assert finished_text(finished("tf32", runs.SKIPPED)) == "tf32: skipped (needs an Ampere GPU or later), 12 s"
    wrong = msgspec.structs.replace(run.variant("xla"), status="failed", reason="parity: 9 of 9 changed")
    assert finished_text(finished(row=wrong)).startswith(f"xla: ratio {ratio:.3f}, ")
    assert "failed (parity: 9 of 9 changed), 12 s" in finished_text(finished(row=wrong))


def test_a_set_is_told_with_what_is_known_of_each_row_by_then():
    decided = RowVerdict(
        name="xla",
        role="row",
        outcome="PASS",
        decided=True,
        sets=4,
        ratio=1.2,
        interval=(1.19, 1.21),
        total_ratio=1.2,
    )
    early = dataclasses.replace(decided, name="eager", decided=False, ratio=0.5, interval=None)
    never = dataclasses.replace(decided, name="tf32", ratio=None)
    event = SetFinished(number=4, left=2, rows=(decided, early, never), seconds=3.0)
    said = (
        "set 4 of processes, time for about 2 more: xla 1.200 (1.190 .. 1.210) PASS, "
        "eager 0.500 (one set, no interval) so far"
    )
    assert set_text(event) == said
    first = dataclasses.replace(event, number=1, rows=(early, never))
    bare = "set 1 of processes (one set, no interval), time for about 2 more: eager 0.500 so far"
    assert set_text(first) == bare
    again = dataclasses.replace(decided, name=SAME, role="same", outcome="INCONCLUSIVE")
    assert set_text(dataclasses.replace(event, rows=(again,))).endswith(
        f"{SAME} 1.200 (1.190 .. 1.210) not surely another speed"
    )
    level = dataclasses.replace(again, ratio=1.0, interval=(0.99, 1.01))
    assert set_text(dataclasses.replace(event, rows=(level,))).endswith(
        f"{SAME} 1.000 (0.990 .. 1.010) no other speed seen"
    )
    alone = dataclasses.replace(again, interval=None)
    assert set_text(dataclasses.replace(event, rows=(alone,))).endswith("one set: not known")
    assert set_text(dataclasses.replace(event, left=0)).startswith("set 4 of processes, the last one: ")
    lines = []
    with row_lines(lines.append) as tell:
        tell(event)
    assert lines == [f"nqperf: {said}"]
    with row_lines(lines.append) as tell:
        tell(dataclasses.replace(event, left=0))
        tell(finished("xla"))
    assert lines[1:] == [f"nqperf: {said.replace('time for about 2 more', 'the last one')}"]


def test_what_is_being_done():
    assert doing_text(Doing(stage="rounds", name="xla", so_far="2 sets done")) == "rounds xla, 2 sets done"
    assert doing_text(Doing(stage="start", name="xla")) == "start xla"
    assert doing_text(Doing(stage="start", name=SAME)) == 'start "baseline again"', "it is no restart"
    assert doing_text(Doing(stage="features", past=15.0)) == "features, running for 15 s"
    assert doing_text(Doing(stage="set", name="work:build", left=179.6)) == "set work:build, about 180 s left at most"


def test_what_takes_long_is_told_in_a_log_where_nothing_was_said_for_a_while():
    now, lines = [0.0], []
    with row_lines(lines.append, lambda: now[0]) as tell:
        tell(Doing(stage="features"))
        for second in range(0, 60, 7):
            now[0] = float(second)
            tell(Doing(stage="set", name="work:build", so_far=f"{second} sets done", left=100.0 - second))
            tell(Doing(stage="rounds", name="never shown"))
            if second == 35:
                tell(finished("xla", left=1))
        tell(Doing(stage="start", name="torch"))
        now[0] += 15
        tell(Doing(stage="start", name="jax"))
    assert [line for line in lines if "nqperf: xla" not in line] == [
        "nqperf: set work:build, 21 sets done, about 79 s left at most",
        "nqperf: set work:build, 56 sets done, about 44 s left at most",
        "nqperf: start jax",
    ]


def test_what_takes_long_is_told_again_with_its_time_and_with_nothing_else_to_tell():
    now, lines = [100.0], []
    with row_lines(lines.append, lambda: now[0]) as tell:
        under_way = UnderWay(tell, lambda: now[0])
        under_way.again()  # nothing is known to be done yet
        under_way(Doing(stage="tracing", name="mixed_float16"))
        for _ in range(40):
            now[0] += 1
            under_way.again()
        under_way(Doing(stage="set", name="work:build", left=100.0))
        for _ in range(10):
            now[0] += 1
            under_way.again()
        under_way(finished("xla", left=1))
        now[0] += 60
        under_way.again()  # what is done after the row is not known yet
    assert [line for line in lines if "nqperf: xla" not in line] == [
        "nqperf: tracing mixed_float16, running for 15 s",
        "nqperf: tracing mixed_float16, running for 30 s",
        "nqperf: set work:build, about 95 s left at most",
    ]


def test_the_rest_of_a_stage_is_estimated_by_its_share_that_is_done():
    now, heard = [0.0], []
    under_way = UnderWay(lambda event: heard.append(doing_text(event)), lambda: now[0])
    under_way(Doing(stage="building", name="the model"))
    now[0] = 50.0  # what came before the stage is no part of its pace
    under_way(Doing(stage="running", name="rows 1 to 8 of 32", share=0.0))
    now[0] = 60.0
    under_way(Doing(stage="running", name="rows 9 to 16 of 32", share=0.25))
    now[0] = 64.0
    under_way.again()
    now[0] = 90.0
    under_way(Doing(stage="running", name="rows 25 to 32 of 32", share=0.75))
    assert heard == [
        "building the model",
        "running rows 1 to 8 of 32",
        "running rows 9 to 16 of 32, about 30 s left",
        "running rows 9 to 16 of 32, about 26 s left",
        "running rows 25 to 32 of 32, about 13 s left",
    ]


def test_nothing_else_need_happen_for_the_telling_to_go_on(monkeypatch):
    monkeypatch.setattr("nqperf.report.progress._SECONDS_A_BEAT", 0.001)
    heard, several = [], threading.Event()

    def tell(event):
        heard.append(event.name)
        if len(heard) == 4:
            several.set()

    before = threading.active_count()
    with repeated(tell) as progress:
        progress(Doing(stage="tracing", name="xla"))
        assert several.wait(60)
    assert set(heard) == {"xla"}
    assert threading.active_count() == before


def test_a_stream_that_is_closed_ends_the_telling_alone(monkeypatch):
    monkeypatch.setattr("nqperf.report.progress._SECONDS_A_BEAT", 0.001)
    asked = threading.Event()

    def tell(event):
        if event.past:
            asked.set()
            raise BrokenPipeError

    with repeated(tell) as progress:
        progress(Doing(stage="tracing", name="xla"))
        assert asked.wait(60)


@given(st.lists(st.floats(0, 3), max_size=12))
def test_at_most_one_line_a_second_and_no_row_is_lost(pauses):
    now, lines, written = [100.0], [], []

    def write(line):
        lines.append(line)
        written.append(now[0])

    with row_lines(write, lambda: now[0]) as tell:
        for number, pause in enumerate(pauses):
            now[0] += pause
            tell(Doing(stage="rounds", name="never shown"))
            tell(finished(f"row{number}", left=len(pauses) - 1 - number))
        now[0] += SECONDS_A_LINE
    assert all(after - before >= SECONDS_A_LINE for before, after in pairwise(written))
    assert re.findall(r"row\d+", " ".join(lines)) == [f"row{number}" for number in range(len(pauses))]
    assert all(line.startswith("nqperf: row") and "\n" not in line for line in lines)
    if pauses:
        assert lines[-1].endswith("; no rows left")


def test_rows_are_counted_down():
    events = []
    rows = Rows(events.append, 4)
    rows.finished("one", runs.SKIPPED)
    rows.finished("two", runs.SKIPPED, dropped=1)
    rows.finished("three", runs.SKIPPED)
    assert [(event.name, event.left) for event in events] == [("one", 3), ("two", 1), ("three", 0)]
    assert all(event.seconds >= 0 for event in events)

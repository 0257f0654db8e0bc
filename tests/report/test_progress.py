import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nqperf.perf.workers.progress import Doing, RowFinished, Rows
from nqperf.records.results import Controls
from nqperf.report.progress import SECONDS_A_LINE, doing_text, finished_text, row_lines
from tests import runs


def finished(name="xla", row=None, seconds=12.3, left=3):
    return RowFinished(name=name, row=row or runs.measured("xla", 1.2, 1.1), seconds=seconds, left=left)


def test_a_row_is_told_in_the_tables_words():
    run = runs.run(runs.measured("xla", 1.2, 1.1))
    ratio = run.variant("xla").verdict.ratio
    assert finished_text(finished(row=run.variant("xla"))) == f"xla: ratio {ratio:.3f}, PASS, 12 s"
    assert finished_text(finished(row=run.variant("xla").verdict)) == f"xla: ratio {ratio:.3f}, PASS, 12 s"
    assert finished_text(finished(row=run.variant("xla").samples[0])) == f"xla: ratio {ratio:.3f}, measured, 12 s"
    assert finished_text(finished("baseline", run.variant("baseline"))) == "baseline: baseline, 12 s"
    assert finished_text(finished("tf32", runs.SKIPPED)) == "tf32: skipped (needs an Ampere GPU or later), 12 s"
    controls = finished_text(finished("controls", run.controls))
    assert re.fullmatch(r"controls: same ratio 0\.9\d\d, PASS, planted ratio 0\.9\d\d, FAIL, 12 s", controls)
    nothing = finished_text(finished("controls", Controls(same=None, planted=None)))
    assert nothing == "controls: same not measured, planted not measured, 12 s"


def test_what_is_being_done():
    assert doing_text(Doing(stage="rounds", name="xla", pairs=12)) == "rounds xla, 12 pairs"
    assert doing_text(Doing(stage="start", name="xla")) == "start xla"


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

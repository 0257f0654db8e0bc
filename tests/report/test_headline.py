"""One sentence of a run: what is fastest, surely, with right answers; and the order of rows."""

from nqperf.report.headline import by_speed, fastest_sentence
from nqperf.report.html import run_page
from nqperf.report.terminal import run_text
from tests import runs


def test_the_fastest_row_with_right_answers_is_named():
    results = runs.run(runs.measured("xla", 1.2, 1.1), runs.measured("grappler", 1.05, 1.0), runs.broken())
    said = fastest_sentence(results)
    assert said.startswith("Fastest safe way: xla, 1.20 times the baseline (1.1")
    assert said.endswith("all answers are the same.")
    assert said in run_text(results)
    assert said in run_page(results)


def test_no_row_is_praised_that_may_be_slower():
    assert "No way is surely faster" in fastest_sentence(runs.run(runs.measured("eager", 0.5)))
    assert "not sure yet" in fastest_sentence(runs.run(runs.measured("xla", 1.5, sets=1)))
    assert fastest_sentence(runs.run(runs.broken())) is None


def test_a_row_that_fails_its_floor_is_not_the_fastest_safe_way():
    said = fastest_sentence(runs.run(runs.measured("xla", 1.2, 1.5), runs.measured("grappler", 1.1, 1.0)))
    assert "grappler" in said


def test_rows_stand_by_their_speed():
    results = runs.run(runs.measured("eager", 0.5), runs.broken(), runs.measured("xla", 1.2))
    assert [row.name for row in by_speed(results)] == ["baseline", "xla", "eager", "mixed_float16"]
    page = run_page(results)
    assert page.index(">xla<") < page.index(">eager<")
    assert "examples/s" in page
    assert "the whole function compiled by XLA" in page

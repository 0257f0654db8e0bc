"""One sentence of a run: what is fastest, surely, with right answers; and the order of rows."""

import msgspec

from nqperf.report.headline import by_speed, fastest_sentence
from nqperf.report.html import run_page
from nqperf.report.markdown import run_markdown
from nqperf.report.terminal import run_text
from tests import runs


def test_the_fastest_row_with_right_answers_is_named():
    results = runs.run(runs.measured("xla", 1.2, 1.1), runs.measured("grappler", 1.05, 1.0), runs.broken())
    said = fastest_sentence(results)
    assert said.startswith("Fastest safe way: xla, 1.20 times the baseline (1.1")
    assert said.endswith("; 0 of 1 answers changed.")
    assert said in run_text(results)
    assert said in run_page(results)


def test_no_row_is_praised_that_may_be_slower():
    said = fastest_sentence(runs.run(runs.measured("eager", 0.5), runs.measured("xla", 1.0)))
    assert said.startswith(
        "No way is surely faster than the baseline with the answers kept; surely slower: eager 0.50 ("
    )
    assert "xla" not in said
    assert "not sure yet" in fastest_sentence(runs.run(runs.measured("xla", 1.5, sets=1)))
    assert fastest_sentence(runs.run(runs.broken())) is None


def test_a_row_that_fails_its_floor_is_not_the_fastest_safe_way():
    said = fastest_sentence(runs.run(runs.measured("xla", 1.2, 1.5), runs.measured("grappler", 1.1, 1.0)))
    assert "grappler" in said


def test_a_row_whose_answers_are_undecided_is_not_called_safe():
    few = runs.undecided(runs.measured("mixed_bfloat16", 1.9), compared=17)
    results = runs.run(few, runs.measured("xla", 1.2))
    said = fastest_sentence(results)
    assert said.startswith("Fastest way, not known to be safe: mixed_bfloat16, 1.9")
    assert "0 of 17 answers changed, which decides nothing. Fastest safe way: xla, 1.2" in said
    for whole in (run_text(results), run_page(results), run_markdown(results).replace("\\_", "_")):
        assert said in whole
        assert "0 of 17, undecided" in whole
    assert "None in mixed_bfloat16: that decides nothing." in run_page(results)
    alone = fastest_sentence(runs.run(few))
    assert "which decides nothing." in alone
    assert "Fastest safe way" not in alone


def test_answers_that_were_asked_on_are_counted():
    agreed = msgspec.structs.replace(runs.agreement(), details={"all_compared": 480.0, "all_changed": 1.0})
    row = msgspec.structs.replace(runs.measured("mixed_bfloat16", 1.9), agreement=agreed)
    assert fastest_sentence(runs.run(row)).endswith("; 1 of 480 answers changed.")


def test_rows_stand_by_their_speed():
    results = runs.run(runs.measured("eager", 0.5), runs.broken(), runs.measured("xla", 1.2))
    assert [row.name for row in by_speed(results)] == ["baseline", "xla", "eager", "mixed_float16"]
    page = run_page(results)
    assert page.index(">xla<") < page.index(">eager<")
    assert "examples/s" in page
    assert "the whole function compiled by XLA" in page

"""How many times as fast a combination is as its parts, from the rows of one run."""

import html
import re

import pytest

from nqperf.report.combinations import COMBINED, combinations, combinations_text
from nqperf.report.html import run_page
from nqperf.report.terminal import run_text
from tests import runs

WHOLE = "mixed_float16_xla_grappler"
ROWS = [runs.measured(name, ratio) for name, ratio in {"mixed_float16": 0.5, "xla_grappler": 1.0, WHOLE: 1.5}.items()]


def test_it_is_held_to_each_of_its_largest_parts():
    found = combinations(runs.run(runs.measured("xla_clusters", 1.25), *ROWS))
    assert set(found) == {WHOLE, "xla_grappler"}
    assert re.fullmatch(r"1\.00 times the baseline, 0\.80 times xla_clusters \(.+: told apart\)", found["xla_grappler"])
    parts = r"(.+) times the baseline, (.+) times mixed_float16 \(.+\), (.+) times xla_grappler \(.+"
    said = re.fullmatch(parts, found[WHOLE])
    assert [float(one) for one in said.groups()] == pytest.approx([1.5, 3.0, 1.5], abs=0.05)


@pytest.mark.parametrize("render", [run_text, run_page])
def test_it_stands_in_every_report(render):
    shown = html.unescape(render(runs.run(*ROWS)))
    assert COMBINED[1:] in shown
    assert "times xla_grappler" in shown


def test_nothing_is_said_without_the_parts_or_the_whole():
    assert combinations_text(runs.run(*ROWS[:2])) is None
    assert list(combinations(runs.run(ROWS[0], ROWS[2], runs.broken("xla_grappler")))) == [WHOLE]
    assert combinations_text(runs.run(ROWS[2], runs.broken("xla_grappler"))) is None


def test_each_ratio_has_its_interval_and_says_where_the_two_are_not_told_apart():
    apart = combinations(runs.run(*ROWS))[WHOLE]
    assert re.search(r"1\.50 times xla_grappler \(\d\.\d{3} \.\. \d\.\d{3}: told apart\)", apart)
    same = runs.run(ROWS[0], runs.measured("xla_grappler", 1.0), runs.measured(WHOLE, 1.0))
    assert re.search(r"1\.00 times xla_grappler \(.+: not told apart\)", combinations(same)[WHOLE])
    single = [runs.measured(row.name, row.verdict.ratio, sets=1) for row in ROWS]
    assert "times xla_grappler (no interval: not told apart)" in combinations(runs.run(*single))[WHOLE]

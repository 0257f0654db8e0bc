"""The tables of docs/trust.md and revisions.md are those that the script prints, and show what the pages say."""

import re
from pathlib import Path

from scipy import stats

from benchmarks.characteristics import answers, revisions, search, suite

DOCS = Path(__file__).parents[2] / "docs"


def table(headings, name="trust.md"):
    """Return the lines of the table with these headings on a page of the docs, cell by cell."""
    head, page = f"| {' | '.join(headings)} |", (DOCS / name).read_text()
    assert head in page, f"docs/{name} has no table with {head}"
    lines = page[page.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def shares(cell):
    return [float(number) for number in re.findall(r"([\d.]+)\s*%", cell)]


def test_every_model_of_noise_has_its_line_and_hardly_any_run_is_red():
    lines = {line[0]: dict(zip(suite.HEADINGS, line, strict=True)) for line in table(suite.HEADINGS)}
    assert set(lines) == set(suite.MODELS)
    for line in lines.values():
        assert shares(line["runs of unchanged code that are red"])[0] <= 1.0
        runs = int(line["runs"].replace(",", ""))
        assert runs >= 2000
        # 5 % is promised: so many in so many runs must not say that it is more.
        failed = round(shares(line["2 % slower: FAIL"])[0] / 100 * runs)
        assert stats.binomtest(failed, runs, 0.05, alternative="greater").pvalue > 0.05


def test_the_other_tables_are_the_scripts_too():
    assert [line[0] for line in table(revisions.HEADINGS)] == list(revisions.MODELS)
    assert [line[0] for line in table(revisions.MARGIN_HEADINGS, "revisions.md")] == list(revisions.MODELS)
    assert {line[0] for line in table(answers.HEADINGS)} == {f"{share:.2%}" for share in answers.SHARES}
    assert {line[0] for line in table(search.HEADINGS)} == set(search.CASES)

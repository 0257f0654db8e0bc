"""The pictures of the docs are what their script makes of the run that is kept beside them."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from nqperf.formats.results.results_json import read_results
from tests import pictures, runs

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_shows_the_drawing_of_the_kept_run_or_none():
    kept = pictures.RECORD.exists()
    assert ("docs/pictures/run.svg" in README.read_text()) == kept
    assert not kept or pictures.DRAWING.read_text() == pictures.drawing(read_results(pictures.RECORD))


def test_the_thesis_page_has_the_rows_of_the_kept_run():
    page = pictures.THESIS.read_text()
    assert not pictures.RECORD.exists() or page == pictures.with_rows(page, read_results(pictures.RECORD))


def test_rows_of_the_thesis_stand_in_its_order_and_say_why_one_did_not_run():
    measured = runs.run(runs.broken("mixed_float16"), runs.measured("xla_clusters", 1.2), runs.measured("jax", 1.9))
    page = pictures.with_rows("before\n<!-- live: begin -->\nold\n<!-- live: end -->\nafter\n", measured)
    lines = page.splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "old" not in lines
    rows = [line for line in lines if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["baseline", "xla_clusters", "mixed_float16"]
    assert "| 1.20 |" in rows[1]
    base, fast = (float(row.split("|")[2]) for row in rows[:2])
    assert base / fast == pytest.approx(1.2, rel=0.01), "time and ratio are one comparison"
    assert measured.variant("mixed_float16").reason in rows[2]
    with pytest.raises(ValueError, match="no marks"):
        pictures.with_rows("nothing", measured)


def test_rows_with_an_interval_stand_by_their_speed_within_the_drawing():
    few = runs.undecided(runs.measured("mixed_bfloat16", 1.9), compared=17)
    drawn = ET.fromstring(pictures.drawing(runs.run(runs.measured("xla", 1.2), few, runs.broken())))
    texts = ["".join(one.itertext()) for one in drawn.iter() if one.tag.endswith("text")]
    assert texts.index("mixed_bfloat16") < texts.index("xla")
    assert "0 of 17 changed, undecided" in texts
    assert "mixed_float16" not in texts
    (width,) = {float(drawn.get("viewBox").split()[2])}
    assert all(0 <= float(one.get("x", one.get("cx", 0))) < width for one in drawn.iter())

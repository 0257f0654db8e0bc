"""The pictures of the docs are what their script makes of the run that is kept beside them."""

import xml.etree.ElementTree as ET
from pathlib import Path

from nqperf.formats.results.results_json import read_results
from tests import pictures, runs

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_shows_the_drawing_of_the_kept_run_or_none():
    kept = pictures.RECORD.exists()
    assert ("docs/pictures/run.svg" in README.read_text()) == kept
    assert not kept or pictures.DRAWING.read_text() == pictures.drawing(read_results(pictures.RECORD))


def test_rows_with_an_interval_stand_by_their_speed_within_the_drawing():
    few = runs.undecided(runs.measured("mixed_bfloat16", 1.9), compared=17)
    drawn = ET.fromstring(pictures.drawing(runs.run(runs.measured("xla", 1.2), few, runs.broken())))
    texts = ["".join(one.itertext()) for one in drawn.iter() if one.tag.endswith("text")]
    assert texts.index("mixed_bfloat16") < texts.index("xla")
    assert "0 of 17 changed, undecided" in texts
    assert "mixed_float16" not in texts
    (width,) = {float(drawn.get("viewBox").split()[2])}
    assert all(0 <= float(one.get("x", one.get("cx", 0))) < width for one in drawn.iter())

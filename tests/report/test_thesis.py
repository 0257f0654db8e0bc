"""The rows of the thesis's Table 5, as a run has them, beside the thesis's own figures."""

import html
import re
from pathlib import Path

import msgspec
import pytest

from nqperf.perf.variants.table import VARIANTS
from nqperf.records.profiles import HELD_TO
from nqperf.records.results import OWN_MODEL
from nqperf.report.html import run_page
from nqperf.report.markdown import run_markdown
from nqperf.report.terminal import run_text
from nqperf.report.thesis import THESIS, thesis_ratios, thesis_text
from tests import runs

PAGE = (Path(__file__).parents[2] / "docs" / "thesis.md").read_text()
ROWS = (runs.measured("xla_clusters", 1.2), runs.measured("mixed_float16", 0.68), runs.measured("eager", 0.5))


def test_the_table_s_ratios_are_those_of_the_page_and_of_its_times():
    found = re.findall(r"^\| [^|]+ \| `(\w+)` \| ([\d,.]+) \|[^|]*\| ([\d.]+) \|", PAGE, re.MULTILINE)
    seconds = {name: float(taken.replace(",", "")) for name, taken, _ in found}
    ratios = {name: float(ratio) for name, _, ratio in found if name != "baseline"}
    assert ratios == {name: row.thesis_ratio for name, row in VARIANTS.items() if row.thesis_ratio is not None}
    assert {name for name, row in VARIANTS.items() if row.thesis} == {"baseline", *ratios}
    for name, ratio in ratios.items():
        assert seconds["baseline"] / seconds[name] == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("render", [run_text, run_markdown, run_page])
def test_both_ratios_of_a_row_stand_in_one_line(render):
    shown = re.sub(r"<[^>]+>", " ", html.unescape(render(runs.run(*ROWS)))).replace("\\", "")
    said = THESIS[1:]  # a sentence of the page begins with it
    assert re.search(rf"{re.escape(said)}:\s+xla_clusters:?\s+1.20 here, 1.13 on the thesis's V100 \(XLA\)", shown)
    assert re.search(r"mixed_float16:?\s+0.68 here, 2.71 on the thesis's V100 \(mixed precision\)", shown)
    assert "0.50 here" not in shown, "no row of the thesis"


def test_the_page_says_what_each_row_is_in_the_words_of_the_variants_and_of_the_thesis():
    page = html.unescape(run_page(runs.run(*ROWS)))
    assert "Keras policy mixed_float16 (the thesis's row: mixed precision)" in page
    assert "(the thesis's row: XLA)" in page


def test_one_row_is_no_table_nor_is_another_baseline_or_network():
    assert thesis_text(runs.run(ROWS[0], ROWS[2], runs.broken("mixed_float16"))) is None
    results = runs.run(*ROWS)
    assert list(thesis_ratios(results)) == ["xla_clusters", "mixed_float16"]
    assert thesis_text(msgspec.structs.replace(results, workload={"batch_size": 4, OWN_MODEL: "ids"})) is None
    other = msgspec.structs.replace(results.fingerprint, states={HELD_TO: "onnxruntime"})
    assert thesis_text(msgspec.structs.replace(results, fingerprint=other)) is None

"""The reports laid out by a real browser: nothing overlaps, and no page is wider than its window."""

import pytest

from nqperf.records.comparison import compare
from nqperf.records.history import history
from nqperf.report.html import comparison_page, history_page, run_page
from tests import runs
from tests.browser import measure

WIDTHS = (400, 900, 1600)
# Every text that is drawn or stands beside a drawing, with its place, and how wide the page is laid out.
LAYOUT = """(shown) => ({
    width: shown.document.documentElement.scrollWidth,
    texts: [...shown.document.querySelectorAll("svg text, .name, .said, .ends span, h1, h2, h3, dt")].map(one => {
        const box = one.getBoundingClientRect();
        return [one.textContent, box.left, box.top, box.right, box.bottom];
    }),
})"""


def overlaps(texts):
    """Return the texts that lie over each other by more than a pixel."""
    boxes = sorted(texts, key=lambda box: box[2])
    for number, (text, left, top, right, bottom) in enumerate(boxes):
        for other, left_2, top_2, right_2, bottom_2 in boxes[number + 1 :]:
            if top_2 >= bottom - 1:
                break
            if min(right, right_2) - max(left, left_2) > 1 and min(bottom, bottom_2) - max(top, top_2) > 1:
                yield text, other


def two_runs():
    old = runs.run(runs.measured("mixed_bfloat16_xla_grappler", 1.2), runs.measured("eager", 0.8, noise=0.2))
    return comparison_page(compare(old, runs.full()), old, runs.full())


@pytest.mark.parametrize(
    "page",
    [lambda: run_page(runs.full()), lambda: history_page(history(runs.over_time())), two_runs],
    ids=["run", "history", "comparison"],
)
def test_no_label_lies_over_another_and_the_page_fits(page, tmp_path):
    for width, found in measure(page(), LAYOUT, WIDTHS, tmp_path).items():
        assert found["width"] <= width, f"{found['width']} pixels wide in a window of {width}"
        assert len(found["texts"]) > 20
        assert list(overlaps(found["texts"])) == [], f"at {width} pixels"


# Where the verdict of each row of the first table stands, the first words, and how the colours contrast.
SEEN = """(shown) => {
    const light = text => {
        const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map(one => one / 255)
            .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const page = light(shown.getComputedStyle(shown.document.body).backgroundColor);
    const contrast = one => {
        const ink = light(shown.getComputedStyle(one).color);
        return (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05);
    };
    const table = shown.document.querySelector("table");
    return {
        title: shown.document.querySelector("h1").textContent,
        names: [...table.querySelectorAll("tbody th")].map(one => one.textContent),
        verdicts: [...table.querySelectorAll("tr > :nth-child(2)")].map(one => one.getBoundingClientRect().right),
        contrast: Math.min(...[...shown.document.querySelectorAll("p, td, th, caption, .word, dt")].map(contrast)),
        reached: [...shown.document.querySelectorAll(".scroll")].every(one => one.tabIndex === 0),
    };
}"""


def test_the_first_screen_tells_the_fastest_way_and_narrow_ones_show_the_verdict(tmp_path):
    for width, found in measure(run_page(runs.full()), SEEN, (400, 1200), tmp_path).items():
        assert "Fastest safe way: xla, 1.20 times the baseline" in found["title"]
        assert found["names"][:2] == ["baseline", "mixed_bfloat16"]
        assert max(found["verdicts"]) <= width
        assert found["contrast"] >= 4.5
        assert found["reached"]


SCROLLED = (
    """(shown) => [...shown.document.querySelectorAll(".scroll")].map(one => one.scrollWidth - one.clientWidth)"""
)


def test_no_table_of_a_run_is_scrolled_sideways_in_a_usual_window(tmp_path):
    reported = runs.run(runs.undecided(runs.measured("mixed_float16_xla_grappler", 1.1), 17), runs.measured("xla", 1.2))
    for number, run in enumerate((runs.full(), reported)):
        place = tmp_path / str(number)
        place.mkdir()
        assert max(measure(run_page(run), SCROLLED, (1200,), place)[1200]) <= 0


def test_a_column_that_holds_nothing_is_left_out_of_the_page():
    assert '<th scope="col">finds</th>' in run_page(runs.full())
    page = run_page(runs.run(runs.measured("xla", 1.2)))
    assert '<th scope="col">finds</th>' not in page
    assert '<th scope="col">ratio</th>' in page


def test_the_check_sees_an_overlap_and_a_wide_page(tmp_path):
    page = '<svg width="800"><text x="1" y="20">one</text><text x="6" y="22">two</text></svg>'
    found = measure(page, LAYOUT, (400,), tmp_path)[400]
    assert found["width"] > 400
    assert list(overlaps(found["texts"])) == [("one", "two")]

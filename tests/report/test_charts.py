import itertools
import xml.etree.ElementTree as ET

from hypothesis import assume, given
from hypothesis import strategies as st

from nqperf.report.charts import Mark, Scale, ratio_axis, ratio_line, rounds, timeline

RATIO = st.floats(0.001, 1000)


def mark(ratio, interval=None, floor=None):
    return Mark(ratio=ratio, interval=interval, floor=floor, title="a title")


@given(st.lists(RATIO, min_size=1, max_size=5), st.sampled_from([0.16, 0.24]))
def test_labels_stand_apart_and_inside_on_any_axis(ratios, apart):
    scale = Scale.around(ratios)
    assert all(0 < scale(ratio) < 1 for ratio in ratios)
    places = [scale(tick) for tick in scale.ticks(apart)]
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert all(later - earlier >= apart for earlier, later in itertools.pairwise(places))
    assert len(set(scale.ticks(apart))) == len(places)


@given(st.floats(0.01, 100), st.floats(1.05, 1000))
def test_an_axis_of_more_than_five_percent_has_a_label(low, factor):
    assert Scale.around([low, low * factor]).ticks() or factor < 10**0.4


@given(RATIO, RATIO, RATIO, st.one_of(st.none(), RATIO))
def test_any_ratio_can_be_drawn(ratio, one, other, floor):
    low, high = sorted((one, other))
    assume(low < high)
    drawn = mark(ratio, (low, high), floor)
    scale = Scale.around([1.0, *drawn.ends])
    for drawing in (
        ratio_line(drawn, scale),
        ratio_axis(scale),
        rounds([[ratio, one], [other]], drawn),
        timeline([drawn, None, mark(one)], [1], "a title"),
    ):
        for element in ET.fromstring(drawing).iter():
            for name in ("x", "cx", "x1", "x2"):
                value = element.get(name, "0%")
                assert -0.1 <= float(value.removesuffix("%")) <= 100.1
            for name in ("y", "cy", "y1", "y2"):
                assert -1 <= float(element.get(name, 0)) <= 100


def test_an_open_dot_has_no_interval():
    scale = Scale.around([0.9, 1.3])
    assert 'class="dot open"' in ratio_line(mark(1.2), scale)
    assert 'class="bar"' not in ratio_line(mark(1.2), scale)
    assert 'class="bar"' in ratio_line(mark(1.2, (1.1, 1.25)), scale)


def test_a_change_point_is_drawn_where_a_level_ends():
    drawn = timeline([mark(1.2)] * 4, [], "a title", {2: "xla is 0.9 times as fast"})
    (line,) = (each for each in ET.fromstring(drawn).iter() if each.get("class") == "step")
    assert (line.get("x1"), line.get("x2")) == ("50.00%", "50.00%")
    assert "<title>xla is 0.9 times as fast</title>" in drawn

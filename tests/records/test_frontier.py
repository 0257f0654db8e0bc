"""Which rows no other row beats, as far as intervals can tell."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.records.frontier import dominates, faster, frontier, relation, sign_of

SIGNS = ("more", "less", "same", "unknown")


@pytest.mark.parametrize(
    ("interval", "nothing", "expected"),
    [
        ((0.01, 0.2), 0, "more"),
        ((-0.2, -0.01), 0, "less"),
        ((0.0, 0.0), 0, "same"),
        ((0.0, 0.1), 0, "unknown"),
        ((-0.1, 0.1), 0, "unknown"),
        ((1.1, 1.2), 1, "more"),
        (None, 1, "unknown"),
    ],
)
def test_signs(interval, nothing, expected):
    assert sign_of(interval, nothing) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((1.0, 1.0), (1.2, 1.4), "more"),
        ((1.0, 1.0), (0.7, 0.9), "less"),
        ((1.1, 1.3), (1.2, 1.4), "unknown"),
        ((1.0, 1.0), None, "unknown"),
    ],
)
def test_speed(ours, theirs, expected):
    assert faster(ours, theirs) == expected


@pytest.mark.parametrize(
    ("speed", "score", "expected"),
    [
        ("more", "more", "dominates"),
        ("more", "same", "dominates"),
        ("same", "more", "dominates"),
        ("less", "less", "dominated"),
        ("less", "same", "dominated"),
        ("more", "less", "both"),
        ("less", "more", "both"),
        ("same", "same", "both"),
        ("more", "unknown", "unknown"),
        ("less", "unknown", "unknown"),
        ("unknown", "more", "unknown"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_two_rows(speed, score, expected):
    assert relation(speed, score) == expected


truths = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6)


def known(ours, theirs):
    return "same" if ours == theirs else "more" if theirs > ours else "less"


@given(truths)
def test_what_is_known_gives_the_frontier_of_the_definition(points):
    names = [str(number) for number in range(len(points))]
    places = frontier(names, lambda a, b: tuple(map(known, points[int(a)], points[int(b)])))
    for name, point in zip(names, points, strict=True):
        better = [other for other in points if other != point and other[0] >= point[0] and other[1] >= point[1]]
        assert places[name].standing == ("off" if better else "on")
        assert len(places[name].beaten_by) == len(better)


@given(truths, st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_what_is_not_known_never_turns_on_into_off(points, hidden):
    """Hide some comparisons: a row is then where it truly is, or nobody knows."""
    names = [str(number) for number in range(len(points))]

    def seen(a, b):
        if (int(a), int(b)) in hidden or (int(b), int(a)) in hidden:
            return "unknown", "unknown"
        return tuple(map(known, points[int(a)], points[int(b)]))

    truth = frontier(names, lambda a, b: tuple(map(known, points[int(a)], points[int(b)])))
    for name, place in frontier(names, seen).items():
        assert place.standing in {truth[name].standing, "unknown"}


def test_the_fastest_and_the_best_are_on_it():
    """A small network, a large one, and a fast run of each with the same answers."""
    rows = {"large": (1, 5), "large:fast": (2, 5), "small": (3, 4), "small:fast": (5, 4)}
    places = frontier(list(rows), lambda a, b: tuple(map(known, rows[a], rows[b])))
    assert {name for name, place in places.items() if place.standing == "on"} == {"large:fast", "small:fast"}
    assert places["large"].beaten_by == ("large:fast",)


@pytest.mark.parametrize(("speed", "score"), list(itertools.product(SIGNS, SIGNS)))
def test_no_row_makes_pointless_what_makes_it_pointless(speed, score):
    opposite = {"more": "less", "less": "more", "same": "same", "unknown": "unknown"}
    assert not (dominates(speed, score) and dominates(opposite[speed], opposite[score]))

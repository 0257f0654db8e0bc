"""The frontier of speed and score: the rows that no other row beats, as far as the intervals can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Sign = Literal["more", "less", "same", "unknown"]
Standing = Literal["on", "off", "unknown"]


def sign_of(interval: tuple[float, float] | None, nothing: float = 0.0) -> Sign:
    """Return which side of `nothing` an `interval` lies on.

    It is "same" when it is that point, "unknown" when it holds it, or where it is None.
    """
    if interval is None:
        return "unknown"
    low, high = interval
    if low == high == nothing:
        return "same"
    return "more" if low > nothing else "less" if high < nothing else "unknown"


def faster(ours: tuple[float, float] | None, theirs: tuple[float, float] | None) -> Sign:
    """Return how fast the second is beside the first, by `theirs` and `ours`, the intervals of ratios to one baseline.

    None is an interval that is not known. They were not paired with each other, so intervals that overlap leave it
    open; (1, 1) is the baseline itself.
    """
    if ours is None or theirs is None:
        return "unknown"
    return "more" if theirs[0] > ours[1] else "less" if theirs[1] < ours[0] else "unknown"


def dominates(speed: Sign, score: Sign) -> bool | None:
    """Return whether a row whose `speed` and `score` are so beside another's makes that one pointless; None: not known.

    It does when it is better in one of the two and no worse in the other.
    """
    if "less" in (speed, score):
        return False
    if "unknown" in (speed, score):
        return None
    return "more" in (speed, score)


class Place(NamedTuple):
    """Where a row stands to the frontier, and the rows that are known to keep it off it.

    `standing` is "on", "off" or "unknown"; `beaten_by` names these rows.
    """

    standing: Standing
    beaten_by: tuple[str, ...]


def frontier(names: Sequence[str], compare: Callable[[str, str], tuple[Sign, Sign]]) -> dict[str, Place]:
    """Return the place of each row in `names`, by name.

    `compare` returns the second row's speed and score beside the first's.
    """
    places = {}
    for name in names:
        found = {other: dominates(*compare(name, other)) for other in names if other != name}
        beaten_by = tuple(other for other, beats in found.items() if beats)
        standing: Standing = "off" if beaten_by else "unknown" if None in found.values() else "on"
        places[name] = Place(standing, beaten_by)
    return places


def relation(speed: Sign, score: Sign) -> Literal["dominates", "dominated", "both", "unknown"]:
    """Return what two rows are to each other; `speed` and `score` are the second's beside the first's."""
    opposite: dict[Sign, Sign] = {"more": "less", "less": "more", "same": "same", "unknown": "unknown"}
    ahead, behind = dominates(speed, score), dominates(opposite[speed], opposite[score])
    if ahead or behind:
        return "dominates" if ahead else "dominated"
    return "unknown" if ahead is None or behind is None else "both"

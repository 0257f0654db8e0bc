"""How two sides are timed, chosen again while the interval stays wide: by how far the sets of each way scatter.

A way is judged by the seconds that it still needs until the interval is as narrow as a verdict takes. The ratio has no
part in it. Where it is the other one, sets are taken anew: of a few that scatter little by chance, which is what they
were chosen by, the interval would be too narrow.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from nqperf.perf.measuring.duets import FAR, How, can_duet
from nqperf.records.revisions import MeasuredSet
from nqperf.statistics.location import set_estimate
from nqperf.statistics.planning import larger_sd

# So many sets of the other way tell how far it scatters.
TRIED = 3
# The ways are held to each other after so many sets, and whenever there are twice as many.
_FIRST = 4
# Sets begin anew, and some of the chance to err is used: so many times fewer seconds pay for that.
_PAYS = 2
# Standard errors from the middle of an interval to its ends.
_ERRORS = 3.0
# An interval that is no wider than what lies between the margins' ends decides any row: from 0.4 of it to all of it.
_HALF = 0.3


def other(how: How) -> How:
    """Return the other way to time two sides than `how`."""
    return "turns" if how == "duet" else "duet"


def to_compare(sets: Sequence[MeasuredSet], margin: float) -> bool:
    """Return whether the other way is to be tried after these `sets` of one, where `margin` is what is to be told.

    It is after 4 sets, 8, 16 and so on, where so many more would be needed that trying pays. Sides that are far apart
    take turns.
    """
    count = len(sets)
    if count < _FIRST or count & (count - 1) or not can_duet():
        return False
    return not is_far(sets[0]) and _needed(_sd(sets), margin) - count > 2 * TRIED


def better(
    sets: Sequence[MeasuredSet],
    others: Sequence[MeasuredSet],
    seconds: tuple[float, float],
    margin: float,
    *,
    surely: bool = True,
) -> bool:
    """Return whether the way of `others` takes far fewer seconds from here on than that of `sets`.

    `seconds` are those of a set of each way, and `margin` is what is to be told. With `surely`, the scatter of the
    `others`, which are few, is taken to be as large as it may be.
    """
    left = _needed(_sd(sets), margin) - len(sets)
    scatter = _sd(others)
    at_most = _needed(larger_sd(scatter, len(others) - 1) if surely else scatter, margin)
    return _PAYS * max(at_most, TRIED) * seconds[1] < left * seconds[0]


def is_far(taken: MeasuredSet) -> bool:
    """Return whether the sides of the set `taken` are so far apart that they take turns."""
    return abs(_ratio(taken)) > FAR


def _needed(sd: float, margin: float) -> float:
    """Return how many sets of such an SD make the interval narrow enough."""
    return (_ERRORS * sd / (_HALF * math.log1p(margin))) ** 2


def _sd(sets: Sequence[MeasuredSet]) -> float:
    return statistics.stdev(map(_ratio, sets))


def _ratio(taken: MeasuredSet) -> float:
    return set_estimate(np.array(taken.base), np.array(taken.change)).location

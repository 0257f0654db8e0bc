"""The word for what came of a row: its outcome, or of a control what was seen of it."""

from __future__ import annotations

from nqperf.records.results import PLANTED, SAME

# The verdicts on a control in words of its own: a slowdown that PASSes reads as none, and what noise leaves open is no
# fault, and no set more was asked for it.
_CONTROLS = {
    SAME: {"PASS": "the same speed", "INCONCLUSIVE": "no other speed seen"},
    PLANTED: {"PASS": "found", "INCONCLUSIVE": "not found"},
}
# What its interval says, and the stricter level of a control does not.
_NOT_SURELY = "not surely another speed"
# A single set has no interval, so it could not have seen either.
_UNKNOWN = "one set: not known"


def outcome_word(name: str, outcome: str, interval: tuple[float, float] | None) -> str:
    """Return the `outcome` of the row called `name`; of a control what was seen of it.

    `interval` is its ratio's, None after a single set, which cannot tell.
    """
    words = _CONTROLS.get(name, {})
    if outcome == "INCONCLUSIVE" and words:
        if interval is None:
            return _UNKNOWN
        if name == SAME and not interval[0] <= 1 <= interval[1]:
            return _NOT_SURELY
    return words.get(outcome, outcome)


def is_control(name: str) -> bool:
    """Return whether the row called `name` is a control, and not a row that was asked for."""
    return name in _CONTROLS

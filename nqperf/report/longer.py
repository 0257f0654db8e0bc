"""How much longer a run takes to decide what it left open, and by which option it gets the time."""

from __future__ import annotations

import math

from nqperf.plain_text import counted
from nqperf.records.results import Results, Verdict

_MINUTE = 60.0


def larger_budget(results: Results | None, verdict: Verdict) -> str:
    """Return which --budget decides the open row of a `verdict`, where that of its run, `results`, is known.

    It is rounded up to whole minutes: too short a run decides nothing. Of a run with --quick it is said to leave that
    out, which takes few sets whatever the budget.
    """
    if results is None or results.budget is None or verdict.more_seconds is None:
        return "a larger --budget"
    total = _MINUTE * math.ceil((results.budget + verdict.more_seconds) / _MINUTE)
    budget, quick = f"{run_option(results, 'budget')} {total:.0f}", run_option(results, "quick")
    return f"{budget} without {quick}" if quick in results.command.split() else budget


def run_option(results: Results, name: str) -> str:
    """Return what the option `name` is called where the run of `results` was started."""
    return f"--{'nqperf-' if results.command.startswith('pytest') else ''}{name}"


def more_time(seconds: float) -> str:
    """Return `seconds` that somebody would have to wait, in words.

    >>> more_time(40), more_time(400), more_time(9000)
    ('1 minute', '7 minutes', '2.5 hours')
    """
    minutes = max(1, round(seconds / _MINUTE))
    return counted(minutes, "minute") if minutes < 2 * _MINUTE else f"{seconds / _MINUTE**2:.1f} hours"

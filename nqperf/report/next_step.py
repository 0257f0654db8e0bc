"""What to do next after a comparison of two revisions: always one line where it was not decided."""

from __future__ import annotations

import math
import re
from statistics import median, stdev

from nqperf.perf.workers.builder_worker import BUILDER
from nqperf.plain_text import counted
from nqperf.records.revisions import Judged, RevisionResults
from nqperf.statistics.verdicts import JudgeConfig

# Nobody waits for so many times what a comparison took: another margin is said then.
_FAR = 10
_LONG = 2
# Fewer sets say too little of their scatter to call anything far.
_FEW = 5
_MARGINS = (0.01, 0.02, 0.05, 0.1, 0.2)
_MINUTE, _SECONDS = 60, 10
# Halves of so many sets show that one scatters so many times as far as the other.
_FEW_OF_A_HALF, _ROUGHER = 6, 2.0
_FIRST_LOOK = JudgeConfig.for_margin(_MARGINS[0]).first_look  # of every margin
_COMMIT = re.compile("[0-9a-f]{40,64}")
_DUETS = re.compile("--how[ =]duet")
_SHORT = 10  # letters of a commit's name, as people write it


def next_steps(results: RevisionResults) -> list[str]:
    """Return what to do next after the comparison of `results`, a line each; nothing where nothing is left to do."""
    decide = _to_decide(results)
    open_still = _in_turns(results) + _rougher(results) if decide else []
    return decide + open_still + _to_tell_less(results) + _to_search(results)


def _to_decide(results: RevisionResults) -> list[str]:
    """Return what decides what is open: more time, or a margin that is no smaller than what can be told apart.

    Rows that the base cannot run are not open: no time would decide them.
    """
    open_rows = [row for row in results.rows if row.outcome == "INCONCLUSIVE"]
    if results.outcome != "INCONCLUSIVE" or not open_rows:
        return []
    times = [row.measure("time") for row in open_rows]
    fewest = min(0 if one is None else one.sets for one in times)
    # Rows that were not reached take as long as the others.
    reached = sum(bool(row.sets) for row in results.rows)
    a_pass = _a_pass(results) * len(results.rows) / max(1, reached)
    # A pass more is named than is needed: the last that does not fit is left out, so that the budget was not spent.
    # Before its first look nothing is decided, and one set says nothing of how many it takes.
    if fewest < _FIRST_LOOK:
        total = results.seconds + a_pass * (_FIRST_LOOK - fewest)
        return [_more_time(results, total + a_pass, "at least", "for a first look")]
    known = [one for one in times if one is not None]
    total = results.seconds + a_pass * max(math.inf if one.more_sets is None else one.more_sets for one in known)
    if total <= _FAR * results.seconds:
        # Who can wait as long again needs no other margin.
        wider = _wider(results, known) if total > _LONG * results.seconds else None
        longer = _more_time(results, total + a_pass, "about", "would decide")
        return [f"{longer}; as it is, {wider}" if wider else longer]
    if fewest < _FEW:
        total = results.seconds + a_pass * (_FEW - fewest)
        return [_more_time(results, total + a_pass, "at least", "to tell what would decide")]
    far = f"not within {_FAR} times the budget"
    wider = _wider(results, known)
    if wider is None:
        return [f"{far}: no budget would decide on this machine as it is now; end what else computes on it"]
    return [f"{far}; {wider}"]


def _in_turns(results: RevisionResults) -> list[str]:
    """Return the other way to time where duets were asked for: else what scatters less was chosen."""
    if not _DUETS.search(results.command):
        return []
    return ["duets scatter where others compute: turns may tell more in the same time: --how turns"]


def _rougher(results: RevisionResults) -> list[str]:
    """Return which open rows have later sets that scatter more than the earlier ones, and so widen the interval."""
    said = []
    for row in results.rows:
        ratios = [math.log(median(one.change) / median(one.base)) for one in row.sets]
        half = len(ratios) // 2
        if row.outcome != "INCONCLUSIVE" or half < _FEW_OF_A_HALF:
            continue
        early, late = stdev(ratios[:half]), stdev(ratios[half:])
        if late > _ROUGHER * early > 0:
            said.append(
                f"{row.name}: its later sets scatter {late / early:.1f} times as far as its earlier ones, so something "
                "else came to compute here: repeat it when the machine is quieter"
            )
    return said


def _a_pass(results: RevisionResults) -> float:
    """Return the seconds that a set of every row that was reached took."""
    return results.seconds / max([1, *(len(row.sets) for row in results.rows)])


def _to_tell_less(results: RevisionResults) -> list[str]:
    """Return by which margin rows passed in place of the smaller one that is looked for first, and what tells that."""
    times = [time for row in results.rows if (time := row.measure("time")) is not None and time.asked is not None]
    if not times:
        return []
    asked, margin = (f"{100 * (share or 0):g} %" for share in (times[0].asked, times[0].margin))
    said = f"times scatter too far here to tell {asked} in this time, so less than {margin} slower is no slower"
    more = max(math.inf if one.more_sets is None else one.more_sets for one in times)
    total = results.seconds + _a_pass(results) * more
    if total > _FAR * results.seconds:
        return [said]
    return [f"{said}; {_more_time(results, total + _a_pass(results), 'about', f'would tell {asked}')}"]


def _more_time(results: RevisionResults, total: float, about: str, what_for: str) -> str:
    """Return how much longer it takes where a `total` of seconds is needed, rounded up: too short decides nothing."""
    step = _SECONDS if total <= _MINUTE else _MINUTE
    budget = step * math.ceil(total / step)
    more = max(1.0, budget - results.seconds)
    said = (
        counted(math.ceil(more), "more second")
        if budget <= _MINUTE
        else counted(math.ceil(more / _MINUTE), "more minute")
    )
    return f"{about} {said} {what_for}: {_option(results, 'budget', f'{budget}')}"


def _wider(results: RevisionResults, times: list[Judged]) -> str | None:
    """Return the least round margin at which the intervals of all `times` say SAME, None where none does."""
    most = max(math.inf if one.interval is None else one.interval[1] - 1 for one in times)
    judged_by = max(one.margin for one in times)
    margin = next((one for one in _MARGINS if one > max(most, judged_by)), None)
    if margin is None:
        return None
    wider = f"sets like these would pass at {_option(results, 'margin', f'{margin:g}')}"
    return f"{wider}, as would what is less than {100 * margin:g} % slower"


def _option(results: RevisionResults, name: str, value: str) -> str:
    """Return how the option `name` is given the `value` where the comparison was started."""
    if not results.command.startswith("pytest"):
        return f"--{name} {value}"
    of_a_builder = any(BUILDER.fullmatch(row.name) for row in results.rows)
    return f"nqperf_paired(..., {name}={value})" if of_a_builder else f"pytest --nqperf-{name} {value}"


def _to_search(results: RevisionResults) -> list[str]:
    """Return what finds the commit that made a builder slower, where all of the change is committed."""
    base, change = results.base, results.change
    if base.commit is None or change.commit in {None, base.commit} or change.dirty:
        return []
    # People copy the line, and a record may be a stranger's: nothing but names of their forms stands in it.
    if not _COMMIT.fullmatch(base.commit):
        return []
    slower = [row.name for row in results.rows if (time := row.measure("time")) is not None and time.word == "SLOWER"]
    good = f'"$(git merge-base {base.commit[:_SHORT]} HEAD)"'
    builders = dict.fromkeys(name.partition(" ")[0] for name in slower)  # by the base's benchmarks, too
    return [
        f"which commit made it slower: nqperf bisect {name} --good {good}"
        for name in builders
        if BUILDER.fullmatch(name)
    ]

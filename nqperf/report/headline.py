"""What a run came to in one sentence: the fastest safe way, by how much, and whether the answers stay."""

from __future__ import annotations

from collections.abc import Sequence

from nqperf.perf.keras_models.outputs import LIMIT, RELATIVE
from nqperf.records.apart import beside
from nqperf.records.doubts import controls_doubt, untested
from nqperf.records.results import BASELINE, OWN_MODEL, Results, VariantResult
from nqperf.report.combinations import switches
from nqperf.report.longer import larger_budget, more_time, run_option
from nqperf.report.summary import interval_text

_POLICIES = ("mixed_float16", "mixed_bfloat16")
# Who is to wait longer than these seconds looks for another way first.
_LONG = 600.0


def by_speed(results: Results) -> tuple[VariantResult, ...]:
    """Return the rows of `results`, the baseline first, then the fastest; those without a ratio last, as they stood."""

    def order(row: VariantResult) -> tuple[int, float]:
        if row.name == BASELINE:
            return 0, 0.0
        return (2, 0.0) if row.verdict is None else (1, -row.verdict.ratio)

    return tuple(sorted(results.variants, key=order))


def closing_sentence(results: Results) -> str | None:
    """Return `closing_sentences` of `results` in one line, None where there are none."""
    return " ".join(closing_sentences(results)) or None


def closing_sentences(results: Results) -> tuple[str, ...]:
    """Return what the fastest way of `results` gains, and of a user's own model whether 16 bits are safe and pay.

    Where the controls do not support what was measured, the last one says so; nothing is called sure then. Where the
    time was up before a row was timed, they say that; there are none where no row could run.
    """
    said = tuple(filter(None, (fastest_sentence(results), safety_sentence(results), doubt_sentence(results))))
    if not said and any(row.status == "unjudged" for row in results.variants):
        return ("Which way is fastest is not decided yet: no row was timed (a larger --budget times them).",)
    return said


def doubt_sentence(results: Results) -> str | None:
    """Return which control of `results` does not support its ratios and what to do; None where nothing is claimed."""
    why = controls_doubt(results.controls)
    if why is None or not any(row.verdict and row.verdict.interval for row in results.variants):
        return None
    planted = results.controls.planted
    more = None if planted is None else planted.verdict.more_seconds
    longer = "a larger --budget"
    if planted is not None and more is not None:
        longer = f"about {more_time(more)} more ({larger_budget(results, planted.verdict)})"
    timed = sum(row.verdict is not None for row in results.variants)
    # All rows and the controls share the time of a set.
    fewer = [f"with fewer rows ({run_option(results, 'variants')})"] if timed > 1 else []
    ways = [f"with {longer}", *fewer] if (more or 0.0) <= _LONG else [*fewer, f"with {longer}"]
    # That little was not found says nothing against what is larger than what was looked for.
    rough = ". Differences of that size are lost in the noise, and larger ones are rough" if _lost(results) else ""
    then = ". Repeat" if rough else ": repeat"
    return f"The controls do not support this ({why}){rough}{then} it {', '.join(ways)}, or on a quieter machine."


def _lost(results: Results) -> bool:
    """Return whether what was planted in `results` was lost in the noise, and nothing else is against its ratios."""
    same, planted = results.controls.same, results.controls.planted
    if planted is None or (same is not None and same.verdict.outcome == "FAIL"):
        return False
    return planted.verdict.outcome == "INCONCLUSIVE" and planted.verdict.interval is not None


def safety_sentence(results: Results) -> str | None:
    """Return whether the outputs of an own model hold in each row of 16 bits of `results`, and whether it is faster.

    None for runs of nqperf's own networks, whose answers are judged, and where no such row was looked at.
    """
    if OWN_MODEL not in results.workload:
        return None
    sure = controls_doubt(results.controls) is None
    said = [f"{row.name}: {_safety(row, sure=sure)}" for row in results.variants if _narrow(row)]
    rows = results.data.counts.get("rows")
    return f"In 16 bits{f', on {rows} rows' if rows else ''}: {'; '.join(said)}." if said else None


def _narrow(row: VariantResult) -> bool:
    """Return whether a row computes in 16 bits; of those that never ran, only the plain policies are worth a word."""
    if row.status in {"skipped", "unjudged"}:
        return row.name in _POLICIES
    return str(row.requested.get("precision")) in _POLICIES or any("mixed_precision" in name for name in row.requested)


def _safety(row: VariantResult, *, sure: bool) -> str:
    """Return what is known of the outputs and of the speed of a row, and what to do where that is clear.

    `sure` says that the controls support the speed.
    """
    if row.status in {"skipped", "unjudged"}:
        return "not run, as is told above"
    if row.status == "failed":
        wrong = (row.reason or "").startswith("parity")
        return "outputs do NOT hold (nqperf casts audit looks for why)" if wrong else "failed, as is told above"
    held = "outputs hold" if _answers_known(row) else _open(row)
    if row.verdict is None or row.verdict.interval is None:
        return f"{held}, speed not told"
    low, high = row.verdict.interval
    if low <= 1 <= high:
        return f"{held}, not {'surely' if sure else 'measured'} faster here"
    speed, advice = f"{row.verdict.ratio:.2f} times as fast", ": use it" if _answers_known(row) else ""
    if high < 1:
        speed, advice = "slower", ": leave it off"
    return f"{held}, {speed} here{advice}" if sure else f"{held}, measured {speed} here"


def _open(row: VariantResult) -> str:
    """Return what is not known of the outputs of an undecided row: all, or the decisions alone."""
    details = {} if row.agreement is None else row.agreement.details
    error, limit = details.get(RELATIVE), details.get(LIMIT)
    if error is None or limit is None or error > limit:
        return "outputs undecided"
    return f"outputs within the limit ({error:.2g}, at most {limit:g}), decisions undecided"


def fastest_sentence(results: Results) -> str | None:
    """Return what the fastest row of `results` with right answers gains, or that none does; None where none has times.

    A row gains where its whole interval lies above 1. One whose answers are undecided is named as that, and beside it
    the fastest whose answers are known. Where equal answers prove nothing, no row is called safe. What the controls do
    not support is told as measured, and not as sure. Rows with answers of the same standing that are not told apart
    from the one that is named stand beside it, and which of them is the simplest.
    """
    sure = controls_doubt(results.controls) is None
    measured = "" if sure else " as measured"
    timed = [row for row in by_speed(results) if row.verdict is not None and row.name != BASELINE]
    right = [row for row in timed if row.status == "measured" and row.verdict and row.verdict.outcome != "FAIL"]
    if not timed:
        return None
    gaining = [row for row in right if row.verdict and row.verdict.interval and row.verdict.interval[0] > 1]
    if gaining and (why := untested(results)):
        near = _near(results, gaining[0], right)
        return f"Fastest way{measured}, answers not tested ({why}): {_speed(gaining[0])}{near}."
    safe = next((row for row in gaining if _answers_known(row)), None)
    said = [] if safe is None else [f"Fastest safe way{measured}: {_gain(results, safe, right)}"]
    if gaining and not _answers_known(gaining[0]):
        said.insert(0, f"Fastest way{measured}, not known to be safe: {_gain(results, gaining[0], right)}")
    if said:
        return " ".join(said)
    if right and all(row.verdict is not None and row.verdict.interval is None for row in right):
        return (
            "One set of processes was taken, so no ratio has an interval: which way is fastest is not sure yet (a "
            "larger --budget takes more)."
        )
    found = "is surely" if sure else "was measured"
    kept = "" if untested(results) else " with the answers kept"
    return f"No way {found} faster than the baseline{kept}{_losing(right, sure=sure)}."


def _losing(rows: list[VariantResult], *, sure: bool) -> str:
    """Return which of `rows` are slower, the slowest last; nothing where none is. `sure`: the controls support it."""
    said = [
        f"{row.name} {row.verdict.ratio:.2f} ({interval_text(row.verdict.interval)})"
        for row in rows
        if row.verdict and row.verdict.interval and row.verdict.interval[1] < 1
    ]
    return f"; {'surely' if sure else 'measured'} slower: {', '.join(said)}" if said else ""


def _answers_known(row: VariantResult) -> bool:
    return row.agreement is not None and not row.undecided


def _speed(row: VariantResult) -> str:
    """Return what `row`, which has a verdict, gains."""
    assert row.verdict is not None  # noqa: S101  # only such rows gain
    return f"{row.name}, {row.verdict.ratio:.2f} times the baseline ({interval_text(row.verdict.interval)})"


def _near(results: Results, row: VariantResult, rows: Sequence[VariantResult]) -> str:
    """Return which of `rows`, with answers that are as well known, are not told apart from `row` in speed."""
    known = beside(results, row.name)
    near = [
        other
        for other in rows
        if other.name in known and not known[other.name].told_apart and _answers_known(other) == _answers_known(row)
    ]
    if not near:
        return ""
    simplest = min([row, *near], key=lambda one: switches(one.name) or 0)
    if any(switches(one.name) is None for one in (row, *near)):
        simplest = row  # nothing is known of what rows of one's own set
    if len(near) == 1:
        simpler = ", which is simpler" if simplest is near[0] else ""
        return f"; not told apart from {_short(near[0])}{simpler}"
    simpler = "" if simplest is row else f"; the simplest of them is {_short(simplest)}"
    return f"; not told apart from {', '.join(one.name for one in near)}{simpler}"


def _short(row: VariantResult) -> str:
    assert row.verdict is not None  # noqa: S101  # only such rows are near another
    return f"{row.name}, {row.verdict.ratio:.2f} ({interval_text(row.verdict.interval)})"


def _gain(results: Results, row: VariantResult, rows: Sequence[VariantResult]) -> str:
    """Return what `row`, which has a verdict, gains, which of `rows` are as fast, and what is known of its answers."""
    said = f"{_speed(row)}{_near(results, row, rows)}"
    if row.agreement is None:
        return f"{said}; answers were not compared."
    few = ", which decides nothing" if row.undecided else ""
    return f"{said}; {row.agreement.changed_text} answers changed{few}."

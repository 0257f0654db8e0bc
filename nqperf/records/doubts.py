"""What makes a run's ratios rough, or its answers no evidence: its controls, a busy machine, untrained heads."""

from __future__ import annotations

from statistics import median, quantiles

from nqperf.records.results import OTHERS, Control, Controls, Fingerprint, Results

# What a reason says, behind a colon, where equal answers are no evidence.
PROVES_NOTHING = "proves nothing"
# The baseline's batches at the median against its fastest tenth: so many times as long, others had half the machine.
_BUSY = 2.0
# Of fewer batches no tenth is told.
_FEWEST = 10


def controls_doubt(controls: Controls) -> str | None:
    """Return which of the `controls` did not come out as it must, None where they support what the rows show.

    The baseline against itself must not be another speed, and the planted slowdown must be found: where noise hides it,
    a row's difference is no more certain than what was planted.
    """
    same, planted = controls.same, controls.planted
    if same is not None and same.verdict.outcome == "FAIL":
        return f"the baseline against itself has the ratio {same.verdict.ratio:.3f}"
    if planted is None:
        return "no planted slowdown was measured"
    if planted.verdict.outcome == "PASS":
        return None
    return f"a planted slowdown{planted_share(planted)} {_missed(planted)}"


def untested(results: Results) -> str | None:
    """Return why answers that are the same prove nothing in `results`; None where they are evidence."""
    return next((why.partition(":")[0] for why in results.reasons if PROVES_NOTHING in why), None)


def planted_share(planted: Control | None) -> str:
    """Return how much was `planted`, as words behind "a planted slowdown"; nothing where that is not known."""
    return f" of {planted.planted:.0%}" if planted is not None and planted.planted else ""


def busy(results: Results) -> float | None:
    """Return how many times as long the baseline's batch took at the median as in its fastest tenth in `results`.

    None where that is no sign of other work beside it, or too few batches were timed.
    """
    seconds = [one for taken in results.sets for pair in taken.baseline_seconds for one in pair]
    if len(seconds) < _FEWEST:
        return None
    times = median(seconds) / quantiles(seconds, n=10)[0]
    return times if times >= _BUSY else None


def busy_text(results: Results) -> str | None:
    """Return that the machine of `results` was busy, and what to do about it; None where nothing shows it."""
    times = busy(results)
    if times is None:  # what passed has passed beside them
        others = others_text(results.fingerprint) if results.outcome != "PASS" else None
        return others and f"{others}: repeat it when nothing else runs"
    return (
        f"the machine was busy: the baseline's batch took {times:.1f} times as long at the median as in its fastest "
        "tenth: repeat it when nothing else runs"
    )


def others_text(fingerprint: Fingerprint) -> str | None:
    """Return that other programs computed on the machine of `fingerprint` meanwhile; None where nothing shows it."""
    return used_by_others(fingerprint.observed.get(OTHERS))


def used_by_others(cores: str | None) -> str | None:
    """Return that other programs used so many of the `cores` ("1.4 of 2 cores"); None where that is not known."""
    return cores and f"the machine was busy: other programs used {cores}"


def _missed(planted: Control) -> str:
    if planted.verdict.outcome == "FAIL":
        return "came out as another size"
    return "was not found" if planted.verdict.interval is not None else "had one set, which cannot show it"

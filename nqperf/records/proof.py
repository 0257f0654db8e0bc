"""Trials of the gate with known answers: what they show, how sure that is, and how many it takes for what claim."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nqperf.records.results import Outcome

# How sure a claim is, and the two claims: of unchanged rows so few FAIL, of slowed ones so many do.
CONFIDENCE = 0.95
FALSE_FAILS, FOUND = 0.01, 0.95


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run with known answers: what an `unchanged` row, a `slower` one and the control, `same`, came out as.

    `planted` is the share of the baseline's time that was planted, as measured; `unchanged_ratio` and `slower_ratio`
    are the rows' speed-ups, `sets` the sets of processes that the run took.
    """

    unchanged: Outcome
    slower: Outcome
    same: Outcome
    planted: float
    unchanged_ratio: float
    slower_ratio: float
    sets: int


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `trials` of one `slowdown`, a share of the baseline's time, of one night or of several together."""

    slowdown: float
    trials: tuple[Trial, ...]

    @property
    def false_fails(self) -> int:
        """The unchanged rows that came out as FAIL."""
        return sum(trial.unchanged == "FAIL" for trial in self.trials)

    @property
    def misses(self) -> int:
        """The slowed rows that came out as anything but FAIL."""
        return sum(trial.slower != "FAIL" for trial in self.trials)

    @property
    def passed(self) -> int:
        """The slowed rows that came out as PASS, which is the worst error."""
        return sum(trial.slower == "PASS" for trial in self.trials)

    @property
    def holds(self) -> bool:
        """Whether no more errors were made than chance makes in 19 of 20 such series, if the gate keeps its claims."""
        count = len(self.trials)
        return self.false_fails <= most_by_chance(count, FALSE_FAILS) and self.misses <= most_by_chance(
            count, 1 - FOUND
        )

    @property
    def false_fail_bound(self) -> float:
        """The share of unchanged rows that FAIL, at the most, with CONFIDENCE."""
        return upper_bound(self.false_fails, len(self.trials))

    @property
    def power_bound(self) -> float:
        """The share of such slowdowns that is found, at the least, with CONFIDENCE."""
        return 1 - upper_bound(self.misses, len(self.trials))


def together(proofs: Sequence[Proof]) -> Proof:
    """Return the trials of several nights, `proofs`, as one proof.

    Raises: ValueError when they planted different slowdowns, or there is none.
    """
    slowdowns = {proof.slowdown for proof in proofs}
    if len(slowdowns) != 1:
        raise ValueError(f"slowdowns {sorted(slowdowns)}; expected proofs of one")
    return Proof(slowdown=slowdowns.pop(), trials=tuple(trial for proof in proofs for trial in proof.trials))


def upper_bound(errors: int, trials: int) -> float:
    """Return the probability of an error that is refuted with CONFIDENCE, after so many `errors` in so many `trials`.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits" (1934).

    >>> round(upper_bound(0, 299), 4)
    0.01
    """
    from scipy import special

    return 1.0 if errors >= trials else float(special.betaincinv(errors + 1, trials - errors, CONFIDENCE))


def acceptance(trials: int, share: float) -> int:
    """Return the acceptance number: up to so many errors in `trials` trials show that at most `share` err; -1 for none.

    >>> acceptance(298, 0.01), acceptance(299, 0.01), acceptance(473, 0.01)
    (-1, 0, 1)
    """
    number = -1
    while number + 1 < trials and upper_bound(number + 1, trials) <= share:
        number += 1
    return number


def trials_needed(share: float, errors: int = 0) -> int:
    """Return how many trials show that at most `share` err, when so many `errors` are made in them.

    >>> trials_needed(0.01), trials_needed(0.05)
    (299, 59)
    """
    low, high = errors, 2 * (errors + 1)
    while upper_bound(errors, high) > share:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(errors, middle) <= share else (middle, high)
    return high


def most_by_chance(trials: int, share: float) -> int:
    """Return the most errors that chance makes in 19 of 20 series of so many `trials`, where exactly `share` err."""
    from scipy import special

    number = 0
    while float(special.bdtr(number, trials, share)) < CONFIDENCE:
        number += 1
    return number

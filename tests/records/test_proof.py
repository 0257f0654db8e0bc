"""How often the gate erred on known answers, and what that shows."""

import pytest
from scipy import stats

from nqperf.records.proof import Proof, Trial, acceptance, most_by_chance, together, trials_needed, upper_bound


def trials(count, unchanged="PASS", slower="FAIL"):
    plain = {"same": "PASS", "planted": 0.05, "unchanged_ratio": 1.0, "slower_ratio": 0.95, "sets": 5}
    return (Trial(unchanged=unchanged, slower=slower, **plain),) * count


def proof(*parts):
    return Proof(slowdown=0.05, trials=sum(parts, ()))


def test_errors_are_counted_by_kind():
    found = proof(trials(7), trials(2, unchanged="FAIL"), trials(1, slower="PASS"), trials(1, slower="INCONCLUSIVE"))
    assert (found.false_fails, found.misses, found.passed) == (2, 2, 1)


@pytest.mark.parametrize(("errors", "count"), [(0, 1), (0, 59), (1, 59), (3, 40), (40, 40)])
def test_the_bound_is_the_share_at_which_so_few_errors_come_once_in_twenty(errors, count):
    bound = upper_bound(errors, count)
    assert bound == 1.0 if errors == count else stats.binom.cdf(errors, count, bound) == pytest.approx(0.05)


@pytest.mark.parametrize("share", [0.01, 0.05])
@pytest.mark.parametrize("count", [10, 59, 300, 700])
def test_the_acceptance_number_is_the_most_errors_that_still_show_a_claim(count, share):
    number = acceptance(count, share)
    assert number == max((k for k in range(count) if stats.binom.cdf(k, count, share) <= 0.05), default=-1)
    needed = trials_needed(share, max(number, 0))
    assert upper_bound(max(number, 0), needed) <= share < upper_bound(max(number, 0), needed - 1)


def test_a_proof_holds_as_long_as_chance_makes_as_many_errors():
    assert most_by_chance(300, 0.01) == stats.binom.ppf(0.95, 300, 0.01)
    allowed = most_by_chance(60, 0.05)
    assert proof(trials(60 - allowed), trials(allowed, slower="INCONCLUSIVE")).holds
    assert not proof(trials(59 - allowed), trials(allowed + 1, slower="INCONCLUSIVE")).holds
    assert not proof(trials(50), trials(4, unchanged="FAIL")).holds


def test_nights_are_counted_together():
    both = together([proof(trials(30)), proof(trials(20, slower="PASS"))])
    assert (len(both.trials), both.passed) == (50, 20)
    with pytest.raises(ValueError, match="expected proofs of one"):
        together([proof(trials(1)), Proof(slowdown=0.1, trials=trials(1))])

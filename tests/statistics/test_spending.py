import numpy as np
import pytest
from scipy import special

from nqperf.errors import ConfigError
from nqperf.statistics.spending import nominal_level, spent

ALPHA = 0.05


def levels(information, fractions, alpha=ALPHA):
    return [nominal_level(information[: n + 1], fractions[: n + 1], alpha) for n in range(len(information))]


def test_one_look_is_the_plain_test():
    assert nominal_level([4], [1.0], ALPHA) == pytest.approx(ALPHA)


def test_what_is_left_is_spent_when_the_time_is_up():
    assert spent(2.0, ALPHA) == ALPHA
    early = levels([3, 4], [0.3, 1.0])
    assert early[0] == pytest.approx(spent(0.3, ALPHA))
    assert early[1] > levels([3, 4], [0.3, 0.4])[1]


def test_pocock_and_obrien_fleming_are_bracketed():
    """Five equal looks at 0.025: Pocock's constant level is 0.0158 (z 2.413), O'Brien-Fleming's last 0.0229."""
    found = levels([1, 2, 3, 4, 5], [0.2, 0.4, 0.6, 0.8, 1.0], 0.025)
    assert found[0] < 0.0158 < found[-1] < 0.0229
    assert found == sorted(found)


@pytest.mark.parametrize("information", [[1, 2, 3, 4], [3, 4, 5, 6, 7, 8], [2, 9, 10]])
def test_all_looks_together_err_as_often_as_promised(information):
    """The reference: a million random walks."""
    generator = np.random.default_rng(5)
    fractions = [known / information[-1] for known in information]
    steps = np.sqrt(np.diff([0, *information]))
    walks = np.cumsum(generator.standard_normal((400_000, len(steps))) * steps, axis=1) / np.sqrt(information)
    edges = -special.ndtri(levels(information, fractions))
    assert (walks > edges).any(axis=1).mean() == pytest.approx(ALPHA, abs=4 * np.sqrt(ALPHA / 400_000))


def test_a_look_at_nothing_new_spends_nothing():
    assert levels([3, 3, 4], [0.5, 0.5, 1.0])[1:] == pytest.approx(
        [levels([3], [0.5])[0], levels([3, 4], [0.5, 1.0])[1]]
    )


@pytest.mark.parametrize(
    ("information", "fractions", "alpha", "message"),
    [
        ([1], [1.0], 0.6, "alpha is 0.6"),
        ([1, 2], [1.0], 0.01, "2 looks and 1 fractions"),
        ([2, 1], [0.5, 1.0], 0.01, "information"),
        ([1, 2], [0.5, 0.4], 0.01, "fractions"),
        ([0, 2], [0.5, 0.7], 0.01, "2 looks"),
    ],
)
def test_what_makes_no_sense_is_refused(information, fractions, alpha, message):
    with pytest.raises(ConfigError, match=message):
        nominal_level(information, fractions, alpha)

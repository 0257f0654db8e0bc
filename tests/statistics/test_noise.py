"""What the simulated seconds show when they are looked at, part by part of the model."""

import numpy as np
import pytest

from nqperf.statistics.location import hodges_lehmann
from nqperf.statistics.noise import Noise, measure

SIZES = (40, 5, 6)


def measured(slowdowns=(0.0, 0.0, 0.0), sizes=SIZES, **parts):
    return measure(Noise(**parts), slowdowns, sizes, np.random.default_rng(3))


def test_without_noise_only_the_slowdowns_are_seen():
    found = measured((0.0, 0.05, 0.1))
    assert found.baseline.shape == (40, 5, 6, 2)
    assert found.rows.shape == (40, 5, 3, 6)
    assert (found.baseline == 1).all()
    assert found.rows[0, 0, :, 0].tolist() == pytest.approx([1.0, 1.05, 1.1])
    assert np.ptp(found.rows, axis=(0, 1, 3)) == pytest.approx([0, 0, 0])


def test_batches_scatter_alone():
    found = measured(batch=0.03)
    assert np.std(np.log(found.rows)) == pytest.approx(0.03, rel=0.05)
    assert np.corrcoef(np.log(found.rows[..., 0]).ravel(), np.log(found.rows[..., 1]).ravel())[0, 1] < 0.1


def test_batches_of_one_process_remember():
    logs = np.log(measured(batch=0.03, autocorrelation=0.9).rows)
    assert np.corrcoef(logs[..., :-1].ravel(), logs[..., 1:].ravel())[0, 1] == pytest.approx(0.9, abs=0.05)
    assert np.std(logs) == pytest.approx(0.03, rel=0.1)


def test_two_processes_make_the_spread_of_a_ratio():
    found = measured(process=0.02, sizes=(200, 5, 2))
    ratios = np.log(found.baseline[:, :, None, 0, 0]) - np.log(found.rows[..., 0])
    assert np.std(ratios) == pytest.approx(0.02, rel=0.07)
    assert np.ptp(np.log(found.rows), axis=-1).max() == pytest.approx(0)
    # Rows of one set share their baseline.
    assert np.corrcoef(ratios[..., 0].ravel(), ratios[..., 1].ravel())[0, 1] == pytest.approx(0.5, abs=0.08)


def test_rows_may_be_uneven():
    logs = np.log(measured(process=0.02, uneven=0.8, sizes=(40, 40, 1)).rows[..., 0])
    spreads = np.log(np.std(logs, axis=1)).ravel()
    assert np.std(spreads) == pytest.approx(0.8, rel=0.2)


def test_the_last_process_is_faster_and_turbo_faster_still():
    logs = np.log(measured(order=0.012).rows)
    assert set(np.round(logs, 9).ravel()) == {0.0, round(-np.log(1.012), 9)}
    logs = np.log(measured(turbo=0.12).rows)
    assert set(np.round(logs, 9).ravel()) == {0.0, round(-np.log(1.12), 9)}


def test_the_machine_drifts_for_all_alike():
    found = measured(drift=0.1)
    assert found.rows[:, -1, :, -1].mean() / found.rows[:, 0, :, 0].mean() == pytest.approx(1.1, abs=0.01)
    ratios = np.log(found.baseline).mean(axis=-1)[:, :, None] - np.log(found.rows)
    assert np.abs(hodges_lehmann(ratios)).max() < 0.005


def test_bursts_come_and_go():
    found = measured(burst=0.05)
    slow = found.rows > 1.2
    assert set(np.round(found.rows, 9).ravel()) == {1.0, 1.5}
    assert slow.mean() == pytest.approx(0.09, abs=0.04)


def test_a_coarse_clock_is_right_on_average():
    found = measured((0.03,), tick=0.02, sizes=(400, 2, 5))
    assert np.allclose(np.round(found.rows / 0.02), found.rows / 0.02)
    assert found.rows.mean() == pytest.approx(1.03, abs=0.001)


def test_the_variances_that_plans_are_made_by():
    noise = Noise(batch=0.03, process=0.02)
    assert noise.pair_variance == pytest.approx(1.5 * 0.03**2)
    assert noise.process_variance == pytest.approx(0.02**2)
    assert Noise(turbo=0.12).process_variance == pytest.approx(np.log(1.12) ** 2 / 2)
    assert Noise(burst=0.05).pair_variance > 0 < Noise(tick=0.02).pair_variance

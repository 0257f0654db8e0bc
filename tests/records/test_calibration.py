import math
from statistics import NormalDist

import msgspec
import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.records.calibration import calibrate, propose_profile
from nqperf.records.profiles import profile_for
from nqperf.records.results import Fingerprint, Pairs
from nqperf.records.verdict import GateConfig, judge

CPU = Fingerprint(
    system="Linux", machine="x86_64", cpu_model="A [CPU]*", cpu_id="GenuineIntel-6-143", cores=2, isa=("amx_bf16",)
)
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "batch_size": 8, "max_seq_length": 384}


def sets(count, *, speedup=1.0, noise=0.03, offset=0.0, pairs=80, seed=0):
    """Return the times of `count` sets of processes that differ from each other by `offset` (SD)."""
    rng = np.random.default_rng([seed, count, pairs])
    made = []
    for _ in range(count):
        baseline = np.exp(rng.normal(0, 0.3, pairs))
        variant = baseline / speedup * np.exp(rng.normal(0, noise, pairs) + rng.normal(0, offset))
        made.append(Pairs(baseline_seconds=tuple(baseline.tolist()), variant_seconds=tuple(variant.tolist())))
    return made


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.2])
def test_the_noise_from_pair_to_pair(noise):
    calibration = calibrate(sets(10, noise=noise), {})
    assert calibration.noise == pytest.approx(noise, rel=0.1)
    assert calibration.core_noise == pytest.approx(noise, rel=0.1)
    assert abs(calibration.autocorrelation) < 0.1
    assert calibration.sets == 10


@pytest.mark.parametrize("offset", [0.0, 0.01, 0.03])
def test_what_processes_differ_by_is_told_from_the_noise(offset):
    calibration = calibrate(sets(40, noise=0.02, offset=offset), {})
    assert calibration.offset == pytest.approx(offset, rel=0.3, abs=0.002)


def test_every_row_tells_something_about_the_offset():
    rows = {str(number): sets(3, speedup=2.0, noise=0.01, offset=0.02, seed=number) for number in range(20)}
    assert calibrate(sets(2, noise=0.01), rows).offset == pytest.approx(0.02, rel=0.25)


def test_an_outlier_moves_the_noise_and_hardly_the_rest():
    quiet, spoilt = sets(3, noise=0.02), sets(3, noise=0.02)
    times = list(spoilt[0].variant_seconds)
    times[5] *= 50
    spoilt[0] = msgspec.structs.replace(spoilt[0], variant_seconds=tuple(times))
    before, after = calibrate(quiet, {}), calibrate(spoilt, {})
    assert after.noise > 5 * before.noise
    assert after.core_noise == pytest.approx(before.core_noise, rel=0.05)
    assert after.rounds == pytest.approx(before.rounds, rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_that_many_rounds_find_a_slowdown_of_5_percent(noise):
    rounds = calibrate(sets(4, noise=noise, pairs=320), {}).rounds
    gate = GateConfig(looks=(rounds,))
    rng = np.random.default_rng(3)
    found = [
        judge(np.ones(rounds), 1.05 * np.exp(rng.normal(0, noise, rounds)), 1.0, gate).outcome == "FAIL"
        for _ in range(300)
    ]
    assert np.mean(found) >= 0.90
    few = GateConfig(looks=(rounds // 2,))
    missed = [
        judge(np.ones(rounds // 2), 1.05 * np.exp(rng.normal(0, noise, rounds // 2)), 1.0, few).outcome != "FAIL"
        for _ in range(300)
    ]
    assert np.mean(missed) >= 0.10


def test_what_the_offset_leaves_of_the_promise():
    calibration = calibrate(sets(60, noise=0.005, offset=0.02), {})
    normal = NormalDist(sigma=calibration.offset)
    assert calibration.power == pytest.approx(normal.cdf(math.log(1.05 / 1.02)) ** 2)
    assert calibration.false_fail == pytest.approx(normal.cdf(-math.log(1.02)) ** 2)
    quiet = calibrate([sets(1)[0]] * 2, {})
    assert (quiet.offset, quiet.power, quiet.false_fail) == (0.0, 1.0, 0.0)


def test_floors_leave_room_and_are_rounded_down():
    rows = {"mixed_bfloat16": sets(3, speedup=1.76, noise=0.02, offset=0.01, seed=1), "xla": sets(3, speedup=0.93)}
    calibration = calibrate(sets(3, offset=0.01), rows)
    for name, ratio in (("mixed_bfloat16", 1.76), ("xla", 0.93)):
        assert calibration.ratios[name] == pytest.approx(ratio, rel=0.03)
        assert ratio * 0.93 < calibration.floors[name] < calibration.ratios[name]
        assert round(calibration.floors[name], 2) == calibration.floors[name]


def test_the_rule_of_the_floor():
    """Sets at 2 * exp(+-0.03) and a baseline without any offset: SD 0.03, one further set beside the mean of two."""
    high, low = (sets(1, speedup=2 * math.exp(shift), noise=1e-6)[0] for shift in (0.03, -0.03))
    calibration = calibrate(sets(1, noise=1e-6) * 2, {"xla": [high, low]})
    assert calibration.offset == pytest.approx(0.03, rel=1e-3)
    assert calibration.floors["xla"] == math.floor(200 * math.exp(-2 * 0.03 * math.sqrt(1 + 1 / 2))) / 100 == 1.85


def test_a_quiet_device_is_promised_nearly_all():
    same = sets(1, noise=1e-6)[0]
    fast = sets(1, noise=1e-6, speedup=2.009)[0]
    assert calibrate([same, same], {"xla": [fast]}).floors == {"xla": 2.0}


def test_a_proposed_floor_does_not_fail_the_next_run():
    """Of 200 later runs on the calibrated device, with fresh processes each, none fails twice."""
    calibration = calibrate(sets(5, offset=0.01), {"xla": sets(5, speedup=1.5, offset=0.01, seed=4)})
    failed = 0
    for run in range(200):
        both = [
            judge(one.baseline_seconds, one.variant_seconds, calibration.floors["xla"], GateConfig(looks=(80,)))
            for one in sets(2, speedup=1.5, offset=0.01, seed=100 + run)
        ]
        failed += all(verdict.outcome == "FAIL" for verdict in both)
    assert failed == 0


def test_warnings_name_what_the_gate_cannot_do():
    assert calibrate(sets(20, noise=0.01), {}).warnings == ()
    noisy = calibrate(sets(3, noise=0.5), {})
    assert "needs" in noisy.warnings[0]
    assert "the gate ends at 320" in noisy.warnings[0]
    (apart,) = calibrate(sets(40, noise=0.01, offset=0.03), {}).warnings
    assert "found and confirmed in" in apart
    drift = np.exp(np.sin(np.arange(80) / 8) * 0.01)
    pairs = Pairs(baseline_seconds=(1.0,) * 80, variant_seconds=tuple(drift.tolist()))
    (autocorrelation,) = calibrate([pairs, pairs], {}).warnings
    assert "neighbouring pairs correlate by 0.9" in autocorrelation


@pytest.mark.parametrize(
    ("same", "rows", "message"),
    [
        ([], {}, "0 sets of processes; expected 2 or more"),
        (sets(1), {}, "1 sets of processes; expected 2 or more"),
        (sets(2, pairs=19), {}, "a set of 19 pairs; expected 20 or more"),
        (sets(2), {"xla": []}, "no times of xla"),
        (sets(2), {"xla": sets(1, pairs=5)}, "a set of 5 pairs"),
    ],
)
def test_too_little_is_refused(same, rows, message):
    with pytest.raises(ConfigError, match=message):
        calibrate(same, rows)


def test_margins_without_a_gap_are_refused():
    with pytest.raises(ConfigError, match="expected a gap"):
        calibrate(sets(2), {}, GateConfig(fail_margin=1.05, pass_margin=1.05))


@pytest.mark.parametrize("gpus", [(), ("NVIDIA H200", "NVIDIA H200")])
def test_the_proposed_profile_fits_its_device_and_no_other(gpus):
    device = msgspec.structs.replace(CPU, gpus=gpus)
    calibration = calibrate(sets(3), {"xla": sets(3, speedup=1.3)})
    profile = propose_profile(calibration, device, BASE, name="p", command="nqperf calibrate", date="2026-01-02")
    assert profile_for([profile], device, BASE, origin="p.toml", required=True) == profile
    assert profile.floors == calibration.floors
    for other in ({"cpu_id": "AuthenticAMD-26-2", "gpus": gpus[:1]}, {"gpus": ("NVIDIA H100",) * 2}):
        assert not profile.fits(msgspec.structs.replace(device, **other), BASE)
    assert not profile.fits(device, {**BASE, "batch_size": 16})


def test_a_proposed_profile_is_for_instructions_cores_and_states_and_not_for_a_name():
    device = msgspec.structs.replace(CPU, states={"onednn": "on"})
    calibration = calibrate(sets(3), {"xla": sets(3, speedup=1.3)})
    profile = propose_profile(calibration, device, BASE, name="p", command="nqperf calibrate", date="2026-01-02")
    assert profile.fits(msgspec.structs.replace(device, cpu_model="B [CPU]", cpu_id="GenuineIntel-6-207"), BASE)
    for other in (
        {"isa": ("amx_bf16", "avx2")},
        {"isa": ()},
        {"cores": 4},
        {"states": {"onednn": "off"}},
        {"states": {}},
        {"cpu_id": "GenuineIntel-7-143"},
    ):
        assert not profile.fits(msgspec.structs.replace(device, **other), BASE)


def test_gpus_of_several_kinds_have_no_profile():
    mixed = msgspec.structs.replace(CPU, gpus=("A", "B"))
    with pytest.raises(ConfigError, match="several kinds"):
        propose_profile(calibrate(sets(2), {}), mixed, BASE, name="p", command="c", date="d")

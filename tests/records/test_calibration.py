import math

import msgspec
import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.records.calibration import calibrate, propose_profile
from nqperf.records.profiles import profile_for
from nqperf.records.results import Fingerprint
from nqperf.records.verdict import verdict_of
from nqperf.statistics.judge import judge
from nqperf.statistics.location import set_estimate
from nqperf.statistics.sets import Row, Sets
from nqperf.statistics.verdicts import JudgeConfig

CPU = Fingerprint(
    system="Linux", machine="x86_64", cpu_model="A [CPU]*", cpu_id="GenuineIntel-6-143", cores=2, isa=("amx_bf16",)
)
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "batch_size": 8, "max_seq_length": 384}
SPEEDUPS = {"xla": 1.3, "eager": 0.5, "onnx": 1.1}
ROWS = (*(Row(name=name) for name in SPEEDUPS), Row(name="again", role="same"))


def measured(count, *, noise=0.02, offset=0.01, rounds=10, seed=0, slower=None):
    """Return the estimates of `count` sets of processes, which differ by `offset` (SD); one row may be slower."""
    rng = np.random.default_rng([seed, count])
    found = []
    for _ in range(count):
        start, one = rng.normal(0, offset), {}
        for name, speedup in {**SPEEDUPS, "again": 1.0}.items():
            baseline = np.exp(rng.normal(0, noise / 2, (rounds, 2)) + start)
            process = rng.normal(0, offset) + (math.log1p(slower[name]) if slower and name in slower else 0.0)
            one[name] = set_estimate(baseline, np.exp(rng.normal(0, noise, rounds) + process) / speedup)
        found.append(one)
    return found


def test_floors_are_the_ratios_as_measured_with_the_error_that_they_have():
    found = calibrate(ROWS, measured(8))
    assert found.sets == 8
    assert set(found.ratios) == set(SPEEDUPS)
    for name, ratio in found.ratios.items():
        assert abs(math.log(ratio / SPEEDUPS[name])) < 4 * found.sds[name]
        assert found.sds[name] < 0.01
    assert abs(math.log(found.same)) < 0.02
    assert found.warnings == ()


@pytest.mark.parametrize(("offset", "noise"), [(0.005, 0.003), (0.02, 0.03)])
def test_what_sets_differ_by_and_what_rounds_do_are_told_apart(offset, noise):
    found = calibrate(ROWS, measured(40, noise=noise, offset=offset))
    # A row's set holds its own process and a share of the baseline's two.
    assert found.offset == pytest.approx(math.sqrt(1.5) * offset, rel=0.4)
    assert found.noise == pytest.approx(noise, rel=0.4)


def test_more_sets_find_smaller_slowdowns_and_noise_that_hides_them_is_said():
    quiet, noisy = (calibrate(ROWS, measured(8, offset=offset)) for offset in (0.005, 0.05))
    assert all(quiet.finds[name] < 0.05 < noisy.finds[name] for name in SPEEDUPS)
    assert quiet.warnings == ()
    assert noisy.warnings[0].startswith("five sets do not find a slowdown of 5% in xla, eager, onnx")


def profile_of(found, device=CPU):
    return propose_profile(found, device, BASE, name="p", command="nqperf calibrate", date="2026-01-02")


@pytest.mark.parametrize(("slowdown", "outcome"), [(0.0, "PASS"), (0.06, "FAIL")])
def test_a_later_run_is_tested_against_the_ratio_and_its_error(slowdown, outcome):
    """A hundred calibrations, and a run of five sets each: no wrong word, and nearly always the right one."""
    seen = []
    for seed in range(100):
        floors = profile_of(calibrate(ROWS, measured(8, offset=0.005, seed=seed))).promises()
        rows = tuple(Row(name=row.name, floor=floors.get(row.name), role=row.role) for row in ROWS)
        run = measured(5, offset=0.005, seed=1000 + seed, slower={"xla": slowdown})
        config = JudgeConfig()
        verdict = judge(Sets.of(rows, run), config=config).row("xla")
        record = verdict_of(verdict, rows[0], pairs=50, set_seconds=None, family=4, config=config)
        assert record.floor_sd > 0
        seen.append(record.outcome)
    wrong = {"PASS": "FAIL", "FAIL": "PASS"}[outcome]
    assert seen.count(wrong) <= 1
    assert seen.count(outcome) >= 90


def test_too_little_is_refused():
    with pytest.raises(ConfigError, match="2 sets of processes; expected 3 or more"):
        calibrate(ROWS, measured(2))


@pytest.mark.parametrize("gpus", [(), ("NVIDIA H200", "NVIDIA H200")])
def test_the_proposed_profile_fits_its_device_and_no_other(gpus):
    device = msgspec.structs.replace(CPU, gpus=gpus)
    found = calibrate(ROWS, measured(4))
    profile = profile_of(found, device)
    assert profile_for([profile], device, BASE, origin="p.toml", required=True) == profile
    assert profile.floors == {name: round(ratio, 4) for name, ratio in found.ratios.items()}
    assert profile.promises()["xla"].freedom == pytest.approx(found.freedom, abs=0.1)
    for other in ({"cpu_id": "AuthenticAMD-26-2", "gpus": gpus[:1]}, {"gpus": ("NVIDIA H100",) * 2}):
        assert not profile.fits(msgspec.structs.replace(device, **other), BASE)
    assert not profile.fits(device, {**BASE, "batch_size": 16})


def test_a_proposed_profile_is_for_instructions_cores_states_and_pages_and_not_for_a_name():
    device = msgspec.structs.replace(CPU, states={"onednn": "on", "pages": "huge"})
    profile = profile_of(calibrate(ROWS, measured(4)), device)
    assert profile.fits(msgspec.structs.replace(device, cpu_model="B [CPU]", cpu_id="GenuineIntel-6-207"), BASE)
    for other in (
        {"isa": ("amx_bf16", "avx2")},
        {"isa": ()},
        {"cores": 4},
        {"states": {"onednn": "off", "pages": "huge"}},
        {"states": {"onednn": "on"}},
        {"states": {}},
        {"cpu_id": "GenuineIntel-7-143"},
    ):
        assert not profile.fits(msgspec.structs.replace(device, **other), BASE)
    plain = profile_of(calibrate(ROWS, measured(4)))
    assert not plain.fits(msgspec.structs.replace(CPU, states={"pages": "huge"}), BASE)


def test_gpus_of_several_kinds_have_no_profile():
    mixed = msgspec.structs.replace(CPU, gpus=("A", "B"))
    with pytest.raises(ConfigError, match="several kinds"):
        profile_of(calibrate(ROWS, measured(3)), mixed)

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nqperf.errors import ConfigError
from nqperf.formats.results.results_json import read_results, write_results
from nqperf.records.comparison import CompareConfig, compare, exit_status, p_greater
from nqperf.records.results import Controls, Fingerprint, Pairs, Results, Subject, VariantResult

FINGERPRINT = Fingerprint(
    system="Linux",
    machine="x86_64",
    cpu_model="AMD EPYC",
    cpu_id="AuthenticAMD-26-2",
    cores=2,
    states={"onednn": "on"},
    versions={"tensorflow": "2.21.0", "numpy": "2.4.6"},
)


def row(name, speedup, pairs=80, *, sd=0.02, seed=0, machine=1.0):
    rng = np.random.default_rng([seed, *name.encode()])
    baseline = machine * np.exp(rng.normal(0, 0.3, pairs))
    variant = baseline / speedup * np.exp(rng.normal(0, sd, pairs))
    return VariantResult(
        name=name,
        status="measured",
        samples=(Pairs(baseline_seconds=tuple(baseline.tolist()), variant_seconds=tuple(variant.tolist())),),
    )


def run(*variants, **changes):
    results = Results(
        command="nqperf bench",
        created="2026-01-02T03:04:05Z",
        fingerprint=FINGERPRINT,
        model=Subject(name="m"),
        data=Subject(name="d"),
        workload={"length": 64, "batch_size": 4},
        profile=None,
        variants=(VariantResult(name="baseline", status="measured"), *variants),
        controls=Controls(same=None, planted=None),
        judged=0,
        expected=0,
        outcome="REPORTED",
    )
    return msgspec.structs.replace(results, **changes)


@pytest.mark.parametrize(
    ("old", "new", "change", "status"),
    [
        (2.0, 2.0, "SAME", 0),
        (2.0, 1.8, "SLOWER", 1),
        (2.0, 2.2, "FASTER", 0),
        (0.7, 0.7, "SAME", 0),
        (1.0, 0.9, "SLOWER", 1),
    ],
)
def test_a_change_of_speed_up(old, new, change, status):
    comparison = compare(run(row("xla", old)), run(row("xla", new, seed=1)))
    (found,) = comparison.changes
    assert (found.name, found.change, exit_status(comparison)) == ("xla", change, status)
    assert found.factor == pytest.approx(new / old, rel=0.02)
    assert found.interval[0] < new / old < found.interval[1]
    assert (found.old_ratio, found.new_ratio) == pytest.approx((old, new), rel=0.02)


def test_a_slower_machine_with_the_same_ratios_is_the_same():
    comparison = compare(run(row("xla", 1.5)), run(row("xla", 1.5, seed=1, machine=7.0, sd=0.05)))
    assert comparison.changes[0].change == "SAME"


def test_noise_is_inconclusive_and_may_be_allowed():
    comparison = compare(run(row("xla", 1.5, sd=0.6)), run(row("xla", 1.5, seed=1, sd=0.6)))
    assert comparison.changes[0].change == "INCONCLUSIVE"
    assert (exit_status(comparison), exit_status(comparison, allow_inconclusive=True)) == (3, 0)


def test_too_few_pairs_are_inconclusive():
    (change,) = compare(run(row("xla", 2.0, 9)), run(row("xla", 1.0))).changes
    assert (change.change, change.interval, change.old_pairs, change.new_pairs) == ("INCONCLUSIVE", None, 9, 80)


def test_the_set_of_processes_that_the_verdict_stands_on_counts():
    first, repeat = row("xla", 1.0), row("xla", 2.0, seed=1)
    confirmed = msgspec.structs.replace(first, samples=(*first.samples, *repeat.samples))
    assert compare(run(row("xla", 2.0)), run(confirmed)).changes[0].change == "SAME"


def test_missing_variants_are_listed_and_fail():
    died = VariantResult(name="tf32", status="failed", reason="killed by signal 9")
    old = run(row("xla", 1.5), row("tf32", 2.0), row("eager", 0.5))
    new = run(row("xla", 1.5, seed=1), died, row("grappler", 1.0))
    comparison = compare(old, new)
    assert [change.name for change in comparison.changes] == ["xla"]
    assert comparison.missing == {"tf32": "failed: killed by signal 9", "eager": "not in the new run"}
    assert comparison.added == ("grappler",)
    assert exit_status(comparison, allow_inconclusive=True) == 1


def test_nothing_to_compare_fails():
    assert exit_status(compare(run(), run(row("xla", 1.0)))) == 1


def test_what_was_not_measured_before_need_not_be_now():
    skipped = VariantResult(name="tf32", status="skipped", reason="no GPU")
    assert exit_status(compare(run(row("xla", 1.5), skipped), run(row("xla", 1.5, seed=1), skipped))) == 0


def fingerprint(**changes):
    return msgspec.structs.replace(FINGERPRINT, **changes)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (fingerprint(cores=4), "2 cores"),
        (fingerprint(states={"onednn": "off"}), "onednn on and off"),
        (fingerprint(gpus=("NVIDIA H200",)), "gpu: 1 x NVIDIA H200"),
        (fingerprint(versions={"tensorflow": "3.0.0", "numpy": "2.4.6"}), r"tensorflow 2\.21\.0 and 3\.0\.0"),
    ],
)
def test_other_machines_are_refused_unless_asked_for(other, told):
    old, new = run(row("xla", 1.5)), run(row("xla", 1.5, seed=1), fingerprint=other)
    with pytest.raises(ConfigError, match=f"different machines: .*{told}"):
        compare(old, new)
    comparison = compare(old, new, across_machines=True)
    assert comparison.changes[0].change == "SAME"
    assert len(comparison.notes) == 1


def test_lesser_differences_are_told():
    other = fingerprint(versions={"tensorflow": "2.20.0", "scipy": "1.17"}, driver="1", tf32=False)
    new = run(row("xla", 1.5, seed=1), fingerprint=other, model=Subject(name="n"))
    assert compare(run(row("xla", 1.5)), new).notes == (
        "model m and n: not the same content",
        "numpy 2.4.6 and absent",
        "scipy absent and 1.17",
        "tensorflow 2.21.0 and 2.20.0",
    )


@pytest.mark.parametrize("across_machines", [False, True])
def test_other_work_is_refused(across_machines):
    other = run(row("xla", 1.5), workload={"length": 64, "batch_size": 8})
    with pytest.raises(ConfigError, match=r"computed different things: length 64, batch_size 4 and .* batch_size 8;"):
        compare(run(row("xla", 1.5)), other, across_machines=across_machines)


def test_sizes_have_no_order():
    other = run(row("xla", 1.5, seed=1), workload={"batch_size": 4, "length": 64})
    assert exit_status(compare(run(row("xla", 1.5)), other)) == 0


@pytest.mark.parametrize("role", ["old", "new"])
def test_an_invalid_run_is_refused(role):
    good, bad = run(row("xla", 1.5)), run(row("xla", 1.5), outcome="INVALID", reasons=("the planted slowdown is PASS",))
    with pytest.raises(ConfigError, match=f"the {role} run is INVALID .the planted slowdown is PASS."):
        compare(bad if role == "old" else good, bad if role == "new" else good)


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"alpha": 0.5}, {"changed": 0.9}, {"changed": 1.1, "same": 1.05}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=r"expected"):
        CompareConfig(**settings)


def test_a_run_compared_with_itself_from_its_file(tmp_path):
    path = tmp_path / "run.json"
    write_results(path, run(row("xla", 1.5), row("tf32", 2.0)))
    comparison = compare(read_results(path), read_results(path))
    assert [(change.change, change.factor) for change in comparison.changes] == [("SAME", 1.0), ("SAME", 1.0)]
    assert exit_status(comparison) == 0


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 60), st.integers(10, 60), st.floats(-0.15, 0.15))
def test_the_interval_reads_like_the_change(seed, old_pairs, new_pairs, shift):
    old = run(row("xla", 1.5, old_pairs, sd=0.05, seed=seed))
    new = run(row("xla", 1.5 * math.exp(shift), new_pairs, sd=0.1, seed=seed + 1))
    (found,) = compare(old, new).changes
    low, high = found.interval
    assert low < high
    assert (found.change == "SLOWER") == (high < 1 / 1.02)
    assert (found.change == "FASTER") == (low > 1.02)
    assert (found.change == "SAME") == (low > 1 / 1.05 and low <= 1.02 and high >= 1 / 1.02)


# --- The test's error rate


def test_samples_apart_and_alike():
    low, high = np.arange(20.0), np.arange(100.0, 130.0)
    assert p_greater(high, low) == 1 / math.comb(50, 20)
    assert p_greater(low, high) == 1.0
    assert p_greater(np.ones(20), np.ones(30)) == 1.0
    assert p_greater(low, low) == pytest.approx(0.5)


def many_p_greater(sample, other):
    """`p_greater` on many runs at once. Shapes: sample [runs, n], other [runs, m]."""
    n, m = sample.shape[1], other.shape[1]
    together = stats.rankdata(np.concatenate([sample, other], axis=1), axis=1)
    places = [together[:, :n] - stats.rankdata(sample, axis=1), together[:, n:] - stats.rankdata(other, axis=1)]
    spread = np.stack([place.var(axis=1, ddof=1) for place in places]) / [[m * m * n], [n * n * m]]
    freedom = spread.sum(axis=0) ** 2 / (spread**2 / [[n - 1], [m - 1]]).sum(axis=0)
    return stats.t.sf((places[0].mean(axis=1) / m - 0.5) / np.sqrt(spread.sum(axis=0)), freedom)


@pytest.mark.parametrize("pairs", [(20, 20), (20, 80), (80, 20), (320, 20), (80, 320)])
@pytest.mark.parametrize("spreads", [(1, 1), (1, 5), (5, 1)])
def test_unequal_noise_and_numbers_keep_the_error_at_1_percent(pairs, spreads):
    rng = np.random.default_rng(5)
    sample, other = (rng.standard_t(3, (8000, n)) * spread for n, spread in zip(pairs, spreads, strict=True))
    wrong = np.mean(many_p_greater(sample, other) <= CompareConfig().alpha)
    assert wrong <= 0.01 + 3 * math.sqrt(0.01 / 8000)


def test_the_simulation_is_the_test():
    rng = np.random.default_rng(6)
    sample, other = rng.standard_t(3, (50, 20)) + 0.5, rng.standard_t(3, (50, 35)) * 2
    expected = [p_greater(x, y) for x, y in zip(sample, other, strict=True)]
    assert many_p_greater(sample, other) == pytest.approx(np.array(expected))

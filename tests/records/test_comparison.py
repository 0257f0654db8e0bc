import msgspec
import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.formats.results.results_json import read_results, write_results
from nqperf.records.comparison import WEAKER, compare, exit_status
from nqperf.records.results import (
    BASELINE,
    Agreement,
    Control,
    Controls,
    Fingerprint,
    Pairs,
    Results,
    Subject,
    VariantResult,
    Verdict,
)
from nqperf.records.settings import changes_of_setting

FINGERPRINT = Fingerprint(
    system="Linux",
    machine="x86_64",
    cpu_model="AMD EPYC",
    cpu_id="AuthenticAMD-26-2",
    cores=2,
    states={"onednn": "on"},
    versions={"tensorflow": "2.21.0", "numpy": "2.4.6"},
)
SETS, ROUNDS = 6, 8
SCORES = {"all-answer-f1": 0.8}


class World:
    """A run's sets: each has a baseline process and one of each row, which differ by `offset` (SD)."""

    def __init__(self, seed, *, machine=1.0, offset=0.005, noise=0.02, sets=SETS):
        self.drawn = np.random.default_rng(seed)
        self.noise, self.offset = noise, offset
        self.baselines = [
            0.1 * machine * np.exp(self.drawn.normal(0, offset) + self.drawn.normal(0, noise / 2, ROUNDS))
            for _ in range(sets)
        ]

    def samples(self, speedup):
        found = []
        for number, baseline in enumerate(self.baselines):
            process = self.drawn.normal(0, self.offset)
            row = baseline.mean() / speedup * np.exp(process + self.drawn.normal(0, self.noise, ROUNDS))
            times = (tuple(baseline.tolist()), tuple(row.tolist()))
            found.append(Pairs(baseline_seconds=times[0], variant_seconds=times[1], number=number))
        return tuple(found)


def agreement(changed=0, value=0.8):
    return Agreement(metric="all-answer-f1", value=value, baseline_value=0.8, compared=400, changed=changed)


def run(speedups, seed=0, *, answers=None, scores=SCORES, world=None, rows=(), **changes):
    world = world or World(seed)
    answers = answers or {}
    variants = [
        VariantResult(
            name=name,
            status="measured",
            samples=world.samples(speedup),
            agreement=answers.get(name, agreement()),
            metrics=dict(scores),
        )
        for name, speedup in speedups.items()
    ]
    verdict = Verdict(outcome="PASS", pairs=9, floor=1.0, ratio=1.0, interval=None, confidence=0.99)
    results = Results(
        command="nqperf bench",
        created="2026-01-02T03:04:05Z",
        fingerprint=FINGERPRINT,
        model=Subject(name="m"),
        data=Subject(name="d"),
        workload={"length": 64, "batch_size": 4},
        profile=None,
        variants=(VariantResult(name=BASELINE, status="measured", metrics=dict(scores)), *variants, *rows),
        controls=Controls(same=Control(samples=world.samples(1.0), verdict=verdict), planted=None),
        judged=0,
        expected=0,
        outcome="REPORTED",
    )
    return msgspec.structs.replace(results, **changes)


def changes_of(comparison):
    return {change.name: change.change for change in comparison.changes}


@pytest.mark.parametrize(
    ("old", "new", "change", "status"),
    [
        (2.0, 2.0, "SAME", 0),
        (2.0, 1.85, "SLOWER", 1),
        (2.0, 2.2, "FASTER", 0),
        (0.7, 0.7, "SAME", 0),
        (1.0, 0.92, "SLOWER", 1),
    ],
)
def test_a_change_of_speed_up(old, new, change, status):
    comparison = compare(run({"xla": old, "eager": 0.5}), run({"xla": new, "eager": 0.5}, seed=1))
    assert changes_of(comparison) == {BASELINE: "SAME", "xla": change, "eager": "SAME"}
    assert exit_status(comparison) == status
    found = comparison.changes[1]
    assert found.factor == pytest.approx(new / old, rel=0.02)
    assert found.interval[0] < new / old < found.interval[1]
    assert (found.old_ratio, found.new_ratio) == pytest.approx((old, new), rel=0.02)
    assert (found.old_sets, found.new_sets) == (SETS, SETS)


@pytest.mark.slow(5)
def test_runs_of_unchanged_code_are_quiet_and_a_slowdown_is_found():
    """A hundred comparisons of thirteen rows each; what processes differ by would make every third of pairs red."""
    rows = {f"row{number}": 1.0 + 0.1 * number for number in range(13)}
    red = found = 0
    for seed in range(100):
        old, new = run(rows, seed=2 * seed), run({**rows, "row3": rows["row3"] / 1.06}, seed=2 * seed + 1)
        seen = changes_of(compare(old, new))
        found += seen.pop("row3") == "SLOWER"
        red += "SLOWER" in seen.values()
    assert red <= 4  # 1 % of runs and what chance adds
    assert found >= 90


def test_a_run_compared_with_itself_from_its_file(tmp_path):
    path = tmp_path / "run.json"
    write_results(path, run({"xla": 1.5, "tf32": 2.0}, world=World(1, offset=0.2)))
    comparison = compare(read_results(path), read_results(path))
    assert changes_of(comparison) == {BASELINE: "SAME", "xla": "SAME", "tf32": "SAME"}
    assert {change.factor for change in comparison.changes} == {1.0}
    assert exit_status(comparison) == 0


def test_times_that_are_three_times_as_long_are_red_though_no_ratio_changed():
    comparison = compare(run({"xla": 1.5}), run({"xla": 1.5}, world=World(1, machine=3.0)))
    assert changes_of(comparison) == {BASELINE: "SLOWER", "xla": "SAME"}
    assert exit_status(comparison) == 1
    assert comparison.changes[0].new_ratio == pytest.approx(0.3, rel=0.05)
    assert exit_status(compare(run({"xla": 1.5}), run({"xla": 1.5}, world=World(1, machine=1.08)))) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scores": {"all-answer-f1": 0.0}}, "baseline: micro-F1 0.0000, and it was 0.8000"),
        ({"answers": {"xla": agreement(value=0.7)}}, "xla: micro-F1 0.7000, and it was 0.8000"),
        ({"answers": {"xla": agreement(changed=40)}}, "xla: 40 of 400 answers changed, and it was 0 of 400"),
    ],
)
def test_worse_answers_are_red(changes, said):
    comparison = compare(run({"xla": 1.5}), run({"xla": 1.5}, seed=1, **changes))
    assert said in comparison.worse
    assert exit_status(comparison) == 1


def test_a_flip_or_two_are_no_news_and_other_data_no_comparison():
    assert compare(run({"xla": 1.5}), run({"xla": 1.5}, seed=1, answers={"xla": agreement(changed=2)})).worse == ()
    other = run({"xla": 1.5}, seed=1, scores={"all-answer-f1": 0.1}, data=Subject(name="other"))
    assert compare(run({"xla": 1.5}), other).worse == ()


@pytest.mark.parametrize("world", [World(1, offset=0.2), World(1, sets=1)])
def test_noise_and_a_single_set_are_inconclusive_and_may_be_allowed(world):
    comparison = compare(run({"xla": 1.5}), run({"xla": 1.5}, world=world))
    assert changes_of(comparison)["xla"] == "INCONCLUSIVE"
    assert (exit_status(comparison), exit_status(comparison, allow_inconclusive=True)) == (3, 0)


def test_missing_variants_are_listed_and_fail():
    died = VariantResult(name="tf32", status="failed", reason="killed by signal 9")
    old = run({"xla": 1.5, "tf32": 2.0, "eager": 0.5})
    new = run({"xla": 1.5, "grappler": 1.0}, seed=1, rows=(died,))
    comparison = compare(old, new)
    assert list(changes_of(comparison)) == [BASELINE, "xla"]
    assert comparison.missing == {"tf32": "failed: killed by signal 9", "eager": "not in the new run"}
    assert comparison.added == ("grappler",)
    assert exit_status(comparison, allow_inconclusive=True) == 1


def test_nothing_to_compare_fails():
    assert exit_status(compare(run({}), run({"xla": 1.0}))) == 1


def test_what_was_not_measured_before_need_not_be_now():
    skipped = VariantResult(name="tf32", status="skipped", reason="no GPU")
    assert exit_status(compare(run({"xla": 1.5}, rows=(skipped,)), run({"xla": 1.5}, seed=1, rows=(skipped,)))) == 0


def fingerprint(**changes):
    return msgspec.structs.replace(FINGERPRINT, **changes)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (fingerprint(cores=4), "2 cores"),
        (fingerprint(states={"onednn": "off"}), "onednn on and off"),
        (fingerprint(states={"onednn": "on", "pages": "huge"}), "memory pages plain and huge"),
        (fingerprint(gpus=("NVIDIA H200",)), "gpu: 1 x NVIDIA H200"),
        (fingerprint(versions={"tensorflow": "3.0.0", "numpy": "2.4.6"}), r"tensorflow 2\.21\.0 and 3\.0\.0"),
    ],
)
def test_other_machines_are_refused_unless_asked_for(other, told):
    old, new = run({"xla": 1.5}), run({"xla": 1.5}, seed=1, fingerprint=other)
    with pytest.raises(ConfigError, match=f"different machines: .*{told}"):
        compare(old, new)
    comparison = compare(old, new, across_machines=True)
    assert changes_of(comparison) == {"xla": "SAME"}
    assert len(comparison.notes) == 2


def test_lesser_differences_are_told_and_that_one_session_tells_more():
    other = fingerprint(versions={"tensorflow": "2.20.0", "scipy": "1.17"}, driver="1", tf32=False)
    new = run({"xla": 1.5}, seed=1, fingerprint=other, model=Subject(name="n"))
    assert compare(run({"xla": 1.5}), new).notes == (
        "model m and n: not the same content, so speeds are compared and answers are not",
        "driver unknown and 1",
        "numpy 2.4.6 and absent",
        "scipy absent and 1.17",
        "tensorflow 2.21.0 and 2.20.0",
        WEAKER,
    )


def test_another_number_of_examples_is_told_as_that():
    old, new = (
        run({"xla": 1.5}, seed=seed, data=Subject(name="dev.jsonl", sha256=str(seed), counts={"examples": count}))
        for seed, count in enumerate((79, 17))
    )
    first, *_ = compare(old, new).notes
    assert first == (
        "data dev.jsonl: 79 and 17 examples, so speeds are compared and answers are not: take as many in both "
        "(--limit, a --budget with time for all)"
    )
    other = msgspec.structs.replace(new, data=msgspec.structs.replace(old.data, sha256="other"))
    assert compare(old, other).notes[0].startswith("data dev.jsonl and dev.jsonl: not the same content, so ")
    assert "data: dev.jsonl, 79 and 17 examples" in changes_of_setting(old, new)


@pytest.mark.parametrize("across_machines", [False, True])
def test_other_work_is_refused(across_machines):
    other = run({"xla": 1.5}, workload={"length": 64, "batch_size": 8})
    with pytest.raises(ConfigError, match=r"computed different things: length 64, batch_size 4 and .* batch_size 8;"):
        compare(run({"xla": 1.5}), other, across_machines=across_machines)


def test_sizes_have_no_order():
    other = run({"xla": 1.5}, seed=1, workload={"batch_size": 4, "length": 64})
    assert exit_status(compare(run({"xla": 1.5}), other)) == 0


def test_several_comparisons_in_one_record_have_a_baseline_each():
    """In another order, the baselines are other ones of the same sets; the control of one is none of the others."""
    one, other = World(1), World(2, machine=30.0)
    slow = World(3, machine=60.0)

    def merged(*rows):
        first = rows[0][1]
        variants = tuple(run({name: speedup}, world=world).variants[1] for name, world, speedup in rows)
        return msgspec.structs.replace(run({}, world=first), variants=variants)

    old = merged(("a", one, 1.5), ("b", other, 1.2))
    found = compare(old, merged(("b", World(4, machine=30.0), 1.2), ("a", World(5), 1.5)))
    assert changes_of(found) == {"baseline of a": "SAME", "baseline of b": "SAME", "a": "SAME", "b": "SAME"}
    assert exit_status(found) == 0
    assert found.changes[1].old_ratio == pytest.approx(3.0, rel=0.05)
    slower = compare(old, merged(("a", World(5), 1.5), ("b", slow, 1.2)))
    assert changes_of(slower)["baseline of b"] == "SLOWER"
    assert exit_status(slower) == 1


def test_times_in_a_single_set_are_enough_to_see_three_times_as_long():
    comparison = compare(run({"xla": 1.5}), run({"xla": 1.5}, world=World(1, machine=3.0, sets=1)))
    assert changes_of(comparison) == {BASELINE: "SLOWER", "xla": "INCONCLUSIVE"}
    assert exit_status(comparison) == 1


def test_a_slowdown_by_rare_slow_batches_is_told():
    class Rare(World):
        def samples(self, speedup):
            found = []
            for sample in super().samples(speedup):
                times = (*sample.variant_seconds[:-1], 4 * sample.variant_seconds[-1])
                found.append(msgspec.structs.replace(sample, variant_seconds=times))
            return tuple(found)

    rows = {f"row{number}": 1.0 for number in range(6)}
    old, new = run(rows), run(rows, seed=1)
    rare = run({"row3": 1.0}, world=Rare(1)).variants[1]
    new = msgspec.structs.replace(new, variants=tuple(rare if one.name == "row3" else one for one in new.variants))
    found = {change.name: change for change in compare(old, new).changes}
    assert (found["row3"].change, found["row3"].by_total) == ("SLOWER", True)
    assert found["row3"].factor > 0.95
    assert {change.change for name, change in found.items() if name != "row3"} == {"SAME"}


@pytest.mark.parametrize("role", ["old", "new"])
def test_an_invalid_run_is_refused(role):
    good, bad = run({"xla": 1.5}), run({"xla": 1.5}, outcome="INVALID", reasons=("the planted slowdown is PASS",))
    with pytest.raises(ConfigError, match=f"the {role} run is INVALID .the planted slowdown is PASS."):
        compare(bad if role == "old" else good, bad if role == "new" else good)

"""A session's processes, and whole runs of the suite: with TensorFlow on a tiny model, and with workers that sleep."""

import dataclasses
import math
import os
import signal
import sys

import msgspec
import pytest

from nqperf.errors import FormatError, NqPerfError, OutOfTimeError, ParityError, VariantError
from nqperf.formats.results.results_json import read_results, write_results
from nqperf.formats.weights.model_folder import open_model, write_model_folder
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.suite.config import SuiteConfig, SuiteOptions
from nqperf.perf.suite.outcome import unreached_text
from nqperf.perf.suite.suite import open_session, run_suite
from nqperf.perf.variants.variant import Effect, Variant
from nqperf.perf.workers.progress import Doing, RowFinished, SetFinished, silent
from nqperf.records.results import BASELINE, PLANTED, SAME
from nqperf.records.verdict import GateConfig
from nqperf.report.terminal import run_text
from tests.documents import river_examples, write_lines
from tests.perf.machine.machines import SLOW_FLOAT16
from tests.perf.workers.asleep import fall_asleep
from tests.system_files import children

# Five sets of few rounds decide; promises are so far from the truth that no noise can reach them.
GATE = GateConfig(rounds=2, sets=5)
# A first look comes after three sets; where nothing is looked at, one set is enough.
FIRST_LOOK, ONE_SET = GateConfig(rounds=2, sets=3), GateConfig(rounds=2, sets=1)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs POSIX signals and /proc")
PROFILE = """
schema_version = 1
[[profile]]
name = "far"
[profile.device]
cpu = "{cpu}"
[profile.device.states]
baseline = "onnxruntime"
[profile.floors]
broken = 1000.0
kept = 0.001
onnxruntime_cuda = 1.1
[profile.provenance]
command = "none"
date = "2026-01-01"
figures = "made up"
"""


@pytest.fixture(scope="module")
def sharp_model(model_folder, tmp_path_factory):
    """Write the tiny model with weights so large that logits spread, and 16 bits show."""
    folder = open_model(model_folder)
    weights = {name: values * (8 if values.ndim == 2 else 1) for name, values in folder.read_weights().items()}
    path = tmp_path_factory.mktemp("models") / "sharp"
    write_model_folder(path, folder.config, weights, folder.tokenizer_file)
    return path


@pytest.fixture(scope="module")
def config(sharp_model, tmp_path_factory):
    data_file = write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(5))
    return SuiteConfig(model=sharp_model, data=str(data_file), gate=GATE, batch_size=2, max_seq_length=48, seed=4)


@pytest.fixture(scope="module")
def session(config):
    session, _ = open_session(config, silent)
    with session:
        session.start_baseline()
        session.answer_baseline(1)
        yield session


def asked(config, **options):
    return SuiteOptions.read(**options).over(config)


def row(**changes):
    return Variant(**{"name": "mine", "description": "", "effects": (), **changes})


@pytest.mark.slow
def test_a_switch_without_effect_is_an_error_and_not_a_result(session):
    nothing = Effect(failure="nothing changed", holds=lambda seen: seen.traces == 0)
    run = session.run_of(row(name="idle", effects=(nothing,)))
    process = session.start(run.variant)
    try:
        with pytest.raises(VariantError, match="idle: the switches had no effect: nothing changed"):
            session.observe(run, process)
    finally:
        process.end()
    assert run.observed is not None


@pytest.mark.bfloat16
@pytest.mark.slow
def test_other_answers_are_told_and_so_are_answers_that_change_afterwards(session):
    run = session.run_of(row(name="narrow", settings={"precision": "mixed_bfloat16"}))
    process = session.start(run.variant)
    try:
        session.observe(run, process)
        with pytest.raises(ParityError, match="parity: "):
            session.check_answers(run, process)
        assert run.agreement.details["max_abs_logit_difference"] > 1e-3
        session.check_again(run, process)  # they are the row's own ones still
        logits = run.answers.logits
        run.answers = dataclasses.replace(
            run.answers, logits=dataclasses.replace(logits, start_logits=logits.start_logits + 9)
        )
        with pytest.raises(
            ParityError, match="after the last round the start_logits are not those of before the first"
        ):
            session.check_again(run, process)
    finally:
        process.end()


@pytest.mark.slow(35)
def test_a_whole_run(config, tmp_path):
    """In ONNX Runtime, whose processes are ready far sooner than TensorFlow's; cli/test_bench.py has one with those."""
    from nqperf.perf.machine.fingerprint import take_fingerprint

    fingerprint = take_fingerprint()
    if fingerprint.gpus:
        pytest.skip("the profile of this test is for a CPU")
    profile = tmp_path / "profile.toml"
    profile.write_text(PROFILE.format(cpu=fingerprint.cpu_model))
    seen = []
    rows = [*(row(name=name, engine="onnxruntime") for name in ("broken", "kept")), "onnxruntime_cuda"]
    run = run_suite(
        asked(config, profile=profile, baseline="onnxruntime", variants=rows, command="the test"),
        seen.append,
    )
    results = run.results
    baseline, cuda, broken, kept = results.variants
    assert [one.name for one in results.variants] == [BASELINE, "onnxruntime_cuda", "broken", "kept"]
    assert baseline.status == "measured"
    assert baseline.agreement is None
    assert baseline.metrics["all-answer-f1"] == kept.metrics["all-answer-f1"]
    # A promise of a thousandfold is broken, and so again in two further sets; one of a thousandth is kept.
    assert (broken.verdict.outcome, broken.verdict.sets) == ("FAIL", 5)
    assert (kept.verdict.outcome, kept.verdict.sets) == ("PASS", 3)
    assert [len(sample.baseline_seconds) for sample in kept.samples] == [2, 2, 2]
    assert kept.agreement.changed == 0
    assert cuda.status == "skipped"
    assert "GPU" in cuda.reason
    # What cannot run here was not to be judged.
    assert (results.judged, results.expected) == (2, 2)
    assert results.profile == "far"
    assert results.outcome in {"FAIL", "INVALID"}  # the controls' times are real, and those of a tiny model short
    assert len(results.controls.same.samples) >= 3
    assert results.controls.planted.planted > 0
    assert [set(one.order) >= {BASELINE, SAME} for one in results.sets] == [True] * 5
    assert set(run.predictions) == {BASELINE, "broken", "kept"}
    assert run.seconds["total"] == pytest.approx(sum(run.seconds[part] for part in ("models", "start", "other")))
    assert {event.stage for event in seen if isinstance(event, Doing)} == {"features", "start", "answers", "round"}
    sets = [event for event in seen if isinstance(event, SetFinished)]
    assert [event.number for event in sets] == [1, 2, 3, 4, 5]
    assert {one.name for one in sets[0].rows} == {"broken", "kept", SAME, PLANTED}
    assert all(one.ratio > 0 for one in sets[0].rows)
    finished = {event.name: event.row for event in seen if isinstance(event, RowFinished)}
    assert finished["broken"] == broken
    assert set(finished) == {"broken", "kept", "onnxruntime_cuda"}
    write_results(tmp_path / "results.json", results)
    assert read_results(tmp_path / "results.json") == results


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "nowhere"}, "no such folder"),
        ({"data": "nowhere.jsonl"}, "no such file"),
        ({"max_seq_length": 64}, "positions"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(config, change, said):
    stages = []
    with pytest.raises(NqPerfError, match=said):
        run_suite(asked(config, **change), stages.append)
    assert stages in ([], [Doing(stage="features")])


def test_data_without_annotations_is_refused(config, tmp_path):
    examples = [{**line, "annotations": []} for line in river_examples(2)]
    path = write_lines(tmp_path / "plain.jsonl", examples)
    with pytest.raises(NqPerfError, match="no annotations"):
        run_suite(dataclasses.replace(config, data=str(path)))


@pytest.mark.slow
def test_a_profile_for_another_device_is_refused(config, tmp_path):
    profile = tmp_path / "profile.toml"
    profile.write_text(PROFILE.format(cpu="no such processor"))
    rows = [row(name=name, engine="onnxruntime") for name in ("broken", "kept")]
    with pytest.raises(NqPerfError, match="no profile is for this device"):
        run_suite(asked(config, profile=profile, baseline="onnxruntime", variants=rows))


@pytest.fixture
def sleeping(config, monkeypatch):
    """Return a function that runs the suite with workers that sleep, some of them as the environment says."""
    fall_asleep(monkeypatch)

    def run(variants, progress=silent, **changes):
        return run_suite(dataclasses.replace(asked(config, variants=variants), **changes), progress)

    return run


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["eager", BASELINE])
def test_a_worker_that_is_stopped_is_named_and_the_others_are_measured(sleeping, victim):
    others, started, struck = children(), [], []

    def strike(event):
        if not isinstance(event, Doing) or struck:
            return
        if event.stage == "start":
            started.append(event.name)
        if event.stage == "round" and event.name.startswith("2 of"):
            alive = [one for one in children() if one not in others]  # those of this set, as they were started
            struck.append(dict(zip(started[-len(alive) :], alive, strict=True))[victim])
            os.kill(struck[0], signal.SIGSTOP)

    results = sleeping("eager,grappler", strike, gate=FIRST_LOOK).results
    assert struck
    assert results.outcome == "FAIL"
    assert results.variant("grappler").verdict.sets >= 3
    said = " ".join((*results.reasons, *(one.reason or "" for one in results.variants)))
    assert f"worker of {victim}: no reply to TimeBatch within 3 s: it is stopped" in said


@LINUX
@pytest.mark.slow
def test_rows_that_never_answer_cost_the_others_their_limit_and_are_told_by_what_they_did(sleeping, monkeypatch):
    monkeypatch.setenv("SLEEPY_ILL", "eager=busy,grappler=idle")
    monkeypatch.setattr("nqperf.perf.measuring.limits.LEAST_START", 2.0)
    monkeypatch.setattr("nqperf.perf.measuring.limits.LEAST_BATCH", 2.0)
    results = sleeping("eager,grappler,xla", gate=FIRST_LOOK).results
    eager, grappler, xla = (results.variant(name) for name in ("eager", "grappler", "xla"))
    assert (eager.status, eager.verdict.at_most, eager.verdict.outcome) == ("measured", True, "REPORTED")
    assert eager.verdict.ratio <= 1 / 20
    assert eager.note.startswith("more than 20 times slower than the baseline")
    assert (grappler.status, grappler.verdict) == ("failed", None)
    assert "it hangs, and does not compute" in grappler.reason
    assert xla.verdict.sets >= 3
    assert results.outcome == "FAIL"
    assert results.reasons[0] == "failed: grappler"


@LINUX
@pytest.mark.slow
def test_an_ill_rows_cause_is_named_by_its_engine(sleeping, monkeypatch):
    monkeypatch.setenv("SLEEPY_ILL", "grappler=busy")
    monkeypatch.setattr("nqperf.perf.measuring.limits.LEAST_START", 2.0)
    monkeypatch.setattr("nqperf.perf.suite.baseline.look_at_machine", lambda *_, **__: SLOW_FLOAT16)
    fused = row(name="fused", settings={"precision": "mixed_float16", "grappler": {"remapping": True}})
    found = sleeping([fused, "eager"], gate=ONE_SET).results.variant("fused")
    assert (found.status, found.verdict.at_most, found.samples) == ("measured", True, ())
    assert found.note.startswith("more than 20 times slower than the baseline: a batch of fused was ended after ")
    assert found.note.endswith("oneDNN has only a reference kernel for it: leave its remapping off")


@pytest.mark.slow
def test_undecided_answers_are_asked_on_in_the_data_behind_the_suites_own(sleeping, tmp_path, monkeypatch):
    """Workers that sleep answer all alike: of 40 examples that cannot be told from half a per cent."""
    monkeypatch.setattr("nqperf.perf.suite.suite.evidence_fault", lambda _: None)  # sleepers have no right answer
    data = str(write_lines(tmp_path / "rivers.jsonl", river_examples(40)))
    narrow = row(name="narrow", tolerance="sixteen_bit")
    found = sleeping([narrow, "eager"], data=data, windows=12, gate=ONE_SET).results
    details = found.variant("narrow").agreement.details
    assert found.variant("narrow").agreement.compared == found.data.counts["examples"] < 40
    assert (details["all_compared"], details["all_changed"]) == (40, 0)
    assert found.variant("narrow").note.startswith("answers undecided: 0 of 40 answers changed")
    assert "all_compared" not in found.variant("eager").agreement.details
    assert "failed" not in " ".join(found.reasons)
    limited = sleeping([narrow], data=data, windows=12, limit=30, gate=ONE_SET).results.variant("narrow")
    assert limited.agreement.compared < limited.agreement.details["all_compared"] == 30
    assert limited.note.endswith("; asked no more: there are no more examples within --limit 30")
    least = limited.agreement.compared
    alone = sleeping([narrow], data=data, windows=12, limit=least, gate=ONE_SET).results.variant("narrow")
    assert "all_compared" not in alone.agreement.details


@pytest.mark.slow
def test_where_equal_answers_prove_nothing_none_are_asked_on(sleeping, tmp_path, monkeypatch):
    data = str(write_lines(tmp_path / "rivers.jsonl", river_examples(40)))
    why = "the heads of this model were never trained: that its answers are the same proves nothing"
    monkeypatch.setattr("nqperf.perf.suite.suite.evidence_fault", lambda _: why)
    found = sleeping([row(name="narrow", tolerance="sixteen_bit")], data=data, windows=12, gate=ONE_SET).results
    narrow = found.variant("narrow")
    assert "all_compared" not in narrow.agreement.details
    assert narrow.note.endswith(
        "; asked no more: no number of answers would tell, for the heads of this model were never trained"
    )


@pytest.mark.slow
def test_sets_that_were_taken_before_a_kill_count_again(sleeping, tmp_path):
    kept = tmp_path / "run.json.rows"
    seen = []

    def stop(event):
        if isinstance(event, SetFinished) and event.number == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        sleeping("eager", stop, kept=kept, gate=FIRST_LOOK)
    again = sleeping("eager", seen.append, kept=kept, resume=True, gate=FIRST_LOOK).results
    assert [sample.number for sample in again.variant("eager").samples] == [0, 1, 2]
    assert again.variant("eager").agreement is not None
    assert next(event.number for event in seen if isinstance(event, SetFinished)) == 3
    with pytest.raises(FormatError, match=r"is of a run that differs: gate.rounds was 2, now 3"):
        sleeping("eager", kept=kept, resume=True, gate=GateConfig(rounds=3, sets=3))


def test_ctrl_c_ends_the_measuring_and_what_is_known_is_the_record(sleeping):
    def interrupt(event):
        if isinstance(event, Doing) and event.stage == "round" and event.name == "2 of 2, set 3":
            raise KeyboardInterrupt

    run = sleeping("eager", interrupt)
    assert isinstance(run.interrupted, KeyboardInterrupt)
    assert run.unfinished
    assert run.results.variant("eager").verdict.sets >= 2
    assert run.results.variant("eager").verdict.interval is not None
    assert run.results.reasons[0] == "the measuring was interrupted: what was known by then"


def test_a_run_whose_time_was_up_can_be_gone_on_from_and_a_whole_one_cannot(sleeping, tmp_path, monkeypatch):
    kept, over, left = tmp_path / "run.json.rows", [], Budget.left

    def end_in_the_first_set(event):
        if isinstance(event, Doing) and event.name == "2 of 2, set 1":
            over.append(event)

    monkeypatch.setattr(Budget, "left", lambda budget: 0.0 if over else left(budget))
    # A start on a slower moment of the machine has time for other examples.
    monkeypatch.setattr(Budget, "windows", lambda *_, **__: windows[-1])
    windows, gate = [9], GateConfig(rounds=2)
    short = sleeping("eager", end_in_the_first_set, budget=900, kept=kept, gate=gate)
    assert short.unfinished
    assert short.results.given_up[-1].startswith("a second set of processes")
    over.clear()
    windows.append(40)
    whole = sleeping("eager", budget=900, kept=kept, resume=True, gate=gate)
    assert not whole.unfinished
    assert whole.results.data == short.results.data
    assert "as the start that this one goes on from" in whole.results.given_up[0]
    taken = len(short.results.sets)
    assert whole.results.sets[:taken] == short.results.sets
    assert len(whole.results.sets) > taken


def test_a_budget_that_has_no_room_for_one_set_is_refused_with_one_that_has(sleeping):
    with pytest.raises(
        OutOfTimeError, match=r"one set of processes takes about \d+ s here, .* expected a budget of \d+ s"
    ):
        sleeping("eager", budget=0.5, gate=GateConfig())


def test_a_run_without_an_end_names_no_budget_of_infinite_seconds(sleeping):
    """Before: --rounds takes the budget away, and a control that was not found ended the report with OverflowError."""
    results = sleeping("eager", budget=math.inf, gate=GateConfig(rounds=2, sets=2)).results
    assert results.budget is None
    open_ = results.controls.planted
    verdict = msgspec.structs.replace(open_.verdict, outcome="INCONCLUSIVE", interval=(0.5, 1.5), more_seconds=90.0)
    controls = msgspec.structs.replace(results.controls, planted=msgspec.structs.replace(open_, verdict=verdict))
    assert "a larger --budget" in run_text(msgspec.structs.replace(results, controls=controls))


def test_rows_that_the_time_did_not_reach_are_told_with_the_budget_that_does():
    budget = Budget(seconds=60.0, spent=57.6, clock=lambda: 100.0)  # nothing is left
    said = "not measured, for the time was up (--budget 100 reaches them): eager, xla"
    assert unreached_text(["eager", "xla"], budget, 30.0) == said
    assert "reaches it): eager" in unreached_text(["eager"], budget, 30.0)


def test_a_budget_that_is_over_before_the_first_process_is_ready_is_refused_so_too(sleeping, monkeypatch):
    monkeypatch.setenv("SLEEPY_FACTOR", "15")  # a start takes 1.5 s
    with pytest.raises(
        OutOfTimeError, match=r"one set of processes takes about \d+ s here, and 0 of 0\.1 s are left; "
    ):
        sleeping("eager", budget=0.1, gate=GateConfig())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_orders(sleeping):
    two_sets = GateConfig(rounds=2, sets=2)  # before the first look no row has left
    first, again, other = (sleeping("eager", seed=seed, gate=two_sets).results for seed in (9, 9, 10))
    assert [one.order for one in first.sets] == [one.order for one in again.sets]
    assert [one.seed for one in first.sets] != [one.seed for one in other.sets]

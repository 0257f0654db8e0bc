import dataclasses
import os
import signal

import msgspec
import pytest

from nqperf.errors import FormatError, NqPerfError, ParityError, VariantError
from nqperf.formats.results.results_json import read_results, write_results
from nqperf.formats.weights.model_folder import open_model, write_model_folder
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.suite.config import SuiteConfig, SuiteOptions
from nqperf.perf.suite.session import DEFAULT_TIMEOUTS
from nqperf.perf.suite.suite import open_session, run_suite
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.variant import Effect, Variant
from nqperf.perf.workers.process import WorkerError
from nqperf.perf.workers.progress import Doing, RowFinished, silent
from nqperf.records.results import BASELINE, Controls
from nqperf.records.verdict import GateConfig, control_faults
from tests.documents import river_examples, write_lines
from tests.perf.workers.asleep import fall_asleep

# Ten pairs decide; promises are so far from the truth that no noise can reach them.
GATE = GateConfig(looks=(10,))
PROFILE = """
schema_version = 1
[[profile]]
name = "far"
[profile.device]
cpu = "{cpu}"
[profile.floors]
eager = 1000.0
grappler = 0.001
tf32 = 1.1
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
    return SuiteConfig(model=sharp_model, data=str(data_file), gate=GATE, batch_size=2, max_seq_length=48)


@pytest.fixture(scope="module")
def session(config):
    session, _ = open_session(config, silent)
    with session:
        session.start_baseline()
        yield session


@pytest.fixture
def sleeping_session(config, monkeypatch):
    fall_asleep(monkeypatch)
    session, _ = open_session(config, silent)
    with session:
        session.start_baseline()
        yield session


def asked(config, **options):
    return SuiteOptions.read(**options).over(config)


def silent_stage(_stage, _variant, _pairs):
    """Tell nobody."""


def row(**changes):
    return Variant(**{"name": "mine", "description": "", "effects": (), **changes})


@pytest.mark.slow
def test_a_switch_without_effect_is_an_error_and_not_a_result(session):
    nothing = Effect(failure="nothing changed", holds=lambda seen: seen.traces == 0)
    run = session.measure_variant(row(effects=(nothing,)), None)
    assert isinstance(run.failure, VariantError)
    assert str(run.failure) == "mine: the switches had no effect: nothing changed"
    assert run.observed is not None
    assert run.answers is None
    with pytest.raises(VariantError, match="nothing changed"):
        run.require_paired()


@pytest.mark.bfloat16
@pytest.mark.slow
def test_other_answers_get_no_speed_verdict(session):
    run = session.measure_variant(row(settings={"precision": "mixed_bfloat16"}), 1.0)
    assert isinstance(run.failure, ParityError)
    record = run.record()
    assert (record.status, record.reason) == ("failed", str(run.failure))
    assert record.reason.startswith("parity: ")
    assert record.agreement.details["max_abs_logit_difference"] > 1e-3
    assert record.predict_seconds > 0
    assert record.samples == ()
    assert record.verdict is None


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_fails_its_variant_alone(sleeping_session, how, monkeypatch):
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("needs POSIX signals")
    session = sleeping_session

    def strike(stage, _variant, pairs):
        if stage == "rounds" and pairs == 3:
            os.kill(session._worker.pid, how)

    monkeypatch.setattr(session, "progress", strike)
    monkeypatch.setattr(session, "timeouts", dataclasses.replace(DEFAULT_TIMEOUTS, batch=3.0))
    struck = session.live_baseline().pid
    failed = session.measure_variant(row(), None)
    with pytest.raises(WorkerError, match=r"worker of baseline(| died at TimeBatch): (killed by SIGKILL|no reply)"):
        failed.require_paired()
    assert failed.agreement.changed == 0  # what was found before is kept
    monkeypatch.setattr(session, "progress", silent_stage)
    assert session.measure_variant(row(), None).require_paired().verdict.outcome == "REPORTED"
    assert session._worker.pid != struck


@pytest.mark.slow
def test_a_baseline_that_dies_in_a_few_pairs_is_not_that_of_the_next(sleeping_session):
    session = sleeping_session
    struck = session.live_baseline().pid
    with session.ready(VariantRun(variant=row())) as worker:
        os.kill(struck, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        with pytest.raises(WorkerError, match="worker of baseline"):
            session.few_pairs(worker, 3)
        pairs = session.few_pairs(worker, 3)
    assert len(pairs.baseline_seconds) == len(pairs.variant_seconds) == 3
    assert session.live_baseline().pid != struck


@pytest.mark.slow
@pytest.mark.parametrize(("floor", "status"), [(1.0, "failed"), (None, "unjudged")])
def test_what_the_budget_does_not_reach_is_not_judged_and_a_promise_of_it_is_broken(
    session, monkeypatch, floor, status
):
    monkeypatch.setattr(session, "budget", Budget(seconds=1e-3))
    record = session.measure_variant(row(), floor).record()
    assert (record.status, record.verdict) == (status, None)
    assert "not judged: out of time: it needs about" in record.reason


@pytest.mark.slow
def test_a_whole_run(config, tmp_path):
    from nqperf.perf.machine.fingerprint import take_fingerprint

    fingerprint = take_fingerprint()
    if fingerprint.gpus:
        pytest.skip("the profile of this test is for a CPU")
    profile = tmp_path / "profile.toml"
    profile.write_text(PROFILE.format(cpu=fingerprint.cpu_model))
    seen = []
    run = run_suite(
        asked(config, profile=profile, variants="grappler,eager,tf32", command="the test"),
        seen.append,
    )
    results = run.results
    baseline, eager, grappler, tf32 = results.variants
    assert [one.name for one in results.variants] == [BASELINE, "eager", "grappler", "tf32"]
    assert baseline.status == "measured"
    assert baseline.agreement is None
    assert baseline.metrics["all-answer-f1"] == grappler.metrics["all-answer-f1"]
    # A promise of a thousandfold is broken in two sets of fresh processes, one of a thousandth is kept.
    assert (eager.verdict.outcome, eager.verdict.processes, len(eager.samples)) == ("FAIL", 2, 2)
    assert (grappler.verdict.outcome, len(grappler.samples)) == ("PASS", 1)
    assert len(grappler.samples[0].baseline_seconds) == 10
    assert grappler.agreement.changed == 0
    assert tf32.status == "skipped"
    assert "GPU" in tf32.reason
    # What cannot run here was not to be judged.
    assert (results.judged, results.expected) == (2, 2)
    assert results.profile == "far"
    assert results.outcome in {"FAIL", "INVALID"}  # the controls' times are real, and ten pairs of a tiny model few
    assert results.controls.same.samples
    assert results.controls.planted.samples
    assert set(run.predictions) == {BASELINE, "eager", "grappler"}
    assert run.seconds["total"] == pytest.approx(sum(run.seconds[part] for part in ("models", "start", "other")))
    assert {event.stage for event in seen if isinstance(event, Doing)} == {"features", "start", "answers", "rounds"}
    finished = [event for event in seen if isinstance(event, RowFinished)]
    assert [(event.name, event.left) for event in finished] == [
        *((BASELINE, 4), ("controls", 3), ("tf32", 2), ("grappler", 1), ("eager", 0))
    ]
    assert [event.row for event in finished] == [baseline, results.controls, tf32, grappler, eager]
    assert sum(event.seconds for event in finished) <= run.seconds["total"]
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
    with pytest.raises(NqPerfError, match="no profile is for this device"):
        run_suite(asked(config, profile=profile, variants="grappler"))


@pytest.mark.slow
def test_rows_that_are_done_are_not_measured_again(config, tmp_path, monkeypatch):
    fall_asleep(monkeypatch)
    config = asked(config, variants="eager,grappler", kept=tmp_path / "run.json.rows", resume=True)

    def stop(news):
        if isinstance(news, Doing) and (news.stage, news.name) == ("start", "eager"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_suite(config, stop)
    first = msgspec.json.decode(config.kept.read_bytes())
    assert [row["name"] for row in first["rows"]] == ["grappler"]
    started = []
    again = run_suite(config, lambda news: isinstance(news, Doing) and started.append((news.stage, news.name)))
    grappler = msgspec.json.decode(msgspec.json.encode(again.results.variant("grappler")))
    held = first["rows"][0]["status"] == "measured"
    held = held and not control_faults(msgspec.convert(first["controls"], Controls))
    assert (("start", "grappler") in started) != held
    assert (grappler == first["rows"][0]) == held
    assert again.results.variant("eager") is not None
    with pytest.raises(FormatError, match=r"rows: is of a run that differs: gate.alpha was 0.0033, now 0.003"):
        run_suite(dataclasses.replace(config, gate=dataclasses.replace(config.gate, alpha=0.003)))

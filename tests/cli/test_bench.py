"""The commands of the suite: one real run on a tiny model, and everything that is refused before any worker starts."""

import dataclasses
import json
import re
import sys
from importlib.util import find_spec

import msgspec
import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.formats.results.profiles_toml import read_profiles
from nqperf.formats.results.proof_json import read_proof
from nqperf.formats.results.results_json import read_results, write_results
from nqperf.formats.weights.model_folder import write_model_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.model.weights import initial_weights
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.suite import SuiteRun
from nqperf.perf.suite.trials import CalibrationRun, measure_calibration
from nqperf.records.calibration import calibrate
from nqperf.records.proof import Proof, Trial
from nqperf.report.machine import calibration_text, proof_text
from nqperf.statistics.location import set_estimate
from nqperf.statistics.sets import Row
from tests import runs
from tests.perf.machine.machines import ZEN_5
from tests.perf.workers.asleep import fall_asleep
from tests.suites import SEQ_LENGTH, write_inputs

EXIT = {"PASS": 0, "REPORTED": 0, "FAIL": 1, "INCONCLUSIVE": 3, "INVALID": 4}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_config, sentencepiece_file):
    return write_inputs(tmp_path_factory.mktemp("suite"), tiny_config, sentencepiece_file)


@pytest.fixture(scope="module")
def challengers(tmp_path_factory, tiny_config, sentencepiece_file):
    """Write models for --against: small (one layer), short (of fewer positions), other (of another vocabulary)."""
    folder = tmp_path_factory.mktemp("challengers")
    tokenizer = TokenizerFile(path=sentencepiece_file, kind="sentencepiece")
    long = dataclasses.replace(tiny_config, max_position_embeddings=SEQ_LENGTH)
    small = dataclasses.replace(long, num_hidden_layers=1)
    write_model_folder(folder / "small", small, initial_weights(small, seed=4), tokenizer)
    write_model_folder(folder / "short", tiny_config, initial_weights(tiny_config, seed=4), tokenizer)
    (folder / "vocab.txt").write_text("".join(f"piece{number}\n" for number in range(tiny_config.vocab_size)))
    words = TokenizerFile(path=folder / "vocab.txt", kind="wordpiece")
    write_model_folder(folder / "other", long, initial_weights(long, seed=4), words)
    return folder


def sizes(model):
    return "--model", model, "--max-seq-length", SEQ_LENGTH


# MLflow 3.17 asks SQLAlchemy 2.1 for a loader that this calls deprecated; nothing here can change it.
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy", "ignore::DeprecationWarning:mlflow.*")
@pytest.mark.slow(45)
def test_a_real_run(call, inputs, tmp_path, monkeypatch):
    """The times of one set are noise, so any verdict may come out; what is written must agree with it."""
    tracks = find_spec("mlflow") is not None and find_spec("alembic") is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    model, data = inputs
    requested = (*sizes(model), "--variants", "onednn_off", "--quick", "--rounds", 1)
    outputs = ("--out", "run.json", "--report", "run.html", "--json", "--quiet", *(["--track"] if tracks else []))
    monkeypatch.setattr(sys, "argv", ["nqperf", "bench", str(data)])
    code, out, err = call("bench", data, *requested, *outputs)
    assert "nqperf: " not in err
    results = read_results(tmp_path / "run.json")
    assert code == EXIT[results.outcome]
    assert json.loads(out)["created"] == results.created
    assert [variant.name for variant in results.variants] == ["baseline", "onednn_off"]
    assert results.data.counts["examples"] == 5
    assert results.command == f"nqperf bench {data}"
    assert f"nqperf: {results.outcome}" in (tmp_path / "summary.md").read_text()
    assert f"nqperf: {results.outcome}" in (tmp_path / "run.html").read_text()
    if tracks:
        check_tracked(results, tmp_path)


@pytest.mark.slow(15)
def test_two_models_are_weighed(call, inputs, challengers, tmp_path):
    model, data = inputs
    requested = (*sizes(model), "--against", challengers / "small", "--baseline", "onnxruntime", "--rounds", 1)
    code, out, err = call("bench", data, *requested, "--out", tmp_path / "run.json", "--report", tmp_path / "run.html")
    results = read_results(tmp_path / "run.json")
    assert code == EXIT[results.outcome], err
    assert [variant.name for variant in results.variants] == ["baseline", "small:baseline"]
    row = results.variant("small:baseline")
    assert row.verdict.outcome == "REPORTED"
    assert row.requested["model"] == "small"
    assert row.requested["model_sha256"] != results.model.sha256
    details = row.agreement.details
    low, high = details["micro_f1_difference_low"], details["micro_f1_difference_high"]
    assert low <= details["micro_f1_difference"] <= high
    assert details["micro_f1_difference"] == pytest.approx(row.agreement.value - row.agreement.baseline_value)
    said = [reason for reason in results.reasons if reason.startswith("small:baseline against baseline: micro-F1 ")]
    assert len(said) == 1
    assert any("on the frontier" in reason or "perhaps on it" in reason for reason in results.reasons)
    for page in (out, (tmp_path / "run.html").read_text()):
        assert said[0] in " ".join(page.split())  # lines are as wide as a console


def test_a_model_against_itself_is_neither_better_nor_worse(call, inputs, monkeypatch):
    """An A/A control: the same folder twice, in two variants each."""
    fall_asleep(monkeypatch, 0.2)
    model, data = inputs
    options = ("--against", model, "--variants", "xla", "--quick", "--rounds", 1, "--json", "--quiet")
    _, out, _ = call("bench", data, *sizes(model), *options)
    rows = json.loads(out)["variants"]
    assert [row["name"] for row in rows] == ["baseline", "xla", "tiny:baseline", "tiny:xla"]
    for row in rows[2:]:
        assert row["agreement"]["changed"] == 0
        assert row["agreement"]["details"]["micro_f1_difference"] == 0
        # That none of five answers changed does not say that none would.
        details = row["agreement"]["details"]
        assert details["micro_f1_difference_low"] < 0 < details["micro_f1_difference_high"]


def test_an_output_that_fails_costs_neither_the_table_nor_the_other_outputs(call, inputs, monkeypatch, tmp_path):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    fall_asleep(monkeypatch, 0.2)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nonexistent/x")

    # Nothing listens there.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    model, data = inputs
    out = tmp_path / "run.json"
    options = ("--variants", "xla", "--rounds", 1, "--track", "--out", out, "--report", tmp_path / "run.html")
    code, said, err = call("bench", data, *sizes(model), *options)
    results = read_results(out)
    assert re.search(r"^xla +\d", said, re.MULTILINE)
    assert code == (EXIT[results.outcome] or 5)
    assert (tmp_path / "run.html").exists()
    assert "/nonexistent/x: cannot be written" in err
    # Both were tried before the measuring, too.
    dead = "MLflow cannot keep the runs (http://127.0.0.1:9 does not answer"
    assert err.count(dead) == err.count("the run goes on without it") == 2
    assert err.rindex("the run goes on without it") < err.index("set 1 of processes")


@pytest.mark.parametrize("place", ["absent/run.json", "/proc/run.json"])
def test_a_results_file_that_cannot_be_written_is_refused_before_the_measuring(
    call, inputs, tmp_path, monkeypatch, place
):
    monkeypatch.chdir(tmp_path)
    code, said, err = call("bench", inputs[1], *sizes(inputs[0]), "--out", place)
    assert (code, said) == (2, "")
    assert "--out" in err


def check_tracked(results, folder):
    """Find each variant that was measured, and the predictions, in MLflow's store."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    tracked = client.search_runs([client.get_experiment_by_name("nqperf").experiment_id])
    measured = {variant.name: variant for variant in results.variants if variant.status == "measured"}
    assert {run.info.run_name for run in tracked} >= set(measured)
    baseline = next(run for run in tracked if run.info.run_name == "baseline")
    assert baseline.data.metrics["prediction_time"] == results.variant("baseline").predict_seconds
    path = client.download_artifacts(baseline.info.run_id, "predictions.json", str(folder))
    assert len(read_predictions(path)) == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--variants", "xla,xlaa"], ["xlaa", "did you mean xla?"]),
        (["--variants", "baseline"], ["baseline"]),
        (["--profile", "absent.toml"], ["absent.toml", "no such file"]),
        (["--rounds", "0"], ["0 rounds"]),
        (["--budget", "0"], ["the budget is 0 s; expected above 0"]),
        (["--budget", "nan"], ["the budget is nan s; expected above 0"]),
        (["--budget", "soon"], ["'soon' is not a valid float"]),
        (["--budget", "10m"], ["'10m' is no number; expected seconds: write 600"]),
        (["--budget", "1.5 hours"], ["write 5400"]),
        (["--budget", "90s"], ["write 90"]),
        (["--out", "absent/run.json"], ["absent/run.json", "folder that exists: make absent first"]),
        (["--report", "."], ["name another"]),
        (["--model", "absent"], ["absent", "or nq-mini, the packaged model"]),
        (["--model", "nq-mnii"], ["nq-mnii", "did you mean nq-mini, the packaged model?"]),
        (["--max-seq-length", "512"], ["512"]),
    ],
)
def test_refused_before_any_worker_starts(call, inputs, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subprocess.Popen", None)
    model, data = inputs
    code, out, err = call("bench", data, "--model", model, "--max-seq-length", SEQ_LENGTH, *options)
    assert (code, out) == (2, "")
    assert err.startswith("nqperf: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [True, False])
def test_a_resume_that_finds_nothing_to_go_on_from_says_so(call, inputs, tmp_path, monkeypatch, left):
    """Before: it began anew without a word, and six minutes were lost."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subprocess.Popen", None)
    if left:
        (tmp_path / "run.json.rows").write_text("")
    model, data = inputs
    code, _, err = call("bench", data, "--model", model, "--max-seq-length", 512, "--out", "run.json", "--resume")
    assert code == 2
    assert ("finds no run.json.rows, which a start that left no row open does not leave" in err) == (not left)


@pytest.mark.parametrize("unfinished", [True, False])
def test_a_run_that_left_rows_open_keeps_its_sets_and_says_how_to_go_on(
    call, inputs, tmp_path, monkeypatch, unfinished
):
    """Before: a run whose time was up threw its sets away, and --resume began anew."""
    monkeypatch.chdir(tmp_path)
    rows = tmp_path / "run.json.rows"
    rows.write_text("{}")
    run = SuiteRun(results=runs.run(), predictions={}, seconds={}, unfinished=unfinished)
    monkeypatch.setattr("nqperf.cli.bench.run_suite", lambda *_: run)
    monkeypatch.setattr("nqperf.cli.bench.seconds_text", lambda _: "")
    model, data = inputs
    _, _, err = call("bench", data, "--model", model, "--max-seq-length", SEQ_LENGTH, "--out", "run.json")
    assert rows.exists() == unfinished
    assert ("run.json.rows holds the sets: the same command with --resume goes on from them" in err) == unfinished


@pytest.mark.parametrize("command", [["bench"], ["bench", "--quick"], ["calibrate", "--out", "profile.toml"]])
def test_a_model_given_as_data_is_told_its_option(call, inputs, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subprocess.Popen", None)
    for model in (str(inputs[0]), "nq-mini"):
        code, _, err = call(*command, model)
        assert code == 2
        assert f"{model} is a model folder, not data" in err
        assert err.endswith(f"say --model {model}\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--against", "absent"], ["absent", "no such folder"]),
        (["--against", "{other}"], ["another vocabulary than", "expected the same"]),
        (["--against", "{short}"], ["features of 96 positions, the model has 48"]),
        (["--against", "{model}", "--resume", "--out", "{model}/../run.json"], ["leave resume out"]),
        (["--against", "{model}", "--variants", "xlaa"], ["xlaa"]),
    ],
)
def test_models_that_cannot_be_compared_are_refused(call, inputs, challengers, monkeypatch, options, words):
    monkeypatch.setattr("subprocess.Popen", None)
    model, data = inputs
    options = [
        option.format(model=model, other=challengers / "other", short=challengers / "short") for option in options
    ]
    code, out, err = call("bench", data, *sizes(model), *options)
    assert (code, out) == (2, "")
    assert err.startswith("nqperf: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_without_the_extra_nothing_is_measured(call, inputs, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("subprocess.Popen", None)
    model, data = inputs
    code, _, err = call("bench", data, "--model", model, "--track")
    assert code == 2
    assert "nqperf[mlflow]" in err


@pytest.fixture
def saved(tmp_path):
    def save(name, results):
        write_results(tmp_path / name, results)
        return tmp_path / name

    return save


OLD = runs.run(runs.measured("xla", 1.2, 1.1), runs.measured("eager", 0.8))


@pytest.mark.parametrize(
    ("new", "options", "expected"),
    [
        (OLD, [], 0),
        (runs.run(runs.measured("xla", 1.3, 1.1), runs.measured("eager", 0.8)), [], 0),
        (runs.run(runs.measured("xla", 1.0, 1.1), runs.measured("eager", 0.8)), [], 1),
        (runs.run(runs.measured("xla", 1.2, 1.1)), [], 1),
        (runs.run(runs.measured("xla", 1.2, 1.1, noise=0.3), runs.measured("eager", 0.8)), [], 3),
        (runs.run(runs.measured("xla", 1.2, 1.1, noise=0.3), runs.measured("eager", 0.8)), ["--allow-inconclusive"], 0),
    ],
)
def test_compare(call, saved, new, options, expected):
    code, out, _ = call("compare", saved("old.json", OLD), saved("new.json", new), *options)
    assert code == expected
    assert re.search(r"^xla ", out, flags=re.MULTILINE)


def test_compare_for_scripts(call, saved):
    code, out, _ = call("compare", saved("old.json", OLD), saved("new.json", OLD), "--json")
    assert code == 0
    changes = {change["name"]: change["change"] for change in json.loads(out)["changes"]}
    assert changes == {"baseline": "SAME", "xla": "SAME", "eager": "SAME"}
    assert call("compare", saved("old.json", OLD), saved("new.json", OLD), "--quiet") == (0, "", "")


@pytest.mark.parametrize("changes", [{"fingerprint": "another"}, {"outcome": "INVALID"}])
def test_runs_that_do_not_compare(call, saved, changes):
    if "fingerprint" in changes:
        changes = {"fingerprint": msgspec.structs.replace(runs.FINGERPRINT, cores=64)}
    new = msgspec.structs.replace(OLD, **changes)
    code, out, err = call("compare", saved("old.json", OLD), saved("new.json", new))
    assert (code, out) == (2, "")
    assert err.startswith("nqperf: error: ")
    assert err.count("\n") == 1


def test_across_machines(call, saved):
    new = msgspec.structs.replace(OLD, fingerprint=msgspec.structs.replace(runs.FINGERPRINT, cores=64))
    code, out, _ = call("compare", saved("old.json", OLD), saved("new.json", new), "--across-machines")
    assert code == 0
    assert "64 cores" in out


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 2}', '{"benchmarks": []}'])
def test_files_of_another_kind(call, saved, tmp_path, content):
    (tmp_path / "new.json").write_text(content)
    code, _, err = call("compare", saved("old.json", OLD), tmp_path / "new.json")
    assert code == 2
    assert "new.json" in err


def test_compare_leaves_a_page_of_both_runs(call, saved, tmp_path):
    old, new = saved("old.json", OLD), saved("new.json", OLD)
    assert call("compare", old, new, "--quiet", "--report", tmp_path / "two.html") == (0, "", "")
    assert "Two runs: 3 SAME" in (tmp_path / "two.html").read_text()


@pytest.fixture
def kept(tmp_path):
    """Write the runs of a history to a folder."""
    folder = tmp_path / "runs"
    folder.mkdir()
    for name, results in runs.over_time().items():
        write_results(folder / name, results)
    (folder / "notes.txt").write_text("no run")
    return folder


def test_history(call, kept, tmp_path):
    code, out, err = call("history", kept, "--report", tmp_path / "history.html")
    assert (code, err) == (0, "")
    assert out.count("| B") == 4
    assert "9 runs, 3 variants" in (tmp_path / "history.html").read_text()
    code, out, _ = call("history", kept, "--json")
    found = json.loads(out)
    assert [len(points) for points in found["variants"].values()] == [9, 9, 5]
    assert [number for number, moment in enumerate(found["runs"]) if moment["changes"]] == [5]
    assert call("history", kept, "--quiet") == (0, "", "")


def test_a_history_that_is_slower_ends_with_1_and_since_it_was_wanted_with_0(call, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    for number in range(12):
        row = runs.measured("xla", 1.5 if number < 6 else 1.2)
        write_results(folder / f"{number}.json", runs.run(row, created=f"2026-01-{number + 1:02}T00:00:00Z"))
    code, out, _ = call("history", folder)
    assert code == 1
    assert "SLOWER: since" in out
    assert " xla " in out.partition("SLOWER: ")[2].splitlines()[0]
    assert json.loads(call("history", folder, "--json")[1])["slower"][0]["row"] == "xla"
    code, out, _ = call("history", folder, "--since", "2026-01-07")
    assert code == 0
    assert " 5.json" not in out
    assert " 6.json" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", "old.json", "old.json", "--report", "absent/two.html"), ["--report", "absent/two.html"]),
        (("compare", "old.json", "old.json", "--report", "."), ["--report"]),
        (("compare", "old.json", "broken.json", "--report", "two.html"), ["broken.json"]),
        (("compare", "old.json", "old.json", "--report", "old.json"), ["--report old.json is also"]),
        (("history", "absent"), ["absent", "is no folder"]),
        (("history", "old.json"), ["old.json", "is no folder"]),
        (("history", "empty", "--report", "h.html"), ["empty", "no *.json"]),
        (("history", ".", "--report", "h.html"), ["broken.json", "no whole JSON"]),
        (("history", ".", "--report", "absent/h.html"), ["--report", "absent/h.html"]),
        (("history", ".", "--since", "yesterday"), ["--since", "'yesterday' is no date", "2026-05-01"]),
    ],
)
def test_pages_that_cannot_be_made(call, saved, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    saved("old.json", OLD)
    (tmp_path / "broken.json").write_text('{"schema_version": 2,')
    (tmp_path / "empty").mkdir()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("nqperf: error: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words), err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_calibrate_writes_the_profile_of_a_machine(call, inputs, tmp_path, monkeypatch):
    """Eight workers start for it, so they only sleep; real ones are started where a whole run is."""
    fall_asleep(monkeypatch, 0.2)
    model, data = inputs
    requested = (*sizes(model), "--variants", "grappler,tf32", "--sets", 3, "--pairs", 3)
    code, out, err = call("calibrate", data, *requested, "--name", "desk", "--out", tmp_path / "desk.toml", "--json")
    assert code == 0
    # A line a set, where nobody watches.
    sets = re.findall(r"^nqperf: set (\d) of processes.*, .*: grappler \d\.\d+ .*, baseline again", err, re.MULTILINE)
    assert sets == ["1", "2", "3"]
    found = json.loads(out)
    assert found["calibration"]["sets"] == 3
    assert found["calibration"]["noise"] > 0
    (profile,) = read_profiles(tmp_path / "desk.toml")
    assert profile.name == "desk"
    assert profile.floors == {name: round(ratio, 4) for name, ratio in found["calibration"]["ratios"].items()}
    assert profile.sds["grappler"] > 0
    assert profile.device.fits(ZEN_5.fingerprint)
    assert profile.workload["max_seq_length"] == SEQ_LENGTH
    assert set(profile.floors) == {"grappler"}
    assert "GPU" in found["left_out"]["tf32"]


def trials(count, unchanged="PASS", slower="FAIL"):
    plain = {"same": "PASS", "planted": 0.1, "unchanged_ratio": 1.0, "slower_ratio": 0.9, "sets": 5}
    return (Trial(unchanged=unchanged, slower=slower, **plain),) * count


@pytest.mark.parametrize("errors", [(0, 0), (3, 0), (0, 9)])
def test_prove_ends_as_the_proof_does(call, inputs, monkeypatch, tmp_path, errors):
    """The trials themselves are tested where they live; here it is what the command makes of them."""
    false_fails, misses = errors
    expected = int(errors != (0, 0))

    def found(_config, *, trials: int, slowdown, **_):
        right = every(trials - false_fails - misses)
        wrong = every(false_fails, unchanged="FAIL") + every(misses, slower="PASS")
        return Proof(slowdown=slowdown, trials=right + wrong)

    every = trials
    monkeypatch.setattr("nqperf.cli.calibrate.prove", found)
    out = tmp_path / "night.json"
    requested = ("prove", inputs[1], "--model", inputs[0], "--trials", 20, "--slowdown", 0.1)
    code, said, _ = call(*requested, "--out", out)
    assert code == expected
    assert f"unchanged: {false_fails} FAIL in 20 trials" in said
    assert f"a planted 10%: {misses} not found in 20 trials, {misses} of them PASS" in said
    assert len(read_proof(out).trials) == 20
    _, said, _ = call(*requested, "--add", out)
    assert f"{2 * false_fails} FAIL in 40 trials" in said
    code, _, err = call("prove", inputs[1], "--model", inputs[0], "--trials", 20, "--add", out)
    assert (code, "--add has trials of another slowdown than 0.05" in err) == (2, True)


def test_what_a_proof_shows():
    text = proof_text(Proof(slowdown=0.05, trials=trials(299)))
    assert "0 FAIL in 299 trials" in text
    assert "fails in at most 1.00% of runs" in text
    assert "shown: at most 1% of unchanged rows fail (0 errors in 299 trials; up to 0 are accepted)" in text
    assert "shown: at least 95% of such slowdowns are found" in text
    few = proof_text(Proof(slowdown=0.05, trials=trials(58) + trials(1, slower="PASS")))
    assert (
        "not shown: at least 95% of such slowdowns are found (1 errors in 59 trials); 34 more without an error" in few
    )


@pytest.mark.parametrize(
    ("size", "words"), [({"sets": 2, "pairs": 40}, "2 sets"), ({"sets": 3, "pairs": 2}, "2 rounds")]
)
def test_too_few_trials_are_refused_at_once(size, words):
    with pytest.raises(ConfigError, match=words):
        measure_calibration(SuiteConfig(), **size)


def test_calibration_in_words():
    rows = (Row(name="xla"), Row(name="again", role="same"))
    measured = [
        {
            name: set_estimate(np.array(one.baseline_seconds), np.array(one.variant_seconds))
            for name, one in (("xla", runs.pairs(1.5, seed=number)), ("again", runs.pairs(1.0, seed=90 + number)))
        }
        for number in range(4)
    ]
    run = CalibrationRun(
        calibration=calibrate(rows, measured),
        fingerprint=runs.FINGERPRINT,
        workload={},
        left_out={"tf32": "needs a GPU"},
    )
    text = calibration_text(run)
    assert re.search(r"^xla +1\.\d\d\d +0\.\d\d% +\d\.\d%$", text, flags=re.MULTILINE)
    assert "in 4 sets; the baseline against itself" in text
    assert "left out: tf32 (needs a GPU)" in text

"""A run that is broken off goes on where it was, ends in the same bytes, and never mixes with another run."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

import nqperf
from nqperf.errors import ConfigError, FormatError, Interrupted
from nqperf.formats.nq.chunks import LinesSource
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.features import FeatureConfig
from nqperf.nq.scoring import Thresholds
from nqperf.pipeline import PipelineConfig
from nqperf.run import RunConfig, run
from nqperf.shards.predicting import PredictConfig, predict_features
from nqperf.shards.versions import versions
from nqperf.shards.worker import Worker, WorkerConfig
from tests.documents import break_line, river_examples, write_lines
from tests.launching import launched
from tests.shards.kills import FILES, SHORT_WINDOWS, contents

LENGTHS = PipelineConfig(features=FeatureConfig(max_seq_length=48, doc_stride=16, max_query_length=12))


class Stopping:
    """Ends a run after so many shards."""

    def __init__(self, shards):
        self.left = shards

    def __call__(self):
        self.left -= 1
        if not self.left:
            raise Interrupted(signal.SIGTERM)


@pytest.fixture(autouse=True)
def one_engine(request):
    """Share the engine among runs; the slow tests, which hold whole runs to each other, load it anew for each."""
    if request.node.get_closest_marker("slow") is None:
        request.getfixturevalue("engines_loaded_once")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(11))


def config_of(out, model):
    return RunConfig(model=open_model(model), out=out, pipeline=LENGTHS, settings={"batch_size": 4}, shard_examples=2)


@pytest.fixture
def config(tmp_path, model_folder):
    return config_of(tmp_path / "out", model_folder)


def answer(data, config, stop_after=0, **selected):
    source = LinesSource(reader=NqReader(source=str(data), selection=Selection(**selected)))
    return run(source, config, between_shards=Stopping(stop_after))


def broken_off(data, config, shards):
    """Run and end after so many shards."""
    with pytest.raises(Interrupted) as caught:
        answer(data, config, shards)
    plural = "1 shard is" if shards == 1 else f"{shards} shards are"
    assert caught.value.kept == f"{plural} kept in {config.work}, and the same command goes on from there"


@pytest.fixture(scope="module")
def undisturbed(data, model_folder, tmp_path_factory):
    config = config_of(tmp_path_factory.mktemp("undisturbed") / "out", model_folder)
    answer(data, config)
    return contents(config.out)


@pytest.mark.slow
@pytest.mark.parametrize("stops", [[1], [6], [2, 1, 2]])
def test_a_run_that_was_broken_off_ends_in_the_same_bytes(data, config, undisturbed, stops):
    done = 0
    for shards in stops:
        with pytest.raises(Interrupted):
            answer(data, config, shards)
        done += shards
        assert not any((config.out / name).exists() for name in FILES)
        assert len(list(config.work.glob("shard-*.json"))) == done + len(list(config.work.glob("*.predictions.json")))
    result = answer(data, config)
    assert (result.shards, result.resumed_shards, result.examples) == (6, done, 11)
    assert contents(config.out) == undisturbed
    assert sorted(undisturbed) == sorted(FILES)
    assert not config.work.exists()
    record = json.loads((config.out / "run.json").read_bytes())
    assert (record["shards"], record["resumed_shards"]) == (6, done)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_run_does_not_go_on_in_another_version_of_its_engine(data, config, engine, monkeypatch):
    pytest.importorskip(engine)
    config = dataclasses.replace(config, engine=engine)
    broken_off(data, config, 1)
    version = metadata.version(engine)
    monkeypatch.setattr(
        metadata, "version", lambda name, real=metadata.version: "0.1" if name == engine else real(name)
    )
    with pytest.raises(FormatError, match=f"is of a run that differs: versions.{engine} was {version}, now 0.1"):
        answer(data, config)


def test_the_identity_of_a_run_holds_what_its_engine_computes_with_and_no_other():
    found = {name: set(versions(name)) for name in ("tensorflow", "jax", "onnxruntime", "openvino")}
    route = {"numpy", "sentencepiece", "tokenizers", "safetensors", "msgspec"}
    assert found["tensorflow"] >= {*route, "tensorflow", "keras"}
    assert not {"jax", "onnxruntime", "openvino"} & found["tensorflow"]
    if "jax" in found["jax"]:
        assert {"jaxlib", "keras"} <= found["jax"]
        assert "tensorflow" not in found["jax"]
    with pytest.raises(ConfigError, match="unknown engine 'far'"):
        versions("far")


def test_features_that_are_used_again_may_be_broken_off_too(data, config, undisturbed, tmp_path):
    features = tmp_path / "f.tfrecord"
    features.write_bytes(undisturbed["features.tfrecord"])
    again = dataclasses.replace(config, features=features)
    broken_off(data, again, 3)
    assert not list(config.work.glob("*.tfrecord"))
    answer(data, again)
    assert contents(config.out) == undisturbed


def test_the_size_of_the_shards_changes_no_features_and_no_decision(data, config, undisturbed):
    answer(data, dataclasses.replace(config, shard_examples=100))
    found = contents(config.out)
    for name in ("features.tfrecord", "metrics.json"):
        assert found[name] == undisturbed[name]


@pytest.mark.slow
def test_logits_of_a_features_file_may_be_broken_off(model_folder, undisturbed, tmp_path):
    features = tmp_path / "f.tfrecord"
    features.write_bytes(undisturbed["features.tfrecord"])
    one = PredictConfig(
        features=features, model=open_model(model_folder), out=tmp_path / "one.npz", settings={"batch_size": 4}
    )
    few = dataclasses.replace(one, out=tmp_path / "few.npz", shard_batches=2)
    whole = predict_features(one)
    for shards in (1, 2):
        with pytest.raises(Interrupted):
            predict_features(few, between_shards=Stopping(shards))
    # A shard in the middle that is missing is made again.
    for path in few.work.glob("shard-00001.*"):
        path.unlink()
    assert predict_features(few).windows == whole.windows
    assert few.out.read_bytes() == one.out.read_bytes()
    assert not few.work.exists()


def test_another_run_is_refused_and_what_differs_is_named(data, config, tmp_path, model_folder):
    broken_off(data, config, 2)
    kept = sorted(config.work.iterdir())
    changed = tmp_path / "changed"
    shutil.copytree(model_folder, changed)
    weights = bytearray((changed / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (changed / "model.safetensors").write_bytes(weights)
    others = [
        ({"settings": {"batch_size": 4, "precision": "mixed_bfloat16"}}, {}, "settings.precision was float32, now"),
        ({"settings": {"batch_size": 5}}, {}, "settings.batch_size was 4, now 5"),
        ({"shard_examples": 3}, {}, "shard_examples was 2, now 3"),
        ({"long_threshold": 1.5}, {}, "pipeline.answers.long_threshold was 3.0, now 1.5"),
        ({"model": open_model(changed)}, {}, "model.model.safetensors was"),
        ({}, {"limit": 5}, "selection.limit was None, now 5"),
    ]
    for changes, selected, message in others:
        with pytest.raises(
            FormatError, match=f"journal.json: is of a run that differs: {message}.*--fresh starts over"
        ):
            answer(data, dataclasses.replace(config, **changes), **selected)
        assert sorted(config.work.iterdir()) == kept
    result = answer(data, dataclasses.replace(config, long_threshold=1.5, fresh=True))
    assert (result.shards, result.resumed_shards) == (6, 0)


def test_data_that_changed_are_refused(data, config, undisturbed, tmp_path):
    broken_off(data, config, 2)
    lines = data.read_text().splitlines()
    for changed in (["{}", *lines[1:]], [lines[1], lines[0], *lines[2:]], lines[2:]):
        other = tmp_path / "other.jsonl"
        other.write_text("\n".join(changed).replace("{}", lines[0].replace("river", "lake", 1)))
        with pytest.raises(FormatError, match="was made of other data than are there now"):
            answer(other, config)
    with pytest.raises(FormatError, match="is shard 2 of data that have 1 now"):
        answer(write_lines(tmp_path / "fewer.jsonl", map(json.loads, lines[:2])), config)
    answer(data, config)
    assert contents(config.out) == undisturbed


@pytest.mark.parametrize("name", ["features.tfrecord", "logits.npz", "predictions.json"])
def test_a_flipped_bit_is_found_and_its_shard_can_be_made_again(data, config, undisturbed, name):
    broken_off(data, config, 3)
    path = config.work / f"shard-00001.{name}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"shard-00001.{name}: does not match its checksum"):
        answer(data, config)
    path.unlink()
    with pytest.raises(FormatError, match=f"shard-00001.{name}: no such file"):
        answer(data, config)
    (config.work / "shard-00001.json").unlink()
    assert answer(data, config).resumed_shards == 2
    assert contents(config.out) == undisturbed


@pytest.mark.parametrize("name", ["journal.json", "shard-00000.json"])
def test_a_journal_of_another_schema_or_none_is_refused(data, config, name):
    broken_off(data, config, 1)
    path = config.work / name
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps({**record, "schema_version": 2}))
    with pytest.raises(FormatError, match=f"{name}, field schema_version: is 2; expected 1"):
        answer(data, config)
    path.write_bytes(b"{" + path.read_bytes()[:20])
    with pytest.raises(FormatError, match=f"{name}: is no whole JSON .*; expected a journal of nqperf"):
        answer(data, config)


@pytest.mark.parametrize("name", [*FILES, "work"])
def test_a_link_in_a_strangers_run_folder_is_refused_and_what_it_leads_to_stays(data, config, tmp_path, name):
    victim = tmp_path / "victim"
    victim.mkdir() if name == "work" else victim.write_bytes(b"mine")
    config.out.mkdir()
    (config.out / name).symlink_to(victim)
    with pytest.raises(FormatError, match=f"{name}: is a link that you did not name"):
        answer(data, config)
    assert list(victim.iterdir()) == [] if name == "work" else victim.read_bytes() == b"mine"


def test_files_of_others_in_the_work_folder_are_left_alone(data, config):
    config.work.mkdir(parents=True)
    (config.work / "notes.txt").write_text("mine")
    answer(data, config)
    assert [path.name for path in config.work.iterdir()] == ["notes.txt"]


def test_two_runs_into_one_output_are_refused(data, config):
    class Second:
        def __call__(self):
            with pytest.raises(FormatError, match=f"another run .process {os.getpid()}. writes to this output"):
                answer(data, config)

    run(LinesSource(reader=NqReader(source=str(data))), config, between_shards=Second())


def test_a_bad_line_keeps_what_is_done_before_it(data, config, undisturbed, tmp_path):
    broken = break_line(data, tmp_path / "broken.jsonl", 7)
    with pytest.raises(FormatError, match=f"{broken}, line 8, field question_text") as caught:
        answer(broken, config)
    assert "3 shards are kept" in caught.value.kept
    result = answer(data, config)
    assert result.resumed_shards == 3
    assert contents(config.out) == undisturbed


def test_examples_without_annotations_are_answered_and_the_score_is_told_to_be_of_the_others(
    data, config, tmp_path, caplog
):
    records = [json.loads(line) for line in data.read_text().splitlines()]
    del records[3]["annotations"]
    records[5]["annotations"] = []
    seen = []
    source = LinesSource(reader=NqReader(source=str(write_lines(tmp_path / "mixed.jsonl", records))))
    whole = dataclasses.replace(config, shard_examples=100)
    result = run(source, whole, lambda name, _count: seen.append((name, caplog.text)))
    first_window = next(text for name, text in seen if name == "windows")
    assert "example 1003 has none: all are answered, and the score will be of the annotated ones" in first_window
    assert (result.examples, result.annotated, result.metrics["long-answer-n"]) == (11, 9, 9)
    assert result.notes == ["the score is of 9 of 11 examples: 2 have no annotations"]
    assert len(read_predictions(config.out / "predictions.json")) == 11


def test_a_threshold_that_no_example_reaches_loses_no_answer(data, config):
    result = answer(data, dataclasses.replace(config, non_null_thresholds=Thresholds(long=9)))
    assert (result.metrics, result.examples) == (None, 11)
    assert result.notes[0].startswith("not scored: non_null_threshold is 9 (long) and 1 (short), and no gold example")


def test_a_shard_has_examples(config):
    with pytest.raises(ConfigError, match="shard_examples is 0"):
        dataclasses.replace(config, shard_examples=0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_runs_that_are_killed_end_in_the_same_bytes(data, model_folder):
    command = [sys.executable, "-m", "tests.shards.kills", data, model_folder, "3", "1"]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=True, cwd=Path(nqperf.__file__).parent.parent
    )
    kills, terms = done.stdout.splitlines()
    assert kills.startswith("SIGKILL: 3 starts ended {-9: 3}; ")
    assert terms.startswith("SIGTERM: 1 starts ended {143: 1}; ")
    for line in (kills, terms):
        same, runs = line.rpartition("; ")[2].split(" of ")
        assert int(same) == int(runs.split()[0]) >= 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_the_second_signal_ends_at_once(model_folder, tmp_path):
    out = tmp_path / "out"
    command = ["run", "-", "--model", model_folder, "--out", out, "--shard-examples", 2, *SHORT_WINDOWS]
    starting = subprocess.Popen(
        launched(sys.executable, "-m", "nqperf.cli.main", *command, heeded=signal.SIGINT),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(nqperf.__file__).parent.parent,
    )
    with starting as process:  # it waits for more on its standard input, which never comes
        pipe = process.stdin
        pipe.write(write_lines(tmp_path / "lines.jsonl", river_examples(40)).read_bytes())
        pipe.flush()
        shards = -1
        while (done := len(list(out.glob("work/shard-*.logits.npz")))) > shards or not done:
            assert process.poll() is None
            shards = done
            time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert b"once more to end at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert f"interrupted; {shards} shards are kept in {out / 'work'}" in process.stderr.readline().decode()
        assert process.wait() == 130


def test_a_worker_elsewhere_refuses_a_model_that_is_not_the_run_s(model_folder):
    identity = {**open_model(model_folder).identity, "config.json": "0" * 64}
    elsewhere = WorkerConfig(
        model=model_folder, identity=identity, engine="tensorflow", settings={}, pipeline=LENGTHS, seq_length=48
    )
    with pytest.raises(FormatError, match=r"config\.json: is not the file that the run began with"):
        Worker(elsewhere)

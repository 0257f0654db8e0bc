"""Every command as a user calls it: results, exit codes, one-line errors, nothing half-written."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

from nqperf import __version__
from nqperf.cli.main import COMMANDS, GROUPS, cli, main
from nqperf.defaults import PACKAGED_MODEL
from nqperf.errors import FormatError
from nqperf.formats.weights.model_folder import open_model
from tests.documents import river_examples, write_lines

# Of tests that are not about what an engine computes.
one_engine = pytest.mark.usefixtures("engines_loaded_once")
SHORT_WINDOWS = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12")


@pytest.fixture
def call(capsys):
    """Run a command; return its exit code, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as leave:
            code = leave.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def data(tmp_path):
    return write_lines(tmp_path / "data.jsonl", river_examples(5))


@pytest.fixture
def refused(call, tmp_path):
    """Check that a call is refused with one line that holds the given words, and leaves no new file."""

    def check(*arguments, words):
        before = sorted(tmp_path.rglob("*"))
        code, out, err = call(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        assert err.startswith("nqperf: error: ")
        assert err.count("\n") == 1
        for word in words:
            assert str(word) in err
        assert sorted(tmp_path.rglob("*")) == before

    return check


def test_help_lists_every_command_and_each_has_an_example(call):
    code, out, _ = call("--help")
    assert code == 0
    for name in COMMANDS:
        assert name in out
        code, text, _ = call(name, "--help")
        assert code == 0
        assert f"nqperf {name}" in text.replace("Usage: nqperf", "")


@pytest.mark.parametrize("group", [(), ("casts",)])
def test_a_group_alone_shows_its_help(call, group):
    code, out, err = call(*group)
    assert (code, err) == (0, "")
    assert out == call(*group, "--help")[1]
    assert out.count("\n") > 15


def test_the_version_has_a_short_name(call):
    assert call("-V") == call("--version") == (0, f"nqperf, version {__version__}\n", "")


def test_every_command_stands_in_one_group_of_the_help(call):
    assert sum(map(len, GROUPS.values())) == len(COMMANDS)
    out = call("--help")[1]
    assert all(f"\n{heading}:\n" in out for heading in GROUPS)


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        (("run",), ["tensorflow", "onnxruntime", "jax", "openvino", "torch"]),
        (("bench",), ["grappler_off", "mixed_bfloat16", "onnxruntime_int8", "v100-thesis"]),
    ],
)
def test_help_lists_the_choices_of_engines_variants_and_profiles(call, arguments, choices):
    words = call(*arguments, "--help")[1].replace(",", " ").replace("]", " ").split()
    assert set(choices) <= set(words)


def test_the_shell_completes_variants_after_a_comma(monkeypatch, capsys):
    monkeypatch.setenv("COMP_WORDS", "nqperf bench --variants xla,grappler_")
    monkeypatch.setenv("COMP_CWORD", "3")
    monkeypatch.setenv("_NQPERF_COMPLETE", "bash_complete")
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out == "plain,xla,grappler_off\n"


def test_the_packaged_model_is_found_by_its_name_from_any_folder(call, tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    assert call("prepare", data, "--model", "nq-mini", "--out", "f.tfrecord")[0] == 0
    assert open_model("nq-mini").path == PACKAGED_MODEL
    (tmp_path / "nq-mini").mkdir()
    with pytest.raises(FormatError, match=r"config\.json"):
        open_model("nq-mini")


def test_the_packaged_model_keeps_its_thresholds(refused):
    refused("thresholds", "nq-mini", "--source", "world:2", words=["packaged model", "copy"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["MODULE:BUILD", "--variants ROW"]),
        (("work:build", "--variants", "xla"), ["MODULE:BUILD", "--variants ROW"]),
        (("work:build", "--model", "nq-mini"), ["--model is of a row", "--variants ROW"]),
        (("--variants", "xla,answer"), ["xla, answer is named", "expected one row"]),
    ],
)
def test_a_search_for_a_commit_is_about_one_thing(refused, arguments, words):
    refused("bisect", *arguments, "--good", "HEAD", words=words)


def test_older_names_of_options_are_still_read(call, data, tmp_path, model_folder):
    prepared = ("--out", tmp_path / "f", *SHORT_WINDOWS, "--json")
    assert call("prepare", data, "--tokenizer", model_folder, *prepared) == call(
        "prepare", data, "--model", model_folder, *prepared
    )
    code, _, err = call("evaluate", "--predictions", "none")
    assert code == 2
    assert "DATA" in err


def test_the_lazy_table_says_what_each_command_is_called():
    for name in COMMANDS:
        assert cli.get_command(None, name).name == name
    assert cli.get_command(None, "nonsense") is None


@pytest.mark.parametrize("arguments", [("nonsense",), ("prepare",), ("predict", "x", "--batch-size", "many")])
def test_wrong_arguments_are_one_line_and_code_2(refused, arguments):
    refused(*arguments, words=["--help"])


def test_stage_by_stage_equals_the_whole_run(call, tmp_path, data, model_folder):
    out = tmp_path / "out"
    code, text, err = call("run", data, "--model", model_folder, "--out", out, *SHORT_WINDOWS, "--json")
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert result["examples"] == 5
    assert result["windows"] > 5

    features, logits, predictions = (tmp_path / name for name in ("f.tfrecord", "l.npz", "p.json"))
    assert call("prepare", data, "--tokenizer", model_folder, "--out", features, *SHORT_WINDOWS)[0] == 0
    assert call("predict", features, "--model", model_folder, "--out", logits)[0] == 0
    assert call("answer", data, "--features", features, "--logits", logits, "--out", predictions)[0] == 0
    code, text, _ = call("evaluate", "--gold", data, "--predictions", predictions, "--json")
    assert code == 0

    assert features.read_bytes() == (out / "features.tfrecord").read_bytes()
    assert logits.read_bytes() == (out / "logits.npz").read_bytes()
    assert predictions.read_bytes() == (out / "predictions.json").read_bytes()
    assert json.loads(text) == result["metrics"] == json.loads((out / "metrics.json").read_bytes())


def test_a_run_leaves_its_record(call, tmp_path, data, model_folder):
    out = tmp_path / "new" / "out"
    code, text, _ = call("run", data, "--model", model_folder, "--out", out, "--limit", 3, "--skip", 1, *SHORT_WINDOWS)
    assert code == 0
    assert "micro" in text
    assert "predict" in text
    assert sorted(path.name for path in out.iterdir()) == [
        "features.tfrecord",
        "logits.npz",
        "metrics.json",
        "predictions.json",
        "run.json",
    ]
    record = json.loads((out / "run.json").read_bytes())
    assert record["data"] == {"source": str(data), "limit": 3, "skip": 1, "on_error": "raise"}
    assert record["configuration"]["pipeline"]["features"]["max_seq_length"] == 48
    assert record["observed"]["compute_dtype"] == "float32"
    assert record["observed"]["traces"] == 1
    assert record["observed"]["tf32"] is False
    assert record["versions"]["tensorflow"]
    assert {"prepare", "predict", "answer", "total"} <= set(record["seconds"])


def test_features_are_used_again(call, tmp_path, data, model_folder):
    first, second = tmp_path / "first", tmp_path / "second"
    assert call("run", data, "--model", model_folder, "--out", first, *SHORT_WINDOWS, "--quiet") == (0, "", "")
    features = first / "features.tfrecord"
    assert call("run", data, "--model", model_folder, "--features", features, "--out", second, "--quiet")[0] == 0
    for name in ("features.tfrecord", "logits.npz", "predictions.json", "metrics.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@one_engine
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_precision_reaches_the_model(call, tmp_path, data, model_folder, precision):
    features = tmp_path / "f.tfrecord"
    assert call("prepare", data, "--tokenizer", model_folder, "--out", features, *SHORT_WINDOWS, "--quiet")[0] == 0
    wide, narrow = tmp_path / "wide.npz", tmp_path / "narrow.npz"
    assert call("predict", features, "--model", model_folder, "--out", wide, "--quiet")[0] == 0
    code, text, _ = call(
        "predict", features, "--model", model_folder, "--precision", precision, "--out", narrow, "--json"
    )
    assert code == 0
    assert json.loads(text)["observed"]["compute_dtype"] == precision.removeprefix("mixed_")
    difference = np.abs(np.load(wide)["start_logits"] - np.load(narrow)["start_logits"]).max()
    assert 0 < difference < 0.1


@one_engine
def test_data_without_annotations_is_only_predicted(call, tmp_path, model_folder):
    records = river_examples(3)
    for record in records:
        del record["annotations"]
    data = write_lines(tmp_path / "plain.jsonl", records)
    out = tmp_path / "out"
    code, text, _ = call("run", data, "--model", model_folder, "--out", out, *SHORT_WINDOWS)
    assert code == 0
    assert "no annotations" in text
    assert not (out / "metrics.json").exists()
    assert (out / "predictions.json").exists()


def test_faulty_lines_are_left_out_counted_and_listed(call, tmp_path, model_folder):
    good = write_lines(tmp_path / "good.jsonl", river_examples(3)).read_text()
    data = tmp_path / "mixed.jsonl"
    data.write_text("{broken\n" + good)
    out = tmp_path / "f.tfrecord"
    code, text, err = call("prepare", data, "--tokenizer", model_folder, "--out", out, "--on-error", "skip", "--json",
                           *SHORT_WINDOWS)  # fmt: skip
    assert code == 0
    assert json.loads(text)["skipped"] == 1
    assert json.loads(text)["examples"] == 3
    assert "left out 1 faulty line" in err
    assert f"{data}, line 1" in err


@one_engine
def test_bad_data_is_refused(refused, tmp_path, data, model_folder):
    empty, cut, twice = tmp_path / "empty.jsonl", tmp_path / "cut.jsonl.gz", tmp_path / "twice.jsonl"
    empty.touch()
    cut.write_bytes(gzip.compress(data.read_bytes())[:200])
    twice.write_text(data.read_text() * 2)
    wrong_type = tmp_path / "type.jsonl"
    wrong_type.write_text(data.read_text().replace('"question_text": "', '"question_text": 7, "x": "', 1))
    outside = tmp_path / "outside.jsonl"
    record = json.loads(data.read_text().splitlines()[0])
    record["long_answer_candidates"][0]["end_token"] = 10**6
    outside.write_text(json.dumps(record))
    out = tmp_path / "f.tfrecord"
    for path, words in (
        (tmp_path / "missing.jsonl", ["no such file"]),
        (empty, ["is empty"]),
        (cut, ["gzip"]),
        (twice, ["line 6", "example_id", "stands twice", "line 1"]),
        (wrong_type, ["line 1", "question_text", "got `int`"]),
        (outside, ["line 1", "long_answer_candidates[0]", "outside the document"]),
    ):
        refused("prepare", path, "--tokenizer", model_folder, "--out", out, *SHORT_WINDOWS, words=[path, *words])
        refused("run", path, "--model", model_folder, "--out", tmp_path / "out", *SHORT_WINDOWS, words=[path, *words])


@one_engine
def test_models_and_lengths_that_do_not_fit_are_refused(refused, call, tmp_path, data, model_folder, wordpiece_file):
    out = tmp_path / "f.tfrecord"
    refused("prepare", data, "--tokenizer", tmp_path / "none", "--out", out, words=["none", "no such file"])
    refused("prepare", data, "--tokenizer", model_folder, "--out", out, words=["512 positions", "48"])
    refused("run", data, "--model", model_folder, "--out", tmp_path / "out", words=["512 positions", "48"])
    refused("run", data, "--model", tmp_path, "--out", tmp_path / "out", words=["config.json"])
    refused("prepare", data, "--tokenizer", model_folder, "--out", out, "--max-seq-length", 20, words=["no room"])
    refused("prepare", data, "--tokenizer", model_folder, "--out", data, *SHORT_WINDOWS, words=["also the data"])
    refused("prepare", data, "--tokenizer", model_folder, "--out", tmp_path / "no" / "f", *SHORT_WINDOWS,
            words=["cannot be written"])  # fmt: skip

    foreign = tmp_path / "foreign.tfrecord"
    large = tmp_path / "vocab.txt"
    large.write_text(wordpiece_file.read_text() + "".join(f"word{number}\n" for number in range(300)) + "rivers\n")
    records = river_examples(2)
    records[0]["question_text"] = "word299"
    other = write_lines(tmp_path / "other.jsonl", records)
    assert call("prepare", other, "--tokenizer", large, "--out", foreign, *SHORT_WINDOWS, "--quiet")[0] == 0
    refused(
        "predict", foreign, "--model", model_folder, "--out", tmp_path / "l.npz", words=["another model's tokenizer"]
    )
    refused("predict", data, "--model", model_folder, "--out", tmp_path / "l.npz", words=[data, "no TFRecord"])


@one_engine
def test_stages_of_different_data_are_refused(refused, call, tmp_path, data, model_folder):
    features, fewer, logits = tmp_path / "f.tfrecord", tmp_path / "g.tfrecord", tmp_path / "l.npz"
    prepare = ("prepare", data, "--tokenizer", model_folder, *SHORT_WINDOWS, "--quiet")
    assert call(*prepare, "--out", features)[0] == 0
    assert call(*prepare, "--out", fewer, "--limit", 3)[0] == 0
    assert call("predict", features, "--model", model_folder, "--out", logits, "--quiet")[0] == 0
    out = tmp_path / "p.json"
    refused("answer", data, "--features", fewer, "--logits", logits, "--out", out, words=["more rows of logits"])
    refused("answer", data, "--features", features, "--logits", logits, "--out", out, "--skip", 1, words=["--skip"])
    assert call("answer", data, "--features", features, "--logits", logits, "--out", out, "--quiet")[0] == 0
    refused("evaluate", "--gold", data, "--predictions", out, "--limit", 3, words=["example ids differ", "2 only in"])
    refused("evaluate", "--gold", data, "--predictions", out, "--non-null-threshold", 0, words=["threshold"])


@one_engine
def test_a_run_that_fails_leaves_no_folder(refused, tmp_path, data, model_folder):
    lines = data.read_text().splitlines()
    broken = tmp_path / "broken.jsonl"
    broken.write_text("\n".join([*lines[:4], "{"]))
    out = tmp_path / "out"
    refused("run", broken, "--model", model_folder, "--out", out, *SHORT_WINDOWS, words=[broken, "line 5"])


@one_engine
def test_the_development_set_is_the_default(call, tmp_path, model_folder):
    code, text, _ = call(
        "run", "--model", model_folder, "--out", tmp_path / "out", "--limit", 2, *SHORT_WINDOWS, "--json"
    )
    assert code == 0
    result = json.loads(text)
    assert result["examples"] == 2
    assert result["non_null_threshold"] == 2


def test_convert_reports_what_is_new(call, refused, tmp_path, model_folder):
    out = tmp_path / "converted"
    code, text, _ = call("convert", model_folder, out, "--json")
    assert code == 0
    assert json.loads(text)["out"] == str(out)
    assert (out / "model.safetensors").is_file()
    refused("convert", tmp_path / "nothing", tmp_path / "x", words=["nothing"])


def test_a_model_that_is_there_is_converted_over_only_with_force(call, refused, tmp_path, model_folder):
    out = tmp_path / "converted"
    out.mkdir()  # empty, which is as good as none
    assert call("convert", model_folder, out)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    said = [f"{out}: holds a model already (config.json, model.safetensors", "name another output", "--force"]
    refused("convert", model_folder, out, "--dtype", "float16", words=said)
    refused("convert", tmp_path / "nothing", out, "--force", words=["nothing"])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before, "whole or not at all"
    refused("convert", out, out, words=["is the source's own folder"])
    assert call("convert", model_folder, out, "--dtype", "float16", "--force")[0] == 0
    assert (out / "model.safetensors").read_bytes() != before["model.safetensors"]


def test_world_writes_both_layouts(call, refused, tmp_path):
    out = tmp_path / "world"
    assert call("world", "--examples", 3, "--dev-examples", 2, "--seed", 5, "--out", out)[0] == 0
    assert len(list(out.iterdir())) == 4
    refused("world", "--examples", 3, "--seed", 5, "--out", out, words=["not an empty folder"])


def test_a_reader_that_goes_away_is_no_traceback():
    command = [sys.executable, "-m", "nqperf.cli.main", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1


@pytest.mark.parametrize("option", ["--out", "--model", "--features"])
def test_a_url_is_no_place_on_this_machine(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    out = [] if option == "--out" else ["--out", "out"]
    with pytest.raises(SystemExit) as leave:
        main(["run", option, "s3://bucket/folder", *out])
    assert leave.value.code == 2
    assert "s3://bucket/folder is a URL; expected a path on this machine" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_doctor_watches_no_negative_time(capsys):
    with pytest.raises(SystemExit) as leave:
        main(["doctor", "--noise-seconds", "-1"])
    assert leave.value.code == 2
    assert "'--noise-seconds': -1.0 is not in the range x>=0" in capsys.readouterr().err


def test_what_is_converted_to_onnx_is_refused_in_one_line(refused, model_folder, tmp_path):
    pytest.importorskip("onnx", reason="the extra onnxruntime is not installed")
    out = tmp_path / "a.onnx"
    refused("convert", tmp_path, out, words=[tmp_path / "config.json"])
    refused("convert", model_folder, out, "--dtype", "float16", words=["--dtype is for model folders"])
    refused("convert", model_folder, tmp_path / "absent" / "a.onnx", words=["cannot be written", "folder that exists"])
    refused("convert", model_folder, tmp_path / "a", "--int8", words=["--int8 is for ONNX files"])
    (tmp_path / "b.onnx").mkdir()
    refused("convert", model_folder, tmp_path / "b.onnx", words=["is a folder"])


def test_an_onnx_file_is_no_model_folder(call, refused, model_folder, data, tmp_path):
    pytest.importorskip("onnx", reason="the extra onnxruntime is not installed")
    out = tmp_path / "a.onnx"
    code, said, _ = call("convert", model_folder, out)
    assert (code, said.startswith(f"{out}: ")) == (0, True)
    refused("run", data, "--model", out, "--out", tmp_path / "run", words=["is a file; expected the model folder"])
    refused("convert", out, tmp_path / "b.onnx", words=["is a file; expected the model folder"])
    refused("convert", model_folder, out, words=[f"{out}: is there already", "--force"])
    refused("convert", tmp_path / "missing", out, words=["missing: no such folder"])
    refused("convert", tmp_path / "missing", model_folder, words=["missing: is neither a folder nor a checkpoint"])
    assert call("convert", model_folder, out, "--force")[0] == 0


@pytest.mark.parametrize("odd", ["a" * 300, "b/" * 3000])
@pytest.mark.parametrize(
    "words",
    [
        ("casts", "audit"),
        ("casts", "audit", "m:f", "--sarif"),
        ("casts", "audit", "m:f", "--ledger"),
        ("casts", "fix", "m:f", "--patch"),
        ("casts", "bisect", "m:f", "--patch"),
        ("casts", "drift", "m:f", "--inputs"),
        ("ab", "m:f", "--base-python"),
    ],
    ids=" ".join,
)
def test_what_the_system_takes_for_no_path_is_refused_wherever_a_path_is_named(refused, words, odd):
    refused(*words, odd, words=[])


def test_a_command_beside_the_casts_is_told_by_its_whole_name(refused):
    refused("casts", "bench", "m:f", words=["there is no `casts bench`", "it is `nqperf bench`"])
    refused("casts", "bemch", words=["No such command"])


def test_bench_of_a_module_or_a_file_of_python_asks_for_the_function(refused, tmp_path, monkeypatch):
    (tmp_path / "pkg").mkdir()
    for name in ("__init__.py", "model.py"):
        (tmp_path / "pkg" / name).touch()
    monkeypatch.chdir(tmp_path)
    refused("bench", "pkg.model", "--quick", words=["pkg.model is a module", "pkg.model:FUNCTION"])
    refused("bench", "pkg/model.py:build", words=["for a file say pkg.model:build"])

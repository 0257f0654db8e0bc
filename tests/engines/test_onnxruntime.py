"""The ONNX Runtime engine: its logits are TensorFlow's, and what it is said to do is what it was seen to do."""

import dataclasses
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra onnxruntime is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.cli.main import main
from nqperf.defaults import PACKAGED_MODEL
from nqperf.engines.onnxruntime import engine as engine_module
from nqperf.engines.onnxruntime import sessions
from nqperf.engines.registry import find_engine
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.model_folder import open_model
from nqperf.model.config import BertConfig
from nqperf.model.onnx.network import onnx_graph
from nqperf.model.weights import initial_weights
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.perf.variants.table import VARIANTS
from tests.documents import river_examples, write_lines
from tests.reference_files import REFERENCE, needs_reference
from tests.references import bert
from tests.rows import batch_of
from tests.shards.kills import SHORT_WINDOWS

ROW = find_engine("onnxruntime")


def computed(engine, inputs):
    return engine.finish(engine.run(engine.put(inputs)))


def differences(config, weights, inputs):
    """Return how far the logits are from TensorFlow's, by name."""
    rows, length = inputs["input_ids"].shape
    found, expected = (
        computed(find_engine(name).load(config, weights, {"batch_size": rows}, seq_length=length), inputs)
        for name in ("onnxruntime", "tensorflow")
    )
    return {name: float(np.abs(found[name] - expected[name]).max()) for name in MODEL_OUTPUTS}


@needs_reference
@pytest.mark.parametrize("source", ["bert-tiny", "checkpoints/bert_joint.ckpt", "checkpoints/model_cpkt-1"])
def test_logits_are_tensorflows_on_other_peoples_weights(source, tmp_path):
    convert(REFERENCE / source, tmp_path / "model", seed=4)
    folder = open_model(tmp_path / "model")
    length = min(folder.config.positions, 128)
    inputs = batch_of(folder.config, [length, length // 2, 3], length)
    assert max(differences(folder.config, folder.read_weights(), inputs).values()) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("lengths", "longest"), [([128], 128), ([512, 300, 17], 512)])
def test_logits_are_tensorflows_on_the_packaged_model(lengths, longest):
    folder = open_model(PACKAGED_MODEL)
    assert (
        max(differences(folder.config, folder.read_weights(), batch_of(folder.config, lengths, longest)).values())
        < 1e-4
    )


@st.composite
def networks(draw):
    """Draw a small network and the real lengths of a batch for it."""
    heads = draw(st.integers(1, 4))
    config = BertConfig(
        vocab_size=draw(st.integers(3, 40)),
        hidden_size=heads * draw(st.integers(1, 9)),
        num_hidden_layers=draw(st.integers(1, 3)),
        num_attention_heads=heads,
        intermediate_size=draw(st.integers(1, 30)),
        max_position_embeddings=draw(st.integers(1, 40)),
        hidden_act=draw(st.sampled_from(["gelu", "gelu_new"])),
        initializer_range=0.3,
    )
    longest = draw(st.integers(1, config.positions))
    return config, draw(st.lists(st.integers(1, longest), min_size=1, max_size=5)), longest


@settings(deadline=None, max_examples=25)
@given(networks(), st.integers(0, 2**16))
def test_any_network_and_batch_give_the_references_logits(drawn, seed):
    config, lengths, longest = drawn
    weights = initial_weights(config, seed=seed)
    inputs = batch_of(config, lengths, longest, seed=seed)
    engine = ROW.load(config, weights, {"batch_size": len(lengths)}, seq_length=longest)
    for name, values in zip(MODEL_OUTPUTS, bert.logits(weights, config, *inputs.values()), strict=True):
        np.testing.assert_allclose(computed(engine, inputs)[name], values, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def folder():
    return open_model(PACKAGED_MODEL)


def loaded(folder, **settings_):
    return ROW.load(folder.config, folder.read_weights(), {"batch_size": 2, **settings_}, seq_length=64)


@pytest.mark.parametrize(("threads", "expected"), [("1", 1), ("2", 2)])
def test_threads_are_as_asked_for(folder, monkeypatch, threads, expected):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", threads)
    engine = loaded(folder)
    assert engine.state().device is None  # before the first run nothing has been seen
    computed(engine, batch_of(folder.config, [64, 20], 64))
    state = engine.state()
    assert state.intra_op_threads == state.own["requested_threads"] == expected
    assert state.device == "cpu"


@pytest.mark.parametrize(("row", "other"), [("onnxruntime", "onnxruntime_int8"), ("onnxruntime_int8", "onnxruntime")])
def test_a_row_is_seen_to_do_what_it_says_and_the_other_one_is_not(folder, row, other, monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    engine = loaded(folder, **VARIANTS[row].settings)
    assert VARIANTS[row].without_effect(engine.state())  # before the first run nothing has been seen
    computed(engine, batch_of(folder.config, [64, 20], 64))
    assert VARIANTS[row].without_effect(engine.state()) is None
    assert VARIANTS[other].without_effect(engine.state())


def test_eight_bits_are_near_and_what_is_left_wide_is_told(folder):
    inputs = batch_of(folder.config, [64, 20], 64)
    wide = loaded(folder)
    exact = computed(wide, inputs)
    for name, settings_ in {
        "default": {},
        "reduced": {"reduced_range": True},
        "all": {"wide": ["blocks.0.intermediate", *(f"blocks.{number}.output_dense" for number in range(6))]},
    }.items():
        engine = loaded(folder, precision="int8", **settings_)
        found = computed(engine, inputs)
        alike = np.corrcoef(found["start_logits"].ravel(), exact["start_logits"].ravel())[0, 1]
        assert 0.9 < alike < 1, name
        state = engine.state()
        assert state.matmuls == wide.state().matmuls
        assert state.own["int8_matmuls"] == 39 - len(state.own["wide"].split(", "))
    state = loaded(folder, precision="int8").state()
    assert state.own["wide"] == "answer_type, blocks.0.output_dense, blocks.1.output_dense, pooler, span"
    assert state.own["reduced_range"] is sessions.products_overflow()


def test_weights_of_eight_bits_are_refused_where_products_overflow(folder, monkeypatch):
    monkeypatch.setattr(engine_module, "products_overflow", lambda: True)
    with pytest.raises(ConfigError, match="overflow here: leave it on"):
        loaded(folder, precision="int8", reduced_range=False)
    assert loaded(folder, precision="int8").state().own["reduced_range"] is True


@pytest.mark.parametrize(("found", "overflows"), [(255 * 127 * 64, False), (32767 * 32, True)])
def test_products_that_come_out_wrong_overflow(found, overflows, monkeypatch):
    class Session:
        def run(self, _names, _inputs):
            return [np.full((64, 64), found, np.int32)]

    monkeypatch.setattr(sessions, "session", lambda _path: Session())
    assert sessions.products_overflow() is overflows


def test_a_module_that_is_none_is_refused(folder):
    with pytest.raises(ConfigError, match=r"blocks\.9\.output_dense cannot stay in float32.*expected some of .*span"):
        loaded(folder, precision="int8", wide=["blocks.9.output_dense"])
    with pytest.raises(ConfigError, match="precision"):
        loaded(folder, precision="int4")


def test_nothing_is_left_behind(tiny_config, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine = ROW.load(tiny_config, tiny_weights, {"batch_size": 2, "precision": "int8"}, seq_length=8)
    computed(engine, batch_of(tiny_config, [8, 3], 8))
    assert list(tmp_path.iterdir()) == []
    unused = ROW.load(tiny_config, tiny_weights, {"batch_size": 2}, seq_length=8)
    del unused
    assert list(tmp_path.iterdir()) == []


def test_gelus_differ(tiny_config, tiny_weights):
    inputs = batch_of(tiny_config, [20, 9], 20)
    for gelu in ("gelu", "gelu_new"):
        config = dataclasses.replace(tiny_config, hidden_act=gelu)
        assert max(differences(config, tiny_weights, inputs).values()) < 1e-5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "onnxruntime", "--precision", "int8", "--wide", "span, head"), "head cannot stay in float32"),
        (("--wide", "span"), "wide"),
    ],
)
def test_a_set_that_cannot_stay_wide_is_one_line_and_leaves_nothing(options, said, model_folder, tmp_path, capsys):
    out, data = tmp_path / "out", write_lines(tmp_path / "data.jsonl", river_examples(1))
    arguments = ("run", data, "--model", model_folder, "--out", out, *SHORT_WINDOWS, *options)
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    error = capsys.readouterr().err
    assert (left.value.code, error.count("\n")) == (2, 1)
    assert said in error
    assert not out.exists()


def test_run_leaves_wide_what_it_is_told_to(model_folder, tmp_path, monkeypatch):
    seen = []

    def build(config, weights, int8, **form):
        seen.append(int8)
        return onnx_graph(config, weights, int8, **form)

    monkeypatch.setattr(engine_module, "onnx_graph", build)
    data = write_lines(tmp_path / "data.jsonl", river_examples(1))
    options = ("--engine", "onnxruntime", "--precision", "int8", "--wide", "span, blocks.0.output_dense")
    arguments = ("run", data, "--model", model_folder, "--out", tmp_path / "out", *SHORT_WINDOWS, *options)
    main([str(argument) for argument in arguments])
    assert [int8.wide for int8 in seen] == [{"span", "blocks.0.output_dense"}]


@pytest.mark.parametrize(("dtype", "apart"), [("float32", 1e-4), ("float16", 0.02), ("int8", 0.03)])
def test_a_large_product_is_one_of_its_type(dtype, apart, monkeypatch):
    monkeypatch.setattr(sessions, "_LARGE_ON_CPU", 96)
    multiply, size = sessions.large_product("cpu", dtype)
    matrix = np.random.default_rng(1).standard_normal((96, 96), np.float32)
    (found,) = multiply()
    assert size == 96
    np.testing.assert_allclose(found, (matrix @ matrix).max(), rtol=apart)


def test_every_precision_has_a_rate(folder):
    for precision in ("float32", "int8"):
        engine = loaded(folder, precision=precision)
        multiply, operations = engine.large_product()
        multiply()
        assert (engine.product_type(), operations) == (precision, 2 * 1536**3)


def test_nobody_is_told_of_its_sessions(tmp_path):
    """What it would tell, and to whom it belongs, it keeps in these folders from its import on."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    code = "from nqperf.engines.registry import find_engine; find_engine('onnxruntime').engine_type().start()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_profile_that_a_full_disk_cut_off_is_refused_in_one_line(tmp_path):
    (tmp_path / "profile.json").write_bytes(b'[{"cat": "Node", "na')
    with pytest.raises(FormatError, match="is the disk of temporary files full"):
        sessions.executed(tmp_path / "profile.json")

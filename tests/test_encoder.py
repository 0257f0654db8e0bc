import subprocess
import sys

import numpy as np
import pytest

import nqperf
from nqperf.errors import ConfigError, FormatError
from nqperf.model.families import FAMILIES
from tests.arrays import arrays_of

LIMITS = {"float32": 2e-5, "mixed_float16": 0.05, "mixed_bfloat16": 0.2}


@pytest.mark.parametrize("precision", LIMITS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_hugging_face_folder_gives_its_outputs(family, precision, shared):
    folder = shared / "reference" / "encoders" / family
    if not folder.is_dir():
        pytest.skip("../shared/reference/encoders is not here")
    golden = arrays_of(folder / "golden.npz")
    arguments = {name: golden[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in golden}
    found = nqperf.load_encoder(folder, precision=precision)(**arguments)
    real = golden["attention_mask"] == 1
    assert found.last_hidden_state.dtype == np.float32
    assert np.abs(found.last_hidden_state - golden["last_hidden_state"])[real].max() < LIMITS[precision]
    if "pooler_output" in golden:
        assert found.pooler_output.dtype == np.float32
        assert np.abs(found.pooler_output - golden["pooler_output"]).max() < LIMITS[precision]
    else:
        assert found.pooler_output is None


def test_a_model_folder_is_read_too_and_lists_will_do(family_folder):
    encoder = nqperf.load_encoder(str(family_folder("bert")))
    found = encoder([[2, 5, 6, 3]])
    assert found.last_hidden_state.shape == (1, 4, 24)
    padded = encoder([[2, 5, 6, 3, 0, 0]], [[True] * 4 + [False] * 2], token_type_ids=[[0] * 6])
    np.testing.assert_allclose(padded.last_hidden_state[:, :4], found.last_hidden_state, rtol=0, atol=1e-6)
    np.testing.assert_allclose(padded.pooler_output, found.pooler_output, rtol=0, atol=1e-6)


def test_a_pooler_that_was_made_up_is_not_shown(family_folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = family_folder("roberta")
    stored = load_file(folder / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    save_file({name: one for name, one in stored.items() if ".pooler." not in name}, tmp_path / "model.safetensors")
    assert nqperf.load_encoder(tmp_path)([[0, 5, 2]]).pooler_output is None
    assert nqperf.load_encoder(folder)([[0, 5, 2]]).pooler_output is not None


@pytest.mark.parametrize(
    ("family", "arguments", "said"),
    [
        ("bert", ([1, 2],), r"input_ids is int64 \[2\]; expected integers \[n, s\]"),
        ("bert", ([[1.0, 2.0]],), "input_ids is float64"),
        ("bert", ([[-1, 2]],), "input_ids holds values from -1 to 2; expected 0 to"),
        ("bert", ([[100_000]],), "input_ids holds values from 100000"),
        ("bert", ([[1, 2]], [[1]]), r"attention_mask is int64 \[1, 1\]; expected integers \[1, 2\], the shape"),
        ("bert", ([[1, 2]], [[1, 2]]), "attention_mask holds values from 1 to 2; expected 0 to 1"),
        ("bert", ([[1, 2]], None, [[0, 2]]), "token_type_ids holds values from 0 to 2; expected 0 to 1"),
        ("distilbert", ([[1, 2]], None, [[0, 1]]), "expected 0 to 0 for a network of distilbert"),
        ("roberta", ([[0] * 97],), "features of 97 positions, the model has 96"),
    ],
)
def test_what_the_encoder_does_not_know_is_refused(family, arguments, said, family_folder):
    with pytest.raises(ConfigError, match=said):
        nqperf.load_encoder(family_folder(family))(*arguments)


def test_what_is_no_encoder_is_refused(tmp_path, family_folder):
    with pytest.raises(FormatError, match="no such folder"):
        nqperf.load_encoder(tmp_path / "nowhere")
    with pytest.raises(FormatError, match=r"config.json: no such file"):
        nqperf.load_encoder(tmp_path)
    with pytest.raises(ConfigError, match="precision 'float8' is unknown"):
        nqperf.load_encoder(family_folder("bert"), "float8")
    with pytest.raises(AttributeError, match="has no attribute 'load_decoder'"):
        _ = nqperf.load_decoder


def test_importing_the_package_loads_nothing():
    script = "import sys; before = set(sys.modules); import nqperf; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "keras", "nqperf.encoder"} & set(done.stdout.split("'"))

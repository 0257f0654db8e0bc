"""The mean of several models: exactly that, and only of models that can have one."""

import dataclasses

import numpy as np
import pytest

from nqperf.cli.main import main
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.weights.model_folder import FolderSettings, open_model, write_model_folder
from nqperf.model.weights import initial_weights
from nqperf.training.averaging import average


@pytest.fixture
def folders(training_folder, tmp_path):
    """Write three models of one shape and other weights, with thresholds."""
    start = open_model(training_folder / "start")
    paths = []
    for seed in (1, 2, 3):
        path = tmp_path / f"model-{seed}"
        settings = FolderSettings(long_threshold=1.0, short_threshold=2.0)
        weights = initial_weights(start.config, seed=seed)
        write_model_folder(path, start.config, weights, start.tokenizer_file, settings=settings)
        paths.append(path)
    return paths


@pytest.mark.parametrize("order", [(0, 1), (0, 1, 2), (2, 0, 1, 0)])
def test_every_tensor_is_the_mean(folders, tmp_path, order):
    chosen = [folders[index] for index in order]
    average(chosen, tmp_path / "mean")
    made = open_model(tmp_path / "mean")
    parts = [open_model(path).read_weights() for path in chosen]
    for name, values in made.read_weights().items():
        mean = np.mean([part[name].astype(np.float64) for part in parts], axis=0)
        # Half a unit in the last place of float16.
        np.testing.assert_allclose(values, mean, rtol=2**-11 * 1.01, atol=2**-25 * 1.01)
    assert made.config == open_model(chosen[0]).config
    assert made.require_tokenizer().path.read_bytes() == (folders[0] / "tokenizer.model").read_bytes()
    assert made.settings == FolderSettings()


def test_the_mean_of_a_model_and_itself_is_the_model(folders, tmp_path):
    average([folders[0]] * 3, tmp_path / "mean")
    was, mean = (open_model(path).read_weights() for path in (folders[0], tmp_path / "mean"))
    for name, values in mean.items():
        np.testing.assert_array_equal(values, was[name].astype(np.float16).astype(np.float32))


def test_heads_that_one_of_them_has_untrained_are_untrained(folders, tmp_path):
    first = open_model(folders[0])
    untrained = FolderSettings(heads="new")
    write_model_folder(tmp_path / "new", first.config, first.read_weights(), first.tokenizer_file, settings=untrained)
    average([folders[1], tmp_path / "new"], tmp_path / "mean")
    assert open_model(tmp_path / "mean").settings == untrained


def test_another_network_has_no_mean_with_it(folders, tmp_path):
    first = open_model(folders[0])
    config = dataclasses.replace(first.config, num_hidden_layers=1)
    write_model_folder(tmp_path / "other", config, initial_weights(config, seed=4), first.tokenizer_file)
    with pytest.raises(ConfigError, match="num_hidden_layers 1 for 2"):
        average([folders[0], tmp_path / "other"], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_another_tokenizer_has_no_mean_with_it(folders, tmp_path):
    tokenizer = folders[1] / "tokenizer.model"
    content = tokenizer.read_bytes()
    assert content.count(b"[Paragraph=1]") == 1
    tokenizer.write_bytes(content.replace(b"[Paragraph=1]", b"[Paragraph=!]"))
    with pytest.raises(ConfigError, match="another tokenizer"):
        average(folders, tmp_path / "mean")


def test_what_is_someone_elses_stays(folders, tmp_path):
    (tmp_path / "mean").mkdir()
    (tmp_path / "mean" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FormatError, match=r"notes\.txt"):
        average(folders, tmp_path / "mean")
    assert [entry.name for entry in (tmp_path / "mean").iterdir()] == ["notes.txt"]


def test_the_command_says_what_it_made(folders, tmp_path, capsys):
    out = tmp_path / "mean"
    main(["average", *map(str, folders), "--out", str(out)])
    assert capsys.readouterr().out == f"{out}: the mean of 3 models; choose its thresholds with `nqperf thresholds`\n"
    made = (out / "model.safetensors").read_bytes()
    with pytest.raises(SystemExit, match="2"):
        main(["average", *map(str, folders[:2]), "--out", str(out)])
    assert "holds a model already" in capsys.readouterr().err
    assert (out / "model.safetensors").read_bytes() == made
    main(["average", *map(str, folders[:2]), "--out", str(out), "--force"])
    assert (out / "model.safetensors").read_bytes() != made
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        main(["average", str(folders[0]), "--out", str(tmp_path / "one")])
    assert "1 model to average; expected at least two" in capsys.readouterr().err
    assert not (tmp_path / "one").exists()

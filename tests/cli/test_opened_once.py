"""What `nqperf bench` opens before its first worker: each file once, and the weights mapped once."""

import json
import subprocess
import sys

import pytest

from nqperf.formats.results.recipe_toml import write_recipe
from tests.documents import river_examples, write_lines
from tests.recipes import recipe_for

COUNTING = """
import collections, json, os, sys

opened, mapped = collections.Counter(), []

def count(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        opened[os.path.realpath(arguments[0])] += 1
    elif event == "mmap.__new__":
        mapped.append(arguments[1] or os.fstat(arguments[0]).st_size)
    elif event == "subprocess.Popen" and "nqperf.perf.workers.worker" in " ".join(map(str, arguments[1])):
        tell()
        os._exit(0)

def tell():
    print(json.dumps({"opened": opened, "mapped": mapped}), flush=True)

sys.addaudithook(count)
from nqperf.cli.main import main
main(sys.argv[1:])
tell()
"""
OWN = '[[variant]]\nname = "mine"\nenvironment = { TF_ENABLE_ONEDNN_OPTS = "0" }\n'


@pytest.fixture
def inputs(model_folder, tmp_path):
    """Write a recipe, variants and data; return their paths and the model's by the options' names."""
    write_recipe(tmp_path / "recipe.toml", recipe_for(model_folder))
    (tmp_path / "own.toml").write_text(OWN)
    write_lines(tmp_path / "rivers.jsonl", river_examples(3))
    return {"recipe": tmp_path / "recipe.toml", "variants-file": tmp_path / "own.toml", "model": model_folder}


def counted(*command):
    """Run a command; return how often each file was opened until it ended or started a worker, and what was mapped."""
    words = [sys.executable, "-c", COUNTING, *map(str, command)]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def times(found, paths):
    return {path.name: found["opened"].get(str(path.resolve()), 0) for path in paths}


@pytest.mark.slow
def test_each_file_is_opened_once_before_the_first_worker(inputs, tmp_path):
    options = [word for name, path in inputs.items() for word in (f"--{name}", str(path))]
    found = counted("bench", tmp_path / "rivers.jsonl", *options, "--max-seq-length", 48, "--quick", "--quiet")
    model = inputs.pop("model")
    ours = [*inputs.values(), tmp_path / "rivers.jsonl", *(path for path in model.iterdir() if path.is_file())]
    assert times(found, ours) == {path.name: 1 for path in ours}
    assert found["mapped"].count((model / "model.safetensors").stat().st_size) == 1
    packaged = [name for name in found["opened"] if name.endswith("/results/profiles.toml")]
    assert [found["opened"][name] for name in packaged] == [1]


@pytest.mark.slow
def test_a_run_in_this_process_opens_each_file_once_till_its_end(model_folder, tmp_path):
    data, out = write_lines(tmp_path / "rivers.jsonl", river_examples(3)), tmp_path / "out"
    short = ("--max-seq-length", 48, "--doc-stride", 12, "--max-query-length", 12, "--quiet")
    found = counted("run", data, "--model", model_folder, "--out", out, *short)
    ours = [data, *(path for path in model_folder.iterdir() if path.is_file())]
    assert times(found, ours) == {path.name: 1 for path in ours}
    assert (out / "metrics.json").exists()

"""`nqperf bench --base`: two copies of this package, the one with something planted, in real processes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nqperf
from tests.perf.revisions.projects import commit, git
from tests.suites import SEQ_LENGTH, write_inputs

pytestmark = pytest.mark.slow(9)

# The tool is that of the tests, and not the one that lies in the working directory.
TOOL = "import sys; sys.path[:] = filter(None, sys.path); from nqperf.cli.main import main; main()"
PACKAGE = Path(nqperf.__file__).parent
ENCODER = """
            states.append(hidden)
        if self.final_norm"""
# The stream takes part, so that no optimiser makes one run of the three.
THRICE = """
            states.append(hidden)
        for again in range(2):
            hidden = states[0] + hidden * 1e-30
            for number in self.config.block_order:
                hidden = self.blocks[number](hidden, mask, training=training)
        if self.final_norm"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_config, sentencepiece_file):
    return write_inputs(tmp_path_factory.mktemp("inputs"), tiny_config, sentencepiece_file)


@pytest.fixture
def folders(tmp_path):
    """Return two folders with this package each; the model that is packaged is one for both."""
    found = []
    for name in ("the base", "the change"):
        place = tmp_path / name / "nqperf"
        shutil.copytree(PACKAGE, place, ignore=shutil.ignore_patterns("models"))
        (place / "models").symlink_to(PACKAGE / "models", target_is_directory=True)
        found.append(tmp_path / name)
    return found


@pytest.fixture
def bench(folders, inputs, tmp_path):
    model, data = inputs
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "TMPDIR": str(tmp_path / "tmp")}

    def run(*arguments):
        words = [sys.executable, "-c", TOOL, "bench", str(data), "--base-path", str(folders[0])]
        common = ["--model", str(model), "--max-seq-length", str(SEQ_LENGTH), "--json"]
        done = subprocess.run(
            [*words, *common, *map(str, arguments)],
            cwd=folders[1],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert list((tmp_path / "tmp").iterdir()) == []
        return done

    return run


def plant(folder, name, old, new):
    path = folder / "nqperf" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_equal_code_has_the_same_answers_and_the_same_work(bench, folders):
    plant(folders[1], "model/bert.py", ENCODER, "\n            # Only a comment." + ENCODER)
    margins = ("--margin", 0.99, "--memory-margin", 0.99, "--start-margin", 0.99)  # so wide that the first look decides
    done = bench("--variants", "onnxruntime,read", "--budget", 240, *margins)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [row["name"] for row in found["rows"]] == ["onnxruntime", "read"]
    for row in found["rows"]:
        assert (row["agreement"]["changed"], row["reasons"], row["work_changes"]) == (0, [], [])
        assert row["sets"]
    base, change = found["rows"][0]["work"]
    assert base == change
    assert base["products"] > 10
    assert base["product_flops"] > 0
    assert base["parameters"] > 1000


def test_an_encoder_that_is_run_three_times_fails_for_its_work(bench, folders):
    plant(folders[1], "model/bert.py", ENCODER, THRICE)
    done = bench("--variants", "baseline", "--budget", 60)
    assert done.returncode == 1, done.stdout + done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["agreement"]["changed"] == 0
    assert row["reasons"][0].startswith("more work: MatMul ")
    assert len(row["sets"]) == 1


def test_a_constant_of_the_span_heuristic_fails_on_answers_before_anything_is_timed(bench, folders):
    plant(folders[1], "nq/ranking.py", "max_length: int = 30", "max_length: int = 5")
    done = bench("--variants", "answer,read")
    assert done.returncode == 1, done.stdout + done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert found["answer"]["reasons"][0].startswith("the answers differ")
    assert all(row["sets"] == [] for row in found.values())
    assert found["read"]["agreement"]["changed"] == 0


def test_rows_that_one_side_lacks_are_told_and_a_change_that_breaks_fails(bench, folders):
    plant(folders[1], "perf/variants/tensorflow_rows.py", 'name="eager"', 'name="eager2"')
    plant(folders[1], "formats/nq/jsonl.py", "    def examples(self", "    def no_examples(self")
    done = bench("--variants", "read")
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["new"], found["gone"]) == (["eager2"], ["eager"])
    assert found["rows"][0]["reasons"][0].startswith("the change fails")
    done = bench("--variants", "eager")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the change has no variant 'eager'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--variants", "nothing"), "unknown row 'nothing'; expected some of"),
        (("--variants", "XLA"), "unknown row 'XLA'; did you mean xla?"),
        (("--base", "main"), "both given"),
        (("--resume",), "--resume has no effect beside a base"),
        (("--limit", "0"), "limit is 0"),
        (("--margin", "0"), "margin is 0"),
        (("--model", "none"), "no row runs on the base"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(bench, arguments, said):
    done = bench("--variants", "baseline", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert len([line for line in done.stderr.splitlines() if "nqperf: set" not in line]) == 1


def test_a_margin_without_a_base_is_refused(tmp_path):
    words = [sys.executable, "-m", "nqperf.cli.main", "bench", "--margin", "0.1"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--margin has no effect without a base" in done.stderr


@pytest.mark.long
def test_bisect_names_the_commit_that_slowed_a_stage(folders, tmp_path):
    folder = folders[1]
    git(folder, "init", "--quiet")
    commit(folder, {"README": "first"}, "first")
    commit(folder, {"README": "second"}, "second")
    scored = "evaluate(gold, predictions, non_null_threshold=threshold)"
    plant(folder, "perf/revisions/side_rows.py", f"lambda: {scored}", f"lambda: [{scored} for _ in range(3)][0]")
    commit(folder, {}, "the slow one")
    commit(folder, {"README": "last"}, "last words")
    words = [sys.executable, "-c", TOOL, "bisect", "--variants", "evaluate", "--good", "HEAD~3", "--factor", "1.5"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the slow one made it" in done.stdout
    assert "side_rows.py" in done.stdout

"""Another package brings an engine and two rows: installed with pip, every command knows them."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.documents import break_line, river_examples, write_lines
from tests.extensions.packages import fresh_environment, install, write_wheel

SOURCE = (Path(__file__).parent / "foreign" / "nqperf_foreign.py").read_text()
SHORT_WINDOWS = ("--max-seq-length", "48")
RUN_WINDOWS = (*SHORT_WINDOWS, "--doc-stride", "16", "--max-query-length", "12", "--batch-size", "4", "--quiet")
BROKEN = "import a_module_that_nobody_has"
# One of the packaged engines' names, one of the other package's, and one of its own.
GREEDY = """
from dataclasses import replace
from nqperf.engines.registry import ENGINES
row = ENGINES["onnxruntime"]
TAKEN, SAME, OWN = row, replace(row, name="twice"), replace(row, name="mine")
NO_ROW = {"name": "none"}
"""


def foreign(folder, version="1.0"):
    return write_wheel(
        folder,
        "nqperf_foreign",
        SOURCE,
        version=version,
        engines={"twice": "nqperf_foreign:ENGINE"},
        variants={"rows": "nqperf_foreign:ROWS"},
    )


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign")
    found = fresh_environment(folder / "environment")
    install(found, foreign(folder))
    return found


def command(python, *arguments, status=0):
    """Run nqperf in an environment; return what it printed and said."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    code = "from nqperf.cli.main import main; main()"
    done = subprocess.run(
        [str(python), "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def script(python, code):
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


TABLES = """
import json
from nqperf.engines.registry import ENGINES
from nqperf.perf.variants.table import VARIANTS
print(json.dumps({"engines": list(ENGINES), "variants": list(VARIANTS), "faults": [*ENGINES.faults, *VARIANTS.faults]}))
"""


def test_the_package_is_small():
    assert len([line for line in SOURCE.splitlines() if line.strip()]) <= 80


def test_its_rows_stand_behind_the_packaged_ones(python):
    found, said = script(python, TABLES)
    assert found["engines"][0] == "tensorflow"
    assert found["engines"][-1] == "twice"
    assert found["variants"][0] == "baseline"
    assert found["variants"][-2:] == ["once", "twice"]
    assert (found["faults"], said) == ([], "")


def test_a_broken_package_and_two_of_one_name_are_named_and_the_rest_goes_on(tmp_path):
    python = fresh_environment(tmp_path / "environment")
    greedy = {"taken": "TAKEN", "same": "SAME", "own": "OWN", "no_row": "NO_ROW"}
    double = GREEDY.replace('"mine"', '"fine"')
    install(
        python,
        write_wheel(tmp_path, "nqperf_double", double, engines={"a": "nqperf_double:SAME", "b": "nqperf_double:OWN"}),
        write_wheel(tmp_path, "nqperf_broken", BROKEN, engines={"broken": "nqperf_broken:ENGINE"}),
        write_wheel(
            tmp_path,
            "nqperf_greedy",
            GREEDY,
            engines={point: f"nqperf_greedy:{value}" for point, value in greedy.items()},
        ),
    )
    found, said = script(python, TABLES)
    assert found["engines"][-2:] == ["fine", "mine"]
    assert "twice" not in found["engines"]
    left_out = {
        "nqperf-broken 1.0: its nqperf.engines entry point 'broken' (nqperf_broken:ENGINE)": "ModuleNotFoundError: No "
        "module named 'a_module_that_nobody_has'",
        "nqperf-greedy 1.0: its nqperf.engines entry point 'taken' (nqperf_greedy:TAKEN)": "ConfigError: nqperf has a "
        "'onnxruntime' already; give it another name",
        "nqperf-greedy 1.0: its nqperf.engines entry point 'no_row' (nqperf_greedy:NO_ROW)": "ConfigError: it is a "
        "dict; expected EngineRow, or a list of them",
    }
    both = "nqperf-double 1.0 and nqperf-greedy 1.0 bring a 'twice' each, so none is taken"
    for words in (*(f"{where} is left out: {why}" for where, why in left_out.items()), f"nqperf.engines: {both}"):
        assert sum(words in fault for fault in found["faults"]) == 1, (words, found["faults"])
        assert said.count(words) == 1
    # What asks for it by name is refused.
    _, refused = command(python, "run", "--engine", "twice", "--out", tmp_path / "out", status=2)
    assert f"error: nqperf.engines: {both}" in refused


def test_help_looks_for_no_packages(python):
    code = "import sys\nfrom nqperf.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [str(python), "-c", f"{code}print('nqperf.extensions' in sys.modules, 'nqperf_foreign' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "False False"


@pytest.mark.slow(15)
def test_a_run_goes_on_only_with_the_version_that_began_it(tmp_path, model_folder):
    pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")
    python = fresh_environment(tmp_path / "environment")
    install(python, foreign(tmp_path))
    data = break_line(write_lines(tmp_path / "data.jsonl", river_examples(4)), tmp_path / "broken.jsonl", 3)
    arguments = ("run", data, "--model", model_folder, "--engine", "twice", "--shard-examples", "2")
    arguments = (*arguments, *RUN_WINDOWS, "--out", tmp_path / "out")
    _, kept = command(python, *arguments, status=2)
    assert "1 shard is kept" in kept
    _, again = command(python, *arguments, status=2)
    assert "1 shard is kept" in again
    install(python, foreign(tmp_path, version="2.0"))
    _, refused = command(python, *arguments, status=2)
    assert "is of a run that differs: versions.nqperf-foreign was 1.0, now 2.0" in refused


@pytest.mark.slow
def test_doctor_knows_them(python):
    out, _ = command(python, "doctor", "--noise-seconds", "0.1", "--json")
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert checks["engine twice"]["finding"].endswith("brought by nqperf-foreign 1.0")
    assert {"once", "twice"} <= set(checks["variants"]["finding"].partition(": ")[2].split(", "))


@pytest.mark.slow(15)
def test_bench_measures_them(python, tmp_path, model_folder):
    data = write_lines(tmp_path / "data.jsonl", river_examples(3))
    out = tmp_path / "run.json"
    options = ("--baseline", "onnxruntime", "--variants", "once,twice", "--rounds", "1", "--batch-size", "2")
    quiet = (*SHORT_WINDOWS, "--out", out, "--quiet", "--allow-inconclusive")
    command(python, "bench", data, "--model", model_folder, *options, *quiet)
    record = json.loads(out.read_bytes())
    rows = {row["name"]: row for row in record["variants"]}
    assert [rows[name]["status"] for name in ("once", "twice")] == ["measured", "measured"]
    assert [rows[name]["observed"]["calls_a_batch"] for name in ("once", "twice")] == [1, 2]
    assert rows["twice"]["requested"] == {"engine": "twice", "times": 2}
    assert record["fingerprint"]["versions"]["nqperf-foreign"] == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "versions"), [("tensorflow-cpu", {"tensorflow-cpu": "2"}), (None, {"tensorflow": "unknown"})]
)
def test_a_tensorflow_under_another_name_runs_and_is_on_record(name, versions, tmp_path, model_folder):
    python = fresh_environment(tmp_path / "environment", renamed=("tensorflow", name))
    data = write_lines(tmp_path / "data.jsonl", river_examples(2))
    command(python, "run", data, "--model", model_folder, *RUN_WINDOWS, "--out", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "run.json").read_bytes())["versions"]
    for library, version in versions.items():
        assert found[library].startswith(version)
    assert "tensorflow-cpu" in found or name is None
    assert ("tensorflow" in found) == (name is None)

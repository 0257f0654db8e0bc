"""Imports run downwards, files are opened in one place, and light commands stay light."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nqperf
from tests.documents import river_examples, write_lines

PACKAGE = Path(nqperf.__file__).parent
# A room may import rooms of lower floors; rooms of one floor do not import each other, but the route and its parts.
FLOORS = [
    {"errors"},
    {"nq", "gate"},
    {"pipeline", "model"},
    {"formats"},
    {"encoder", "engines", "world"},
    {"casts", "defaults", "training"},
    {"perf"},
    {"tuning"},
    {"report", "shards"},
    {"run"},
    {"api"},
    {"cli", "pytest_plugin", "pytest_casts"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# A room's door for users, which names what a higher room has and loads it when it is first used.
FACADES = {("gate/__init__.py", "nqperf.perf.paired")}
# What a file format must know of the network, neither of which imports Keras.
MODEL_FOR_FORMATS = {"nqperf.model.config", "nqperf.model.families", "nqperf.model.tensors", "nqperf.model.weights"}
HEAVY = {"tensorflow", "keras", "jax", "openvino", "onnxruntime"}
# Rooms that run what any engine is asked for; the machine's examination looks at TensorFlow itself.
ENGINE_NEUTRAL = {"cli", "perf", "tuning", "report", "run", "pytest_plugin"}
OF_TENSORFLOW = {"perf/doctor.py", "perf/fingerprint.py", "perf/probe.py"}
# What all engines share; every other module of the room is one engine's own.
SHARED_ENGINES = {"batches", "engine", "keras_backend", "registry", "state", "threads"}
OPENING = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "savez", "memmap", "fromfile", "loadtxt"}
DOORS = {"formats", "cli"}
# The machine's and the process's own description, which is no format of ours.
MAY_OPEN = {"engines/threads.py", "perf/fingerprint.py", "perf/resources.py"}

SOURCES = sorted(PACKAGE.rglob("*.py"))
each_module = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))


def floors():
    """Draw the floors, the lowest first; README shows this line."""
    return " < ".join(next(iter(rooms)) if len(rooms) == 1 else f"({' | '.join(sorted(rooms))})" for rooms in FLOORS)


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(tree, *, everywhere=True):
    """Yield the modules that a source imports, inside functions too or at module level alone."""
    for node in ast.walk(tree) if everywhere else at_import(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def at_import(node):
    """Yield what runs at import: all but the bodies of functions and what only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from at_import(child)


def test_the_readme_shows_these_floors_and_every_room():
    readme = (PACKAGE.parent / "README.md").read_text()
    assert f"    {floors()}\n" in readme
    for room in FLOOR_OF:
        assert re.search(rf"`nqperf/{room}(/|\.py)`", readme), f"README says nothing of {room}"


@each_module
def test_imports_run_downwards(path):
    room = room_of(path)
    if room == "__init__":
        return
    for name in imported(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] != "nqperf" or parts[1] in (room, "__version__"):
            continue
        if (str(path.relative_to(PACKAGE)), name.rpartition(".")[0]) in FACADES:
            continue
        assert FLOOR_OF[parts[1]] < FLOOR_OF[room], f"{room} imports {name}, which is not below it"
        if (room, parts[1]) == ("formats", "model"):
            assert name.rpartition(".")[0] in MODEL_FOR_FORMATS, f"formats import {name}"


@each_module
def test_only_the_doors_open_files(path):
    if room_of(path) in DOORS or str(path.relative_to(PACKAGE)) in MAY_OPEN:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            assert name not in OPENING, f"line {node.lineno} calls {name}"


@each_module
def test_light_rooms_import_no_framework_when_they_are_imported(path):
    if room_of(path) in ("model", "casts", "training", "perf"):
        return
    roots = {name.split(".")[0] for name in imported(ast.parse(path.read_text()), everywhere=False)}
    assert not roots & HEAVY


@each_module
def test_no_engine_is_known_by_name_but_to_the_registry(path):
    if str(path.relative_to(PACKAGE)) in OF_TENSORFLOW:
        return
    inside = path.relative_to(PACKAGE).with_suffix("").parts
    own = inside[1] if inside[0] == "engines" and len(inside) > 1 else None
    for name in imported(ast.parse(path.read_text())):
        if name.startswith("nqperf.engines."):
            engine = name.split(".")[2]
            assert engine in SHARED_ENGINES or engine == own, f"imports {name}; ask nqperf.engines.registry"
        if room_of(path) in ENGINE_NEUTRAL or own in SHARED_ENGINES:
            assert name.split(".")[0] not in HEAVY, f"imports {name}; that is an engine's to do"


def test_the_registry_holds_every_engine_under_its_own_name():
    from nqperf.engines.registry import ENGINES

    modules = {path.stem for path in (PACKAGE / "engines").iterdir() if path.suffix == ".py" or path.is_dir()}
    found = {row.target.split(".")[2].partition(":")[0] for row in ENGINES.values()}
    assert found == modules - SHARED_ENGINES - {"__init__", "__pycache__"}
    assert all(row.engine_type().name == name == row.name for name, row in ENGINES.items())


def test_the_table_of_variants_and_the_engines_classes_load_no_framework():
    script = "from nqperf.perf.variants import VARIANTS; [row.requested() for row in VARIANTS.values()]"
    assert loaded_by(script) == []


def test_what_a_facade_names_is_loaded_by_nobody_but_its_user():
    script = "import nqperf.gate, json; print(json.dumps([name for name in sys.modules if name.startswith('nqperf.')]))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}"], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert json.loads(done.stdout) == ["nqperf.gate"]


def loaded_by(script, *arguments):
    """Run `script` in a new interpreter; return the heavy modules that it loaded."""
    ending = f"import json; print(json.dumps(sorted({HEAVY} & sys.modules.keys())))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\n{ending}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    return json.loads(done.stdout.splitlines()[-1])


RUN = """
from nqperf.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as leave:
    assert not leave.code, leave.code
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["evaluate", "--help"], ["prepare", "--help"]])
def test_help_loads_no_framework(arguments):
    assert loaded_by(RUN, *arguments) == []


def test_prepare_and_evaluate_load_no_framework(tmp_path, wordpiece_file):
    data = write_lines(tmp_path / "data.jsonl", river_examples(3))
    out = tmp_path / "features.tfrecord"
    assert loaded_by(RUN, "prepare", str(data), "--tokenizer", str(wordpiece_file), "--out", str(out)) == []
    assert out.exists()
    null = {"start_token": -1, "end_token": -1, "start_byte": -1, "end_byte": -1}
    predictions = [
        {
            "example_id": 1000 + number,
            "long_answer": null,
            "long_answer_score": 0.0,
            "short_answers": [],
            "short_answers_score": 0.0,
            "yes_no_answer": "NONE",
        }
        for number in range(3)
    ]
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps({"predictions": predictions}))
    assert loaded_by(RUN, "evaluate", "--gold", str(data), "--predictions", str(path)) == []


@pytest.mark.slow
def test_the_check_sees_a_framework_that_is_loaded():
    assert {"keras", "tensorflow"} <= set(loaded_by("import keras"))

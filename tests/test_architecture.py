"""Imports run downwards, files are opened in one place, and light commands stay light."""

import ast
import json
import re
import subprocess
import sys

import pytest

from tests.documents import river_examples, write_lines
from tests.floors import PACKAGE, circle, drawing, floors, imported, modules, rooms, sources, tree_of

# What a file format must know of the network, neither of which imports Keras.
MODEL_FOR_FORMATS = {"nqperf.model.config", "nqperf.model.families", "nqperf.model.tensors", "nqperf.model.weights"}
# The order that must not turn: of each pair, the first may not reach the second, whatever is between them.
PILLARS = [
    ("statistics", "records"),
    ("nq", "model"),
    ("nq", "formats"),
    ("model", "formats"),
    ("formats", "engines"),
    ("records", "perf/measuring"),
    ("engines", "perf/workers"),
    ("perf/machine", "perf/variants"),
    ("perf/measuring", "perf/suite"),
    ("perf/workers", "perf/suite"),
    ("perf/variants", "perf/suite"),
    ("perf/suite", "report"),
    ("casts", "report"),
    ("report", "cli"),
    ("api", "cli"),
]
HEAVY = {"tensorflow", "keras", "jax", "openvino", "onnxruntime"}
# Rooms that run what any engine is asked for.
ENGINE_NEUTRAL = {"cli", "perf", "tuning", "report", "run", "shards", "records", "pytest_plugin"}
# What all engines share; every other module of the room is one engine's own.
SHARED_ENGINES = {
    "batches",
    "conflicts",
    "effects",
    "engine",
    "in_flight",
    "keras_backend",
    "probe",
    "registry",
    "state",
    "threads",
    "turns",
}
OPENING = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "savez", "memmap", "fromfile", "loadtxt"}
DOORS = {"formats", "cli"}
# The machine's and the process's own description, which is no format of ours.
MAY_OPEN = {
    *("engines/threads.py", "perf/machine/fingerprint.py", "perf/machine/resources.py"),
    "perf/measuring/load.py",
}

SOURCES = sources()


def first_room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def where(path):
    return str(path.relative_to(PACKAGE))


def test_the_docs_draw_the_floors_that_the_imports_show_and_tell_of_every_room():
    house = (PACKAGE.parent / "docs" / "house.md").read_text()
    assert drawing() in house, f"docs/house.md has another drawing; `python -m tests.floors` prints\n{drawing()}"
    listed = [
        room for line in re.findall(r"^\| (`.*?) \|", house, re.MULTILINE) for room in re.findall(r"`([\w/]+)`", line)
    ]
    assert sorted(listed) == sorted(rooms())


def test_no_modules_and_no_rooms_import_each_other_in_a_circle():
    assert circle(modules()) == []
    assert circle(rooms()) == []


@pytest.mark.parametrize("planted", [{"a": {"b"}, "b": {"a"}}, {"a": {"b"}, "b": {"c"}, "c": {"a"}}])
def test_a_circle_is_seen(planted):
    assert circle(planted)
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert floors({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == [["c"], ["b"], ["a"]]


@pytest.mark.parametrize(("lower", "higher"), PILLARS)
def test_what_carries_imports_nothing_that_it_carries(lower, higher):
    graph, seen, open_rooms = rooms(), set(), [lower]
    while open_rooms:
        room = open_rooms.pop()
        if room not in seen:
            seen.add(room)
            open_rooms += graph.get(room, ())
    assert higher not in seen


def test_formats_know_of_the_network_what_needs_no_framework():
    faults = [
        f"{where(path)} imports {name}"
        for path in SOURCES
        if first_room(path) == "formats"
        for name in imported(tree_of(path))
        if name.startswith("nqperf.model.") and name.rpartition(".")[0] not in MODEL_FOR_FORMATS
    ]
    assert faults == []


def called_names(path):
    """Yield the line and the name of each call."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = node.func
            yield node.lineno, called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def test_only_the_doors_open_files():
    faults = [
        f"{where(path)}:{line} calls {name}"
        for path in SOURCES
        if first_room(path) not in DOORS and where(path) not in MAY_OPEN
        for line, name in called_names(path)
        if name in OPENING
    ]
    assert faults == []


def test_light_rooms_import_no_framework_when_they_are_imported():
    faults = [
        f"{where(path)} imports {name}"
        for path in SOURCES
        if first_room(path) not in ("model", "casts", "training", "perf")
        for name in imported(tree_of(path), everywhere=False)
        if name.split(".")[0] in HEAVY
    ]
    assert faults == []


def engines_known_by_name(path):
    """Yield what a module imports that is an engine's own to know."""
    inside = path.relative_to(PACKAGE).with_suffix("").parts
    own = inside[1] if inside[0] == "engines" and len(inside) > 1 else None
    for name in imported(tree_of(path)):
        if name.startswith("nqperf.engines.") and name.split(".")[2] not in SHARED_ENGINES | {own}:
            yield f"{where(path)} imports {name}; ask nqperf.engines.registry"
        if (first_room(path) in ENGINE_NEUTRAL or own in SHARED_ENGINES) and name.split(".")[0] in HEAVY:
            yield f"{where(path)} imports {name}; that is an engine's to do"


def test_no_engine_is_known_by_name_but_to_the_registry():
    assert [fault for path in SOURCES for fault in engines_known_by_name(path)] == []


def test_the_registry_holds_every_engine_under_its_own_name():
    from nqperf.engines.registry import ENGINES

    modules = {path.stem for path in (PACKAGE / "engines").iterdir() if path.suffix == ".py" or path.is_dir()}
    found = {row.target.split(".")[2].partition(":")[0] for row in ENGINES.values()}
    assert found == modules - SHARED_ENGINES - {"__init__", "__pycache__"}
    assert all(row.engine_type().name == name == row.name for name, row in ENGINES.items())


def test_the_table_of_variants_and_the_engines_classes_load_no_framework():
    script = "from nqperf.perf.variants.table import VARIANTS; [row.requested() for row in VARIANTS.values()]"
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


# The most lines of a module, a class and a function; what has more says why beside it: "# Long: REASON".
LINES = {ast.Module: 300, ast.ClassDef: 200, ast.FunctionDef: 45, ast.AsyncFunctionDef: 45}
REASON = re.compile(r"^\s*# Long: \w.{9,}$", re.MULTILINE)


def long_without_reason(text):
    """Yield the name of each module, class and function that is long and does not say why."""
    lines = text.splitlines()
    for node in ast.walk(tree := ast.parse(text)):
        limit = LINES.get(type(node))
        if limit is None:
            continue
        first = 1 if node is tree else node.lineno
        last = len(lines) if node is tree else node.end_lineno
        above = first if node is tree else min([first, *(one.lineno for one in getattr(node, "decorator_list", []))])
        beside = lines[:30] if node is tree else lines[max(0, above - 4) : above]
        if last - first + 1 > limit and not REASON.search("\n".join(beside)):
            yield f"{getattr(node, 'name', 'the module')} has {last - first + 1} lines"


def test_what_is_long_says_why():
    faults = [f"{where(path)}: {what}" for path in SOURCES for what in long_without_reason(path.read_text())]
    assert faults == []


def test_what_is_long_is_seen():
    body = "    x = 1\n" * 45
    assert list(long_without_reason(f"def f():\n{body}")) == ["f has 46 lines"]
    assert list(long_without_reason(f"# Long: one table that is read whole\ndef f():\n{body}")) == []
    assert list(long_without_reason(f"# Long: x\ndef f():\n{body}")) == ["f has 46 lines"]
    assert list(long_without_reason("x = 1\n" * 301)) == ["the module has 301 lines"]

"""The tests let the inside move: none looks into another room, skips a constructor, or judges by the clock."""

import ast
import re

import pytest

from tests.floors import tree_of
from tests.inside import TESTS, is_private, private_names, room_of_test, touched

FILES = sorted(TESTS.rglob("*.py"))
# Still to be cleared; nothing may be added.
LOOKING_IN: dict[str, set[str]] = {}
# Names of other libraries that a room of ours happens to use, too.
NOT_OURS = {"x._value", "pytestconfig._parser._groups"}  # of keras.Variable, of pytest
# Files that read the clock, and what for. Nothing else may: a machine is slow at times.
CLOCKS = {
    "fuzzing/fuzz.py": "runs by hand, for as long as it is told",
    "mutate.py": "runs by hand; a mutant may take some times as long as the tests of the module as it is",
    "perf/kills.py": "draws the moments of its kills from the time that a whole command takes",
    "perf/suite/test_bounded_time.py": "the whole suite's promise is a time; what takes the time there is a sleep",
    "perf/workers/sleepy_worker.py": "says how long it slept, as a worker does",
    "shards/kills.py": "draws the moments of its kills from the time that a whole run takes",
    "tuning/test_tune.py": "the search's promise is a time; what takes the time there is a sleep",
}
_CLOCK = re.compile(r"\b(perf_counter|monotonic|process_time|time\.time)(_ns)?\(\)")
# Outcomes that exclude each other: a test that takes either shows nothing.
_EITHER = [{"FAIL", "INVALID"}, {"PASS", "FAIL"}, {"PASS", "INVALID"}]
# Still to be cleared: how often, by file; nothing may be added.
LAX = {
    "perf/pairs/test_paired.py": 1,
    "perf/suite/test_suite.py": 1,
}


def name_of(path):
    return str(path.relative_to(TESTS))


def either(tree):
    """Yield each `x in {...}` that takes two outcomes which exclude each other."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
            right = node.comparators[0]
            texts = {part.value for part in ast.walk(right) if isinstance(part, ast.Constant)}
            if isinstance(right, ast.Set | ast.Tuple | ast.List) and any(pair <= texts for pair in _EITHER):
                yield node


def test_no_test_looks_into_another_room():
    for path in FILES:
        found = {what for _, what in touched(tree_of(path), room_of_test(path))} - NOT_OURS
        assert found <= LOOKING_IN.get(name_of(path), set()), name_of(path)


def test_no_test_takes_one_outcome_for_another():
    for path in FILES:
        found = [node.lineno for node in either(tree_of(path))]
        assert len(found) <= LAX.get(name_of(path), 0), (name_of(path), found)


def test_only_what_must_reads_the_clock():
    reading = {name_of(path) for path in FILES if _CLOCK.search(path.read_text()) and path.name != "test_inside.py"}
    assert reading <= set(CLOCKS)


# The check itself.

OTHER = "perf/machine"


@pytest.mark.parametrize(
    "planted",
    [
        "from nqperf.perf.machine.fingerprint import _CPUINFO",
        "from nqperf.perf.machine import fingerprint\nfingerprint._CPUINFO",
        "patch.setattr(fingerprint, '_CPUINFO', 3)",
        "patch.setattr('nqperf.perf.machine.fingerprint._CPUINFO', 3)",
        "getattr(fingerprint, '_CPUINFO')",
        "object.__new__(Session)",
        "Session.__new__(Session)",
    ],
)
def test_it_sees_what_is_planted(planted):
    assert list(touched(ast.parse(planted), "nq"))
    inside = [what for _, what in touched(ast.parse(planted), OTHER)]
    assert all("__init__" in what for what in inside)


def test_it_leaves_the_rest_alone():
    ours = "class Test:\n    def test(self):\n        self._CPUINFO = os._exit\n        return x.public, x.__name__"
    assert list(touched(ast.parse(ours), "nq")) == []
    assert "_CPUINFO" in private_names()
    assert not is_private("__init__")
    assert list(either(ast.parse("assert outcome in {'FAIL', 'INVALID'}")))
    assert not list(either(ast.parse("assert outcome in {'PASS', 'REPORTED'}")))
    assert _CLOCK.search("time.perf_counter()")

"""Inner sessions of pytest with the gate's own test on a recorded run, in the process of the outer one."""

from importlib import metadata
from pathlib import Path

# An inner session forgets what it imported, but not that pygal's imports take the standard library's finder of
# distributions out: after a histogram there, no session would find a plugin. So the import is the outer one's.
import pytest_benchmark.histogram  # noqa: F401

# Nor that the plugin's rooms are still attributes of their package: a second session would find the clock of the first.
# And what each session would import anew for its report, with rich and its thirty modules.
import nqperf.formats.project_toml
import nqperf.formats.results.step_summary
import nqperf.pytest_plugin.replay
import nqperf.pytest_plugin.revisions
import nqperf.pytest_plugin.suite
import nqperf.records.history
import nqperf.report.terminal  # noqa: F401
from nqperf.formats.results.results_json import write_results
from tests import runs

REPOSITORY = Path(__file__).parents[1]
BENCHMARKS = REPOSITORY / "benchmarks" / "test_variants.py"
INSTALLED = any(point.value == "nqperf.pytest_plugin" for point in metadata.entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "nqperf.pytest_plugin")
# What an inner session has no use for: state of the outer one, and another order.
ALONE = (*PLUGIN, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:randomly")
ONLY_XLA = ("--nqperf-variants", "xla")

CONFTEST = """
import os
from types import SimpleNamespace
import pytest
from nqperf.formats.results.results_json import read_results

@pytest.fixture(scope="session")
def nqperf_suite(pytestconfig):
    seconds = {{"total": 9.0, "models": 8.0, "other": 1.0}}
    return SimpleNamespace(results=read_results({path!r}), predictions={{}}, seconds=seconds)

# What cpuinfo finds out takes a second each time; this takes none, and its clock is never the same.
@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_generate_machine_info():
    return {{"cpu": {{"count": 2, "hz_actual": [int.from_bytes(os.urandom(4), "big"), 0]}}, "system": "Linux"}}
"""


def forget_outer_session(monkeypatch):
    """Let an inner session start as one of its own: pytest-xdist tells its workers by variables that they are some."""
    for name in ("GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)


class InnerSession:
    """Runs pytest in a folder that holds the gate's own test and a recorded run; `path` is that folder."""

    def __init__(self, pytester, monkeypatch):
        forget_outer_session(monkeypatch)
        self.path = pytester.path
        self._pytester = pytester
        self._recorded = self.path / "recorded.json"
        (pytester.mkdir("benchmarks") / "test_variants.py").write_text(BENCHMARKS.read_text())
        pytester.makeconftest(CONFTEST.format(path=str(self._recorded)))

    def __call__(self, results, *arguments, path="benchmarks"):
        write_results(self._recorded, results)
        return self._pytester.runpytest_inprocess(*ALONE, *([path] if path else []), *arguments)

    def saved_files(self):
        return sorted((self.path / ".benchmarks").rglob("*.json"))


def good(**changes):
    return runs.run(runs.measured("xla", 1.2, 1.1), **changes)

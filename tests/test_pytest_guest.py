"""The plugin in other people's sessions: whoever has nqperf installed and no test of the gate sees nothing of it."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.inner_sessions import REPOSITORY, forget_outer_session

pytest_plugins = ["pytester"]

CONFTEST = """
import json
import sys

# The clock that cpuinfo reads is never the same twice; everything else of a machine is.
def pytest_benchmark_generate_machine_info():
    return {"cpu": {"count": 2}, "system": "Linux"}

def pytest_configure(config):
    from pytest_benchmark.session import BenchmarkSession

    made = BenchmarkSession.__init__
    config.made = []
    def counting(self, *arguments, **named):
        config.made.append(1)
        made(self, *arguments, **named)
    BenchmarkSession.__init__ = counting

def pytest_sessionstart(session):
    session.config.compared = session.config.option.benchmark_compare

def pytest_unconfigure(config):
    if hasattr(config, "workerinput"):
        return
    benchmarks = config._benchmarksession
    callables = sorted(name for name, value in vars(benchmarks).items() if callable(value))
    seen = {
        "modules": sorted(sys.modules),
        "sessions": len(config.made),
        "own attributes": sorted(set(vars(benchmarks)) & {"finish", "display", "handle_loading", "handle_saving"}),
        "callables": callables,
        "compare": config.compared,
    }
    with open("seen.json", "w") as file:
        json.dump(seen, file)
"""
SUITE = """
import pytest

def test_plain():
    assert True

def test_sum(benchmark):
    assert benchmark(sum, range(100)) == 4950

@pytest.mark.benchmark(group="mine")
def test_sorted(benchmark):
    benchmark.extra_info["n"] = 3
    benchmark.pedantic(sorted, args=([3, 1, 2],), rounds=3)
"""
INI = "[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config --benchmark-max-time=0.01\n"
WITHOUT = ("-p", "no:nqperf", "-p", "no:nqperf_casts")
# What the thin plugin is made of.
THIN = {"nqperf", "nqperf.errors", "nqperf.plain_text", "nqperf.pytest_casts", "nqperf.pytest_plugin"}
THIN |= {"nqperf.pytest_plugin.items", "nqperf.pytest_plugin.options"}


@pytest.fixture
def foreign(pytester, monkeypatch):
    """Return a function that runs pytest in a project that knows nothing of nqperf, as its users do."""
    forget_outer_session(monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
    tool = pytester.mkdir("bin") / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ntouch {pytester.path}/asked-nvidia-smi\nexit 9\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_theirs=SUITE)
    pytester.makeini(INI)

    def run(*arguments):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pytester.path)
        assert not (pytester.path / "asked-nvidia-smi").exists()
        seen = json.loads((pytester.path / "seen.json").read_text())
        return done, seen

    run.path = pytester.path
    return run


def shown(done):
    """Return what a session said, without its times, its order and its list of plugins."""
    text = re.sub(r"\d+", "", done.stdout + done.stderr)
    lines = (re.sub(r"[ =.-]+", " ", line).strip() for line in text.splitlines())
    skipped = ("plugins:", "Saved benchmark data in", "Comparing against", "Using", "test_", "Name")
    return sorted(line for line in lines if line and not line.startswith(skipped))


def saved(path):
    return [json.loads(file.read_text()) for file in sorted((path / ".benchmarks").rglob("*.json"))]


def test_a_session_without_a_test_of_the_gate_imports_nothing_beyond_the_thin_modules(foreign):
    _, without = foreign(*WITHOUT)
    done, seen = foreign()
    assert done.returncode == 0, done.stdout + done.stderr
    added = set(seen["modules"]) - set(without["modules"])
    assert {name for name in added if name.partition(".")[0] != "nqperf"} == set()
    assert added == THIN
    assert seen | {"modules": 0} == without | {"modules": 0}
    assert (seen["sessions"], seen["own attributes"]) == (1, [])


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-p", "no:randomly", "--benchmark-disable-gc"), ("--cov=.",), ("-n", "2")])
def test_runs_saved_before_and_after_it_was_installed_compare_without_a_warning(foreign, options):
    for plugin, option in (("pytest_cov", "--cov=."), ("xdist", "-n")):
        if option in options:
            pytest.importorskip(plugin, reason=f"{plugin} is not installed")
    before, _ = foreign(*WITHOUT, "--benchmark-autosave")
    again, as_before = foreign(*WITHOUT, *options, "--benchmark-compare=0001", "--benchmark-autosave")
    after, seen = foreign(*options, "--benchmark-compare=0001", "--benchmark-autosave")
    assert (before.returncode, again.returncode, after.returncode) == (0, 0, 0), after.stdout + after.stderr
    assert shown(after) == shown(again)
    assert seen["compare"] == as_before["compare"] == "0001"
    assert (seen["sessions"], seen["own attributes"]) == (as_before["sessions"], [])
    runs = saved(foreign.path)
    assert len(runs) == (1 if "-n" in options else 3)
    assert all(run["machine_info"] == runs[0]["machine_info"] and set(run) == set(runs[0]) for run in runs)


@pytest.mark.slow
def test_where_the_files_name_the_gate_and_none_of_its_tests_is_selected_the_comparison_is_as_without_it(foreign):
    (foreign.path / "test_gate.py").write_text("def test_gate(nqperf_paired): nqperf_paired(dict, dict)\n")
    foreign(*WITHOUT, "-k", "not gate", "--benchmark-autosave")
    done, seen = foreign("-k", "not gate", "--benchmark-compare", "--benchmark-compare-fail=median:100000%")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Comparing against benchmarks from" in done.stderr
    assert "(0001_" in done.stdout
    assert (seen["sessions"], seen["own attributes"]) == (1, [])


@pytest.mark.slow
def test_a_broken_setting_of_pytest_benchmark_is_its_own_to_tell(foreign):
    outputs = []
    for plugin in (WITHOUT, ()):
        command = [sys.executable, "-m", "pytest", *plugin, "--benchmark-storage=ftp://host/runs"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=foreign.path)
        outputs.append((done.returncode, done.stderr.splitlines()[-1:]))
    assert outputs[0] == outputs[1]

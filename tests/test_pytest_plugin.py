"""Real inner sessions of pytest with pytest-benchmark on recorded runs; the measuring itself has its own test."""

import json
import math
import os
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import msgspec
import pytest

from nqperf.errors import DeviceError
from nqperf.formats.results.results_json import read_results
from nqperf.perf.suite import suite
from nqperf.perf.variants.table import VARIANTS as TABLE
from nqperf.pytest_plugin.options import OPTIONS
from nqperf.records.results import Controls, VariantResult
from tests import runs
from tests.inner_sessions import ALONE, ONLY_XLA, PLUGIN, REPOSITORY, InnerSession, forget_outer_session, good
from tests.suites import SEQ_LENGTH, write_inputs

pytest_plugins = ["pytester"]
# Inner sessions take over this one's filters; what pytest-benchmark warns of at its start would end them there.
pytestmark = pytest.mark.filterwarnings("default::pytest.PytestWarning")

VARIANTS = ("--nqperf-variants", "xla,mixed_float16,tf32")


@pytest.fixture
def session(pytester, monkeypatch):
    return InnerSession(pytester, monkeypatch)


def saved_names(path):
    return {benchmark["param"] for benchmark in json.loads(path.read_text())["benchmarks"]}


def test_a_run_that_passes(session):
    result = session(good(), *ONLY_XLA)
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["*variant*time*change*micro-F1*changed*ratio*interval*in total*sets*floor*finds*verdict*"]
    )
    result.stdout.fnmatch_lines(["xla *83.? ms*1.0000*0 of 1*1.100*PASS", "PASS: judged 1 of 1 expected comparisons*"])


def test_each_variant_comes_to_its_own_end(session):
    result = session(
        runs.run(runs.measured("xla", 0.9, 1.1), runs.broken(), runs.SKIPPED, missing=["mixed_float16"]), *VARIANTS
    )
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*mixed_float16: parity: 1 of 1 predictions changed*", "*needs an Ampere GPU*"])
    result.stdout.fnmatch_lines(["*failed: mixed_float16*"])


@pytest.mark.parametrize("allowed", [False, True])
def test_inconclusive_is_no_pass(session, allowed):
    undecided = runs.run(runs.measured("xla", 1.07, 1.1, noise=0.05))
    assert undecided.outcome == "INCONCLUSIVE"
    result = session(undecided, *ONLY_XLA, *(["--nqperf-allow-inconclusive"] if allowed else []))
    result.assert_outcomes(passed=1, xfailed=int(allowed), failed=int(not allowed))
    assert result.ret == (pytest.ExitCode.OK if allowed else pytest.ExitCode.TESTS_FAILED)


def test_a_run_too_late_for_its_controls_skips_the_baseline_and_fails_nothing(session):
    late = VariantResult(name="xla", status="unjudged", reason="not judged: out of time")
    nothing = Controls(same=None, planted=None)
    slow = runs.run(late, profile=None)
    slow = msgspec.structs.replace(slow, controls=nothing, outcome="REPORTED", reasons=())
    result = session(slow, *ONLY_XLA, "-rs")
    result.assert_outcomes(skipped=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*no times of the baseline alone: the run's time was up*"])


def test_an_invalid_run_fails_every_test_and_saves_nothing(session):
    invalid = good(controls=(1.0, 1.0))
    assert invalid.outcome == "INVALID"
    result = session(invalid, *ONLY_XLA, "--benchmark-json", "out.json")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*work of 10% of the baseline's time was planted*expected about 0.909*"])
    assert saved_names(session.path / "out.json") == set()


def test_fewer_judged_than_expected_fails_though_every_test_passed(session):
    result = session(good(missing=["eager"]), *ONLY_XLA)
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*judged 1 of 2 expected rows; not reached: eager"])


def test_a_test_that_asserts_nothing_does_not_hide_a_fail(session):
    (session.path / "benchmarks" / "test_variants.py").write_text("def test_lax(nqperf_variant): pass")
    result = session(runs.run(runs.measured("xla", 0.9, 1.1)), *ONLY_XLA)
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_tests_that_never_ask_for_the_run_are_no_gate(session):
    (session.path / "benchmarks" / "test_variants.py").write_text(
        "import pytest\n@pytest.mark.skip\ndef test_lax(nqperf_variant): pass"
    )
    result = session(good(), *ONLY_XLA)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*nothing was judged*"])


def test_an_unknown_device_is_told_loudly_and_passes(session):
    result = session(runs.run(runs.measured("xla", 1.2), profile=None), *ONLY_XLA)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["REPORT ONLY: no device profile*", "REPORTED:*"])


@pytest.mark.parametrize("quiet", [False, True])
def test_a_log_gets_a_line_a_finished_row(session, quiet):
    conftest = session.path / "conftest.py"
    conftest.write_text(
        conftest.read_text().replace(
            "    seconds =",
            "    from nqperf.perf.workers.progress import Doing, Rows\n"
            "    from nqperf.pytest_plugin.progress import progress_of\n"
            "    with progress_of(pytestconfig) as told:\n"
            "        told(Doing(stage='rounds', name='xla'))\n"
            f"        rows = read_results({str(session.path / 'recorded.json')!r}).variants\n"
            "        Rows(told, 3).finished('xla', rows[1])\n"
            "    seconds =",
        )
    )
    result = session(good(), *ONLY_XLA, *(["-q"] if quiet else []))
    assert result.ret == pytest.ExitCode.OK
    line = f"nqperf: xla: ratio {good().variant('xla').verdict.ratio:.3f}, PASS; 2 rows left"
    assert result.stdout.lines.count(line) == (0 if quiet else 1)
    assert "rounds xla" not in result.stdout.str()


def test_only_what_is_selected_is_asked_of_the_suite(session):
    with (session.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nfrom nqperf.pytest_plugin.state import STATE\n"
            "def pytest_unconfigure(config): print('SELECTED', config.stash[STATE].variants)\n"
        )
    result = session(good(), "-k", "xla and not (grappler or clusters or allocator or mixed or tf32)")
    result.stdout.fnmatch_lines(["SELECTED ('xla',)"])


# What pytest-benchmark's users expect.


def test_saving_and_comparing(session):
    assert session(good(), *ONLY_XLA, "--benchmark-autosave", "--benchmark-json", "out.json").ret == 0
    out = json.loads((session.path / "out.json").read_text())
    (xla,) = (entry for entry in out["benchmarks"] if entry["param"] == "xla")
    times = good().variant("xla").samples[-1].variant_seconds
    assert xla["stats"]["data"] == list(times)  # to the last bit
    assert xla["extra_info"]["verdict"] == "PASS"
    assert xla["extra_info"]["interval"] == pytest.approx(good().variant("xla").verdict.interval)
    assert xla["group"] == "variants"
    assert "UNSERIALIZABLE" not in (session.path / "out.json").read_text()
    assert [saved_names(path) for path in session.saved_files()] == [{"baseline", "xla"}]

    again = session(good(), *ONLY_XLA, "--benchmark-compare", "--benchmark-compare-fail=median:5%")
    assert again.ret == 0
    again.stdout.fnmatch_lines(["test_variant?xla? (0001_*", "test_variant?xla? (NOW)*"])

    slower = runs.run(runs.measured("xla", 1.0, 0.9))
    regressed = session(slower, *ONLY_XLA, "--benchmark-compare", "--benchmark-compare-fail=median:5%")
    assert regressed.ret != 0
    regressed.stderr.fnmatch_lines(["*Performance has regressed*"])


def test_histogram(session):
    assert session(good(), *ONLY_XLA, "--benchmark-histogram", "times").ret == 0
    (drawn,) = session.path.glob("times*.svg")
    assert {"test_variant[baseline]", "test_variant[xla]"} <= set(ET.parse(drawn).getroot().itertext())


def test_broken_answers_and_slow_variants_are_shown_but_never_saved(session):
    slow = runs.run(runs.measured("xla", 0.9, 1.1), runs.broken(), missing=["mixed_float16"])
    result = session(slow, *VARIANTS[:1], "xla,mixed_float16", "--benchmark-autosave", "--benchmark-json", "out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["test_variant?xla? *"])
    assert saved_names(session.path / "out.json") == {"baseline"}
    assert [saved_names(path) for path in session.saved_files()] == [{"baseline"}]


def test_a_test_that_fails_after_its_times_were_shown_is_not_saved(session):
    (session.path / "benchmarks" / "test_variants.py").write_text(
        "def test_own(nqperf_variant, nqperf_gate):\n"
        "    nqperf_gate(nqperf_variant)\n"
        "    assert nqperf_variant.name == 'baseline'\n"
    )
    session(good(), *ONLY_XLA, "--benchmark-json", "out.json").assert_outcomes(passed=1, failed=1)
    assert saved_names(session.path / "out.json") == {"baseline"}


def test_numpy_numbers_are_saved_as_numbers(session):
    (session.path / "benchmarks" / "test_variants.py").write_text(
        "import numpy as np\n"
        "def test_own(nqperf_variant, nqperf_gate, benchmark):\n"
        "    benchmark.extra_info['ratio32'] = np.float32(0.5)\n"
        "    benchmark.extra_info['some'] = {'ids': np.arange(2)}\n"
        "    nqperf_gate(nqperf_variant)\n"
    )
    session(good(), *ONLY_XLA, "--benchmark-json", "out.json")
    (first, _) = json.loads((session.path / "out.json").read_text())["benchmarks"]
    assert (first["extra_info"]["ratio32"], first["extra_info"]["some"]) == (0.5, {"ids": [0, 1]})


# What pytest-benchmark lets pass in silence.


def test_nothing_selected(session):
    (session.path / "benchmarks" / "test_other.py").write_text("def test_other(): pass")
    result = session(good(), "--nqperf-quick", "-k", "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*selected*"])


def test_the_gates_options_are_all_known_as_such(pytester):
    shown = set(
        re.findall(r"^  (--nqperf-[a-z-]+)", pytester.runpytest_inprocess(*PLUGIN, "--help").stdout.str(), re.MULTILINE)
    )
    casts = {option for option in shown if "ledger" in option or "sarif" in option or "cast" in option}
    assert shown - casts == set(OPTIONS)


def test_options_from_the_configuration_let_other_tests_run_alone(session):
    (session.path / "benchmarks" / "test_other.py").write_text("def test_other(): pass")
    (session.path / "pytest.ini").write_text("[pytest]\naddopts = --nqperf-quick\n")
    session(good(), "-k", "other").assert_outcomes(passed=1, deselected=len(TABLE))


def test_absent_from_the_saved_run(session):
    assert session(good(), "-k", "baseline", "--benchmark-autosave").ret == 0
    result = session(good(), *ONLY_XLA, "--benchmark-compare", "--benchmark-compare-fail=median:50%")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*test_variant?xla? has no times in the saved run*did not judge it"])


def test_in_the_saved_run_and_skipped_now(session):
    assert session(good(), *ONLY_XLA, "--benchmark-autosave").ret == 0
    skipped = runs.run(runs.SKIPPED.__class__(name="xla", status="skipped", reason="no compiler"))
    result = session(skipped, *ONLY_XLA, "--benchmark-compare", "--benchmark-compare-fail=median:50%")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*test_variant?xla? has no times in this run*"])


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-skip"])
@pytest.mark.parametrize("where", ["typed", "configuration", "configuration, and an option of the gate is typed"])
def test_benchmarks_that_are_switched_off_are_skipped(session, option, where):
    if where != "typed":
        (session.path / "pytest.ini").write_text(f"[pytest]\naddopts = {option}\n")
    typed = {"typed": [*ONLY_XLA, option], "configuration": ["-k", "xla or baseline"]}.get(where, ONLY_XLA)
    result = session(good(), *typed)
    assert result.parseoutcomes()["skipped"] >= 2
    assert "passed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines(["nqperf: *nothing was judged*"])
    asked = where.startswith("configuration,")
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if asked else pytest.ExitCode.OK)
    if asked:
        lifting = {"--benchmark-disable": "--benchmark-enable", "--benchmark-skip": "--benchmark-only"}[option]
        result.stdout.fnmatch_lines([f"*give {lifting} too"])
        assert session(good(), *ONLY_XLA, lifting).ret == pytest.ExitCode.OK


def test_only_benchmarks_are_the_gates_tests_too(session):
    (session.path / "benchmarks" / "test_other.py").write_text("def test_other(): pass")
    (session.path / "benchmarks" / "test_lax.py").write_text("def test_lax(nqperf_variant): pass")
    session(good(), *ONLY_XLA, "--benchmark-only").assert_outcomes(passed=4, skipped=1)


@pytest.mark.parametrize("strict", [(), ("--strict-markers", "-W", "error")])
def test_without_pytest_benchmark_the_suite_is_gated_as_well(session, strict):
    result = session(runs.run(runs.measured("xla", 0.9, 1.1)), *ONLY_XLA, "-p", "no:benchmark", *strict)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["xla *FAIL"])


@pytest.mark.parametrize("option", [(), ONLY_XLA])
def test_several_processes(session, option):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    result = session(good(), "-n", "1", *option)
    if option:
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*without -n*"])
    else:
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["*run its tests without -n*"])


# What CI reads.


def test_job_summary_and_junit(session, monkeypatch):
    summary = session.path / "summary.md"
    summary.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    session(good(), *ONLY_XLA, "--junit-xml", "junit.xml")
    text = summary.read_text()
    assert text.startswith("# Before\n## nqperf: PASS")
    assert re.search(r"^\| xla \| 83\.\d ms \|", text, re.MULTILINE)
    suite = ET.parse(session.path / "junit.xml").getroot().find("testsuite")
    properties = {entry.get("name"): entry.get("value") for entry in suite.findall("properties/property")}
    assert (properties["nqperf.outcome"], properties["nqperf.judged"]) == ("PASS", "1 of 1")
    (xla,) = (case for case in suite.findall("testcase") if case.get("name") == "test_variant[xla]")
    properties = {entry.get("name"): entry.get("value") for entry in xla.findall("properties/property")}
    assert properties["nqperf.verdict"] == "PASS"
    assert float(properties["nqperf.ratio"]) == pytest.approx(1.2, rel=0.02)


def test_the_run_is_saved_even_when_it_fails(session):
    slow = runs.run(runs.measured("xla", 0.9, 1.1))
    assert session(slow, *ONLY_XLA, "--nqperf-save-results", "run.json").ret == pytest.ExitCode.TESTS_FAILED
    assert read_results(session.path / "run.json") == slow


# Bad input.


def test_the_project_says_what_the_command_line_does_not(session):
    (session.path / "pyproject.toml").write_text('[tool.nqperf]\nvariants = ["xla"]\nrequire-judged = true\n')
    assert session(good()).parseoutcomes()["passed"] == 2
    both = runs.run(runs.measured("xla", 1.2, 1.1), runs.measured("eager", 1.0, 0.9))
    assert session(both, "--nqperf-variants", "xla,eager").parseoutcomes()["passed"] == 3
    nothing = runs.run(runs.measured("xla", 1.2, floor=None))
    result = session(nothing)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*nothing was judged*"])


def test_an_unknown_key_of_the_project_is_refused_with_the_nearest_name(session):
    (session.path / "pyproject.toml").write_text("[tool.nqperf]\nvariant = 'xla'\n")
    result = session(good())
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*tool.nqperf.variant*did you mean variants?*"])
    given = session(good(), "--nqperf-quick")
    assert given.ret == pytest.ExitCode.USAGE_ERROR
    given.stderr.fnmatch_lines(["*tool.nqperf.variant*did you mean variants?*"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nqperf-variants", "xla,xlaa"], "*xlaa*did you mean xla[?]*"),
        (["--nqperf-profile", "absent.toml"], "*absent.toml*no such file*"),
        (["--nqperf-rounds", "0"], "*0 rounds*"),
        (["--nqperf-variants-file", "absent.toml"], "*absent.toml*no such file*"),
        (["--nqperf-budget", "-1"], "*the budget is -1 s; expected above 0*"),
        (["--nqperf-budget", "soon"], "*invalid float value: 'soon'*"),
        (["--nqperf-save-results", "absent/run.json"], "*absent/run.json*folder that exists*"),
        (["--nqperf-save-results", "."], "*--nqperf-save-results is a folder; expected a file*"),
        (["--nqperf-limit", "0"], "*limit is 0; expected a whole number of at least 1*"),
        (["--nqperf-recipe", "absent.toml", "--nqperf-variants", "xla"], "*absent.toml*no such file*"),
    ],
)
def test_options_that_cannot_be_met(session, options, message):
    result = session(good(), *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


# A project's own config, and the options.

PROJECT = """
import pytest
from nqperf import SuiteConfig, Variant
from nqperf.gate import GateConfig

MINE = Variant(name="mine", description="", environment={{"OMP_NUM_THREADS": "1"}}, effects=())

@pytest.fixture(scope="session")
def nqperf_config():
    return SuiteConfig.from_options({options})
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """Return a function that runs the gate of a project with `nqperf_config`, and what its suite was to run."""
    forget_outer_session(monkeypatch)
    asked = []

    def run_suite(config, _progress):
        asked.append(config)
        return SimpleNamespace(results=good(), predictions={}, seconds={})

    monkeypatch.setattr(suite, "run_suite", run_suite)

    def run(options, *arguments, test="def test_mine(nqperf_variant, nqperf_gate): nqperf_gate(nqperf_variant)"):
        pytester.makeconftest(PROJECT.format(options=options))
        pytester.makepyfile(test)
        result = pytester.runpytest_inprocess(*ALONE, *arguments)
        return result, asked

    return run


def test_options_win_over_the_projects_config_and_the_rest_of_it_stays(project):
    own = "model='mine', data='mine.jsonl', limit=9, max_seq_length=48, gate=GateConfig(sets=9)"
    result, (config,) = project(
        own, *ONLY_XLA, "--nqperf-limit=3", "--nqperf-data", "typed.jsonl", "--nqperf-rounds=40"
    )
    assert result.ret == pytest.ExitCode.OK
    assert (str(config.model), config.data, config.limit) == ("mine", "typed.jsonl", 3)
    assert (config.max_seq_length, config.gate.sets, config.gate.rounds, config.budget) == (48, 5, 8, math.inf)
    assert [row.name for row in config.rows()] == ["baseline", "xla"]
    assert config.command.startswith("pytest ")
    assert 0 <= config.spent < 60


def test_a_device_that_is_required_and_not_there_ends_the_session_with_one(project, monkeypatch):
    def run_suite(config, _progress):
        raise DeviceError(f"a {config.require} is required, and tensorflow sees none")

    monkeypatch.setattr(suite, "run_suite", run_suite)
    result, _ = project("limit=9", *ONLY_XLA, "--nqperf-require", "gpu")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*nqperf: a gpu is required, and tensorflow sees none*"])


def test_the_projects_config_alone_is_what_runs(project):
    result, (config,) = project("limit=9, budget=77.0", *ONLY_XLA)
    assert result.ret == pytest.ExitCode.OK
    assert (config.limit, config.budget, config.model) == (9, 77.0, None)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("variants=[MINE]", "variants has no effect here: options say which rows have tests: --nqperf-variants"),
        ("own=[MINE]", "own has no effect here"),
        ("spent=3.0", "spent has no effect here"),
        ("limits=3", "unknown option limits; *did you mean limit?"),
        ("limit=0", "limit is 0; expected a whole number of at least 1"),
    ],
)
def test_a_field_without_effect_is_refused(project, own, said):
    result, asked = project(own, *ONLY_XLA)
    assert asked == []
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines([f"*nqperf: {said}*"])


def test_an_option_without_effect_on_pairs_is_refused(project):
    pair = "def test_pair(nqperf_paired): nqperf_paired(dict, dict)"
    result, _ = project("", "--nqperf-budget", "9", test=pair)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--nqperf-budget has no effect on tests of nqperf_paired*leave it out*"])


@pytest.mark.slow(15)
def test_someone_elses_suite_measures_for_real(pytester, monkeypatch, tiny_config, sentencepiece_file):
    """The times of so small a model are noise, so any verdict may come out; the session must end as it says.

    Against ONNX Runtime, whose processes are ready far sooner than TensorFlow's.
    """
    model, data = write_inputs(pytester.path, tiny_config, sentencepiece_file)
    forget_outer_session(monkeypatch)
    pytester.makeconftest(f"""
        import pytest
        from pathlib import Path
        from nqperf.perf.suite.config import SuiteConfig
        from nqperf.records.verdict import GateConfig

        @pytest.fixture(scope="session")
        def nqperf_config():
            inputs = dict(model=Path({str(model)!r}), data={str(data)!r}, max_seq_length={SEQ_LENGTH})
            return SuiteConfig(**inputs, gate=GateConfig(sets=1, rounds=2))
    """)
    pytester.makepyfile("def test_mine(nqperf_variant, nqperf_gate): nqperf_gate(nqperf_variant)")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
    options = ("--nqperf-baseline=onnxruntime", "--nqperf-save-results=run.json", "--benchmark-json=b.json")
    result = pytester.runpytest_inprocess(*ALONE, "-k", "openvino and not 16 and not int8", *options)
    results = read_results(pytester.path / "run.json")
    assert [variant.name for variant in results.variants] == ["baseline", "openvino"]
    assert (result.ret == pytest.ExitCode.OK) == (results.outcome in {"PASS", "REPORTED"})
    result.stdout.fnmatch_lines(["openvino *", "REPORT ONLY: *", "wall time: *"])
    if results.outcome == "REPORTED" and results.variant("openvino").status == "measured":
        (benchmark,) = json.loads((pytester.path / "b.json").read_text())["benchmarks"]
        assert benchmark["stats"]["data"] == list(results.variant("openvino").samples[-1].variant_seconds)

"""In CI a skipped test fails the run, unless the machine has to be another one: what can be installed is installed."""

from __future__ import annotations

import re
import sys

import pytest

# Why a test may be skipped in CI: what its reason says, and what is missing there. Keep it short.
ALLOWED = (
    (r"needs (a|an Ampere) GPU|profile of this test is for a CPU", "a GPU, or none"),
    (r"cannot be used here|multiplies wider|needs oneDNN's kernels|oneDNN cannot be turned on and off", "another CPU"),
    (r"8-bit weights overflow on this CPU|bfloat16 softmax does not widen", "another CPU"),
    (r"Grappler fuses nothing in float16|a CPU with AVX512-FP16", "another CPU"),
    (r"^another machine: |^one core here$|cannot be held to cores", "what a row of the table needs of a machine"),
    (r"this machine is too noisy for the controls", "a quiet machine"),
    (r"gives no huge pages|malloc is|malloc does not serve|sets glibc's malloc", "another kernel or C library"),
    (r"Linux|POSIX signals|no SIGHUP|no locks are known there|/dev/full|/proc", "another system"),
    (r"TensorFlow has no kernels for GPUs", "TensorFlow's wheel for Linux on x86-64"),
    (r"only root may", "another user"),
    (r"\.\./shared", "reference files, which are not in the repository"),
    (r"PyTorch is not installed|the engine torch needs the extra", "PyTorch: 200 MB, for one engine and one test"),
    (r"transformers is not installed", "transformers 4, the last with TensorFlow, which is no longer mended"),
    *([(r"sys\.monitoring is there from", "Python 3.12")] if sys.version_info < (3, 12) else []),
    *([(r"keras-hub is not installed", "Python 3.11")] if sys.version_info < (3, 11) else []),
)


def excuse(reason: str) -> str | None:
    """Return what a machine lacks whose test was skipped for `reason`; None where CI could have had it."""
    return next((missing for pattern, missing in ALLOWED if re.search(pattern, reason)), None)


class NoSkips:
    """Fails a session that skipped what it need not, and names each such skip."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def _look(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        told = report.longrepr
        reason = str(told[2] if isinstance(told, tuple) else told).removeprefix("Skipped: ")
        if excuse(reason) is None:
            self._found.setdefault(reason, []).append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._look(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._look(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._found and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._found:
            return
        terminalreporter.section("skipped, and need not be")
        for reason, tests in sorted(self._found.items()):
            more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
            terminalreporter.write_line(f"{tests[0]}{more}: {reason}", red=True)
        terminalreporter.write_line(
            "CI is set, so each of these fails the run: install what is missing, or give the reason in tests/skips.py"
        )

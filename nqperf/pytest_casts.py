"""The audit in pytest: the fixture `cast_audit`, the marker `casts` and the options `--nqperf-casts`, ...

Registered by its entry point; importing it loads neither TensorFlow nor the audit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.errors import NqPerfError

if TYPE_CHECKING:
    from nqperf.casts.findings import Audit

_AUDITS: pytest.StashKey[list[Audit]] = pytest.StashKey()
_LEDGER = "casts.lock.json"


class CastWarning(UserWarning):
    """A finding of the cast audit under `--nqperf-casts=warn`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("nqperf", "float16 cast audit")
    group.addoption(
        "--nqperf-casts",
        choices=["error", "warn", "off"],
        default="error",
        help="What a finding of the cast audit does to a test: fail it, warn, or audit nothing (default: error).",
    )
    group.addoption(
        "--nqperf-ledger-update",
        action="store_true",
        help="Accept the casts as they are: write the ledger instead of comparing. Refused when CI is set.",
    )
    group.addoption("--nqperf-sarif", metavar="PATH", help="Write every audit of the run to PATH as SARIF 2.1.0.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse to accept a ledger where nobody looks."""
    config.addinivalue_line(
        "markers", "casts(allow=()): rules, such as 'CAST005', that the cast audit of this test may report"
    )
    update, sarif = config.getoption("--nqperf-ledger-update"), config.getoption("--nqperf-sarif")
    if update or sarif is not None:
        from nqperf.formats.casts.ledger_json import require_reviewer
        from nqperf.formats.files import require_places

        try:
            require_places(nqperf_sarif=None if sarif is None else Path(sarif))
            if update:
                require_reviewer("--nqperf-ledger-update")
        except NqPerfError as error:
            raise pytest.UsageError(f"nqperf: {error}") from error
    config.stash[_AUDITS] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the SARIF log of all audits."""
    path = session.config.getoption("--nqperf-sarif")
    if path is not None and not hasattr(session.config, "workerinput"):
        from nqperf.formats.files import write_whole
        from nqperf.report.sarif import to_sarif

        audits = session.config.stash[_AUDITS]
        write_whole(Path(path), to_sarif(audits).encode())


@pytest.fixture
def cast_audit(request: pytest.FixtureRequest) -> CastAudit:
    """Audit a model and fail the test on findings: `cast_audit(model_or_builder, inputs=..., precision=...)`."""
    marker = request.node.get_closest_marker("casts")
    allowed = marker.kwargs.get("allow", ()) if marker is not None else ()
    return CastAudit(request.config, (allowed,) if isinstance(allowed, str) else allowed)


class CastAudit:
    """What the fixture returns: audits a model, and compares a model's casts with its ledger.

    `config` is pytest's, `allowed` are the rules that the test may report.
    Raises: pytest.UsageError for a rule that does not exist.
    """

    def __init__(self, config: pytest.Config, allowed: Iterable[str]) -> None:
        from nqperf.casts.findings import RULES

        self._mode: str = config.getoption("--nqperf-casts")
        self._update: bool = config.getoption("--nqperf-ledger-update")
        self._audits = config.stash[_AUDITS]
        self._allowed = frozenset(allowed)
        self._root = config.rootpath
        unknown = self._allowed - set(RULES)
        if unknown:
            raise pytest.UsageError(f"marker casts: unknown rules {', '.join(sorted(unknown))}")

    def __call__(self, model: Any, *, inputs: Any = None, precision: str | None = None) -> Audit:
        """Return the audit of `model`; the test fails, or warns, when it is not clean."""
        return self._judged(model, inputs, precision)[0]

    def holds(self, model: Any, *, precision: str, ledger: str | Path = _LEDGER, name: str | None = None) -> Audit:
        """Audit `model` and compare its casts with those recorded in `ledger`, a path below the root folder.

        `precision` is the policy that it is built in, such as "mixed_float16"; `name` is the model's in the ledger, by
        default its own.
        """
        from nqperf.casts import ledger as ledgers
        from nqperf.formats.casts.ledger_json import update_ledger

        audit, trace = self._judged(model, None, precision, name=name)
        path = self._root / ledger
        held = {precision: ledgers.records(trace)}
        try:
            if self._update:
                update_ledger(path, held, model=audit.model, versions=audit.versions)
                return audit
            changes = ledgers.changes(path, held, model=audit.model)[precision]
        except NqPerfError as error:
            pytest.fail(str(error), pytrace=False)
        if changes:
            self._say(
                f"the casts of {audit.model} in {precision} are not those of {path.name}:\n  "
                + "\n  ".join(changes)
                + "\naccept them with --nqperf-ledger-update"
            )
        return audit

    def _judged(self, model: Any, inputs: Any, precision: str | None, *, name: str | None = None) -> tuple[Audit, Any]:
        if self._mode == "off":
            pytest.skip("the cast audit is off: --nqperf-casts=off")
        from nqperf.casts.audit import audit_target, audited_trace
        from nqperf.casts.targets import Target
        from nqperf.report.casts_text import verdict

        if isinstance(model, Target):
            audit, trace = audit_target(model, precision)
        else:
            audit, trace = audited_trace(model, inputs=inputs, precision=precision, name=name)
        self._audits.append(audit)
        if not audit.complete:
            # An audit that has not seen everything is no pass in any mode.
            pytest.fail(f"{verdict(audit)}\n{audit.stopped}", pytrace=False)
        found = [finding for finding in audit.findings if finding.rule not in self._allowed]
        if found:
            lines = [f"{each.rule} {each.path}:{each.line} {each.layer}: {each.message}" for each in found]
            self._say("\n".join([verdict(audit), *lines]))
        return audit, trace

    def _say(self, message: str) -> None:
        if self._mode == "warn":
            warnings.warn(CastWarning(message), stacklevel=4)
        else:
            pytest.fail(message, pytrace=False)

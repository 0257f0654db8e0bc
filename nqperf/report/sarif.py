"""An audit as SARIF 2.1.0, which code hosts show beside the lines.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, with its published JSON schema.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nqperf import __version__
from nqperf.casts.edits.text import Change, Edit
from nqperf.casts.findings import RULES, Audit, Finding
from nqperf.casts.trace import source
from nqperf.casts.trace.records import SourceLocation, Span, relative

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# What computes something else than was asked for is an error; what is slow, lossy or hidden is a warning.
_WARNINGS = frozenset({"CAST003", "CAST004", "CAST005", "CAST009", "NUM105", "NUM106"})


def to_sarif(audits: Sequence[Audit]) -> str:
    """Return the `audits` as one SARIF log, one run each."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(audit) for audit in audits]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def level(rule: str) -> str:
    """Return SARIF's level of the rule called `rule`."""
    return "warning" if rule in _WARNINGS else "error"


def _run(audit: Audit) -> dict[str, Any]:
    rules = sorted(RULES)
    notifications = []
    if audit.stopped is not None:
        notifications.append({"level": "error", "message": {"text": f"trace incomplete: {audit.stopped}"}})
    return {
        "tool": {
            "driver": {
                "name": "nqperf casts",
                "semanticVersion": __version__,
                "rules": [
                    {
                        "id": rule,
                        "shortDescription": {"text": RULES[rule]},
                        "defaultConfiguration": {"level": level(rule)},
                    }
                    for rule in rules
                ],
            }
        },
        "automationDetails": {"id": f"nqperf-casts/{audit.model}/{audit.precision}"},
        "invocations": [{"executionSuccessful": audit.complete, "toolExecutionNotifications": notifications}],
        "columnKind": "utf16CodeUnits",
        "results": [_result(finding, rules) for finding in audit.findings],
    }


def _result(finding: Finding, rules: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": level(finding.rule),
        "message": {"text": finding.message + (f"\nProposed: {finding.edit_text}" if finding.edit_text else "")},
        "partialFingerprints": {"castFinding/v1": finding.fingerprint},
    }
    if finding.location is not None:
        region: dict[str, int] = {"startLine": finding.location.line}
        if finding.location.column is not None and finding.location.end_column is not None:
            region |= {
                "startColumn": finding.location.column + 1,
                "endLine": finding.location.end_line or finding.location.line,
                "endColumn": finding.location.end_column + 1,
            }
        location: dict[str, Any] = {
            "physicalLocation": {"artifactLocation": {"uri": _uri(finding.location.path)}, "region": region}
        }
        if finding.layer:
            location["logicalLocations"] = [{"fullyQualifiedName": finding.layer, "kind": "module"}]
        result["locations"] = [location]
    if finding.origin is not None:
        result["relatedLocations"] = [
            {
                "id": 0,
                "message": {"text": "here it starts"},
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(finding.origin.path)},
                    "region": {"startLine": finding.origin.line},
                },
            }
        ]
    if finding.fix is not None:
        result["fixes"] = [_fix(finding.fix)]
    return result


def _fix(edit: Edit) -> dict[str, Any]:
    """Return an edit as SARIF's replacements: what is put in deletes a region without width."""
    replacements = []
    for change in edit.changes:
        pieces = [(change.span, change.before)] if change.drops else _ends(change)
        for (first, start, last, end), text in pieces:
            region = {
                "startLine": first,
                "startColumn": _column(edit.path, first, start),
                "endLine": last,
                "endColumn": _column(edit.path, last, end),
            }
            replacements.append({"deletedRegion": region, "insertedContent": {"text": text}})
    changed = {"artifactLocation": {"uri": _uri(edit.path)}, "replacements": replacements}
    return {"description": {"text": "applied in memory, traced again and run"}, "artifactChanges": [changed]}


def _ends(change: Change) -> list[tuple[Span, str]]:
    return [((*change.start, *change.start), change.before), ((*change.end, *change.end), change.after)]


def _column(path: str, line: int, column: int) -> int:
    """Return the 1-based column in UTF-16 code units of a column in bytes."""
    text = source.text_of(SourceLocation(path=path, line=line)).encode()[:column].decode(errors="ignore")
    return len(text.encode("utf-16-le")) // 2 + 1


def _uri(path: str) -> str:
    from pathlib import PurePath
    from urllib.parse import quote

    shorter = relative(path)
    return PurePath(shorter).as_uri() if PurePath(shorter).is_absolute() else quote(shorter)

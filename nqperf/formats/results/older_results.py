"""Results files of earlier versions, brought to what a file of today would hold.

Version 2 had pairs in two sets of processes at the most, judged pair by pair; a planted slowdown that was found was a
FAIL of its row, and is a PASS of the control today. Its intervals hold the ratio less often than they say: they are
kept as they stand, and `compare` judges the sets anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The versions that can be brought to today's.
OLDER = (2,)
_CONTROL = {"FAIL": "PASS", "PASS": "FAIL"}


def upgraded(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields `found` in a file of version 2 as those of version 3.

    A part of another shape than that version had is left as it is: who decodes the result says what is wrong with it.
    """
    whole = {**found, "schema_version": 3}
    if isinstance(found.get("variants"), list):
        whole["variants"] = [_timed(row) for row in found["variants"]]
    if isinstance(found.get("controls"), Mapping):
        controls = {name: _timed(control) for name, control in found["controls"].items()}
        planted = controls.get("planted")
        if isinstance(planted, dict) and isinstance(planted.get("verdict"), dict):
            outcome = planted["verdict"].get("outcome")
            planted["verdict"]["outcome"] = _CONTROL.get(outcome, outcome)
        whole["controls"] = controls
    return whole


def _timed(row: Any) -> Any:
    """Return a row or a control with its sets numbered, and its verdict in today's words."""
    if not isinstance(row, Mapping):
        return row
    now = dict(row)
    if isinstance(row.get("samples"), list):
        now["samples"] = [
            {**sample, "number": number} if isinstance(sample, Mapping) else sample
            for number, sample in enumerate(row["samples"])
        ]
    if isinstance(row.get("verdict"), Mapping):
        verdict = dict(row["verdict"])
        verdict["sets"] = verdict.pop("processes", 1)
        now["verdict"] = verdict
    return now

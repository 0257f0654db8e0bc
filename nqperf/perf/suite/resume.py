"""Which rows of an earlier start of the same benchmark run need not be measured again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from nqperf.formats.results.kept_rows import KeptRows
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.task import data_record, workload
from nqperf.records.profiles import Profile
from nqperf.records.results import Controls, Fingerprint
from nqperf.records.verdict import control_faults


def identity(session: Session, fingerprint: Fingerprint, profile: Profile | None) -> dict[str, Any]:
    """Return what decides about a row, but for its variant, its time and chance."""
    return {
        "device": fingerprint.device_key,
        "versions": fingerprint.versions,
        "model": session.folder.identity,
        "data": data_record(session.task, ""),
        "workload": workload(session.folder, session.task, session.batch_size),
        "gate": dataclasses.asdict(session.gate),
        "floors": dict(profile.floors) if profile else None,
    }


def kept_rows(path: Path | None, run: dict[str, Any], controls: Controls, *, resume: bool) -> KeptRows:
    """Return the rows to go on from: the measured ones of an earlier start whose own controls came out as they must."""
    kept = KeptRows(path=path, run=run, controls=controls)
    if resume:
        held = not control_faults(kept.take())
        kept.rows = {name: row for name, row in kept.rows.items() if held and row.status == "measured"}
    return kept

"""What an earlier start of the same benchmark run has measured, and that a later one goes on from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from nqperf.formats.results.kept_rows import Kept
from nqperf.perf.measuring.looks import Measurement
from nqperf.perf.measuring.sets import TakenSet
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.task import data_record, workload
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.variant import Variant
from nqperf.records.profiles import Profile
from nqperf.records.results import PLANTED, SAME, Fingerprint, Pairs


def identity(session: Session, fingerprint: Fingerprint, profile: Profile | None) -> dict[str, Any]:
    """Return what decides about a row of the `session`, but for its variant, its time and chance.

    `fingerprint` is the machine's, `profile` what is promised on it, None for nothing.
    """
    return {
        "device": fingerprint.device_key,
        "states": fingerprint.states,
        "versions": fingerprint.versions,
        "model": session.folder.identity,
        "data": data_record(session.task, ""),
        "workload": workload(session.folder, session.task, session.batch_size),
        "gate": dataclasses.asdict(session.gate),
        "floors": {name: floor.ratio for name, floor in profile.promises().items()} if profile else None,
    }


def take_over(kept: Kept, measured: Measurement, session: Session, variants: Mapping[str, Variant]) -> None:
    """Let `measured` and the `session` go on from the sets that were `kept`; rows that failed are measured anew.

    `variants` are the rows of this start, by name; kept ones that are not among them are left out.
    """
    samples: dict[str, tuple[Pairs, ...]] = {}
    for row in kept.rows:
        if row.name in variants and row.status == "measured" and row.samples:
            samples[row.name] = row.samples
            session.runs[row.name] = VariantRun(variant=variants[row.name], kept=row)
    for name, control in ((SAME, kept.controls.same), (PLANTED, kept.controls.planted)):
        if control is not None:
            samples[name] = control.samples
    if kept.controls.planted is not None:
        session.planted.append(kept.controls.planted.planted)
    for number, one in enumerate(kept.sets):
        seconds = {
            name: found.variant_seconds for name, sets in samples.items() for found in sets if found.number == number
        }
        measured.add(
            TakenSet(
                seed=one.seed,
                order=one.order,
                rounds=one.rounds,
                baseline=one.baseline_seconds,
                seconds={name: times for name, times in seconds.items() if times},
            )
        )
    measured.rounds = max((len(one.rounds) for one in kept.sets), default=0)
    measured.passes = len(kept.sets)

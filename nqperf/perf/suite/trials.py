"""Many sets of fresh processes: what a device's noise allows (`calibrate`), and what the gate then does (`prove`)."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from nqperf.errors import ConfigError
from nqperf.perf.machine.examination import seen_by
from nqperf.perf.measuring.looks import Measurement, row_verdicts
from nqperf.perf.suite.baseline import machine_of
from nqperf.perf.suite.conduct import SuiteConduct
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.suite import on_pages, open_session
from nqperf.perf.suite.task import workload
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers.progress import Progress, Rows, SetFinished, silent
from nqperf.records import calibration
from nqperf.records.calibration import Calibration
from nqperf.records.proof import Proof, Trial
from nqperf.records.results import SAME, Fingerprint, Verdict, Workload
from nqperf.records.verdict import GateConfig
from nqperf.statistics.sets import Floor, Row

# The planted work of a proof, as a share of the model's: the smallest slowdown that the gate promises to find.
SLOWDOWN = 0.05
# A trial ends when both rows are decided; with this many sets at the latest.
_MOST_SETS = 12
# What a trial's two rows are called; both are the baseline, one with work planted.
_UNCHANGED, _SLOWER = "unchanged", "slower"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRun:
    """A device's `calibration`, what it holds for, and the variants that have no floor, with the reason.

    It holds for machines of this `fingerprint` and work of this `workload`; `left_out` has the reasons by name.
    """

    calibration: Calibration
    fingerprint: Fingerprint
    workload: Workload
    left_out: Mapping[str, str]


def measure_calibration(
    config: SuiteConfig, *, sets: int, pairs: int = calibration.ROUNDS, progress: Progress = silent
) -> CalibrationRun:
    """Measure each variant against the baseline in `sets` sets of fresh processes, of `pairs` rounds each.

    `config` says which model, data and variants; `progress` is told what is done.

    Raises: ConfigError for too few sets or rounds, NqPerfError for other bad input and when the baseline fails; a
    variant that fails is left out.
    """
    if sets < calibration.FEWEST_SETS or pairs < calibration.FEWEST_ROUNDS:
        raise ConfigError(
            f"{sets} sets of {pairs} rounds; expected {calibration.FEWEST_SETS} or more sets of "
            f"{calibration.FEWEST_ROUNDS} or more rounds"
        )
    config.refuse("profiles", "against", "budget", "spent", "kept", "resume", why="a calibration takes what it needs")
    variants = config.rows()[1:]
    gate = GateConfig(judge=config.gate.judge, sets=sets, rounds=pairs)
    session, _ = open_session(dataclasses.replace(config, gate=gate, budget=math.inf), progress)
    with session:
        machine = machine_of(config)
        session.on_gpu = machine.device == "gpu"
        session.set_pages(config.pages or "huge")
        machine = seen_by(machine, session.start_baseline())
        left_out = {one.name: reason for one in variants if (reason := one.missing(machine))}
        able = [variant for variant in variants if variant.name not in left_out]
        session.answer_baseline(len(able))
        session.end_baseline()
        measured = _measured(session, able, config.seed, progress)
        measured.run()
        left_out |= {name: str(error) for name, error in measured.lost.items() if name in {one.name for one in able}}
        left_out |= {name: str(run.failure) for name, run in session.runs.items() if run.failure is not None}
    if measured.interrupted is not None:
        raise measured.interrupted
    for error in measured.broken[:1]:
        raise error
    names = [variant.name for variant in able if variant.name not in left_out]
    rows = (*(Row(name=name) for name in names), Row(name=SAME, role="same"))
    return CalibrationRun(
        calibration=calibration.calibrate(rows, measured.estimates, gate.judge),
        fingerprint=on_pages(machine.fingerprint, session.pages_seen),
        workload=workload(session.folder, session.task, session.batch_size),
        left_out=left_out,
    )


def _measured(session: Session, variants: list[Variant], seed: int | None, progress: Progress) -> Measurement:
    """Return what measures all rows in all sets."""
    starts = session.starters(variants)
    del starts[[*starts][-1]]  # planted work says nothing about floors

    def told(measured: Measurement) -> None:
        assert measured.judgement is not None  # noqa: S101  # it is called after a look
        number = len(measured.estimates)
        progress(SetFinished(number=number, left=measured.sets_left(), rows=measured.judgement.rows, seconds=0.0))

    return Measurement(
        baseline=session.starter(session.baseline),
        starts=starts,
        rows=lambda: (*(Row(name=one.name) for one in variants), Row(name=SAME, role="same")),
        gate=session.gate,
        budget=session.budget,
        speed=session.speed,
        conduct=SuiteConduct(session=session, variants={one.name: one for one in variants}),
        to_the_end=True,
        seed=_seed(seed),
        told=told,
    )


def prove(config: SuiteConfig, *, trials: int, slowdown: float = SLOWDOWN, progress: Progress = silent) -> Proof:
    """Judge an unchanged row and one with a planted `slowdown` in `trials` runs of their own, all in fresh processes.

    Each run is judged as a run of the suite is: both rows have the floor 1.0. `config` says which model and data, and
    how it is judged; `progress` is told of each trial.
    Raises: ConfigError for no trial or no slowdown, NqPerfError for other bad input, and when the baseline fails.
    """
    if trials < 1 or not slowdown > 0:
        raise ConfigError(f"{trials} trials of a slowdown of {slowdown}; expected 1 or more, and above 0")
    without = ("variants", "own", "recipe", "profiles", "against", "windows", "budget", "spent", "kept", "resume")
    config.refuse(*without, why="a proof runs the baseline alone, on one batch, and takes the time that it needs")
    # The answers do not matter here, so one batch is enough of the data.
    windows = config.batch_size or 1
    session, _ = open_session(dataclasses.replace(config, windows=windows, budget=math.inf), progress)
    session.gate = config.gate if config.gate.sets is not None else dataclasses.replace(config.gate, sets=_MOST_SETS)
    found: list[Trial] = []
    told = Rows(progress, trials)
    with session:
        session.set_pages(config.pages or "huge")
        session.start_baseline()
        session.end_baseline()
        for number in range(1, trials + 1):
            seed = None if config.seed is None else config.seed + number
            trial, verdict = _trial(session, slowdown, seed)
            found.append(trial)
            told.finished(f"trial {number} of {trials}: unchanged {trial.unchanged}, slower {trial.slower}", verdict)
    return Proof(slowdown=slowdown, trials=tuple(found))


def _trial(session: Session, slowdown: float, seed: int | None) -> tuple[Trial, Verdict]:
    baseline, floor = session.baseline, Floor(ratio=1.0)
    session.planted.clear()
    measured = Measurement(
        baseline=session.starter(baseline),
        starts={
            _UNCHANGED: session.starter(baseline, name=_UNCHANGED),
            _SLOWER: session.starter(baseline, name=_SLOWER, planted=slowdown),
            SAME: session.starter(baseline, name=SAME),
        },
        rows=lambda: (
            Row(name=_UNCHANGED, floor=floor),
            Row(name=_SLOWER, floor=floor),
            Row(name=SAME, role="same"),
        ),
        gate=session.gate,
        budget=session.budget,
        speed=session.speed,
        seed=_seed(seed),
    )
    measured.run()
    if measured.interrupted is not None:
        raise measured.interrupted
    for error in (*measured.broken, *measured.lost.values()):
        raise error
    verdicts = row_verdicts(measured)
    unchanged, slower = verdicts[_UNCHANGED], verdicts[_SLOWER]
    planted = sum(session.planted) / len(session.planted)
    trial = Trial(
        unchanged=unchanged.outcome,
        slower=slower.outcome,
        same=verdicts[SAME].outcome,
        planted=planted,
        unchanged_ratio=unchanged.ratio,
        slower_ratio=slower.ratio,
        sets=max(unchanged.sets, slower.sets),
    )
    return trial, slower


def _seed(seed: int | None) -> int:
    return random.SystemRandom().getrandbits(32) if seed is None else seed

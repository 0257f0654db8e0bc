"""Many sets of fresh processes: what a device's noise allows (`calibrate`), and what the gate then does (`prove`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from nqperf.engines.probe import Machine
from nqperf.errors import ConfigError, NqPerfError
from nqperf.perf.machine.examination import look_at_machine, require_device, seen_by
from nqperf.perf.measuring.rounds import Measured, settle
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.suite import open_session
from nqperf.perf.suite.task import workload
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import protocol
from nqperf.perf.workers.progress import Progress, Rows, silent
from nqperf.records import calibration
from nqperf.records.calibration import Calibration
from nqperf.records.results import BASELINE, Fingerprint, Pairs, VariantResult, Verdict, Workload
from nqperf.records.verdict import GateConfig

# One bound for both: with no error in n trials, the probability of one lies below 1 - (1 - CONFIDENCE) ** (1 / n).
CONFIDENCE = 0.95
# The planted work of a proof, as a share of the model's: the smallest slowdown that the gate promises to find.
SLOWDOWN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRun:
    """A device's calibration, what it holds for, and the variants that have no floor, with the reason."""

    calibration: Calibration
    fingerprint: Fingerprint
    workload: Workload
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How the gate did on comparisons with a known answer: the baseline against itself, and with a planted slowdown."""

    same: int
    false_fails: int
    planted: int
    misses: int
    slowdown: float = SLOWDOWN

    @property
    def holds(self) -> bool:
        """Whether the gate made no error."""
        return not self.false_fails and not self.misses

    @property
    def false_fail_bound(self) -> float:
        """The probability of a false FAIL that is refuted with CONFIDENCE; only without any is it this."""
        return _bound(self.same)

    @property
    def power_bound(self) -> float:
        """The probability of finding the slowdown that is shown with CONFIDENCE; only without any miss is it this."""
        return 1 - _bound(self.planted)


def measure_calibration(
    config: SuiteConfig, *, sets: int, pairs: int = 2 * calibration.FEWEST_PAIRS, progress: Progress = silent
) -> CalibrationRun:
    """Measure the baseline against itself and each variant against it, in `sets` sets of fresh processes each.

    Raises: NqPerfError for bad input and when the baseline fails; a variant that fails is left out.
    """
    fewest = calibration.FEWEST_PAIRS
    if sets < 2 or pairs < fewest:  # noqa: PLR2004  # one set has no spread
        raise ConfigError(f"{sets} sets of {pairs} pairs; expected 2 or more sets of {fewest} or more pairs")
    config.refuse("profiles", "against", "budget", "spent", "kept", "resume", why="a calibration takes what it needs")
    variants = config.rows()[1:]
    gate = config.gate
    session, _ = open_session(dataclasses.replace(config, gate=GateConfig(looks=(pairs,)), budget=math.inf), progress)
    left_out: dict[str, str] = {}
    same: list[Pairs] = []
    times: dict[str, list[Pairs]] = {}
    with session:
        machine = look_at_machine()
        require_device(config.require, machine)
        machine = seen_by(machine, session.start_baseline())
        sizes = workload(session.folder, session.task, session.batch_size)
        told = Rows(progress, sets * (1 + len(variants)))
        # Set by set, so that what drifts while hours pass is the same for all.
        for number in range(1, sets + 1):
            same.append(_fresh(session, VARIANTS[BASELINE]))
            told.finished(f"{BASELINE}, set {number} of {sets}", same[-1])
            for variant in variants:
                if variant.name in left_out:
                    continue
                try:
                    seen = times.setdefault(variant.name, [])
                    seen.append(_fresh(session, variant) if seen else _first(session, variant, machine))
                    told.finished(f"{variant.name}, set {number} of {sets}", seen[-1])
                except NqPerfError as error:
                    left_out[variant.name] = str(error)
                    del times[variant.name]
                    failed = VariantResult(name=variant.name, status="failed", reason=str(error))
                    told.finished(f"{variant.name}, left out", failed, dropped=sets - number)
    return CalibrationRun(
        calibration=calibration.calibrate(same, times, gate),
        fingerprint=machine.fingerprint,
        workload=sizes,
        left_out=left_out,
    )


def prove(
    config: SuiteConfig, *, same: int = 299, planted: int = 59, slowdown: float = SLOWDOWN, progress: Progress = silent
) -> Proof:
    """Judge the baseline against itself `same` times and with a planted `slowdown` `planted` times, in fresh processes.

    Each is judged and confirmed as a variant is. Raises: NqPerfError for bad input, and when a worker fails.
    """
    if min(same, planted) < 1:
        raise ConfigError(f"{same} comparisons with itself and {planted} planted ones; expected 1 or more of each")
    without = ("variants", "own", "recipe", "profiles", "against", "windows", "budget", "spent", "kept", "resume")
    config.refuse(*without, why="a proof runs the baseline alone, on one batch, and takes the time that it needs")
    # The answers do not matter here, so one batch is enough of the data.
    windows = config.batch_size or 1
    session, _ = open_session(dataclasses.replace(config, windows=windows, budget=math.inf), progress)
    errors = {"same": 0, "planted": 0}
    told = Rows(progress, same + planted)
    with session:
        for kind, count, fraction, right in (("same", same, 0.0, False), ("planted", planted, slowdown, True)):
            for number in range(1, count + 1):
                verdict = _confirmed(session, fraction)
                errors[kind] += (verdict.outcome == "FAIL") != right
                told.finished(f"trial {number} of {count} ({kind}), {errors[kind]} wrong", verdict)
    return Proof(
        same=same,
        false_fails=errors["same"],
        planted=planted,
        misses=errors["planted"],
        slowdown=slowdown,
    )


def _first(session: Session, variant: Variant, machine: Machine) -> Pairs:
    """Return the first times of a variant, which prove its switches and its answers too.

    Raises: NqPerfError when it cannot run here, fails, or answers wrongly.
    """
    missing = variant.missing(machine)
    if missing:
        raise ConfigError(missing)
    return session.measure_variant(variant, None).require_paired().all[0].pairs


def _fresh(session: Session, variant: Variant) -> Pairs:
    """Return the times of a variant and the baseline in new processes."""
    with session.fresh_pair(variant) as (baseline, worker):
        return session.rounds(baseline, worker, None, variant.name).pairs


def _confirmed(session: Session, fraction: float) -> Verdict:
    """Judge the baseline with planted work against the baseline, as a variant is judged and settled."""

    def again() -> Measured:
        return _judged(session, fraction, planted_first=True)

    return settle(_judged(session, fraction), again, session.gate).verdict


def _judged(session: Session, fraction: float, *, planted_first: bool = False) -> Measured:
    with session.fresh_pair(VARIANTS[BASELINE], variant_first=planted_first) as (baseline, worker):
        if fraction:
            worker.ask(protocol.Plant(fraction=fraction), protocol.Planted, timeout=session.timeouts.load)
        return session.rounds(baseline, worker, 1.0, BASELINE)


def _bound(trials: int) -> float:
    return -math.expm1(math.log1p(-CONFIDENCE) / trials)

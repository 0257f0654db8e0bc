"""Comparisons many times over: to calibrate a device, and to prove that the gate errs as seldom as it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from nqperf.errors import ConfigError
from nqperf.formats.results_json import BASELINE, Fingerprint, Pairs
from nqperf.perf import protocol
from nqperf.perf.calibration import FEWEST_PAIRS, Calibration, calibrate
from nqperf.perf.contest import Contest
from nqperf.perf.process import WorkerProcess
from nqperf.perf.profiles import Workload
from nqperf.perf.suite import PLANTED, Progress, SuiteConfig, open_contest
from nqperf.perf.task import data_record, model_record
from nqperf.perf.variants import VARIANTS, select_variants
from nqperf.perf.verdict import GateConfig

# So many comparisons share a set of processes in a proof: starting some takes as long as a few comparisons.
_COMPARISONS_A_SET = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRun:
    """A calibration with the device and the workload that it is for."""

    calibration: Calibration
    fingerprint: Fingerprint
    workload: Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How often the gate erred: a FAIL, confirmed, of the baseline against itself; a planted slowdown not found."""

    same: int
    same_fails: int
    planted: int
    planted_misses: int

    @property
    def holds(self) -> bool:
        """Whether it never did."""
        return self.same_fails == self.planted_misses == 0


def measure_calibration(
    config: SuiteConfig,
    *,
    sets: int,
    pairs: int = 2 * FEWEST_PAIRS,
    progress: Progress = lambda _stage, _variant, _pairs: None,
) -> CalibrationRun:
    """Measure each variant and the baseline against the baseline in `sets` sets of fresh processes, and calibrate.

    Raises: ConfigError for too few sets or pairs, before anything is started; NqPerfError when a variant fails, for
    a profile must not promise what was not measured.
    """
    if sets < 2 or pairs < FEWEST_PAIRS:  # noqa: PLR2004  # one set has no spread
        raise ConfigError(f"{sets} sets of {pairs} pairs; expected 2 or more sets of {FEWEST_PAIRS} or more pairs")
    # One look, and no time limit: each set gets the same number of pairs.
    gate = GateConfig(looks=(pairs,))
    contest, source = open_contest(dataclasses.replace(config, gate=gate, seconds_per_variant=float("inf")), progress)
    with contest:
        fingerprint = contest.start_baseline()
        workload = Workload.of(
            model_record(contest.folder), data_record(contest.task, source, batch_size=contest.batch_size)
        )
        contest.end_baseline()
        rows = [row for row in select_variants(config.variants) if row.missing(fingerprint) is None]
        times: dict[str, list[Pairs]] = {row.name: [] for row in rows}
        for _ in range(sets):
            for row in rows:
                with contest.fresh_pair(row) as (baseline, worker):
                    times[row.name].append(contest.rounds(baseline, worker, None, row.name).pairs)
    same = times.pop(BASELINE)
    calibration = calibrate(same, times, config.gate)
    return CalibrationRun(calibration=calibration, fingerprint=fingerprint, workload=workload)


def prove(
    config: SuiteConfig,
    *,
    same: int = 299,
    planted: int = 59,
    progress: Progress = lambda _stage, _variant, _pairs: None,
) -> Proof:
    """Repeat the two controls so often; without an error, 299 and 59 show 1 % and 95 % at 95 % confidence.

    Raises: ConfigError for less than one of each.
    """
    if same < 1 or planted < 1:
        raise ConfigError(f"{same} comparisons with itself and {planted} planted ones; expected 1 or more of each")
    contest, _ = open_contest(config, progress)
    with contest:
        fails = 0
        for number, (baseline, worker) in enumerate(_processes(contest, same), start=1):
            fails += contest.settled(baseline, worker, 1.0, VARIANTS[BASELINE]).verdict.outcome == "FAIL"
            progress("proof: same", f"{number} of {same}, {fails} failed", 0)
        misses = 0
        for number, (baseline, worker) in enumerate(_processes(contest, planted), start=1):
            worker.ask(protocol.Plant(fraction=PLANTED), protocol.Planted, timeout=config.limits.load)
            found = contest.rounds(baseline, worker, 1.0, "planted").verdict.outcome == "FAIL"
            misses += not found
            progress("proof: planted", f"{number} of {planted}, {misses} missed", 0)
    return Proof(same=same, same_fails=fails, planted=planted, planted_misses=misses)


def _processes(contest: Contest, count: int) -> Iterator[tuple[WorkerProcess, WorkerProcess]]:
    """Yield a pair of baseline workers so many times, new ones after every few."""
    with ExitStack() as stack:
        pair: tuple[WorkerProcess, WorkerProcess] | None = None
        for number in range(count):
            if pair is None or number % _COMPARISONS_A_SET == 0:
                stack.close()
                pair = stack.enter_context(contest.fresh_pair(VARIANTS[BASELINE]))
            yield pair

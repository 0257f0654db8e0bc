"""What was found about a machine and about the gate itself, in plain text."""

from __future__ import annotations

from nqperf.perf.doctor import Diagnosis
from nqperf.perf.suite.trials import CONFIDENCE, CalibrationRun, Proof
from nqperf.plain_text import plain_lines
from nqperf.report.tables import text_table


def calibration_text(run: CalibrationRun) -> str:
    """Return what a device's noise allows."""
    found = run.calibration
    rows = [(name, f"{ratio:.3f}", f"{found.floors[name]:.2f}") for name, ratio in found.ratios.items()]
    return plain_lines(
        "\n".join(
            (
                text_table(("variant", "ratio", "floor"), rows),
                "",
                (
                    f"noise from pair to pair {found.noise:.2%} (without outliers {found.core_noise:.2%}, neighbours "
                    f"correlate by {found.autocorrelation:.2f}); "
                    f"between {found.sets} sets of processes {found.offset:.2%}"
                ),
                (
                    f"a slowdown of 5 % is found with {found.rounds} pairs; with what processes differ by, "
                    f"{found.power:.1%} of such slowdowns are found and {found.false_fail:.2%} of unchanged runs fail"
                ),
                *(f"warning: {warning}" for warning in found.warnings),
                *(f"left out: {name} ({reason})" for name, reason in run.left_out.items()),
            )
        )
    )


def proof_text(proof: Proof) -> str:
    """Return how the gate did on comparisons with a known answer."""
    same = f"the baseline against itself: {proof.false_fails} FAIL in {proof.same} trials"
    planted = f"a planted {proof.slowdown:.0%}: {proof.misses} misses in {proof.planted} trials"
    if not proof.false_fails:
        same += f"; at {CONFIDENCE:.0%} confidence it fails in at most {proof.false_fail_bound:.2%} of runs"
    if not proof.misses:
        planted += f"; at {CONFIDENCE:.0%} confidence it is found in at least {proof.power_bound:.1%} of runs"
    return f"{same}\n{planted}"


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return what was found on a machine, one line a check, the advice below it."""
    width = max(len(check.name) for check in diagnosis.checks)
    lines = [diagnosis.machine.fingerprint.device_key]
    for check in diagnosis.checks:
        lines.append(f"{check.state:<7}  {check.name:<{width}}  {check.finding}")
        if check.advice:
            lines.append(f"{'':<7}  {'':<{width}}  -> {check.advice}")
    return plain_lines("\n".join(lines))

"""What was found about a machine and about the gate itself, in plain text."""

from __future__ import annotations

from nqperf.perf.doctor import Diagnosis
from nqperf.perf.suite.trials import CalibrationRun
from nqperf.plain_text import plain_lines
from nqperf.records.proof import CONFIDENCE, FALSE_FAILS, FOUND, Proof, acceptance, trials_needed
from nqperf.report.tables import text_table

_NEXT = (
    "next: nqperf bench --quick                   every row that runs here, answers and speed",
    "      nqperf bench mymodel:build --quick     the same for a Keras model of your own",
    "      nqperf tune --out recipe.toml          the fastest way to run a model here",
    "      nqperf calibrate --out desk.toml       a profile, so that later runs are judged",
)


def calibration_text(run: CalibrationRun) -> str:
    """Return what the noise of a device allows, as the calibration `run` has shown it."""
    found = run.calibration
    rows = [
        (name, f"{ratio:.3f}", f"{found.sds[name]:.2%}", f"{found.finds[name]:.1%}")
        for name, ratio in found.ratios.items()
    ]
    noise = f"noise of a round {found.noise:.2%}, of a set of processes {found.offset:.2%}, in {found.sets} sets"
    lines = (
        text_table(("variant", "ratio, the floor", "its standard error", "finds a slowdown of"), rows),
        "",
        f"{noise}; the baseline against itself {found.same:.3f}",
        *(f"warning: {warning}" for warning in found.warnings),
        *(f"left out: {name} ({reason})" for name, reason in run.left_out.items()),
    )
    return plain_lines("\n".join(lines))


def proof_text(proof: Proof) -> str:
    """Return how the gate did on rows with a known answer, what that shows, and what would show more, by `proof`."""
    count = len(proof.trials)
    same = f"unchanged: {proof.false_fails} FAIL in {count} trials"
    slower = f"a planted {proof.slowdown:.0%}: {proof.misses} not found in {count} trials, {proof.passed} of them PASS"
    return "\n".join(
        (
            f"{same}; at {CONFIDENCE:.0%} confidence such a row fails in at most {proof.false_fail_bound:.2%} of runs",
            f"{slower}; at {CONFIDENCE:.0%} confidence it is found in at least {proof.power_bound:.1%} of runs",
            _claim(f"at most {FALSE_FAILS:.0%} of unchanged rows fail", count, proof.false_fails, FALSE_FAILS),
            _claim(f"at least {FOUND:.0%} of such slowdowns are found", count, proof.misses, 1 - FOUND),
        )
    )


def _claim(claim: str, trials: int, errors: int, share: float) -> str:
    """Return whether trials show a claim, its acceptance number, and how many more it would take."""
    allowed = acceptance(trials, share)
    if errors <= allowed:
        return f"shown: {claim} ({errors} errors in {trials} trials; up to {allowed} are accepted)"
    more = trials_needed(share, errors) - trials
    return f"not shown: {claim} ({errors} errors in {trials} trials); {more} more without an error would show it"


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return what was found on a machine by the `diagnosis`: a line a check, then what to do and what to run next."""
    checks = diagnosis.checks
    width = max(len(check.name) for check in checks)
    runs = next((check.finding.partition(":")[0] for check in checks if check.name == "variants"), "none run here")
    lines = [
        f"{diagnosis.machine.fingerprint.device_key}: of the variants {runs}",
        *(f"{check.state:<7}  {check.name:<{width}}  {check.finding}" for check in checks),
        "",
        *(f"advice   {check.name:<{width}}  {check.advice}" for check in checks if check.advice),
        "",
        *_NEXT,
    ]
    return plain_lines("\n".join(lines))

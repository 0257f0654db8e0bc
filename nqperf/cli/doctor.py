"""The command that says what this machine can run."""

from __future__ import annotations

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.start_up import quiet_start_up
from nqperf.perf.doctor import examine
from nqperf.perf.machine.examination import require_device
from nqperf.perf.variants.table import find_baseline
from nqperf.report.machine import diagnosis_text


@click.command("doctor")
@shared.option(
    "--noise-seconds", type=click.FloatRange(min=0), default=5.0, help="How long to watch how steady the machine is."
)
@shared.baseline_option
@shared.require_option
@shared.together(shared.quiet_option, shared.json_option)
def doctor_command(
    *, noise_seconds: float, baseline: str | None, require: str | None, quiet: bool, as_json: bool
) -> None:
    """Look at GPU, TF32, XLA, 16 bits, oneDNN, threads, memory, noise, device profile, variants and extras.

    \b
    nqperf doctor
    nqperf doctor --noise-seconds 30 --json
    nqperf doctor --require gpu

    \b
    Exit codes: 0, whatever was found: what is missing is advice, no fault; 1 when the device of --require is not there.
    """
    with quiet_start_up():
        row = None if baseline is None else find_baseline(baseline)
        diagnosis = examine(noise_seconds=noise_seconds, baseline=row)
    if as_json:
        click.echo(msgspec.json.encode(diagnosis).decode())
    elif not quiet:
        click.echo(diagnosis_text(diagnosis))
    require_device(require, diagnosis.machine)

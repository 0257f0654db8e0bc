"""The commands that try the gate itself: what a device's noise allows, and whether the gate keeps what it promises."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.bench import suite_asked, suite_options, suite_progress, variants_option
from nqperf.formats.files import require_places
from nqperf.formats.results.profiles_toml import render_profile, write_profile
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.trials import measure_calibration, prove
from nqperf.records.calibration import propose_profile
from nqperf.report.machine import calibration_text, proof_text


@click.command("calibrate")
@click.argument("data", required=False)
@suite_options
@variants_option
@shared.option("--sets", type=int, default=4, help="Sets of fresh processes a variant.")
@shared.option("--pairs", type=int, default=40, help="Pairs a set.")
@shared.option("--name", default="this-device", help="The name of the profile.")
@shared.option("--out", type=shared.PATH, help="Write the profile as TOML, for --profile.")
@shared.together(shared.quiet_option, shared.json_option)
def calibrate_command(data: str | None, sets: int, pairs: int, name: str, out: Path | None, **options: Any) -> None:
    """Measure how much times scatter here and how much fresh processes differ, and propose floors that hold.

    The profile is for exactly this device and this size of model and batch; give it to `nqperf bench --profile`. Takes
    some minutes a variant: let nothing else run.

    \b
    nqperf calibrate --out desk.toml --name desk
    nqperf calibrate dev.jsonl.gz --model models/bert-joint --variants xla,mixed_bfloat16 --sets 6

    \b
    Exit codes: 0 measured; 2 bad input, or the baseline cannot run.
    """
    require_places(out=out)
    config = SuiteConfig.from_options(**suite_asked(data, options))
    with suite_progress(quiet=options["quiet"]) as progress:
        run = measure_calibration(config, sets=sets, pairs=pairs, progress=progress)
    profile = None
    if run.calibration.floors:
        profile = propose_profile(
            run.calibration,
            run.fingerprint,
            run.workload,
            name=name,
            command=config.command,
            date=dt.datetime.now(dt.timezone.utc).date().isoformat(),
        )
    if out is not None and profile is not None:
        write_profile(out, profile)
    if options["as_json"]:
        found = {"calibration": run.calibration, "profile": profile, "left_out": run.left_out}
        click.echo(msgspec.json.encode(found).decode())
    elif not options["quiet"]:
        click.echo(calibration_text(run))
        if profile is not None:
            click.echo(f"\n{render_profile(profile)}", nl=False)


@click.command("prove")
@click.argument("data", required=False)
@suite_options
@shared.option("--same", type=int, default=299, help="Trials of the baseline against itself.")
@shared.option("--planted", type=int, default=59, help="Trials with a planted slowdown.")
@shared.option("--slowdown", type=float, default=0.05, help="The planted work, as a share of the model's.")
@shared.together(shared.quiet_option, shared.json_option)
def prove_command(data: str | None, same: int, planted: int, slowdown: float, **options: Any) -> None:
    """Judge the baseline against itself, and with planted work, often enough to know how the gate errs here.

    299 trials without a FAIL show at 95 % confidence that at most 1 % of such runs fail, 59 without a miss that at
    least 95 % of such slowdowns are found. Each trial has processes of its own: the default takes hours.

    \b
    nqperf prove
    nqperf prove --same 20 --planted 5 --json

    \b
    Exit codes: 0 no error was made; 1 one was; 2 bad input, or a worker failed.
    """
    config = SuiteConfig.from_options(**suite_asked(data, options))
    with suite_progress(quiet=options["quiet"]) as progress:
        proof = prove(config, same=same, planted=planted, slowdown=slowdown, progress=progress)
    if options["as_json"]:
        click.echo(msgspec.json.encode(proof).decode())
    elif not options["quiet"]:
        click.echo(proof_text(proof))
    sys.exit(0 if proof.holds else 1)

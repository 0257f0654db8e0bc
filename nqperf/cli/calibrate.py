"""The commands that try the gate itself: what a device's noise allows, and whether the gate keeps what it promises."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.bench import suite_asked, suite_options, variants_option
from nqperf.cli.console import suite_progress
from nqperf.errors import ConfigError
from nqperf.formats.files import require_places
from nqperf.formats.results.profiles_toml import render_profile, write_profile
from nqperf.formats.results.proof_json import read_proof, write_proof
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.trials import measure_calibration, prove
from nqperf.records.calibration import propose_profile
from nqperf.records.proof import together
from nqperf.report.machine import calibration_text, proof_text


@click.command("calibrate")
@click.argument("data", required=False)
@suite_options
@variants_option
@shared.option("--sets", type=int, default=8, help="Sets of fresh processes.")
@shared.option("--pairs", type=int, default=10, help="Rounds of each set.")
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
    if run.calibration.ratios:
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
@shared.option("--trials", type=int, default=59, help="Runs with known answers.")
@shared.option("--slowdown", type=float, default=0.05, help="The planted work, as a share of the model's.")
@shared.option("--add", type=shared.PATH, multiple=True, help="Count the trials of this earlier --out too; repeatable.")
@shared.option("--out", type=shared.PATH, help="Write the trials as JSON, for --add in another night.")
@shared.together(shared.quiet_option, shared.json_option)
def prove_command(
    data: str | None, trials: int, slowdown: float, add: tuple[Path, ...], out: Path | None, **options: Any
) -> None:
    """Judge an unchanged row and a slowed one, in many runs, and say what that shows of the gate on this machine.

    Each run has fresh processes in each of its sets: the default takes hours. 59 runs without a miss show at 95 %
    confidence that at least 95 % of such slowdowns are found, 299 without a FAIL of the unchanged row that at most 1 %
    of such rows fail; --add counts several nights together.

    \b
    nqperf prove --trials 60 --out monday.json
    nqperf prove --trials 60 --add monday.json --add tuesday.json --json

    \b
    Exit codes: 0 no more errors than chance makes, if the gate keeps its promise; 1 more; 2 bad input, or a worker
    failed.
    """
    require_places(out=out)
    earlier = [read_proof(path) for path in add]
    if any(one.slowdown != slowdown for one in earlier):
        raise ConfigError(f"--add has trials of another slowdown than {slowdown:g}: name trials of the same")
    config = SuiteConfig.from_options(**suite_asked(data, options))
    with suite_progress(quiet=options["quiet"]) as progress:
        proof = prove(config, trials=trials, slowdown=slowdown, progress=progress)
    proof = together([*earlier, proof])
    if out is not None:
        write_proof(out, proof)
    if options["as_json"]:
        click.echo(msgspec.json.encode(proof).decode())
    elif not options["quiet"]:
        click.echo(proof_text(proof))
    sys.exit(0 if proof.holds else 1)

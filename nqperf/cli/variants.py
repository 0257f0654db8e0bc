"""The command that says what the rows of the variants table are, and which of them run here."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.start_up import quiet_start_up
from nqperf.perf.variants.listing import listed
from nqperf.perf.variants.own import read_own_variants
from nqperf.perf.variants.table import named_variants
from nqperf.report.variants import variants_table, variants_text


@click.command("variants", short_help="List the variants, and why each runs here or not.")
@click.argument("names", nargs=-1)
@shared.option("--variants-file", type=shared.PATH, help="Variants of your own (TOML), beside the table's.")
@shared.option("--look/--no-look", default=True, help="Look at this machine, which takes about ten seconds.")
@shared.together(shared.quiet_option, shared.json_option)
def variants_command(
    names: tuple[str, ...], *, variants_file: Path | None, look: bool, quiet: bool, as_json: bool
) -> None:
    """List every variant, or say all of those with these NAMES: what they set, need, prove, and whether they run here.

    A variant is one way to run the same weights; `nqperf bench` holds each of them to the baseline. What a variant
    proves is seen in its own process before anything is timed: one whose switches do nothing fails.

    \b
    nqperf variants
    nqperf variants xla mixed_bfloat16
    nqperf variants --no-look --json

    \b
    Exit codes: 0 listed; 2 bad input.
    """
    wanted = [name for word in names for name in word.split(",")]
    rows = named_variants(wanted or None, read_own_variants(variants_file))
    machine = None
    if look:
        from nqperf.perf.machine.examination import look_at_machine, usual_engine

        with quiet_start_up():
            machine = look_at_machine(usual_engine())
    found = listed(rows, machine)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif not quiet:
        click.echo(variants_text(found) if names else variants_table(found))

"""The command that writes the generated world."""

from __future__ import annotations

from pathlib import Path

import click

from nqperf.cli import options as shared
from nqperf.world.folder import DEV_EXAMPLES, write_world
from nqperf.world.generate import MEDIAN_TOKENS


@click.command("world")
@shared.option("--examples", type=int, required=True, help="Examples of the training split, annotated once.")
@shared.option("--dev-examples", type=int, default=DEV_EXAMPLES, help="Examples for development, annotated five times.")
@shared.option("--seed", type=int, required=True, help="The same seed makes the same lines on every machine.")
@shared.option("--median-tokens", type=int, default=MEDIAN_TOKENS, help="Half of the pages are shorter.")
@shared.option("--out", type=shared.PATH, required=True, help="The folder to make.")
@shared.together(shared.quiet_option)
def world_command(examples: int, dev_examples: int, seed: int, median_tokens: int, **options: object) -> None:
    """Write pages about an invented world, with questions and annotations, in both layouts of Natural Questions.

    Leaves train.jsonl.gz and dev.jsonl.gz (simplified layout) and train-original.jsonl.gz and dev-original.jsonl.gz in
    --out.

    \b
    nqperf world --examples 1000 --seed 1 --out world/
    """
    out = Path(str(options["out"]))
    write_world(out, examples=examples, seed=seed, dev_examples=dev_examples, median_tokens=median_tokens)
    if not options["quiet"]:
        click.echo(f"{out}: {examples} training and {dev_examples} development examples in both layouts")

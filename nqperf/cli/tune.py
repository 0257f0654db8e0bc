"""The command that searches for the fastest way to run a model on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.bench import suite_asked, variants_option
from nqperf.cli.console import suite_progress, warn
from nqperf.errors import ConfigError
from nqperf.formats.files import require_places
from nqperf.formats.results.recipe_toml import write_recipe
from nqperf.formats.weights.packaged import named_path
from nqperf.perf.keras_models.config import names_keras_model
from nqperf.report.tune import headline, tuned_text
from nqperf.tuning.candidates import TOLERANCES
from nqperf.tuning.tune import TuneConfig, tune

_INTERRUPTED = 130


@click.command("tune")
@click.argument("words", nargs=-1, metavar="[DATA]")
@shared.option("--model", type=shared.MODEL, help="The model folder.  [default: the packaged nq-mini]")
@shared.option("--out", type=shared.PATH, required=True, help="The recipe to write (TOML), for --recipe.")
@shared.option(
    "--tolerance",
    type=click.Choice(TOLERANCES),
    default="exact",
    help="How close answers must stay: the same ones, as 16 bits keep them, or as 8 bits do.",
)
@shared.option("--budget", type=shared.SECONDS, default=900.0, help="Seconds that the search may take.")
@shared.option("--limit", type=int, help="Use only so many examples.  [default: all]")
@shared.option("--max-seq-length", type=int, default=512, help="Positions of one input.")
@variants_option
@shared.together(shared.quiet_option, shared.json_option)
def tune_command(words: tuple[str, ...], model: Path | None, out: Path, **options: Any) -> None:
    """Race every way to run a model on this machine, and write the one that wins to --out.

    Engines, precisions, XLA, memory, threads and batch sizes race in fresh processes against the baseline. The
    winner answers all of DATA within the tolerance, and its ratio, per window, is measured once more in fresh
    processes. Without --model and DATA it is the packaged model on the development set of the generated world. Ctrl-C
    keeps the best so far, which the recipe then calls not confirmed.

    \b
    nqperf tune --out recipe.toml
    nqperf tune dev.jsonl.gz --model models/bert-joint --tolerance eight_bit --budget 600 --out recipe.toml
    nqperf run dev.jsonl.gz --model models/bert-joint --recipe recipe.toml --out out/

    \b
    Exit codes: 0 found, or nothing beats the default, which is said; 2 bad input; 130 interrupted.
    """
    model, data = _model_and_data(words, model)
    require_places(out=out)
    if model is not None:
        shared.refuse_same_file(out, data=data)
    config = TuneConfig.from_options(model=model, tolerance=options["tolerance"], **suite_asked(data, options))
    with suite_progress(quiet=options["quiet"]) as progress:
        found = tune(config, progress)
    write_recipe(out, found.recipe)
    if options["as_json"]:
        click.echo(msgspec.json.encode(found).decode())
    elif not options["quiet"]:
        click.echo(tuned_text(found))
    if found.interrupted:
        click.echo(f"nqperf: interrupted; kept in {out}: {headline(found)}", err=True)
        sys.exit(_INTERRUPTED)


def _model_and_data(words: tuple[str, ...], model: Path | None) -> tuple[Path | None, str | None]:
    """Return the model and the data that the arguments name; a model folder before DATA is the older order.

    Raises: UsageError for further words, ConfigError for a Keras model of the user's own.
    """
    if own := next((word for word in (*words, str(model)) if names_keras_model(word)), None):
        raise ConfigError(
            f"{own} is a Keras model, and the search is for nqperf's own networks: `nqperf bench {own}` runs every row "
            "that can run it and names the fastest safe one; repeat it with other --batch-size"
        )
    before = words[:1] if model is None and words and named_path(words[0]).is_dir() else ()
    data = words[len(before) :]
    if len(data) > 1:
        expected = "DATA alone, and the model by --model"
        raise click.UsageError(f"got {len(words)} arguments; expected {expected}", click.get_current_context())
    if before:
        warn(f"MODEL before DATA is the older order, which is still read: write --model {before[0]}")
        model = named_path(before[0])
    return model, data[0] if data else None

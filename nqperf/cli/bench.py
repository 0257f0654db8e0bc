"""The command that runs the suite, as `pytest benchmarks` does, without pytest."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.casts.naming import refuse_misnamed
from nqperf.cli import options as shared
from nqperf.cli.console import suite_progress, warn
from nqperf.cli.revisions import base_options, compare_rows, deliver, margin_options, names_base, refuse_margins
from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.files import require_places
from nqperf.formats.results.results_json import write_results
from nqperf.formats.results.step_summary import append_step_summary, step_summary_fault
from nqperf.formats.weights.model_folder import CONFIG
from nqperf.formats.weights.packaged import named_path
from nqperf.perf.keras_models.bench import bench_keras_model
from nqperf.perf.keras_models.config import KerasBenchConfig, names_keras_model
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.suite import SuiteRun, run_suite
from nqperf.plain_text import command_line
from nqperf.records.verdict import exit_status
from nqperf.report.html import run_page, write_page
from nqperf.report.lines import console_width
from nqperf.report.markdown import run_markdown
from nqperf.report.terminal import run_text, seconds_text
from nqperf.report.tracking import store_fault, track

# What is run; `calibrate` and `prove` run the same.
suite_options = shared.together(
    shared.option("--model", type=shared.MODEL, help="The model folder.  [default: the packaged nq-mini]"),
    shared.option("--limit", type=int, help="Use only so many examples.  [default: all]"),
    shared.option("--batch-size", type=int, help="Windows run at once.  [default: the suite's]"),
    shared.option("--max-seq-length", type=int, help="Positions of one input.  [default: the suite's]"),
    shared.option(
        "--pages",
        type=click.Choice(["huge", "plain"]),
        help="The memory pages that all processes ask for.  [default: huge, but plain where the floors are]",
    ),
)
variants_option = shared.together(
    shared.option(
        "--variants",
        metavar="NAMES",
        cls=shared.Listed,
        listed=shared.variant_names,
        help="Rows to run, with commas between; `nqperf variants` explains them.  [default: all that run here]",
    ),
    shared.option("--variants-file", type=shared.PATH, help="Variants of your own (TOML), beside the table's."),
    shared.baseline_option,
)
_ASKED = {
    *("model", "limit", "batch_size", "max_seq_length", "variants", "variants_file", "against", "recipe", "profile"),
    *("quick", "rounds", "budget", "resume", "pages", "require", "baseline"),
}


_KERAS = ("inputs", "vocabulary", "specs", "imports")
NOTHING_JUDGED = "nothing was judged, and --require-judged asks for it: name a profile that fits (`nqperf calibrate`)"
# All is well but for an output; 2 to 4 are taken.
_NOT_DELIVERED = 5
# As shells say what ended a program.
_SIGNALLED = 128


# Long: the docstring is the command's help.
@click.command("bench")
@click.argument("data", metavar="[DATA | MODULE:BUILD | MODEL.keras]", required=False)
@suite_options
@variants_option
@shared.option(
    "--inputs",
    type=shared.PATH,
    help="Real inputs of a Keras model (.npz): the first 192 rows, 80 with --quick, or --limit.  [default: drawn]",
)
@shared.option("--vocabulary", type=int, help="Ids that are drawn are below this.  [default: the largest embedding's]")
@shared.option(
    "--input", "specs", multiple=True, metavar="SPEC", help="An input where nothing tells: ids=int32[?,128]."
)
@shared.option(
    "--import", "imports", multiple=True, metavar="MODULE", help="Import this first: a .keras file's layers."
)
@shared.option("--against", type=shared.MODEL, help="A second model folder: compare the two in speed and micro-F1.")
@shared.option("--recipe", type=shared.PATH, help="A row more: the recipe of `nqperf tune`, held to its own figures.")
@shared.option(
    "--profile",
    type=shared.PATH,
    cls=shared.Listed,
    listed=shared.profile_names,
    help="What is promised: a file of `nqperf calibrate`, or a packaged profile.  [default: the one that fits]",
)
@shared.require_option
@shared.option("--quick", is_flag=True, help="Few sets and examples: less sure, for local work.")
@shared.option("--rounds", type=int, help="Take at most so many rounds, over all sets of processes.")
@shared.option("--budget", type=shared.SECONDS, help="Seconds that the run may take.  [default: 600, 180 with --quick]")
@base_options
@margin_options
@shared.option("--out", type=shared.PATH, help="Write the whole run as JSON, for `nqperf compare`.")
@shared.option(
    "--resume", is_flag=True, help="Go on from the sets of an earlier start with this --out that left rows open."
)
@shared.option("--report", type=shared.PATH, help="Write the report as an HTML page.")
@shared.option("--track", "tracked", is_flag=True, help="Log the run to MLflow (extra mlflow).")
@shared.option("--allow-inconclusive", is_flag=True, help="Exit with 0 where speed could not be told.")
@shared.option("--require-judged", is_flag=True, help="Exit with 1 where nothing was judged, as without a profile.")
@shared.together(shared.quiet_option, shared.json_option)
def bench_command(data: str | None, **options: Any) -> None:
    """Run the model on DATA in every variant; say whether the answers are the same and the speed is as promised.

    Without DATA, the fixed development set of the generated world is used. What is promised stands in the device's
    profile; without one the run only reports. In GitHub Actions the report goes to the job summary too. Ctrl-C shows
    what is known by then. A run that Ctrl-C or the time ended before every row was told leaves its sets of processes
    in OUT.rows, and the same command with --resume goes on from them.

    A Keras model of your own (a function that builds it, or a .keras file) runs in all rows of TensorFlow, on --inputs
    or on inputs that are drawn from its specs; of each row it is said how far the outputs are from float32's. With
    --quick and without --variants, as few rows are run as two sets of processes fit, 16 bits and XLA first.

    With --against, a second model that reads the same features runs in the same variants (the baseline alone, unless
    --variants says more), and the report says of each whether it is faster, whether its micro-F1 is higher, and
    what lies on the frontier of the two.

    With --base, --base-path or --base-python, each row of this working tree is held to the same row of another
    revision, folder or environment, in the same rounds: first the answers, then the work that is done, then time,
    memory and time to start. The rows are the baseline and the stages of the route (read, prepare-sentencepiece,
    prepare-wordpiece, answer, evaluate, route), unless --variants names others; "all" is every row.

    \b
    nqperf bench
    nqperf bench --quick --variants xla,mixed_bfloat16
    nqperf bench mymodel:build --quick --variants mixed_float16,mixed_bfloat16
    nqperf bench mymodel:build --inputs batch.npz
    nqperf bench model.keras --variants mixed_bfloat16,xla --report run.html
    nqperf bench --out run.json --resume
    nqperf bench --model nq-mini --against student --variants mixed_bfloat16
    nqperf bench --recipe recipe.toml --variants recipe
    nqperf bench --base main
    nqperf bench --base main --variants baseline,xla,answer --margin 0.05
    nqperf bench --base-python /envs/tensorflow-2.20 --variants all
    nqperf bench dev.jsonl.gz --model models/bert-joint --limit 40 --out run.json --report run.html --track

    \b
    Exit codes: 0 passed, or only reported; 1 FAIL (slower than promised, answers changed, a process failed or hung, or
    nothing was measured); 2 bad input; 3 INCONCLUSIVE (0 with --allow-inconclusive); 4 INVALID (a control had a wrong
    outcome); 5 all is well, but an output could not be written; 130 interrupted.
    """
    require_places(out=options["out"], report=options["report"])
    if names_base(options):
        with suite_progress(quiet=options["quiet"]) as progress:
            results, options = compare_rows(data, options, command_line(["nqperf", *sys.argv[1:]]), progress)
        deliver(results, options)
    refuse_margins()
    _run(data, options)


def _run(data: str | None, options: dict[str, Any]) -> None:
    """Run the suite, deliver what is asked for, and end the process with the exit code."""
    if options["tracked"] and (why := store_fault()):
        warn(f"{why}; the run goes on without it")
    if why := step_summary_fault():
        warn(f"{why}; the run goes on without it")
    config = _keras_config(data, options) if data and names_keras_model(data) else _config(data, options)
    if isinstance(config, SuiteConfig) and config.recipe is not None and (why := config.recipe.other_device()):
        warn(f"{config.recipe.path} is not for this machine: {why}; its row is measured and nothing is promised of it")
    with suite_progress(quiet=options["quiet"]) as progress:
        run = run_suite(config, progress) if isinstance(config, SuiteConfig) else bench_keras_model(config, progress)
    if options["as_json"]:
        click.echo(msgspec.json.encode(run.results).decode())
    elif not options["quiet"]:
        click.echo(f"{run_text(run.results, console_width())}\n{seconds_text(run.seconds)}")
    whole = _deliver(run, options)
    out = options["out"]
    if run.unfinished and out is not None and (kept := _rows_file(out)).exists() and not options["quiet"]:
        click.echo(f"{kept} holds the sets: the same command with --resume goes on from them", err=True)
    if run.interrupted is not None:
        sys.exit(_SIGNALLED + getattr(run.interrupted, "signum", signal.SIGINT))
    status = exit_status(run.results.outcome, allow_inconclusive=options["allow_inconclusive"])
    if options["require_judged"] and not run.results.judged:
        warn(NOTHING_JUDGED)
        status = status or 1
    sys.exit(status if status or whole else _NOT_DELIVERED)


def _deliver(run: SuiteRun, options: dict[str, Any]) -> bool:
    """Write all that was asked for, the results first; return whether all of it was written, and warn of what was not.

    Hours of measuring are not lost for one output: the others are written all the same.
    """
    out, report = options["out"], options["report"]
    outputs: list[Callable[[], object]] = []
    if out is not None:
        outputs.append(lambda: _write_results(out, run))
    if report is not None:
        outputs.append(lambda: write_page(report, run_page(run.results)))
    outputs.append(lambda: append_step_summary(run_markdown(run.results)))
    if options["tracked"]:
        outputs.append(lambda: track(run.results, run.predictions))
    written = 0
    for write in outputs:
        try:
            write()
            written += 1
        except (NqPerfError, OSError) as error:
            warn(str(error))
    return written == len(outputs)


def _write_results(out: Path, run: SuiteRun) -> None:
    write_results(out, run.results)
    if not run.unfinished:
        _rows_file(out).unlink(missing_ok=True)


def _rows_file(out: Path) -> Path:
    return out.with_name(f"{out.name}.rows")


def _config(data: str | None, options: dict[str, Any]) -> SuiteConfig:
    """Return what is to be run, and where its rows are kept.

    Raises: NqPerfError for data that is none, and for options that cannot be met, such as --resume with --track: no
    kept rows hold predictions.
    """
    if data is not None:
        refuse_misnamed(data)
    for name in _KERAS:
        if options[name] not in (None, ()):
            given = {"specs": "input", "imports": "import"}.get(name, name)
            raise ConfigError(f"--{given} is for a Keras model of yours: name it as module:function or MODEL.keras")
    if options["resume"] and options["tracked"]:
        raise ConfigError("--track logs the predictions of every variant, which no rows hold: leave --resume out")
    kept = options["out"] and _rows_file(options["out"])
    config = SuiteConfig.from_options(kept=kept, **suite_asked(data, options))
    if options["resume"] and kept and not kept.exists():
        warn(f"--resume finds no {kept.name}, which a start that left no row open does not leave: this one begins anew")
    return config


def _keras_config(target: str, options: dict[str, Any]) -> KerasBenchConfig:
    """Return how a user's own Keras model is to be run.

    Raises: NqPerfError for options that cannot be met.
    """
    if options["tracked"]:
        raise ConfigError("--track logs predictions, which a Keras model of yours has none of: leave it out")
    own = {name: options[name] for name in _KERAS}
    asked = {name: value for name, value in suite_asked(None, options).items() if name not in _of_the_suite_alone()}
    return KerasBenchConfig.from_options(target, **own, **asked)


def _of_the_suite_alone() -> set[str]:
    """Return the options of the suite's own model that only pyproject.toml names: they are not for a Keras model."""
    context = click.get_current_context()
    said = click.core.ParameterSource.DEFAULT_MAP
    names = ("model", "data", "against", "recipe", "profile", "limit", "max_seq_length")
    return {name for name in names if context.get_parameter_source(name) is said}


def suite_asked(data: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return what a command's `options` ask of the suite, on the file `data`, as `SuiteConfig.from_options` takes it.

    `data` is None for the packaged development set; of the options, those that are the command's own are left out.
    Raises: ConfigError where `data` is a model folder.
    """
    if data is not None and ((folder := named_path(data)) / CONFIG).is_file():
        raise ConfigError(f"{data} is a model folder, not data ({folder / CONFIG} is there): say --model {data}")
    asked = {name: value for name, value in options.items() if name in _ASKED}
    return {"data": data, "command": command_line(["nqperf", *sys.argv[1:]]), **asked}

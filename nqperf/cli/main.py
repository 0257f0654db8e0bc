"""The `nqperf` command: its subcommands are imported when they are called, so that `--help` stays instant."""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import os
import signal
import sys
import tempfile
from typing import NamedTuple

import click

from nqperf import __version__
from nqperf.cli import start_up
from nqperf.cli.signals import SIGNAL_BASE, ending
from nqperf.errors import Interrupted, NqPerfError

EXIT_BAD_INPUT = 2


class _Lazy(NamedTuple):
    target: str
    help: str


# By what people want to do; the help shows them so.
GROUPS = {
    "Answer questions": {
        "demo": _Lazy("nqperf.cli.demo:demo_command", "Answer three questions on a packaged page."),
        "run": _Lazy("nqperf.cli.run:run_command", "Answer a Natural Questions file and score the answers."),
        "prepare": _Lazy("nqperf.cli.stages:prepare_command", "Make features (TFRecord) of a Natural Questions file."),
        "predict": _Lazy("nqperf.cli.stages:predict_command", "Run a model over features; leave logits (npz)."),
        "answer": _Lazy("nqperf.cli.stages:answer_command", "Turn features and logits into predictions (JSON)."),
        "evaluate": _Lazy("nqperf.cli.stages:evaluate_command", "Score predictions as nq_eval does, with micro-F1."),
    },
    "Measure and judge speed": {
        "bench": _Lazy("nqperf.cli.bench:bench_command", "Run every variant and judge how fast it is."),
        "tune": _Lazy("nqperf.cli.tune:tune_command", "Find the fastest way to run a model here, and prove it."),
        "init": _Lazy("nqperf.cli.init:init_command", "Give a project a gate of its own: a benchmark and a workflow."),
        "ab": _Lazy("nqperf.cli.ab:ab_command", "Hold one builder of your project against another revision of it."),
        "bisect": _Lazy("nqperf.cli.bisect:bisect_command", "Find the commit that made a builder or a row slower."),
        "compare": _Lazy("nqperf.cli.compare:compare_command", "Compare the speed-ups of two benchmark runs."),
        "history": _Lazy("nqperf.cli.history:history_command", "Show the speed-ups of saved runs over time."),
    },
    "Check precision": {
        "casts": _Lazy("nqperf.cli.casts:casts", "Audit float16 casts: conflicts, promotions, drift, and a ledger."),
    },
    "Know the machine and the gate": {
        "doctor": _Lazy("nqperf.cli.doctor:doctor_command", "Say what this machine can run and what to install."),
        "variants": _Lazy("nqperf.cli.variants:variants_command", "List the variants, and why each runs here or not."),
        "calibrate": _Lazy("nqperf.cli.calibrate:calibrate_command", "Measure a device's noise; propose its profile."),
        "prove": _Lazy("nqperf.cli.calibrate:prove_command", "Prove the gate on comparisons with a known answer."),
    },
    "Make models and data": {
        "convert": _Lazy("nqperf.cli.convert:convert_command", "Make a model folder of a checkpoint."),
        "train": _Lazy("nqperf.cli.train:train_command", "Fine-tune a BERT Joint model."),
        "average": _Lazy("nqperf.cli.train:average_command", "Make one model of several: the mean of their weights."),
        "thresholds": _Lazy("nqperf.cli.train:thresholds_command", "Choose a model's answer thresholds."),
        "vocabulary": _Lazy("nqperf.cli.train:vocabulary_command", "Train a vocabulary with the context markers."),
        "world": _Lazy("nqperf.cli.world:world_command", "Make Natural Questions examples of a generated world."),
    },
}
# What pyproject.toml says holds for these.
OF_THE_PROJECT = ("bench", "calibrate", "prove", "ab")
COMMANDS = {name: lazy for group in GROUPS.values() for name, lazy in group.items()}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names of the commands, in the order of --help, whatever `ctx` is."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command `cmd_name`, imported; None where there is none, whatever `ctx` is."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        _take_verbose(command)
        # The help says what holds where nobody says anything: against a base, this tree's file may not count.
        helps = not {"-h", "--help"}.isdisjoint(sys.argv[1:])
        if cmd_name in OF_THE_PROJECT and ctx and not ctx.resilient_parsing and not helps:
            from nqperf.cli.project import defaults

            ctx.default_map = {cmd_name: defaults(cmd_name)}
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands in groups, with their one-line helps, to `formatter`, whatever `ctx` is."""
        widest = max(map(len, COMMANDS))
        for heading, group in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), lazy.help) for name, lazy in group.items()])


def _take_verbose(command: click.Command) -> None:
    """Give a command, and those below it, the option that lets the logs of native libraries through."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    for each in below:
        _take_verbose(each)
    if not below and all(parameter.name != "verbose" for parameter in command.params):
        command.params.append(
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                callback=start_up.show_logs,
                help="Show the log lines of TensorFlow and other libraries too.",
            )
        )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done; 1 a check failed; 2 bad input or bad arguments, nothing half-written; "
    "130 or 143 interrupted.",
)
@click.version_option(__version__, "-V", "--version", prog_name="nqperf")
def cli() -> None:
    """Run BERT Joint on Natural Questions and measure every way to run it faster.

    DATA stands first, and --model names the model: a folder, or nq-mini, the packaged one, which is the default.

    \b
    nqperf run dev.jsonl.gz --model models/bert-joint --out out/
    nqperf COMMAND --help shows examples of each command.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, or `arguments` where they are given; it ends the process where a command does not end well.

    An error of the user's is one line on stderr and exit code 2.
    """
    start_up.open_closed_streams()
    start_up.hold_back()
    logging.basicConfig(level=logging.WARNING, format="nqperf: %(message)s")
    try:
        with ending():
            cli.main(args=arguments, prog_name="nqperf", standalone_mode=False)
    except NqPerfError as error:
        _leave(f"error: {error}{_kept(error)}", error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message())
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        hint = f" (see `{error.ctx.command_path} --help`)" if isinstance(error, click.UsageError) and error.ctx else ""
        _leave(f"error: {error.format_message()}{hint}", EXIT_BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        _leave_interrupted(Interrupted(signal.SIGINT))
    except Interrupted as interrupted:
        _leave_interrupted(interrupted)
    except BrokenPipeError:
        # The reader of our output is gone; what Python would still flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # Not one of our outputs, which name themselves: a temporary folder, or where our output is sent.
        where = error.filename or f"the temporary folder {tempfile.gettempdir()} or standard output"
        _leave(f"error: {where}: {error.strerror}: free some space", EXIT_BAD_INPUT)


def _leave_interrupted(interrupted: Interrupted) -> None:
    kept = _kept(interrupted) or "; nothing was left half-written"
    _leave(f"interrupted{kept}", SIGNAL_BASE + interrupted.signum)


def _kept(error: NqPerfError | Interrupted) -> str:
    return f"; {error.kept}" if error.kept else ""


def _leave(message: str, code: int) -> None:
    with contextlib.suppress(OSError):  # nobody reads it: the exit code tells
        click.echo(f"nqperf: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()

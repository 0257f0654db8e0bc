"""What the commands that compare two revisions have in common: which base, what counts as slower, what is delivered."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.errors import ConfigError
from nqperf.formats.results.revisions_json import write_revisions
from nqperf.formats.results.step_summary import append_step_summary
from nqperf.perf.revisions.base_settings import DECIDING, settings_of_base
from nqperf.perf.revisions.config import MARGIN_DEFAULT, MARGIN_RULE, RevisionsConfig
from nqperf.perf.revisions.sides import BaseAsked, Side, both_sides, project_of
from nqperf.perf.revisions.suite import RowsAsked, compare_suite
from nqperf.perf.workers.progress import Progress
from nqperf.records.revisions import RevisionResults
from nqperf.report.revisions import revisions_markdown, revisions_text

_EXIT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}
GROWTH_RULE = "surely more than 0.4 of it fails"
MARGINS = ("margin", "memory_margin", "start_margin", "how")
base_options = shared.together(
    shared.option(
        "--base", "revision", metavar="REVISION", help="The commit, branch or tag to hold this tree against."
    ),
    shared.option(
        "--base-path", "path", type=shared.PATH, help="A folder with the base's files, instead of a revision."
    ),
    shared.option("--base-python", "python", metavar="PYTHON", help="The base's interpreter or environment."),
)
margin_options = shared.together(
    shared.option(
        "--margin",
        type=shared.SHARE,
        help=f"The slowdown of a run, 0.02 is 2 %: {MARGIN_RULE}. {MARGIN_DEFAULT}",
    ),
    shared.option(
        "--memory-margin", type=shared.SHARE, default=0.10, help=f"The growth of peak memory: {GROWTH_RULE}."
    ),
    shared.option(
        "--start-margin", type=shared.SHARE, default=0.25, help=f"The growth of the time to start: {GROWTH_RULE}."
    ),
    shared.option(
        "--how",
        type=click.Choice(["auto", "duet", "turns"]),
        default="auto",
        help="Both sides at once on half of the cores each, in turns, or what a short trial finds better.",
    ),
)
# What the suite does and a comparison of its rows in two revisions does not.
_WITHOUT = ("against", "recipe", "profile", "rounds", "require", "resume", "report", "tracked")
_BUDGET, _QUICK_BUDGET = 600.0, 180.0


def base_asked(options: Mapping[str, Any]) -> BaseAsked:
    """Return which base the `options` name.

    Raises: ConfigError when none is named, or two.
    """
    return BaseAsked(**{name: options[name] for name in ("revision", "path", "python")})


def names_base(options: Mapping[str, Any]) -> bool:
    """Return whether the `options` name a base."""
    return any(options[name] is not None for name in ("revision", "path", "python"))


def refuse_margins() -> None:
    """Raise ConfigError when one of the margins was typed, which say nothing without a base."""
    context = click.get_current_context()
    for name in MARGINS:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} has no effect without a base: name one by --base, or leave it out")


def by_the_base(
    options: Mapping[str, Any], config: RevisionsConfig, sides: tuple[Side, Side], budget: float
) -> tuple[dict[str, Any], RevisionsConfig]:
    """Return `options` and `config` with the base's settings for what nobody typed and only a project's file says.

    `sides` are base and change, and `budget` is how many seconds the command takes where nobody says it. Raises:
    FormatError as `settings_of_base`.
    """
    context = click.get_current_context()
    typed = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    given = [name for name in DECIDING if context.get_parameter_source(name) in typed]
    found = settings_of_base(Path.cwd(), sides, given, budget=budget)
    options = {**options, **found.values}
    margin, seconds = options["margin"], found.values.get("budget", config.budget)
    return options, dataclasses.replace(config, margin=margin, budget=seconds, settings=found.said)


def _budget(options: Mapping[str, Any]) -> float:
    """Return the seconds that rows of the suite are compared in where nobody says how many."""
    return _QUICK_BUDGET if options["quick"] else _BUDGET


def compare_rows(
    data: str | None, options: Mapping[str, Any], command: str, progress: Progress
) -> tuple[RevisionResults, dict[str, Any]]:
    """Hold the suite's rows in this tree to those of the base that the `options` of `nqperf bench` name.

    `data` is its DATA, `command` what the record says of the call, and `progress` is told each set. Beside the results
    stand the options with the base's settings.

    Raises: ConfigError for an option that has no effect here; NqPerfError for bad input.
    """
    for name in _WITHOUT:
        if options.get(name):
            option = "track" if name == "tracked" else name
            raise ConfigError(
                f"--{option} has no effect beside a base, whose rows are held to this tree's: leave it out"
            )
    config = RevisionsConfig(
        command=command,
        progress=progress,
        budget=options["budget"] or _budget(options),
        pages=options["pages"] or "huge",
        **{name: options[name] for name in MARGINS},
    )
    variants = options["variants"]
    given = {name: options[name] for name in ("model", "limit", "batch_size", "variants_file")}
    length = options["max_seq_length"]
    asked = RowsAsked(
        variants=None if variants is None else tuple(name.strip() for name in variants.split(",")),
        data=data,
        **given,
        **({} if length is None else {"max_seq_length": length}),
    )
    folder = Path.cwd()
    with both_sides(base_asked(options), folder, rows=True) as sides:
        options, config = by_the_base(options, config, sides, _budget(options))
        return compare_suite(asked, sides, project_of(folder)[0], config), options


def deliver(results: RevisionResults, options: Mapping[str, Any]) -> None:
    """Print, write and summarise `results` as the `options` say, and end the process with the exit code."""
    if options["as_json"]:
        click.echo(msgspec.json.encode(results).decode())
    elif not options["quiet"]:
        click.echo(revisions_text(results))
    if options["out"] is not None:
        write_revisions(options["out"], results)
    append_step_summary(revisions_markdown(results))
    allowed = options["allow_inconclusive"] and results.outcome == "INCONCLUSIVE"
    sys.exit(0 if allowed else _EXIT[results.outcome])

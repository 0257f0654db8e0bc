"""--recipe: how a model runs as `tune` found it; variables that must stand before the process starts are set anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nqperf.cli import options as shared
from nqperf.cli.console import warn
from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.perf.machine.environment import python_command, worker_environment
from nqperf.perf.suite.recipes import read_recipe_row

# Stands in the environment of a process that was started anew, so that none is started twice.
STARTED_ANEW = "NQPERF_STARTED_ANEW"
# What a recipe says; an option that says otherwise beside it would be a contradiction.
_SAID = ("engine", "precision", "wide", "xla", "batch_size", "buckets")

recipe_option = shared.option("--recipe", type=shared.PATH, help="Run as this file of `nqperf tune` says.")


def engine_and_settings(options: dict[str, Any], folder: OpenedModel) -> tuple[str, dict[str, Any]]:
    """Return the engine and its settings as the `options` say, or the recipe; this process may be started anew for it.

    `folder` is the opened model, which the recipe must be for. On another device than the recipe's a warning is given,
    and the baseline's way is taken.
    Raises: FormatError for a recipe that cannot be used for this model, ConfigError for options beside it,
    MissingExtraError for an engine that is not installed.
    """
    path: Path | None = options["recipe"]
    if path is None:
        return options["engine"], shared.engine_settings(options)
    _refuse_beside()
    anew = os.environ.pop(STARTED_ANEW, None) is not None
    row = read_recipe_row(path)
    row.require_model(folder)
    if why := row.other_device():
        warn(f"{path} is not for this machine: {why}; running the baseline's way: `nqperf tune` finds another")
        return DEFAULT_ENGINE, {}
    if row.recipe.note and not anew:
        warn(f"{path}: {row.recipe.note}")
    _start_with(worker_environment(row.variant.engine_row(), row.recipe.environment), anew=anew)
    engine, settings = row.engine_and_settings()
    find_engine(engine).config(settings)
    return engine, settings


def _refuse_beside() -> None:
    """Raise ConfigError when an option says what the recipe says already."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    for name in _SAID:
        if context.get_parameter_source(name) not in (default, None):
            raise ConfigError(f"--{name.replace('_', '-')} and --recipe are both given; a recipe says it: name one")


def _start_with(environment: Mapping[str, str], *, anew: bool) -> None:
    """Start this command anew with `environment`, unless this process has it; `anew`: it is such a start already.

    Raises: ConfigError when a new process has not got it either.
    """
    differing = sorted(
        name
        for name in {**os.environ, **environment}
        if name not in ("PYTHONPATH", "TF_CPP_MIN_LOG_LEVEL") and os.environ.get(name) != environment.get(name)
    )
    if not differing:
        return
    if anew:
        raise ConfigError(f"the environment does not stay as the recipe sets it ({', '.join(differing)})")
    sys.stdout.flush()
    sys.stderr.flush()
    command = python_command("nqperf.cli.main", *sys.argv[1:])
    os.execve(sys.executable, command, {**environment, STARTED_ANEW: "1"})  # noqa: S606  # our own command, once more

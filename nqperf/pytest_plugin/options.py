"""The gate's options in pytest: declared, checked before anything is collected, and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nqperf.errors import NqPerfError
from nqperf.pytest_plugin.benchmark_options import check_timers

if TYPE_CHECKING:
    from nqperf.perf.variants.variant import Variant

# Not all that start so: the cast audit has options of its own.
OPTIONS = tuple(
    f"--nqperf-{name}"
    for name in (
        *("model", "data", "limit", "variants", "variants-file", "batch-size", "max-seq-length", "profile", "quick"),
        *("recipe", "rounds", "budget"),
        *("allow-inconclusive", "save-results", "report", "track"),
    )
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options, and refuse a timer that pytest-benchmark would end in a traceback for.

    It imports the timer while pytest parses what was given, which no later hook comes before.
    """
    check_timers(pluginmanager)
    group = parser.getgroup("nqperf", "performance regression gate (nqperf)")
    path = {"type": Path, "metavar": "PATH"}
    group.addoption("--nqperf-model", help="Model folder. Default: the packaged model.", **path)
    group.addoption(
        "--nqperf-data", metavar="DATA", help="Natural Questions file or glob. Default: generated examples."
    )
    group.addoption("--nqperf-limit", type=int, metavar="N", help="Use only the first N examples.")
    group.addoption("--nqperf-variants", metavar="NAMES", help="Variants to run, with commas between. Default: all.")
    group.addoption("--nqperf-variants-file", help="Variants of your own (TOML), beside those of the table.", **path)
    group.addoption("--nqperf-recipe", help="A row more: a recipe of `nqperf tune`, held to its figures.", **path)
    group.addoption("--nqperf-batch-size", type=int, metavar="N", help="Windows run at once.")
    group.addoption("--nqperf-max-seq-length", type=int, metavar="N", help="Positions of one window.")
    group.addoption("--nqperf-profile", help="Device profiles (TOML) to judge by instead of the packaged ones.", **path)
    group.addoption(
        "--nqperf-quick", action="store_true", help="Look at 10, 20 and 40 pairs: less sure, for local work."
    )
    group.addoption("--nqperf-rounds", type=int, metavar="N", help="Take at most N pairs a variant.")
    group.addoption(
        "--nqperf-budget",
        type=float,
        metavar="SECONDS",
        help="Seconds that the run may take. Default: 600, 180 with --nqperf-quick.",
    )
    group.addoption("--nqperf-allow-inconclusive", action="store_true", help="INCONCLUSIVE is an xfail, not a failure.")
    group.addoption("--nqperf-save-results", help="Write the whole run as JSON, for `nqperf compare`.", **path)
    group.addoption("--nqperf-report", help="Write the report as an HTML page.", **path)
    group.addoption("--nqperf-track", action="store_true", help="Log the run to MLflow (extra mlflow).")


def check_options(config: pytest.Config) -> None:
    """Raise NqPerfError or UsageError for an option that cannot be met."""
    option = config.option
    if given_option(config) and is_distributed(config):
        raise pytest.UsageError("the gate measures alone on its machine: run its tests without -n")
    for name in ("nqperf_save_results", "nqperf_report"):
        path = getattr(option, name)
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise pytest.UsageError(f"--{name.replace('_', '-')} {path}: name a file in a folder that exists")
    if option.nqperf_profile is not None:
        from nqperf.perf.variants.floors import read_floors

        own = [variant.name for variant in own_variants(config)]
        read_floors(option.nqperf_profile, own)
    if option.nqperf_rounds is not None:
        from nqperf.records.verdict import REFERENCE_GATE

        REFERENCE_GATE.limited(option.nqperf_rounds)
    if option.nqperf_budget is not None:
        from nqperf.perf.measuring.budget import Budget

        Budget(seconds=option.nqperf_budget)
    if any(getattr(option, f"nqperf_{name}") is not None for name in ("variants", "variants_file", "recipe")):
        selected_variants(config)
    if option.nqperf_track:
        from nqperf.report.tracking import require_mlflow

        require_mlflow()


def selected_variants(config: pytest.Config) -> tuple[str, ...]:
    """Return the baseline and the variants that the option names, in the order of the table.

    Raises: VariantError for an unknown name.
    """
    from nqperf.perf.variants.table import select_variants

    requested = config.option.nqperf_variants
    names = None if requested is None else tuple(name.strip() for name in requested.split(","))
    return tuple(variant.name for variant in select_variants(names, own_variants(config)))


def own_variants(config: pytest.Config) -> tuple[Variant, ...]:
    """Return the variants of the files that the options name: the user's own, and the recipe's.

    Raises: FormatError or VariantError for one that cannot be used.
    """
    from nqperf.perf.suite.recipes import read_recipe_row
    from nqperf.perf.variants.own import read_own_variants

    option = config.option
    return (*read_own_variants(option.nqperf_variants_file), *read_recipe_row(option.nqperf_recipe))


def given_option(config: pytest.Config) -> str | None:
    """Return the first option of the gate on the command line itself; those in a configuration file bind nobody."""
    arguments = (str(argument).partition("=")[0] for argument in config.invocation_params.args)
    return next((argument for argument in arguments if argument in OPTIONS), None)


def is_distributed(config: pytest.Config) -> bool:
    """Return whether pytest-xdist runs the tests in several processes, and this is one of them or directs them."""
    return hasattr(config, "workerinput") or config.getoption("dist", "no") != "no"


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn nqperf's errors into pytest's, which are shown in one line and exit with 4."""
    try:
        yield
    except NqPerfError as error:
        raise pytest.UsageError(f"nqperf: {error}") from error

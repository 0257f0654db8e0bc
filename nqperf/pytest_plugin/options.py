"""The gate's options in pytest: declared, checked before anything is collected, and read."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nqperf.errors import NqPerfError

if TYPE_CHECKING:
    from nqperf.perf.suite.suite import SuiteConfig
    from nqperf.perf.variants.variant import Variant

# When the session started, in seconds of `time.monotonic`.
STARTED = pytest.StashKey[float]()
# Not all that start so: the cast audit has options of its own.
OPTIONS = tuple(
    f"--nqperf-{name}"
    for name in (
        *("model", "data", "limit", "variants", "variants-file", "batch-size", "max-seq-length", "profile", "quick"),
        *("recipe", "rounds", "budget"),
        *("allow-inconclusive", "save-results", "report", "track"),
    )
)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
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


def suite_config(config: pytest.Config) -> SuiteConfig:
    """Return what the suite runs, as the options say."""
    from nqperf.perf.suite.suite import SuiteConfig

    option = config.option
    names = ("model", "data", "limit", "variants_file", "recipe", "profile", "batch_size", "max_seq_length")
    requested = {name: getattr(option, f"nqperf_{name}") for name in names}
    command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
    suite = SuiteConfig(command=command, **{name: value for name, value in requested.items() if value is not None})
    if option.nqperf_quick:
        suite = suite.quick()
    if option.nqperf_rounds is not None:
        # Who names a number of pairs wants them, however long they take.
        gate = suite.gate.limited(option.nqperf_rounds)
        suite = dataclasses.replace(suite, gate=gate, budget=math.inf)
    if option.nqperf_budget is not None:
        suite = dataclasses.replace(suite, budget=option.nqperf_budget)
    return suite


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


def has_benchmarks(config: pytest.Config) -> bool:
    """Return whether pytest-benchmark takes part in the session."""
    return hasattr(config.option, "benchmark_skip")


def switched_off(config: pytest.Config) -> str | None:
    """Return the option of pytest-benchmark that keeps benchmarks from being timed; None where they are.

    As pytest-benchmark has it, --benchmark-only lifts --benchmark-skip, and --benchmark-enable --benchmark-disable.
    """
    option = config.option
    if not has_benchmarks(config):
        return None
    if option.benchmark_skip and not option.benchmark_only:
        return "--benchmark-skip"
    return "--benchmark-disable" if option.benchmark_disable and not option.benchmark_enable else None


def was_typed(config: pytest.Config, option: str) -> bool:
    """Return whether `option` stands on the command line itself, and not only in a configuration file."""
    return option in map(str, config.invocation_params.args)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn nqperf's errors into pytest's, which are shown in one line and exit with 4."""
    try:
        yield
    except NqPerfError as error:
        raise pytest.UsageError(f"nqperf: {error}") from error

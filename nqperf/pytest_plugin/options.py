"""The gate's options in pytest: declared, checked before anything is collected, and read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.errors import NqPerfError

if TYPE_CHECKING:
    from nqperf.perf.suite.config import SuiteConfig, SuiteOptions

# When the session started, in seconds of `time.monotonic`.
STARTED = pytest.StashKey[float]()
# The value of --benchmark-compare, where its run is loaded after the collection.
DEFERRED = pytest.StashKey[Any]()
# Not all that start so: the cast audit has options of its own.
_OF_THE_SUITE = (
    *("model", "data", "limit", "variants", "variants-file", "batch-size", "max-seq-length", "profile", "quick"),
    *("recipe", "rounds", "budget", "require", "baseline"),
)
# Which base the rows, or a builder, are held to.
_OF_REVISIONS = ("base", "base-path", "base-python", "margin")
_NOT_BESIDE_A_BASE = ("recipe", "profile", "rounds", "require", "report", "track")
OPTIONS = tuple(
    f"--nqperf-{name}"
    for name in (
        *(*_OF_THE_SUITE, *_OF_REVISIONS),
        *("allow-inconclusive", "require-judged", "save-results", "report", "track"),
    )
)
# What two ways to do anything have no use for.
SUITE_ALONE = frozenset(f"--nqperf-{name}" for name in _OF_THE_SUITE) - {"--nqperf-quick", "--nqperf-rounds"}
# By their names in pytest's own record of them.
_ASKED = frozenset(f"nqperf_{name.replace('-', '_')}" for name in _OF_THE_SUITE)


ASKED = pytest.StashKey["SuiteOptions"]()
# Whether an option, and not pyproject.toml, says that INCONCLUSIVE is no failure.
ALLOWED = pytest.StashKey[bool]()
# What pyproject.toml says of the suite.
PROJECT = pytest.StashKey[dict[str, Any]]()


def add_options(parser: pytest.Parser) -> None:
    """Declare the gate's options in pytest's `parser`."""
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
    group.addoption(
        "--nqperf-require", choices=("gpu", "cpu"), help="Fail unless the baseline computes on such a device."
    )
    group.addoption("--nqperf-baseline", metavar="ROW", help="The row that the others are held to, of any engine.")
    group.addoption("--nqperf-profile", help="Device profiles (TOML) to judge by instead of the packaged ones.", **path)
    group.addoption("--nqperf-quick", action="store_true", help="Few sets and examples: less sure, for local work.")
    group.addoption("--nqperf-rounds", type=int, metavar="N", help="Take at most N rounds, over all sets of processes.")
    group.addoption(
        "--nqperf-budget",
        type=float,
        metavar="SECONDS",
        help="Seconds that the run may take. Default: 600, 180 with --nqperf-quick.",
    )
    group.addoption("--nqperf-base", metavar="REVISION", help="Hold each row to the same row of this revision.")
    group.addoption("--nqperf-base-path", help="The same of a folder with the base's files.", **path)
    group.addoption("--nqperf-base-python", metavar="PYTHON", help="The same of another interpreter or environment.")
    group.addoption(
        "--nqperf-margin",
        type=float,
        metavar="SHARE",
        help="The slowdown against the base: surely more than 0.4 of it fails, surely less than it passes. "
        "Default: 0.02, and 0.05 to pass where 0.02 cannot be told in the time, which is said.",
    )
    group.addoption("--nqperf-allow-inconclusive", action="store_true", help="INCONCLUSIVE is an xfail, not a failure.")
    group.addoption("--nqperf-require-judged", action="store_true", help="Fail where nothing was judged.")
    group.addoption("--nqperf-save-results", help="Write the whole run as JSON, for `nqperf compare`.", **path)
    group.addoption("--nqperf-report", help="Write the report as an HTML page.", **path)
    group.addoption("--nqperf-track", action="store_true", help="Log the run to MLflow (extra mlflow).")


def take_project(config: pytest.Config) -> dict[str, Any]:
    """Return what `[tool.nqperf]` of the project of `config` says of the suite; options not given say the rest of it.

    It is read once a session, when something of the gate is asked for.

    Raises: FormatError for a table that cannot be used.
    """
    if PROJECT not in config.stash:
        from nqperf.formats.project_toml import RUN_OPTIONS, find_project, read_project_options

        path = find_project(config.rootpath)
        found = {} if path is None else read_project_options(path)
        config.stash[ALLOWED] = config.option.nqperf_allow_inconclusive
        for name in RUN_OPTIONS:
            value = found.pop(name, None)
            option = f"nqperf_{name}"
            if value is not None and getattr(config.option, option) in (None, False):
                setattr(config.option, option, Path(value) if name in ("report", "save_results") else value)
        config.stash[PROJECT] = found
    return config.stash[PROJECT]


def check_options(config: pytest.Config) -> None:
    """Raise NqPerfError or UsageError for an option in `config` that cannot be met."""
    option = config.option
    take_project(config)
    if given_option(config) and is_distributed(config):
        raise pytest.UsageError("the gate measures alone on its machine: run its tests without -n")
    places = {name: getattr(option, name) for name in ("nqperf_save_results", "nqperf_report")}
    if any(path is not None for path in places.values()):
        from nqperf.formats.files import require_places

        require_places(**places)
    asked = (getattr(option, name) for name in _ASKED)
    if any(value is not None and value is not False for value in asked):
        from nqperf.perf.suite.config import SuiteConfig

        asked_of(config).over(SuiteConfig()).device_profiles()
    if option.nqperf_margin is not None and not base_named(config):
        raise pytest.UsageError("--nqperf-margin has no effect without a base: name one by --nqperf-base")
    for name in _NOT_BESIDE_A_BASE if base_named(config) else ():
        if getattr(option, f"nqperf_{name}"):
            raise pytest.UsageError(f"--nqperf-{name} has no effect beside a base: leave it out")
    if option.nqperf_track:
        from nqperf.report.tracking import store_fault

        if why := store_fault():
            # No warning of Python's: a project that makes errors of them would end here.
            config.get_terminal_writer().line(f"nqperf: {why}; the run goes on without it", red=True)


def asked_of(config: pytest.Config) -> SuiteOptions:
    """Return what the options in `config` ask of the suite.

    They are parsed, and the files that they name are read, once a session.

    Raises: NqPerfError for an option that cannot be met.
    """
    if ASKED not in config.stash:
        from nqperf.perf.suite.config import SuiteOptions
        from nqperf.plain_text import command_line

        given = {name.removeprefix("nqperf_"): getattr(config.option, name) for name in _ASKED}
        asked = {
            **{name: value for name, value in take_project(config).items() if name != "margin"},
            **{name: one for name, one in given.items() if one is not None and one is not False},
        }
        if base_named(config):
            asked["variants"] = None  # stages of the route are rows too, which the suite alone does not have
        command = command_line(["pytest", *map(str, config.invocation_params.args)])
        config.stash[ASKED] = SuiteOptions.read(command=command, **asked)
    return config.stash[ASKED]


def base_named(config: pytest.Config) -> bool:
    """Return whether the options in `config` name a base."""
    names = ("nqperf_base", "nqperf_base_path", "nqperf_base_python")
    return any(getattr(config.option, name) is not None for name in names)


def row_names(config: pytest.Config) -> list[str]:
    """Return the rows that have tests: those of the suite, or with a base those that are held to it.

    Raises: NqPerfError for options in `config` that cannot be met.
    """
    from nqperf.perf.suite.config import SuiteConfig

    if not base_named(config):
        return [row.name for row in asked_of(config).over(SuiteConfig()).rows()]
    from nqperf.perf.revisions.suite import default_rows

    named = config.option.nqperf_variants
    return list(default_rows() if named is None else dict.fromkeys(name.strip() for name in named.split(",")))


def suite_config(config: pytest.Config, own: SuiteConfig, names: Iterable[str]) -> SuiteConfig:
    """Return what the suite runs: the rows of `names`, as the options say, and where they say nothing, as `own`.

    `config` holds the options; `own` is the project's: what its `nqperf_config` returns.

    Raises: NqPerfError for options that cannot be met together, and for a field of `own` that has no effect.
    """
    rows = "options say which rows have tests: --nqperf-variants, --nqperf-variants-file, --nqperf-recipe and -baseline"
    own.refuse("variants", "own", "recipe", "baseline", why=rows)
    own.refuse("spent", why="it is what the tests before the suite's have taken")
    return asked_of(config).over(own).only(names)


def given_option(config: pytest.Config, among: Collection[str] = OPTIONS) -> str | None:
    """Return the first option of `among` on the command line of `config` itself; those in a file bind nobody."""
    arguments = (str(argument).partition("=")[0] for argument in config.invocation_params.args)
    return next((argument for argument in arguments if argument in among), None)


def is_distributed(config: pytest.Config) -> bool:
    """Return whether pytest-xdist runs the tests of `config` in several processes, and this is or directs one."""
    return hasattr(config, "workerinput") or config.getoption("dist", "no") != "no"


def has_benchmarks(config: pytest.Config) -> bool:
    """Return whether pytest-benchmark takes part in the session of `config`."""
    return hasattr(config.option, "benchmark_skip")


def switched_off(config: pytest.Config) -> str | None:
    """Return the option of pytest-benchmark in `config` that keeps benchmarks from being timed; None where they are.

    As pytest-benchmark has it, --benchmark-only lifts --benchmark-skip, and --benchmark-enable --benchmark-disable.
    """
    option = config.option
    if not has_benchmarks(config):
        return None
    if option.benchmark_skip and not option.benchmark_only:
        return "--benchmark-skip"
    return "--benchmark-disable" if option.benchmark_disable and not option.benchmark_enable else None


def was_typed(config: pytest.Config, option: str) -> bool:
    """Return whether `option` stands on the command line of `config` itself, and not only in a configuration file."""
    return option in map(str, config.invocation_params.args)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn nqperf's errors into pytest's, which are shown in one line and exit with 4.

    Raises: pytest.UsageError for an NqPerfError of the block.
    """
    try:
        yield
    except NqPerfError as error:
        raise pytest.UsageError(f"nqperf: {error}") from error

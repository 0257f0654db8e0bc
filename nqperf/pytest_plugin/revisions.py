"""The gate in pytest against another revision: rows of the suite, or one builder, held to the same of a base."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.errors import ConfigError, NqPerfError
from nqperf.plain_text import command_line
from nqperf.pytest_plugin.options import ALLOWED, asked_of, switched_off, take_project
from nqperf.pytest_plugin.progress import progress_of
from nqperf.pytest_plugin.replay import replay_times
from nqperf.pytest_plugin.session import gate_of
from nqperf.pytest_plugin.state import ComparedRevisions
from nqperf.records.revisions import ComparedRow, RevisionResults
from nqperf.report.revisions import row_sentence

_SUITE = "suite"

if TYPE_CHECKING:
    from nqperf.perf.revisions.config import RevisionsConfig
    from nqperf.perf.revisions.sides import Side
    from nqperf.perf.suite.config import SuiteConfig


def run(own: SuiteConfig, config: pytest.Config) -> ComparedRevisions:
    """Hold the rows whose tests were selected to those of the base that the options in `config` name.

    `own` is the project's: what its `nqperf_config` returns.

    Raises: NqPerfError for options that cannot be met, and what a comparison raises.
    """
    from nqperf.perf.revisions.sides import both_sides, project_of
    from nqperf.perf.revisions.suite import RowsAsked, compare_suite

    state = gate_of(config).state
    suite = asked_of(config).over(own)
    asked = RowsAsked(
        variants=state.variants,
        variants_file=config.option.nqperf_variants_file,
        model=suite.model,
        data=suite.data,
        limit=suite.limit,
        max_seq_length=suite.max_seq_length,
        batch_size=suite.batch_size,
    )
    budget = max(1.0, suite.budget - min(time.monotonic() - state.started, suite.budget / 4))
    folder = Path(config.invocation_params.dir)
    with progress_of(config) as progress:
        measured = _measured(config, budget, suite.pages or "huge", progress)
        with both_sides(_asked(config), folder, rows=True) as sides:
            measured, allow = _by_the_base(config, measured, sides, suite=(suite.budget, own.budget))
            results = compare_suite(asked, sides, project_of(folder)[0], measured)
    return ComparedRevisions(test="", results=results, allow_inconclusive=allow)


def results_of(request: pytest.FixtureRequest, own: SuiteConfig) -> RevisionResults:
    """Return what the comparison with the base found; the test is skipped where benchmarks are switched off.

    `request` is the fixture's own, `own` what the project's `nqperf_config` returns.
    """
    config = request.config
    if (off := switched_off(config)) is not None:
        pytest.skip(f"{off}: nothing was compared")
    try:
        held = run(own, config)
    except NqPerfError as error:
        pytest.exit(f"nqperf: {error}", returncode=1 if error.exit_code == 1 else pytest.ExitCode.USAGE_ERROR)
    gate_of(config).state.revisions[_SUITE] = held
    return held.results


def held_of(request: pytest.FixtureRequest) -> ComparedRevisions:
    """Return what the comparison of the suite's rows in the session of `request` found, after `results_of`."""
    return gate_of(request.config).state.revisions[_SUITE]


def gate(request: pytest.FixtureRequest, benchmark: Any, row: ComparedRow, held: ComparedRevisions) -> None:
    """Give the change's times of `row` to `benchmark`, None without pytest-benchmark, and end the test as it says.

    `request` is the test's, `held` the comparison that the row is of.
    """
    seconds = row.sets[-1].change if row.sets else ()
    said: dict[str, Any] = {"verdict": row.outcome or "skipped"}
    if (judged := row.measure("time")) is not None:
        said |= {"ratio": judged.ratio, "interval": judged.interval, "sets": judged.sets}
    replay_times(request.node, benchmark, said, seconds, failed=row.outcome == "FAIL")
    message = row_sentence(row, held.results.base.label)
    if row.outcome is None:
        pytest.skip(message)
    if row.outcome == "FAIL":
        pytest.fail(message, pytrace=False)
    if row.outcome == "INCONCLUSIVE":
        if held.allow_inconclusive:
            pytest.xfail(message)
        more = "more time decides it, --nqperf-allow-inconclusive lets it be"
        pytest.fail(f"INCONCLUSIVE: {message}; {more}", pytrace=False)


def compare_builder(
    request: pytest.FixtureRequest, benchmark: Any, target: Any, base: str | None, **asked: Any
) -> RevisionResults:
    """Hold the builder `target`, "module:build", to the same in the revision `base`, and end the test as it says.

    `request` is the test's, `benchmark` pytest-benchmark's fixture. Without `base`, the options name it. `asked` are
    `same`, as `nqperf.gate.paired` takes it, and fields of `RevisionsConfig` such as `margin` and `budget`.

    Raises: ConfigError for anything else, or where nothing names a base; what a comparison raises.
    """
    from nqperf.perf.revisions.compare import compare_revisions
    from nqperf.perf.revisions.sides import BaseAsked, both_sides, project_of

    config = request.config
    if not isinstance(target, str):
        raise ConfigError(f"{target!r:.60} is no builder's name; expected 'module:build', which both revisions have")
    if (off := switched_off(config)) is not None:
        pytest.skip(f"{off}: nothing was compared")
    same = {"same": asked.pop("same")} if "same" in asked else {}
    wanted = BaseAsked(revision=base) if base is not None else _asked(config)
    folder = Path(config.invocation_params.dir)
    with progress_of(config) as progress:
        measured = _measured(config, asked.pop("budget", 180.0), asked.pop("pages", "huge"), progress)
        known = {field.name for field in dataclasses.fields(measured)}
        if unknown := sorted(set(asked) - known):
            raise ConfigError(
                f"unknown setting {', '.join(unknown)}; expected same or some of {', '.join(sorted(known))}"
            )
        with both_sides(wanted, folder, target=target) as sides:
            measured, allow = _by_the_base(config, measured, sides)
            measured = dataclasses.replace(measured, **asked)
            results = compare_revisions(target, sides, project_of(folder)[0], config=measured, **same)
    test = request.node.nodeid
    held = ComparedRevisions(test=test, results=results, allow_inconclusive=allow)
    gate_of(config).state.revisions[f"{test} {target}"] = held
    # By the base's benchmarks, where they are others, there is a second row: what fails of both counts.
    gate(
        request, benchmark, next((row for row in results.rows if row.outcome == results.outcome), results.rows[0]), held
    )
    return results


def _asked(config: pytest.Config) -> Any:
    from nqperf.perf.revisions.sides import BaseAsked

    option = config.option
    try:
        return BaseAsked(revision=option.nqperf_base, path=option.nqperf_base_path, python=option.nqperf_base_python)
    except ConfigError as error:
        said = str(error).replace("--base", "--nqperf-base")
        raise ConfigError(f"{said}; in a test: nqperf_paired('module:build', base='main')") from None


def _by_the_base(
    config: pytest.Config,
    measured: RevisionsConfig,
    sides: tuple[Side, Side],
    suite: tuple[float, float] | None = None,
) -> tuple[RevisionsConfig, bool]:
    """Return `measured`, and whether INCONCLUSIVE is no failure, by the base's file where no option says it.

    `suite` are the seconds of the suite's rows, as they are and where no file says them; None in a test of its own.
    """
    from nqperf.perf.revisions.base_settings import settings_of_base

    given = [
        name
        for name, typed in (
            ("margin", config.option.nqperf_margin is not None),
            ("allow_inconclusive", config.stash[ALLOWED]),
            ("budget", suite is None or config.option.nqperf_budget is not None),
        )
        if typed
    ]
    now, usual = suite or (0.0, 0.0)
    found = settings_of_base(config.rootpath, sides, given, prefix="--nqperf-", budget=usual)
    allow = found.values.get("allow_inconclusive", config.option.nqperf_allow_inconclusive)
    margin = found.values.get("margin", measured.margin)
    budget = measured.budget + found.values.get("budget", now) - now
    return dataclasses.replace(measured, margin=margin, budget=budget, settings=found.said), bool(allow)


def _measured(config: pytest.Config, budget: float, pages: Any, progress: Any) -> Any:
    from nqperf.perf.revisions.config import RevisionsConfig

    given = config.option.nqperf_margin
    margin = take_project(config).get("margin") if given is None else given
    return RevisionsConfig(
        budget=budget,
        pages=pages,
        progress=progress,
        command=command_line(["pytest", *map(str, config.invocation_params.args)]),
        **({} if margin is None else {"margin": margin}),
    )

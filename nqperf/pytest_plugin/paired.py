"""The gate for any two ways to do the same work, in a test: the fixture `nqperf_paired`.

All comparisons of a session end in one record, which is written, shown and judged as the suite's is.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.pytest_plugin import PAIRED, STATE, progress_of
from nqperf.pytest_plugin.options import is_distributed
from nqperf.pytest_plugin.replay import judge, replay

if TYPE_CHECKING:
    from nqperf.perf.pairs.paired import PairedConfig
    from nqperf.records.results import Results


@pytest.fixture(name=PAIRED)
def nqperf_paired(request: pytest.FixtureRequest) -> Callable[..., Results]:
    """Return `nqperf.gate.paired`, which here ends the test as the verdict says.

    The options of the gate hold for it: --nqperf-quick, --nqperf-rounds, --nqperf-save-results, --nqperf-report,
    --nqperf-allow-inconclusive. The candidate's name is the test's, unless `name` gives another; a test's first
    comparison is replayed to pytest-benchmark.
    """
    if is_distributed(request.config):
        pytest.fail("the gate measures alone on its machine: run its tests without -n", pytrace=False)
    compared = request.config.stash[STATE].compared

    def compare(
        baseline: Any, candidate: Any, *, name: str | None = None, config: PairedConfig | None = None, **rest: Any
    ) -> Results:
        from nqperf.errors import ConfigError
        from nqperf.perf.pairs.paired import DEFAULT, paired

        row = name or (request.node.nodeid if request.node.name in compared else request.node.name)
        if row in compared:
            raise ConfigError(f"{row} was compared before in this session; give this comparison a name= of its own")
        with progress_of(request.config) as progress:
            asked = dataclasses.replace(_asked(config or DEFAULT, request.config), progress=progress)
            results = paired(baseline, candidate, name=row, config=asked, **rest)
        compared[row] = results
        _end(request, results, row)
        return results

    return compare


def _asked(config: PairedConfig, pytest_config: pytest.Config) -> PairedConfig:
    """Return `config` as the options say."""
    from nqperf.perf.suite.config import limited_pairs

    option = pytest_config.option
    config = limited_pairs(config.quick() if option.nqperf_quick else config, option.nqperf_rounds, "seconds")
    command = config.command or shlex.join(["pytest", *map(str, pytest_config.invocation_params.args)])
    return dataclasses.replace(config, command=command)


def _end(request: pytest.FixtureRequest, results: Results, name: str) -> None:
    """Hand the times to pytest-benchmark, where it is installed, and end the test as the verdict says."""
    row = results.variant(name)
    assert row is not None  # noqa: S101  # as it was asked for
    benchmark = None
    if request.config.pluginmanager.hasplugin("benchmark") and (row.samples or "benchmark" in request.fixturenames):
        benchmark = request.getfixturevalue("benchmark")
        request.node.funcargs.setdefault("benchmark", benchmark)  # where the report of a failed test looks for it
    seconds = row.samples[-1].variant_seconds if row.samples else ()
    replay(request.node, benchmark, row, seconds, invalid=results.outcome == "INVALID")
    judge(row, results, allow_inconclusive=request.config.option.nqperf_allow_inconclusive)

"""What the fixture `nqperf_paired` gives: the gate for any two ways to do the same work, in a test.

All comparisons of a session end in one record, which is written, shown and judged as the suite's is.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nqperf.errors import ConfigError
from nqperf.perf.pairs.paired import DEFAULT, PairedConfig, paired
from nqperf.perf.suite.config import limited_pairs
from nqperf.plain_text import command_line
from nqperf.pytest_plugin.options import is_distributed
from nqperf.pytest_plugin.progress import progress_of
from nqperf.pytest_plugin.replay import judge, replay
from nqperf.pytest_plugin.session import gate_of
from nqperf.pytest_plugin.state import Compared
from nqperf.records.results import Results


class Comparisons:
    """The comparisons of one test: called as `nqperf.gate.paired` is, which here ends the test as the verdict says.

    `benchmark` is pytest-benchmark's fixture, None where it is not used.
    """

    def __init__(self, request: pytest.FixtureRequest, benchmark: Any) -> None:
        if is_distributed(request.config):
            pytest.fail("the gate measures alone on its machine: run its tests without -n", pytrace=False)
        self._request, self._benchmark = request, benchmark
        self._state = gate_of(request.config).state

    def __call__(
        self, baseline: Any, candidate: Any, *, name: str | None = None, config: PairedConfig = DEFAULT, **rest: Any
    ) -> Results:
        """Hold `candidate` to `baseline`, and end the test as the verdict says.

        The row is named by the test's node id, or by `name`. `rest` are the other arguments of `nqperf.gate.paired`.

        Raises: ConfigError when the session has a row of that name already; what `nqperf.gate.paired` raises.
        """
        request, compared = self._request, self._state.compared
        row = name or request.node.nodeid
        if row in compared:
            raise ConfigError(f"{row} was compared before in this session; give this comparison a name= of its own")
        with progress_of(request.config) as progress:
            asked = dataclasses.replace(_asked(config, request.config), progress=progress)
            results = paired(baseline, candidate, name=row, config=asked, **rest)
        compared[row] = Compared(test=request.node.nodeid, results=results)
        self._end(results, row)
        return results

    def _end(self, results: Results, name: str) -> None:
        """Hand the times to pytest-benchmark, and end the test as the verdict says."""
        row = results.variant(name)
        assert row is not None  # noqa: S101  # as it was asked for
        seconds = row.samples[-1].variant_seconds if row.samples else ()
        replay(self._request.node, self._benchmark, row, seconds, invalid=results.outcome == "INVALID")
        judge(row, results, allow_inconclusive=self._request.config.option.nqperf_allow_inconclusive)


def _asked(config: PairedConfig, pytest_config: pytest.Config) -> PairedConfig:
    """Return `config` as the options say."""
    option = pytest_config.option
    config = limited_pairs(config.quick() if option.nqperf_quick else config, option.nqperf_rounds, "seconds")
    command = config.command or command_line(["pytest", *map(str, pytest_config.invocation_params.args)])
    return dataclasses.replace(config, command=command)

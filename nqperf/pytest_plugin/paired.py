"""What the fixture `nqperf_paired` gives: the gate for any two ways to do the same work, in a test.

All comparisons of a session end in one record, which is written, shown and judged as the suite's is.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest

from nqperf.errors import ConfigError, ParityError
from nqperf.perf.pairs.paired import DEFAULT, PairedConfig, compare_outputs, paired
from nqperf.perf.suite.config import limited_pairs
from nqperf.plain_text import command_line
from nqperf.pytest_plugin.options import is_distributed, switched_off
from nqperf.pytest_plugin.progress import progress_of
from nqperf.pytest_plugin.replay import judge, replay
from nqperf.pytest_plugin.session import gate_of
from nqperf.pytest_plugin.state import Compared
from nqperf.records.results import Results
from nqperf.records.revisions import RevisionResults

# What of a test's time goes to its rounds; the rest is for what comes before them, and for the last one begun.
_SHARE = 0.6


class Comparisons:
    """The comparisons of one test: called as `nqperf.gate.paired` is, which here ends the test as the verdict says.

    `request` is that of the test, `benchmark` pytest-benchmark's fixture, None where it is not used.
    """

    def __init__(self, request: pytest.FixtureRequest, benchmark: Any) -> None:
        if is_distributed(request.config):
            pytest.fail("the gate measures alone on its machine: run its tests without -n", pytrace=False)
        self._request, self._benchmark = request, benchmark
        self._off = switched_off(request.config)
        gate = gate_of(request.config)
        gate.forget(request.node.nodeid)
        self._state = gate.state

    def __call__(
        self,
        baseline: Any,
        candidate: Any = None,
        *,
        name: str | None = None,
        config: PairedConfig = DEFAULT,
        **rest: Any,
    ) -> Results | RevisionResults | None:
        """Hold `candidate` to `baseline`, and end the test as the verdict says.

        The row is named by the test's node id, or by `name`. `rest` are the other arguments of `nqperf.gate.paired`.
        Without a `candidate`, `baseline` names a builder, "module:build", which is held to the same in the revision
        `base` of `rest`, or of the options.
        Where pytest-benchmark's options switch benchmarks off, only the outputs are compared, and None is returned.

        Raises: ConfigError when the session has a row of that name already; what `nqperf.gate.paired` raises.
        """
        if candidate is None:
            from nqperf.pytest_plugin.revisions import compare_builder

            return compare_builder(self._request, self._benchmark, baseline, rest.pop("base", None), **rest)
        row = name or self._request.node.nodeid
        if row in self._state.compared:
            raise ConfigError(f"{row} was compared before in this session; give this comparison a name= of its own")
        config = self._asked(config)
        if self._off is not None:
            self._compare_outputs(baseline, candidate, config, rest.get("same"))
            return None
        with progress_of(self._request.config) as progress:
            asked = dataclasses.replace(config, progress=progress)
            results = paired(baseline, candidate, name=row, config=asked, **rest)
        self._state.compared[row] = Compared(test=self._request.node.nodeid, results=results)
        self._end(results, row)
        return results

    def _compare_outputs(self, baseline: Any, candidate: Any, config: PairedConfig, same: Any) -> None:
        """Fail the test when the outputs differ."""
        given = {} if same is None else {"same": same}
        try:
            compare_outputs(baseline, candidate, config=config, **given)
        except ParityError as error:
            pytest.fail(f"{self._request.node.nodeid}: {error}", pytrace=False)

    def _asked(self, config: PairedConfig) -> PairedConfig:
        """Return `config` as the options say, within the time that pytest-timeout gives the test."""
        pytest_config = self._request.config
        option = pytest_config.option
        config = limited_pairs(config.quick() if option.nqperf_quick else config, option.nqperf_rounds, "seconds")
        limit = timeout_of(self._request.node)
        if limit is not None and (seconds := limit * _SHARE) < config.seconds:
            self._state.notes.append(
                f"{self._request.node.nodeid}: pytest-timeout ends the test after {limit:g} s, so no comparison in it "
                f"begins a round after {seconds:.3g} s (else {config.seconds:g}); for more, raise its timeout"
            )
            config = dataclasses.replace(config, seconds=seconds)
        command = config.command or command_line(["pytest", *map(str, pytest_config.invocation_params.args)])
        return dataclasses.replace(config, command=command)

    def _end(self, results: Results, name: str) -> None:
        """Hand the times to pytest-benchmark, and end the test as the verdict says."""
        row = results.variant(name)
        assert row is not None  # noqa: S101  # as it was asked for
        seconds = row.samples[-1].variant_seconds if row.samples else ()
        replay(self._request.node, self._benchmark, row, seconds, invalid=results.outcome == "INVALID")
        judge(row, results, allow_inconclusive=self._request.config.option.nqperf_allow_inconclusive)


def timeout_of(item: pytest.Item) -> float | None:
    """Return the seconds after which pytest-timeout ends `item`; None where it does not.

    The test's marker is asked first, then the option, the variable and the setting, as pytest-timeout does.
    """
    config = item.config
    if not config.pluginmanager.hasplugin("timeout"):
        return None
    marker = item.get_closest_marker("timeout")
    named = () if marker is None else (*marker.args[:1], marker.kwargs.get("timeout"))
    given = (*named, config.getoption("timeout", None), os.environ.get("PYTEST_TIMEOUT"), config.getini("timeout"))
    seconds = next((float(value) for value in given if value not in {None, ""}), 0.0)
    return seconds if seconds > 0 else None

"""--benchmark-compare where the gate's tests may be selected: the saved run is loaded after the collection.

pytest-benchmark loads it before, and warns where there is none yet, or where the processor's clock reads otherwise
than then; with `filterwarnings = error` that ends the session. The gate has words of its own for both. Which tests will
be selected is not known so early, so the files that pytest was told to collect are searched for the gate's fixtures;
a session whose files name none of them is left alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nqperf.formats.python_sources import mention
from nqperf.pytest_plugin.options import DEFERRED

_MARK = "nqperf_"


def defer(config: pytest.Config) -> None:
    """Keep pytest-benchmark from loading the saved run, if the files that `config` collects name a gate's fixture."""
    paths = [Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args]
    if mention(paths, _MARK, skipped=config.getini("norecursedirs")):
        config.stash[DEFERRED] = config.option.benchmark_compare
        config.option.benchmark_compare = []


def requested(config: pytest.Config) -> Any:
    """Return the run to compare with: its name, True for the latest, or what is false for none.

    pytest-benchmark's own settings in `config` are as they would be without the gate from here on.
    """
    if DEFERRED in config.stash:
        config.option.benchmark_compare = config.stash[DEFERRED]
        benchmarks: Any = config._benchmarksession  # type: ignore[attr-defined]  # noqa: SLF001
        benchmarks.compare = config.option.benchmark_compare
    return config.option.benchmark_compare


def hand_back(config: pytest.Config) -> None:
    """Let pytest-benchmark load now what was put off in `config`, for no test of the gate was selected."""
    requested(config)
    config._benchmarksession.handle_loading()  # type: ignore[attr-defined]  # noqa: SLF001

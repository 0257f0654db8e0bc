"""The gate's progress in pytest's terminal, past its capturing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nqperf.perf.workers.progress import Doing, Progress, RowFinished, silent
from nqperf.report.progress import doing_text, row_lines


@contextmanager
def progress_of(config: pytest.Config) -> Iterator[Progress]:
    """Yield what shows the progress in the session of `config`.

    On a terminal that is what is being done, elsewhere a line for each finished row.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or config.get_verbosity() < 0:
        yield silent
        return

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)
            reporter.flush()

    if not reporter.isatty:
        with row_lines(write) as told:
            yield told
        return

    def show(event: Doing | RowFinished) -> None:
        if isinstance(event, Doing):
            with capture.global_and_fixture_disabled():
                reporter.rewrite(f"nqperf: {doing_text(event)}", erase=True)

    yield show
    with capture.global_and_fixture_disabled():
        reporter.rewrite("", erase=True)

"""What was measured, handed to pytest-benchmark through a clock that shows it, and judged.

The gate measures in rounds of its own, so a test has nothing left to time; it gives pytest-benchmark the times that
were taken. Then saving, comparing and histograms work as their users know them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from nqperf.pytest_plugin.items import GATED, fixture_names
from nqperf.records.results import Results, VariantResult
from nqperf.report.summary import describe, outcome_of

# The suite's score goes by a shorter name.
_METRIC_NAMES = {"all-answer-f1": "micro_f1"}

_OURS = "nqperf."


class ReplayClock:
    """A timer for pytest-benchmark: each call of `tick` seems to take as long as the next of the given times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._seconds: Iterator[float] = iter(())

    def __call__(self) -> float:
        """Return the seconds that seem to have passed."""
        return self.now

    def load(self, seconds: tuple[float, ...]) -> None:
        """Take the `seconds` to show, in order."""
        self._seconds = itertools.cycle(seconds)

    def rewind(self) -> None:
        """Start at 0 again, so that no time is rounded by those before it."""
        self.now = 0.0

    def tick(self) -> None:
        """Let the next time pass."""
        self.now += next(self._seconds)


CLOCK = pytest.StashKey[ReplayClock]()


def set_clock(item: pytest.Item) -> None:
    """Give `item`, a test of the gate, a clock that shows what was measured; its own marker says the rest."""
    clock = item.stash[CLOCK] = ReplayClock()
    own = item.get_closest_marker("benchmark")
    settings = {
        "group": "variants" if GATED in fixture_names(item) else "paired",
        **(own.kwargs if own else {}),
        "timer": clock,
        "cprofile": False,
    }
    item.add_marker(pytest.mark.benchmark(**settings), append=False)


def replay(item: Any, benchmark: Any, variant: VariantResult, seconds: tuple[float, ...], *, invalid: bool) -> None:
    """Note in `item` what is said of `variant`, and give its times to pytest-benchmark.

    `seconds` are the times of one run each; without any nothing is given. `benchmark` is the fixture, None where
    pytest-benchmark is not used. Times of an `invalid` run or of a row that is too slow are shown, but not saved.
    """
    failed = variant.verdict is not None and variant.verdict.outcome == "FAIL"
    replay_times(item, benchmark, _properties(variant), seconds, failed=invalid or failed)


def replay_times(item: Any, benchmark: Any, said: dict[str, Any], seconds: tuple[float, ...], *, failed: bool) -> None:
    """Note in `item` what is `said`, and give `seconds` to pytest-benchmark; those that `failed` are not saved.

    `benchmark` is the fixture, None where pytest-benchmark is not used.
    """
    others = [
        entry for entry in item.user_properties if not entry[0].startswith(_OURS)
    ]  # of an earlier run of the test
    item.user_properties[:] = [*others, *((f"{_OURS}{name}", value) for name, value in said.items())]
    if benchmark is None:
        return
    benchmark.extra_info.update(said)
    if seconds and benchmark.stats is None and CLOCK in item.stash:
        clock = item.stash[CLOCK]
        clock.load(seconds)
        benchmark.pedantic(clock.tick, setup=clock.rewind, rounds=len(seconds))
        benchmark.has_error = failed


def judge(variant: VariantResult, results: Results, *, allow_inconclusive: bool) -> None:
    """Fail the test as the verdict on `variant` says; one without a verdict (the baseline, or without a floor) passes.

    `results` is the record that it stands in. With `allow_inconclusive`, INCONCLUSIVE is an expected failure.
    """
    if variant.status == "failed":
        pytest.fail(f"{variant.name}: {variant.reason}", pytrace=False)
    if results.outcome == "INVALID":
        pytest.fail(f"INVALID: {'; '.join(results.reasons)}", pytrace=False)
    if variant.verdict is None or variant.verdict.outcome in {"PASS", "REPORTED"}:
        return
    message = f"{variant.name} {describe(variant.name, variant.verdict)}"
    if variant.verdict.outcome == "INCONCLUSIVE" and allow_inconclusive:
        pytest.xfail(message)
    own = [reason for reason in results.reasons if reason.startswith(f"{variant.name}: FAIL")]
    pytest.fail("; ".join([message, *own]), pytrace=False)


def _properties(variant: VariantResult) -> dict[str, Any]:
    """Return what is said of a variant beside its times."""
    said: dict[str, Any] = {"verdict": outcome_of(variant), "predict_seconds": variant.predict_seconds}
    if variant.agreement is not None:
        metric = _METRIC_NAMES.get(variant.agreement.metric, variant.agreement.metric)
        said |= {metric: variant.agreement.value, "changed_predictions": variant.agreement.changed}
    if variant.verdict is not None:
        said |= {name: getattr(variant.verdict, name) for name in ("ratio", "interval", "pairs", "floor")}
    said |= {f"observed.{name}": value for name, value in variant.observed.items()}
    return {name: value for name, value in said.items() if value is not None}

"""The gate and pytest-benchmark: the times of the run are replayed to it, and it passes nothing in silence.

The suite measures all variants in turns, so a variant's test has nothing left to time; it gives pytest-benchmark the
times through a clock that shows what was measured. Then saving, comparing and histograms work as their users know them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.pytest_plugin import GATED, PAIRED

if TYPE_CHECKING:
    from nqperf.records.results import Results, VariantResult


# The suite's score goes by a shorter name.
_METRIC_NAMES = {"all-answer-f1": "micro_f1"}


class ReplayClock:
    """A timer for pytest-benchmark: each call of `tick` seems to take as long as the next of the given times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._seconds: Iterator[float] = iter(())

    def __call__(self) -> float:
        """Return the seconds that seem to have passed."""
        return self.now

    def load(self, seconds: tuple[float, ...]) -> None:
        """Take the times to show, in order."""
        self._seconds = itertools.cycle(seconds)

    def rewind(self) -> None:
        """Start at 0 again, so that no time is rounded by those before it."""
        self.now = 0.0

    def tick(self) -> None:
        """Let the next time pass."""
        self.now += next(self._seconds)


CLOCK = pytest.StashKey[ReplayClock]()


@pytest.fixture
def nqperf_gate(
    request: pytest.FixtureRequest,
    benchmark: Any,
    nqperf_results: Results,
) -> Callable[[VariantResult], None]:
    """Return a function that gives a variant's times to pytest-benchmark, and ends the test as the verdict says.

    Of a variant that failed (its answers are wrong, its worker died) no times are given, and those of one that is too
    slow, or of an INVALID run, are shown but not saved: no later run is to be measured by them.
    """
    from nqperf.records.results import BASELINE

    def gate(variant: VariantResult) -> None:
        seconds = _seconds(nqperf_results, variant) if variant.status == "measured" else ()
        replay(request.node, benchmark, variant, seconds, invalid=nqperf_results.outcome == "INVALID")
        if variant.status in {"skipped", "unjudged"}:
            pytest.skip(str(variant.reason))
        judge(variant, nqperf_results, allow_inconclusive=request.config.option.nqperf_allow_inconclusive)
        if not seconds and variant.name == BASELINE:
            # Its times are the controls', and a run in which they are missed without excuse is INVALID.
            pytest.skip("no times of the baseline alone: the run's time was up before the controls were measured")
        if not seconds:
            pytest.fail(f"{variant.name} has no times", pytrace=False)

    return gate


def replay(item: Any, benchmark: Any, variant: VariantResult, seconds: tuple[float, ...], *, invalid: bool) -> None:
    """Note what is said of a variant, and give its times to pytest-benchmark; None for it where it is not installed."""
    said = _properties(variant)
    item.user_properties += [(f"nqperf.{name}", value) for name, value in said.items()]
    if benchmark is None:
        return
    benchmark.extra_info.update(said)
    if seconds and benchmark.stats is None:
        clock = item.stash[CLOCK]
        clock.load(seconds)
        benchmark.pedantic(clock.tick, setup=clock.rewind, rounds=len(seconds))
        benchmark.has_error = invalid or (variant.verdict is not None and variant.verdict.outcome == "FAIL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test of the gate that is a benchmark a clock that shows what was measured."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        asks = GATED in names and "benchmark" in names
        if asks or (PAIRED in names and item.config.pluginmanager.hasplugin("benchmark")):
            clock = item.stash[CLOCK] = ReplayClock()
            own = item.get_closest_marker("benchmark")
            settings = {
                "group": "variants" if GATED in names else "paired",
                **(own.kwargs if own else {}),
                "timer": clock,
                "cprofile": False,
            }
            item.add_marker(pytest.mark.benchmark(**settings), append=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the times of a gate's test that failed in any way out of what is saved."""
    report = yield
    benchmark = getattr(item, "funcargs", {}).get("benchmark")
    if call.excinfo is not None and report.failed and benchmark is not None and CLOCK in item.stash:
        benchmark.has_error = True
        benchmark.skipped = benchmark.stats is None  # else it warns that it was not used, which the failure explains
    return report


def judge(variant: VariantResult, results: Results, *, allow_inconclusive: bool) -> None:
    """Fail the test as the verdict says; a variant without one (the baseline, or nothing was promised) passes."""
    from nqperf.report.summary import describe

    if variant.status == "failed":
        pytest.fail(f"{variant.name}: {variant.reason}", pytrace=False)
    if results.outcome == "INVALID":
        pytest.fail(f"INVALID: {'; '.join(results.reasons)}", pytrace=False)
    if variant.verdict is None or variant.verdict.outcome in {"PASS", "REPORTED"}:
        return
    message = f"{variant.name} {describe(variant.verdict)}"
    if variant.verdict.outcome == "INCONCLUSIVE" and allow_inconclusive:
        pytest.xfail(message)
    own = [reason for reason in results.reasons if reason.startswith(f"{variant.name}: FAIL")]
    pytest.fail("; ".join([message, *own]), pytrace=False)


def _seconds(results: Results, variant: VariantResult) -> tuple[float, ...]:
    """Return the times that stand for a variant; the baseline's own are those of its pairs with itself."""
    from nqperf.records.results import BASELINE

    if variant.name == BASELINE:
        same = results.controls.same
        return same.samples[-1].baseline_seconds if same and same.samples else ()
    return variant.samples[-1].variant_seconds if variant.samples else ()


def _properties(variant: VariantResult) -> dict[str, Any]:
    """Return what is said of a variant beside its times."""
    from nqperf.report.summary import outcome_of

    said: dict[str, Any] = {"verdict": outcome_of(variant), "predict_seconds": variant.predict_seconds}
    if variant.agreement is not None:
        metric = _METRIC_NAMES.get(variant.agreement.metric, variant.agreement.metric)
        said |= {metric: variant.agreement.value, "changed_predictions": variant.agreement.changed}
    if variant.verdict is not None:
        said |= {name: getattr(variant.verdict, name) for name in ("ratio", "interval", "pairs", "floor")}
    said |= {f"observed.{name}": value for name, value in variant.observed.items()}
    return {name: value for name, value in said.items() if value is not None}

"""A turn: the batches that are timed at once, where one is over too soon, of as many windows in every row."""

from types import SimpleNamespace

import msgspec
import pytest

from nqperf.perf.machine.environment import Pages
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.measuring.limits import Limits, TooSlowError
from nqperf.perf.suite.processes import VariantProcess, Workshop
from nqperf.perf.workers import protocol
from nqperf.perf.workers.worker import Worker

PAGES: Pages = "plain"


class Scripted:
    """An engine that notes the batches which it runs, and the products that are planted."""

    def __init__(self, batch_size):
        self.config = SimpleNamespace(batch_size=batch_size, in_flight=1)
        self.ran = []
        self.products = []

    def put(self, batch):
        return batch

    def run(self, batch):
        self.ran.append(batch)
        sum(range(20_000))  # it takes a moment, and so does what is planted
        return {}

    def finish(self, outputs):
        return outputs

    def watch(self, first_run):
        """Leave out the first run, which is no turn."""

    def multiply(self, count):
        self.products.append(count)
        sum(range(2_000 * count))


def loaded(batches, *, batch_size=4, rows=None):
    """Return a worker with a scripted engine of so many batches."""
    worker, engine = Worker(), Scripted(batch_size)
    worker.take(engine, list(range(batches)), rows=batch_size * batches if rows is None else rows)
    return worker, engine


def test_turns_follow_each_other_through_the_batches_and_begin_anew():
    worker, engine = loaded(5)
    for number in range(3):
        said = worker.answer(protocol.TimeBatch(number=number, batches=3))
        assert said.windows == 12
    assert engine.ran == [0, 1, 2, 3, 4, 0, 1, 2, 3]


@pytest.mark.parametrize("batches", [1, 2, 7])
@pytest.mark.parametrize("turn", [1, 2, 3, 10])
def test_a_turn_is_what_a_loop_over_the_batches_would_run(batches, turn):
    worker, engine = loaded(batches)
    for number in (0, 4, 1):
        worker.answer(protocol.TimeBatch(number=number, batches=turn))
    whole = [one for _ in range(5 * turn) for one in range(batches)]
    expected = [whole[at] for number in (0, 4, 1) for at in range(number * turn, (number + 1) * turn)]
    assert engine.ran == expected


def test_a_last_batch_with_empty_rows_is_in_no_turn():
    worker, engine = loaded(3, rows=10)
    worker.answer(protocol.TimeBatch(number=0, batches=4))
    assert engine.ran == [0, 1, 0, 1]


def test_work_is_planted_once_beside_a_turn():
    worker, engine = loaded(2)
    planted = worker.answer(protocol.Plant(fraction=0.5, batches=6))
    assert planted.fraction > 0
    assert len(engine.ran) % 6 == 0
    engine.ran.clear()
    engine.products.clear()
    worker.answer(protocol.TimeBatch(number=0, batches=5))
    assert len(engine.ran) == 5
    assert len(engine.products) == 1
    worker.answer(protocol.TimeBatch(number=1, batches=5))
    assert engine.products == [engine.products[0]] * 2
    assert engine.products[0] > 0


class Asked:
    """A worker process that says how long it took, and notes what it was asked."""

    name = "row"

    def __init__(self, seconds, windows, *, hangs=False):
        self.seconds, self.windows, self.hangs = seconds, windows, hangs
        self.requests, self.timeouts = [], []

    def ask(self, request, reply, *, timeout):
        self.requests.append(request)
        self.timeouts.append(timeout)
        if self.hangs:
            raise TooSlowError("ended", seconds=timeout)
        if reply is protocol.Planted:
            return protocol.Planted(fraction=request.fraction)
        return protocol.Timed(seconds=self.seconds * request.batches, windows=self.windows * request.batches)


def workshop(batches, **limits):
    return Workshop(
        request=lambda *_: msgspec.Struct(),
        batch_size=32,
        pages=PAGES,
        budget=Budget(),
        limits=Limits(**limits),
        batches=batches,
    )


def process(worker, shop, batch_size=32):
    return VariantProcess(worker=worker, warmed=None, workshop=shop, batch_size=batch_size)


@pytest.mark.parametrize(("batch_size", "count"), [(32, 10), (64, 5), (8, 40), (48, 7), (1000, 1)])
def test_rows_of_any_batch_size_are_timed_over_as_many_windows_and_told_by_the_sessions_batch(batch_size, count):
    worker = Asked(seconds=0.001 * batch_size, windows=batch_size)
    found = process(worker, workshop(10), batch_size)
    assert found.batch(3) == pytest.approx(0.032)
    found.plant(0.1)
    timed, planted = worker.requests
    assert (timed.number, timed.batches, planted.batches) == (3, count, count)
    assert timed.batches * batch_size >= 320


@pytest.mark.parametrize(("batches", "in_flight", "count"), [(1, 1, 1), (1, 2, 4), (1, 3, 6), (10, 2, 10), (3, 4, 8)])
def test_a_turn_has_batches_enough_to_have_some_at_once(batches, in_flight, count):
    worker, shop = Asked(seconds=0.2, windows=32), workshop(batches)
    row = VariantProcess(worker=worker, warmed=None, workshop=shop, batch_size=32, in_flight=in_flight)
    assert row.batch(0) == pytest.approx(0.2)
    row.plant(0.1)
    assert [one.batches for one in worker.requests] == [count, count]


def test_a_turn_may_take_as_many_times_longer_as_it_has_batches():
    limits = Limits.of(start=1.0, batch=0.2)
    worker = Asked(seconds=0.2, windows=32, hangs=True)
    for batches, seconds in ((1, 4.0), (3, 12.0)):
        with pytest.raises(TooSlowError) as told:
            process(worker, workshop(batches, batch=limits.batch, baseline_batch=limits.baseline_batch)).batch(0)
        assert worker.timeouts[-1] == pytest.approx(seconds)
        assert told.value.times == pytest.approx(20)


def test_many_short_batches_are_no_reason_to_wait_for_minutes():
    limits = Limits.of(start=1.0, batch=0.001)
    assert limits.turn(50) == limits.turn(1) == 3.0
    assert limits.turn(200) == pytest.approx(4.0)
    assert Limits().turn(50) == float("inf")

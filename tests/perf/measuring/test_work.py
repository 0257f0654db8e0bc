import collections
import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.perf.measuring import outputs, work
from nqperf.perf.measuring.outputs import Waiter, to_host
from nqperf.perf.measuring.planting import multiply_matrices, plant
from nqperf.perf.measuring.work import TimedRuns, Work, as_work


class Counted:
    """Work that notes what was called, in order."""

    def __init__(self):
        self.calls = []

    def work(self, **changes):
        def run(*given):
            self.calls.append(("run", *given))
            return "output"

        return Work(**{"run": run, "synchronise": lambda output: self.calls.append(("wait", output)), **changes})


def test_a_run_is_set_up_done_and_waited_for():
    counted = Counted()

    def set_up():
        counted.calls.append("set up")
        return 7

    runs = TimedRuns(counted.work(set_up=set_up))
    runs.repeats = 2
    assert runs(0) > 0
    assert counted.calls == ["set up", ("run", 7), ("wait", "output")] * 2


def test_the_set_up_is_outside_of_the_time():
    # Far more products than a run has: were they timed, no noise could hide them.
    idle = TimedRuns(Work(run=lambda _given: None, set_up=lambda: multiply_matrices(3000)))
    busy = TimedRuns(Work(run=lambda: multiply_matrices(3000)))
    assert min(idle(0) for _ in range(5)) < min(busy(0) for _ in range(5)) / 10


def test_warm_up_runs_come_first_and_one_more_is_timed():
    counted = Counted()
    assert TimedRuns(counted.work(warm_up=3)).warm_up() > 0
    assert counted.calls.count(("run",)) == 4


class _Clock:
    """A scripted clock, which moves by a millisecond whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 0.001
        return self.now


@pytest.mark.parametrize(("seconds", "led"), [(0.03, 6), (0.09, 2), (0.15, 1), (0.25, 0), (60.0, 0)])
def test_a_round_is_led_in_by_whole_runs_that_fit(monkeypatch, seconds, led):
    clock, began = _Clock(), []
    monkeypatch.setattr(work, "time", clock)

    def run():
        began.append(clock.now)
        clock.now += seconds

    runs = TimedRuns(Work(run=run), lead_in=0.2)
    runs.warm_up()
    assert len(began) == 3, "nothing leads in what is not timed"
    before = clock.now
    assert runs(0) == pytest.approx(seconds, abs=0.002)
    assert len(began) == 3 + led + 1
    assert 0.2 <= began[-1] - before <= 0.25, "the thread computes until it is over"


def test_the_lead_in_counts_a_runs_set_up(monkeypatch):
    clock, ups = _Clock(), []
    monkeypatch.setattr(work, "time", clock)

    def set_up():
        ups.append(clock.now)
        clock.now += 5.0

    runs = TimedRuns(Work(run=lambda _given: None, set_up=set_up), lead_in=0.2)
    runs.warm_up()
    runs(0)
    assert len(ups) == 4, "two to warm up, and one in each round: none fits before"


def test_a_rounds_seconds_are_those_of_one_run():
    runs = TimedRuns(Work(run=lambda: multiply_matrices(200)))
    once = min(runs(0) for _ in range(9))
    runs.repeats = 10
    assert min(runs(0) for _ in range(9)) < 5 * once


def test_planted_work_is_real_and_as_much_as_asked_for():
    runs = TimedRuns(Work(run=lambda: multiply_matrices(300)))
    alone = min(runs(0) for _ in range(15))
    runs.plant(4.0)  # so much that noise cannot hide it
    assert min(runs(0) for _ in range(15)) > 2 * alone


def test_the_number_of_products_follows_the_time_of_the_run():
    made = []
    count, added = plant(0.5, lambda: 1e-3, lambda count: made.append(count) or multiply_matrices(count))
    assert count >= 1
    assert added > 0
    assert made[0] == 1
    assert made[-1] == count


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ConfigError, match="the candidate is list"):
        as_work([1], origin="the candidate")
    work = Work(run=len)
    assert as_work(work, origin="") is work
    assert as_work(len, origin="").run is len


class Tensor:
    """A value of TensorFlow's, by its module, that notes whether it was waited for."""

    __module__ = "tensorflow.python"

    def __init__(self) -> None:
        self.waited = 0

    def numpy(self) -> int:
        self.waited += 1
        return 0


@dataclasses.dataclass(frozen=True)
class Holder:
    held: object


class Asked(Mapping):
    """A container that computes its values when it is asked for them."""

    def __init__(self) -> None:
        self.asked = 0

    def __len__(self) -> int:
        return 1

    def __iter__(self):
        return iter("a")

    def __getitem__(self, key: str) -> int:
        self.asked += 1
        return 1


def test_an_output_of_plain_values_is_looked_through_once(monkeypatch):
    """90,000 numbers in lists took 140 ms of the clock in each run, and hid that the work was 13 % slower."""
    calls = []
    settle = outputs._settle
    monkeypatch.setattr(outputs, "_settle", lambda output: calls.append(type(output)) or settle(output))
    index = {str(number): list(range(30)) for number in range(50)}
    runs = TimedRuns(Work(run=lambda: index))
    runs.warm_up()
    assert calls.count(dict) == 1
    calls.clear()
    runs.repeats = 3
    runs(0)
    assert not calls


@pytest.mark.parametrize("container", [dict, collections.defaultdict, collections.OrderedDict, list, tuple])
def test_what_a_device_may_still_compute_is_waited_for_in_every_run(container):
    keyed = issubclass(container, dict)
    held = [Tensor(), Tensor()]
    plain = container([("a", 1)]) if container is not collections.defaultdict else container(int, a=1)
    output = {"a": [1, {"b": held[0]}], "c": (held[1],)} if keyed else container([1, [held[0]], (held[1],)])
    waiter = Waiter()
    for run in range(1, 4):
        waiter(plain)
        waiter(output)
        assert [one.waited for one in held] == [run, run]


def test_an_output_of_other_kinds_than_the_one_before_is_looked_through():
    waiter, tensor = Waiter(), Tensor()
    waiter([1, 2])
    waiter([1, tensor])
    waiter([1, 2])
    waiter(tensor)
    assert tensor.waited == 2


def test_what_a_dataclass_holds_is_waited_for():
    held = Tensor()
    waiter, output = Waiter(), Holder([held])
    for run in range(1, 4):
        waiter(Holder([1]))
        waiter(output)
        assert held.waited == run


def test_a_container_that_computes_when_it_is_asked_is_asked_in_every_run():
    alone, within = Asked(), Asked()
    waiter = Waiter()
    for run in range(1, 3):
        waiter(alone)
        waiter({"x": [within]})
        assert (alone.asked, within.asked) == (run, run)


def test_tensorflow_values_come_to_the_host():
    import tensorflow as tf

    output = {"a": tf.ones((2, 2)), "b": [tf.constant(3), (np.arange(2), "text", None)]}
    Waiter()(output)
    found = to_host(output)
    assert type(found["a"]) is np.ndarray
    assert found["b"][0] == 3
    assert found["b"][1][1:] == ("text", None)
    Waiter()(tf.Variable(1.0))
    assert to_host(tf.Variable(2.0)) == 2.0


def test_jax_values_come_to_the_host():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    output = {"a": jax.numpy.ones((2, 2))}
    Waiter()(output)
    assert type(to_host(output)["a"]) is np.ndarray


def test_pytorch_values_come_to_the_host():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    output = [torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.bfloat16)]
    Waiter()(output)
    assert [value.tolist() for value in to_host(output)] == [[1, 1], [1, 1]]

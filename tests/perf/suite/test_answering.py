"""Rows whose answers too few examples tell of are asked on; what they answer is scripted."""

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from nqperf.defaults import DevelopmentSet
from nqperf.errors import FormatError, OutOfTimeError, ParityError, VariantError
from nqperf.formats.nq.jsonl import Selection
from nqperf.perf.measuring.budget import Budget, Speed
from nqperf.perf.suite import answering
from nqperf.perf.suite.answering import MOST_ANSWERS, Answering, no_further
from nqperf.records.results import ALL_CHANGED, ALL_COMPARED, BASELINE, Agreement
from tests import runs

FIRST = 80


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A task of examples with one window and one gold answer each."""

    numbers: tuple[int, ...]
    non_null_threshold: int = 1

    @property
    def gold(self):
        return dict.fromkeys(self.numbers, (runs.ANNOTATION,))

    @property
    def inputs(self):
        return self.numbers

    @property
    def features(self):
        return Windows(len(self.numbers))


class Windows:
    def __init__(self, count):
        self.count = count
        self.input_ids = np.zeros((count, 8))

    def __len__(self):
        return self.count


class Process:
    def __init__(self, name):
        self.name = name
        self.ended = 0

    def end(self):
        self.ended += 1


class Session:
    """Rows that answer wrongly where `wrong` says so; each window takes a second, and a start ten."""

    folder = None
    baseline = SimpleNamespace(name=BASELINE)
    speed = Speed(start=10.0, batch=1.0)

    def __init__(self, wrong, seconds=1e6, tolerance="sixteen_bit", notes="answers undecided: few"):
        self.now = 0.0
        self.budget = Budget(seconds=seconds / 0.96, clock=lambda: self.now)
        self.task = Asked(numbers=tuple(range(FIRST)))
        self.wrong = {BASELINE: lambda _: False, **wrong}
        self.started = []
        self.failing = {}
        self.answered = []
        self.progress = lambda *_: None
        self.runs = {
            name: SimpleNamespace(
                variant=SimpleNamespace(name=name, tolerance=tolerance),
                answers=self.answers(name, self.task),
                agreement=Agreement(
                    metric="all-answer-f1", value=1.0, baseline_value=1.0, compared=FIRST, changed=0, details={}
                ),
                note=notes,
                failure=None,
                predict_seconds=float(FIRST),
            )
            for name in self.wrong
        }

    def answers(self, name, task):
        found = [
            dataclasses.replace(runs.WRONG if self.wrong[name](number) else runs.PREDICTION, example_id=number)
            for number in task.numbers
        ]
        return SimpleNamespace(predictions=found)

    def run_of(self, variant):
        return self.runs[variant.name]

    def baseline_answers(self):
        return self.runs[BASELINE].answers

    def start(self, variant):
        self.now += 10
        self.started.append(Process(variant.name))
        return self.started[-1]

    def further_answers(self, process, task):
        if process.name in self.failing:
            raise self.failing[process.name]
        self.now += len(task.numbers)
        self.answered.append((process.name, task.numbers))
        return self.answers(process.name, task)


@pytest.fixture
def ask(monkeypatch):
    """Return a function that asks the rows of a session on, and gives back the runs by name."""
    monkeypatch.setattr(answering, "make_task", lambda _, examples, **__: Asked(numbers=tuple(examples)))

    def call(session, further=itertools.count):
        variants = [run.variant for name, run in session.runs.items() if name != BASELINE]
        Answering(session=session, further=further).run(variants)
        assert all(process.ended == 1 for process in session.started)
        return session.runs

    return call


def every(number):
    return lambda example: example % number == number - 1


def test_a_row_that_changes_too_much_fails_as_soon_as_it_is_sure(ask):
    session = Session({"narrow": every(20)})
    run = ask(session)["narrow"]
    assert isinstance(run.failure, ParityError)
    assert run.note is None
    compared = run.agreement.details[ALL_COMPARED]
    assert FIRST < compared < 600
    assert run.agreement.details[ALL_CHANGED] == sum(map(every(20), range(int(compared))))
    # What stands beside the suite's own answers is that of these alone.
    assert run.agreement.compared == FIRST
    # Every example was asked once, from the first that the suite did not ask.
    asked = [number for name, numbers in session.answered if name == "narrow" for number in numbers]
    assert asked == list(range(FIRST, int(compared)))


def test_a_row_that_changes_nothing_is_undecided_at_the_end_and_says_what_is_sure(ask):
    run = ask(Session({"narrow": lambda _: False}))["narrow"]
    assert run.failure is None
    assert run.agreement.details == {ALL_COMPARED: MOST_ANSWERS, ALL_CHANGED: 0}
    assert run.note.startswith(f"answers undecided: 0 of {MOST_ANSWERS} answers changed")
    assert "0.00% to 0.2" in run.note
    assert run.note.endswith(f"; asked no more: {MOST_ANSWERS} are the most")


def test_a_row_of_eight_bits_holds(ask):
    run = ask(Session({"int8": every(400)}, tolerance="eight_bit"))["int8"]
    assert (run.note, run.failure) == (None, None)
    assert run.agreement.details[ALL_COMPARED] < MOST_ANSWERS


def test_the_baseline_answers_once_for_all_rows(ask):
    session = Session({"one": lambda _: False, "other": lambda _: False})
    ask(session)
    counts = {name: sum(one == name for one, _ in session.answered) for name in session.runs}
    assert counts[BASELINE] == counts["one"] == counts["other"] > 10
    assert [process.name for process in session.started] == [BASELINE, "one", "other"]


def test_rows_share_the_time_and_none_is_begun_that_does_not_fit(ask):
    # Of the 1,000 s the first row has half: two starts and two lots of the baseline's and its own. The other has what
    # is left: one start, these two lots without the baseline, and a third one.
    session = Session({"one": lambda _: False, "other": lambda _: False}, seconds=1000)
    found = ask(session)
    assert session.now <= 1000
    assert [found[name].agreement.details[ALL_COMPARED] for name in ("one", "other")] == [280, 380]
    for name in ("one", "other"):
        assert found[name].note.startswith("answers undecided")
        assert found[name].note.endswith("; asked no more: the time is up (a larger --budget asks more)")


@pytest.mark.parametrize("seconds", [1.0, 150.0])
def test_without_time_nothing_is_started_and_all_alpha_is_spent_on_what_there_is(ask, seconds):
    """Of 80 answers 5 changed: with more to come that is not enough to tell, and without it is."""
    session = Session({"narrow": every(16)}, seconds=seconds)
    run = ask(session)["narrow"]
    assert session.started == []
    assert isinstance(run.failure, ParityError)
    assert run.agreement.details == {}


@pytest.mark.parametrize("further", [no_further, lambda _: iter([*range(FIRST, FIRST + 30)])])
def test_data_that_ends_leaves_what_there_is(ask, further):
    session = Session({"narrow": lambda _: False})
    run = ask(session, further)["narrow"]
    assert run.note.startswith("answers undecided: 0 of")
    assert run.agreement.details.get(ALL_COMPARED, 80) in {80, 110}
    assert run.note.endswith("; asked no more: there are no more examples")


@pytest.mark.parametrize("seconds", [1.0, 1e6])
def test_where_nothing_further_is_to_be_asked_no_budget_is_called_too_small(ask, seconds):
    session = Session({"narrow": lambda _: False}, seconds=seconds)
    run = ask(session, no_further)["narrow"]
    assert session.started == []
    assert run.note.endswith("; asked no more: there are no more examples")


def test_data_that_is_broken_further_on_ends_there(ask):
    def further(_):
        yield from range(FIRST, FIRST + 150)
        raise FormatError("line 231 is no JSON", path="dev.jsonl")

    run = ask(Session({"narrow": lambda _: False}), further)["narrow"]
    assert run.failure is None
    assert run.agreement.details[ALL_COMPARED] == FIRST + 100


def test_rows_that_are_exact_failed_or_decided_are_not_asked(ask):
    for changes in ({"failure": VariantError("died")}, {"note": None}, {"answers": None}):
        session = Session({"narrow": lambda _: False})
        vars(session.runs["narrow"]).update(changes)
        ask(session)
        assert session.started == []
    assert ask(Session({"exact": lambda _: False}, tolerance="exact"))["exact"].agreement.details == {}


def test_a_baseline_that_dies_is_no_fault_of_the_rows(ask):
    session = Session({"one": lambda _: False, "other": lambda _: False})
    session.failing[BASELINE] = VariantError("baseline: died")
    found = ask(session)
    assert [found[name].failure for name in ("one", "other")] == [None, None]
    assert all(found[name].note.startswith("answers undecided: 0 of 80") for name in ("one", "other"))


def test_a_process_that_dies_is_a_failure_and_one_out_of_time_is_none(ask):
    for error, failed in ((VariantError("narrow: died"), True), (OutOfTimeError("out of time"), False)):
        session = Session({"narrow": lambda _: False, "other": lambda _: False})
        session.failing["narrow"] = error
        found = ask(session)
        assert found["narrow"].failure == (error if failed else None)
        assert found["other"].agreement.details[ALL_COMPARED] == MOST_ANSWERS


def test_the_generated_world_goes_on_where_the_development_set_ends():
    usual = list(DevelopmentSet(count=20).examples())
    more = list(DevelopmentSet(count=len(usual) + 2, selection=Selection(skip=len(usual) - 1)).examples())
    assert more[0].example_id == usual[-1].example_id
    assert len({example.example_id for example in (*usual, *more)}) == len(usual) + 2
    with pytest.raises(FormatError, match="has 5 examples, and skip 5 passes over all of them"):
        list(DevelopmentSet(count=5, selection=Selection(skip=5)).examples())

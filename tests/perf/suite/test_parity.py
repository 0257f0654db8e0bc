import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from nqperf.errors import ParityError
from nqperf.nq.logits import Logits
from nqperf.perf.suite.parity import LIMITS, agreement, check_answers, check_parity, score_predictions
from nqperf.perf.suite.task import make_task
from nqperf.records.results import Agreement
from tests import runs

SAME = {"value": 0.5, "changed": 0, "span_agreement": 1.0, "max_abs_logit_difference": 0.0}


def agreed(**changes):
    """Return the agreement of a variant with a baseline of micro-F1 0.5 over 1000 predictions."""
    details = {**SAME, **changes}
    value, changed = details.pop("value"), details.pop("changed")
    return Agreement(
        metric="all-answer-f1", value=value, baseline_value=0.5, compared=1000, changed=changed, details=details
    )


@pytest.mark.parametrize("tolerance", LIMITS)
def test_the_same_answers_are_within_every_tolerance(tolerance):
    check_parity(agreed(), tolerance)


@pytest.mark.parametrize(
    ("tolerance", "change", "said"),
    [
        ("exact", {"value": 0.4999}, "micro-F1 0.4999 against 0.5000, expected the same"),
        ("exact", {"value": 0.5001}, "expected the same"),
        ("exact", {"changed": 1}, "1 of 1000 predictions changed, expected at most 0"),
        ("exact", {"max_abs_logit_difference": 2e-3}, "logits differ by up to 0.002"),
        ("exact", {"span_agreement": 0.999}, "99.90% of the best spans"),
        ("sixteen_bit", {"value": 0.4994}, "micro-F1 0.4994 against 0.5000, expected 0.4995 or more"),
        ("sixteen_bit", {"span_agreement": 0.9949}, "99.49% of the best spans agree, expected 99.5% or more"),
        ("eight_bit", {"value": 0.494}, "micro-F1"),
    ],
)
def test_answers_that_differ_are_refused_with_the_limit(tolerance, change, said):
    with pytest.raises(ParityError, match=r"^parity: ") as caught:
        check_parity(agreed(**change), tolerance)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("tolerance", "change"),
    [
        ("exact", {"max_abs_logit_difference": 1e-4}),
        ("sixteen_bit", {"value": 0.4996, "changed": 5, "span_agreement": 0.995}),
        ("sixteen_bit", {"value": 0.6, "max_abs_logit_difference": 1.0}),
        ("eight_bit", {"value": 0.4951, "changed": 20, "span_agreement": 0.96}),
    ],
)
def test_what_a_row_tolerates_passes(tolerance, change):
    check_parity(agreed(**change), tolerance)


@pytest.fixture(scope="module")
def task(model_folder, river_documents):
    from nqperf.formats.weights.model_folder import open_model

    return make_task(open_model(model_folder), river_documents, max_seq_length=48, windows=None)


def logits(task, seed=1):
    generator = np.random.default_rng(seed)
    rows, positions = task.features.input_ids.shape
    values = {
        "start_logits": generator.normal(0, 4, (rows, positions)),
        "end_logits": generator.normal(0, 4, (rows, positions)),
        "answer_type_logits": generator.normal(0, 1, (rows, 5)),
    }
    return Logits(unique_id=task.features.unique_id, **{k: v.astype(np.float32) for k, v in values.items()})


def test_a_task_agrees_with_itself(task):
    one = score_predictions(task, logits(task))
    found = agreement(task, one, one)
    assert found.changed == 0
    assert found.details["span_agreement"] == 1.0
    assert found.details["max_abs_logit_difference"] == 0.0
    assert found.compared == len(task.inputs) == 5


def test_other_logits_are_other_answers(task):
    first, second = (score_predictions(task, logits(task, seed)) for seed in (1, 2))
    found = agreement(task, first, second)
    assert found.changed > 0
    assert found.details["span_agreement"] < 1
    assert found.details["max_abs_logit_difference"] > 1
    assert len(found.differences) == found.changed
    questions = [task.examples[one.example_id].question for one in first.predictions]
    assert {one.subject for one in found.differences} <= set(questions)
    assert all(one.baseline != one.variant for one in found.differences)


def test_a_record_keeps_the_first_differences_only(task, monkeypatch):
    monkeypatch.setattr("nqperf.perf.suite.parity._DIFFERENCES", 1)
    first, second = (score_predictions(task, logits(task, seed)) for seed in (1, 2))
    found = agreement(task, first, second)
    assert found.changed > len(found.differences) == 1


def test_scores_alone_are_no_change(task):
    one = logits(task)
    more = dataclasses.replace(one, start_logits=one.start_logits * np.float32(1.0001))
    found = agreement(task, score_predictions(task, one), score_predictions(task, more))
    assert found.changed == 0
    assert 0 < found.details["max_abs_logit_difference"] < 0.01


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_no_answers(task, value):
    one = logits(task)
    broken = one.end_logits.copy()
    broken[0, 0] = value
    with pytest.raises(ParityError, match="parity: 1 of the end_logits"):
        score_predictions(task, dataclasses.replace(one, end_logits=broken))


class Asked:
    """So many examples with one gold answer each, all right by the baseline but for the first `missed`."""

    def __init__(self, examples, missed=0):
        self.gold = dict.fromkeys(range(examples), (runs.ANNOTATION,))
        self.non_null_threshold = 1
        self.missed = missed

    def answers(self, wrong=0, better=0):
        """Return answers of which so many are wrong that the baseline has right, and so many right that it missed."""
        found = []
        for number in self.gold:
            lost = number < self.missed - better or number >= len(self.gold) - wrong
            found.append(dataclasses.replace(runs.WRONG if lost else runs.PREDICTION, example_id=number))
        return SimpleNamespace(predictions=found)


@pytest.mark.parametrize(
    ("tolerance", "examples", "wrong", "better", "outcome"),
    [
        # One or two flips of 79, and none, tell nothing of half a per cent.
        ("sixteen_bit", 79, 0, 0, "undecided"),
        ("sixteen_bit", 79, 1, 0, "undecided"),
        ("sixteen_bit", 79, 0, 2, "undecided"),
        ("sixteen_bit", 79, 8, 0, "fails"),
        ("sixteen_bit", 1500, 45, 0, "fails"),
        ("sixteen_bit", 4000, 0, 4, "holds"),
        ("eight_bit", 79, 0, 0, "undecided"),
        ("eight_bit", 1500, 2, 16, "holds"),
        ("eight_bit", 300, 60, 0, "fails"),
    ],
)
def test_narrow_answers_are_judged_by_what_their_number_can_tell(tolerance, examples, wrong, better, outcome):
    asked = Asked(examples, missed=20)
    baseline, variant = asked.answers(), asked.answers(wrong, better)
    if outcome == "fails":
        with pytest.raises(
            ParityError, match=rf"^parity: {wrong + better} of {examples} answers changed \({better} better"
        ):
            check_answers(asked, baseline, variant, agreed(), tolerance)
        return
    said = check_answers(asked, baseline, variant, agreed(), tolerance)
    assert (said is None) == (outcome == "holds")
    if said is not None:
        assert said.startswith(f"answers undecided: {wrong + better} of {examples} answers changed")
        assert "more examples would tell" in said


def test_exact_answers_stay_exact():
    asked = Asked(79)
    assert check_answers(asked, asked.answers(), asked.answers(), agreed(), "exact") is None
    with pytest.raises(ParityError, match="1 of 1000 predictions changed, expected at most 0"):
        check_answers(asked, asked.answers(), asked.answers(1), agreed(changed=1), "exact")

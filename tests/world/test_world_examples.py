"""The generated examples as a whole: shape, bytes, answers, distribution, and what reading nothing gets."""

import hashlib
import itertools
import json
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.evaluation import evaluate
from nqperf.world.annotate import NULL
from nqperf.world.generate import MIN_TOKENS, generate
from nqperf.world.layouts import original, simplified
from nqperf.world.plan import MAX_TOKENS
from nqperf.world.trivial import first_paragraph, most_overlap

# SHA-256 over the JSON lines of both layouts of a small world. It changes when the world does, and never otherwise:
# not with the platform, not with the Python version.
GOLDEN = {
    "train": "a7cdae711655634cbf08394de7e3d817714c46a640e5addd3c1d7782877c29b5",
    "dev": "fc74447247f7a864e7102fe0b5d3d283984045f5613a447c748dfcef7d6bfd67",
}


@cache
def world(split, examples=800, seed=5):
    return list(generate(examples=examples, seed=seed, split=split))


def words(example, span):
    return " ".join(example.example.tokens[span.start_token : span.end_token])


def majority(example):
    return Counter(example.example.annotations).most_common(1)[0][0]


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_world_has_the_bytes_it_always_had(split):
    digest = hashlib.sha256()
    for example in generate(examples=20, seed=1, split=split):
        for record in (simplified(example), original(example)):
            digest.update(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    assert digest.hexdigest() == GOLDEN[split]


@given(seed=st.integers(0, 2**63), split=st.sampled_from(["train", "dev"]), median=st.integers(400, 2_000))
@settings(max_examples=25, deadline=None)
def test_every_token_candidate_and_answer_is_where_the_layouts_say(seed, split, median):
    for example in generate(examples=2, seed=seed, split=split, median_tokens=median):
        record, plain = original(example), simplified(example)
        html = record["document_html"].encode()
        tokens = record["document_tokens"]
        assert plain["document_text"].split(" ") == [token["token"] for token in tokens]
        assert MIN_TOKENS <= len(tokens) <= MAX_TOKENS
        for token in tokens:
            assert html[token["start_byte"] : token["end_byte"]].decode() == token["token"]
            assert token["html_token"] == (token["token"][0] == "<")
        spans = [annotation["long_answer"] for annotation in record["annotations"]]
        spans += [span for annotation in record["annotations"] for span in annotation["short_answers"]]
        spans += record["long_answer_candidates"]
        for span in spans:
            if span["start_token"] < 0:
                assert (span["end_token"], span["start_byte"], span["end_byte"]) == (-1, -1, -1)
                continue
            assert span["start_byte"] == tokens[span["start_token"]]["start_byte"]
            assert span["end_byte"] == tokens[span["end_token"] - 1]["end_byte"]


@given(seed=st.integers(0, 2**63), split=st.sampled_from(["train", "dev"]))
@settings(max_examples=25, deadline=None)
def test_candidates_nest_and_annotations_lie_in_them(seed, split):
    for example in generate(examples=3, seed=seed, split=split):
        candidates = example.example.candidates
        start, end, top = candidates.start_token, candidates.end_token, candidates.top_level
        assert (np.diff(start) > 0).all()
        assert (start[top][1:] >= end[top][:-1]).all()
        for first, last in zip(start.tolist(), end.tolist(), strict=True):
            opening, closing = example.example.tokens[first], example.example.tokens[last - 1]
            assert closing == opening.replace("<", "</")
        holder = np.flatnonzero(top)[np.searchsorted(start[top], start, side="right") - 1]
        assert (end <= end[holder]).all()
        for annotation in example.example.annotations:
            index = annotation.candidate_index
            if annotation.long_answer.is_null:
                assert (index, annotation.short_answers, annotation.yes_no_answer) == (-1, (), "NONE")
                continue
            assert (annotation.long_answer.start_token, annotation.long_answer.end_token) == (start[index], end[index])
            for span in annotation.short_answers:
                assert start[index] < span.start_token < span.end_token < end[index]


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "dev"])
def test_answer_kinds_have_the_shares_of_natural_questions(split):
    examples = world(split, examples=1_500)
    shares = {kind: count / len(examples) for kind, count in Counter(one.answer for one in examples).items()}
    assert 0.45 < shares["null"] < 0.55
    assert 0.29 < shares["short"] < 0.39
    assert 0.06 < shares["long"] < 0.12
    assert 0.015 < shares["several"] < 0.045
    assert 0.03 < shares["yes"] + shares["no"] < 0.06
    assert min(shares["yes"], shares["no"]) > 0.01


@pytest.mark.parametrize("split", ["train", "dev"])
def test_most_annotators_give_the_kind_of_answer_that_the_page_was_written_for(split):
    for example in world(split):
        annotation = majority(example)
        assert (annotation == NULL) == (example.answer == "null")
        assert len(annotation.short_answers) == {"short": 1}.get(example.answer, 0) or example.answer == "several"
        assert annotation.yes_no_answer == (example.answer.upper() if example.answer in ("yes", "no") else "NONE")
        if example.answer == "several":
            assert len(annotation.short_answers) > 1


def test_training_is_annotated_once_and_development_five_times_with_disagreement():
    assert {len(example.example.annotations) for example in world("train")} == {1}
    assert {len(example.example.annotations) for example in world("dev")} == {5}
    disagreed = [example for example in world("dev") if len(set(example.example.annotations)) > 1]
    assert 0.2 < len(disagreed) / len(world("dev")) < 0.6
    answered = [example for example in world("dev") if example.answer != "null"]
    assert any(NULL in example.example.annotations for example in answered)
    assert any(
        not example.example.candidates.top_level[annotation.candidate_index]
        for example in answered
        for annotation in example.example.annotations
        if annotation.candidate_index >= 0
    )
    assert any(set(example.example.annotations) != {NULL} for example in world("dev") if example.answer == "null")


def test_most_short_answers_have_several_words_and_stand_in_paragraphs_tables_and_lists():
    shorts = [(example, majority(example)) for example in world("dev") if example.answer == "short"]
    lengths = [span.end_token - span.start_token for _, annotation in shorts for span in annotation.short_answers]
    assert sum(length > 1 for length in lengths) / len(lengths) > 0.85
    kinds = Counter(example.example.tokens[annotation.long_answer.start_token] for example, annotation in shorts)
    assert set(kinds) == {"<P>", "<Table>", "<Ul>", "<Dl>"}
    assert 0.7 < kinds["<P>"] / len(shorts) < 0.95


def test_the_answer_stands_anywhere_among_the_candidates():
    places = Counter()
    for example in world("dev"):
        index = majority(example).candidate_index
        if index >= 0:
            top = np.flatnonzero(example.example.candidates.top_level)
            places[int(np.searchsorted(top, index) * 5 / len(top))] += 1
    assert all(0.1 < places[fifth] / sum(places.values()) < 0.4 for fifth in range(5))


def test_pages_are_skewed_short_with_a_long_tail_that_one_number_moves():
    lengths = sorted(len(example.example.tokens) for example in world("train"))
    assert 600 < lengths[len(lengths) // 2] < 800
    assert sum(length > 2_000 for length in lengths) / len(lengths) > 0.02
    assert lengths[-1] > 4_500
    longer = [len(one.example.tokens) for one in generate(examples=200, seed=5, split="train", median_tokens=1_400)]
    assert 1_200 < sorted(longer)[100] < 1_700


def test_questions_are_typed_and_do_not_repeat_the_page():
    examples = world("dev")
    questions = [example.example.question for example in examples]
    assert all(question == question.lower() for question in questions)
    assert 0 < sum(question.endswith("?") for question in questions) / len(questions) < 0.1
    assert not any(example.example.question.strip("?") in example.html.lower() for example in examples)
    # A distractor shares words with the question: the candidate with most of them is usually another one.
    answered = [example for example in examples if example.answer != "null"]
    hits = [most_overlap(example.example).long_answer.start_token for example in answered]
    right = [majority(example).long_answer.start_token for example in answered]
    assert sum(hit == gold for hit, gold in zip(hits, right, strict=True)) / len(answered) < 0.5


@pytest.mark.parametrize("answerer", [first_paragraph, most_overlap])
@pytest.mark.parametrize("seed", [1, 2])
def test_reading_nothing_gets_less_than_half_of_what_a_model_must_reach(answerer, seed):
    examples = [one.example for one in world("dev", examples=300, seed=seed)]
    gold = {example.example_id: example.annotations for example in examples}
    metrics = evaluate(gold, [answerer(example) for example in examples], non_null_threshold=2)
    assert 0 < metrics["all-answer-f1"] < 0.3


def test_a_trivial_answerer_names_nothing_on_a_page_without_candidates():
    example = world("dev")[0].example
    empty = type(example.candidates)(
        start_token=np.zeros(0, np.int32), end_token=np.zeros(0, np.int32), top_level=np.zeros(0, np.bool_)
    )
    bare = type(example)(
        example_id=1, question="who", tokens=["who"], is_html=np.zeros(1, np.bool_), candidates=empty, annotations=()
    )
    assert first_paragraph(bare).long_answer.is_null
    assert most_overlap(bare).long_answer.is_null


def test_ids_are_unique_far_apart_and_fit_63_bits():
    ids = sorted(example.example.example_id for split in ("train", "dev") for example in world(split))
    assert all(0 <= one < 2**63 for one in ids)
    assert min(after - before for before, after in itertools.pairwise(ids)) > 2**32


def test_a_longer_run_begins_with_a_shorter_one():
    short = [simplified(example) for example in generate(examples=30, seed=5, split="dev")]
    assert short == [simplified(example) for example in world("dev")[:30]]


def test_splits_share_no_page_and_development_has_phrasings_of_its_own():
    titles = {split: {example.title for example in world(split)} for split in ("train", "dev")}
    assert not titles["train"] & titles["dev"]

    def shapes(split):
        return {one.example.question.split(" ")[0] + " " + one.example.question.split(" ")[1] for one in world(split)}

    assert shapes("dev") - shapes("train")


@pytest.mark.parametrize(("name", "value"), [("examples", -1), ("median_tokens", 399), ("median_tokens", 2_001)])
def test_numbers_out_of_range_are_refused_before_anything_is_made(name, value):
    with pytest.raises(ConfigError, match=f"{name}: got {value}"):
        generate(**{"examples": 3, "seed": 1, "split": "dev", name: value})

"""Batches: windows as inference cuts them, targets under them, an order that the step alone decides."""

import math

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

from nqperf.errors import ConfigError
from nqperf.formats.training.articles import read_qed, read_squad
from nqperf.nq.context import ContextConfig
from nqperf.nq.features import FeatureConfig, build_features
from nqperf.nq.tokenization import SentencePieceVocabulary, Tokenizer
from nqperf.training.articles import qed_examples, squad_examples
from nqperf.training.corpus import Batches, SamplingConfig, build_corpus
from nqperf.training.targets import check_annotations
from nqperf.world.generate import generate

FEATURES = FeatureConfig(max_seq_length=96, doc_stride=32, max_query_length=24)


@pytest.fixture(scope="module")
def tokenizer(tokenizer_bytes):
    return Tokenizer(SentencePieceVocabulary(tokenizer_bytes))


@pytest.fixture(scope="module")
def examples():
    return [one.example for one in generate(examples=30, seed=4, split="train")]


def batches(sources, tokenizer, **settings):
    corpus = build_corpus(sources, tokenizer, ContextConfig(), FEATURES)
    settings = {"weights": (1.0,) * len(sources), "batch_size": 8, "epoch_batches": 4, **settings}
    return Batches(corpus, tokenizer, FEATURES, SamplingConfig(**settings))


def test_every_row_is_a_row_that_inference_makes(examples, tokenizer):
    rows = {
        row.tobytes()
        for example in examples
        for row in build_features(example, tokenizer, ContextConfig(), FEATURES).input_ids
    }
    drawn = batches([examples], tokenizer)
    for step in range(8):
        inputs, _ = drawn.batch(step)
        assert all(row.tobytes() in rows for row in inputs["input_ids"])
        np.testing.assert_array_equal(inputs["input_mask"], inputs["input_ids"] != 0)
        assert set(np.unique(inputs["segment_ids"])) == {0, 1}


@pytest.mark.parametrize("kind", ["roberta_pieces", "gpt2_pieces"])
def test_rows_are_framed_by_the_familys_own_pieces(examples, kind, request):
    tokenizer = request.getfixturevalue(kind)
    features = [build_features(example, tokenizer, ContextConfig(), FEATURES) for example in examples[:8]]
    rows = {
        tuple(np.stack([one.input_ids, one.input_mask, one.segment_ids], axis=1)[row].ravel().tolist())
        for one in features
        for row in range(len(one))
    }
    every = batches([examples[:8]], tokenizer)
    inputs = [every.batch(step)[0] for step in range(12)]
    parts = [np.concatenate([one[name] for one in inputs]) for name in ("input_ids", "input_mask", "segment_ids")]
    drawn = np.stack(parts, axis=1)
    assert all(tuple(row.ravel().tolist()) in rows for row in drawn)
    assert (drawn[:, 1] == 0).any()


def test_a_target_is_the_short_answer_in_the_window(tokenizer, tokenizer_bytes, training_folder):
    asked = list(squad_examples(list(read_squad(str(training_folder / "squad.jsonl"))), seed=1))
    drawn = batches([asked], tokenizer, include_unknowns=0.0, batch_size=3)
    said, processor = set(), SentencePieceProcessor(model_proto=tokenizer_bytes)
    for step in range(6):
        inputs, targets = drawn.batch(step)
        start, end = targets["start_logits"].argmax(axis=1), targets["end_logits"].argmax(axis=1)
        pieces = [row[first : last + 1] for row, first, last in zip(inputs["input_ids"], start, end, strict=True)]
        said |= {processor.decode([int(piece) for piece in part]).replace(" , ", ",") for part in pieces}
        assert targets["answer_type_logits"].tolist() == [3, 3, 3]
    assert said == {"1818", "william cubitt", "12,500"}


def test_targets_are_distributions_and_null_is_cls(examples, tokenizer):
    drawn = batches([examples], tokenizer, include_unknowns=0.5)
    for step in range(8):
        inputs, targets = drawn.batch(step)
        for name in ("start_logits", "end_logits"):
            np.testing.assert_allclose(targets[name].sum(axis=1), 1)
            assert (targets[name][inputs["input_mask"] == 0] == 0).all()
        null = targets["answer_type_logits"] == 0
        assert (targets["start_logits"][:, 0] == null).all()
        assert (targets["end_logits"][null, 0] == 1).all()


def rarest_words(asked, window, documents):
    """Return how much a window says of a question, in the slow way."""
    shared = set(asked.tolist()) & set(window.tolist())
    holding = {piece: sum(piece in document for document in documents) for piece in shared}
    return sum(math.log((len(documents) + 1) / (holding[piece] + 1)) for piece in shared)


def test_of_the_windows_without_the_answer_the_one_most_like_the_question_is_taken(examples, tokenizer):
    sources = [examples[:6]]
    every = batches(sources, tokenizer, include_unknowns=1.0, unknown_draws=1)
    most = batches(sources, tokenizer, include_unknowns=1.0, unknown_draws=400)
    corpus = build_corpus(sources, tokenizer, ContextConfig(), FEATURES)
    documents = [set(part.tolist()) for part in np.split(corpus.piece_ids, corpus.document_starts[1:-1])]
    questions = np.split(corpus.question_ids, corpus.question_starts[1:-1])
    scores = {"every": [], "most": []}
    for name, drawn in (("every", every), ("most", most)):
        for step in range(60):
            inputs, targets = drawn.batch(step)
            unknown = targets["start_logits"][:, 0] == 1
            assert unknown.any()
            for row, segments in zip(inputs["input_ids"][unknown], inputs["segment_ids"][unknown], strict=True):
                question = next(i for i, q in enumerate(questions) if np.array_equal(row[1 : 1 + len(q)], q))
                said = rarest_words(questions[question], row[segments == 1][:-1], documents)
                scores[name].append((question, said))
    best = {}
    for question, said in scores["every"] + scores["most"]:
        best[question] = max(best.get(question, 0.0), said)
    assert all(said == pytest.approx(best[question]) for question, said in scores["most"])
    assert any(said < best[question] - 1 for question, said in scores["every"])


def test_more_draws_change_no_window_with_the_answer(examples, tokenizer):
    one, five = (
        batches([examples], tokenizer, include_unknowns=0.5, unknown_draws=draws, batch_size=1) for draws in (1, 5)
    )
    same = {True: [], False: []}
    for step in range(60):
        (rows, targets), (others, _) = one.batch(step), five.batch(step)
        has_answer = bool(targets["start_logits"][0, 0] == 0)
        same[has_answer].append(np.array_equal(rows["input_ids"], others["input_ids"]))
    assert same[True]
    assert all(same[True])
    assert not all(same[False])


def test_a_batch_depends_on_the_step_alone(examples, tokenizer):
    forward, backward = (batches([examples], tokenizer, unknown_draws=draws) for draws in (3, 3))
    backward.batch(11)
    for step in (5, 0, 9, 5):
        for one, other in zip(forward.batch(step), backward.batch(step), strict=True):
            assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not np.array_equal(forward.batch(0)[0]["input_ids"], forward.batch(4)[0]["input_ids"])


def test_sources_have_their_shares_and_every_question_its_turn(examples, tokenizer):
    drawn = batches([examples[:24], examples[24:]], tokenizer, weights=(3.0, 1.0))
    orders = [drawn.epoch_order(epoch) for epoch in range(4)]
    for order in orders:
        assert (order < 24).sum() == 24
        assert (order >= 24).sum() == 8
        assert sorted(order[order < 24].tolist()) == list(range(24))
    later = np.concatenate([order[order >= 24] for order in orders])
    assert np.bincount(later - 24).max() - np.bincount(later - 24).min() <= 1


@pytest.mark.parametrize(
    "settings",
    [
        {"weights": ()},
        {"weights": (0.0,)},
        {"weights": (1.0, -1.0)},
        {"weights": (1.0,), "include_unknowns": 1.5},
        {"weights": (1.0,), "batch_size": 0},
        {"weights": (1.0,), "unknown_draws": 0},
    ],
)
def test_sampling_out_of_range_is_refused(settings):
    with pytest.raises(ConfigError):
        SamplingConfig(**settings)


def test_a_source_without_questions_is_refused(examples, tokenizer):
    with pytest.raises(ConfigError, match="source 1 has no question"):
        batches([examples, []], tokenizer).batch(0)
    with pytest.raises(ConfigError, match="the sources have no question to train on"):
        batches([[], []], tokenizer)


def test_articles_become_examples_whose_answers_are_their_words(training_folder):
    made = [
        *squad_examples(list(read_squad(str(training_folder / "squad.jsonl"))), seed=1),
        *qed_examples(list(read_qed(str(training_folder / "qed.jsonl"))), seed=1),
    ]
    said = []
    for example in made:
        check_annotations(example)
        (span,) = example.annotations[0].short_answers
        said.append(" ".join(example.tokens[span.start_token : span.end_token]))
    assert said == ["1818", "William Cubitt", "12,500", "the Osk", "Old Distun"]

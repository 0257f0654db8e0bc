"""What is held out of the sources, and that no other source trains on it."""

import pytest

from nqperf.training.sources import Source, is_held_out
from tests.training.conftest import TITLES


def asked(examples):
    return {example.question for example in examples}


@pytest.fixture(scope="module")
def held_out(titled_folder):
    return asked(Source(kind="nq", path=str(titled_folder / "nq.jsonl")).held_out_examples())


def test_some_articles_are_held_out_and_the_others_trained_on(titled_folder, held_out):
    trained = asked(Source(kind="nq", path=str(titled_folder / "nq.jsonl")).training_examples(0))
    assert held_out == {f"where is {title.lower()}" for title in TITLES if is_held_out(title)}
    assert 0 < len(held_out) < len(TITLES) / 4
    assert trained == {f"where is {title.lower()}" for title in TITLES} - held_out


@pytest.mark.parametrize("kind", ["qed", "squad"])
def test_what_a_source_holds_out_are_the_same_articles(titled_folder, held_out, kind):
    source = Source(kind=kind, path=str(titled_folder / f"{kind}.jsonl"))
    # A third of SQuAD's questions have their article's title behind them.
    assert {" ".join(question.split()[:4]) for question in asked(source.held_out_examples())} == held_out
    assert len(asked(source.training_examples(0))) == len(TITLES) - len(held_out)


@pytest.mark.parametrize("kind", ["qed", "squad"])
def test_no_source_trains_on_what_another_holds_out(titled_folder, held_out, kind):
    trained = asked(Source(kind=kind, path=str(titled_folder / f"{kind}.jsonl")).training_examples(0))
    assert not any(question.startswith(tuple(held_out)) for question in trained)
    assert len(trained) > len(TITLES) / 2


def test_the_texts_of_a_vocabulary_are_all_of_them(titled_folder):
    texts = list(Source(kind="qed", path=str(titled_folder / "qed.jsonl")).texts())
    assert len(texts) == 2 * len(TITLES)

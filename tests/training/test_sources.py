"""What is held out of the sources, and that no other source trains on it."""

import json

import pytest

from nqperf.training.sources import Source, is_held_out
from nqperf.world.generate import generate
from nqperf.world.layouts import simplified

TITLES = [f"Article {number:02}" for number in range(60)]


def asked(examples):
    return {example.question for example in examples}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hold nq.jsonl, qed.jsonl and squad.jsonl, which ask the same question of each title's article."""
    made = tmp_path_factory.mktemp("sources")
    pages = [simplified(one) for one in generate(examples=len(TITLES), seed=5, split="train")]
    text = "The river rises in the hills ."
    records = {
        "nq": [
            {**page, "document_title": title, "question_text": f"where is {title.lower()}"}
            for page, title in zip(pages, TITLES, strict=True)
        ],
        "qed": [
            {"title": title, "question": f"where is {title.lower()}", "paragraph": text, "answers": [[4, 9]]}
            for title in TITLES
        ],
        "squad": [
            {"title": title, "paragraphs": [{"text": text, "questions": [[f"Where is {title}?", 4, 9]]}]}
            for title in TITLES
        ],
    }
    for kind, lines in records.items():
        (made / f"{kind}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def held_out(folder):
    return asked(Source(kind="nq", path=str(folder / "nq.jsonl")).held_out_examples())


def test_some_articles_are_held_out_and_the_others_trained_on(folder, held_out):
    trained = asked(Source(kind="nq", path=str(folder / "nq.jsonl")).training_examples(0))
    assert held_out == {f"where is {title.lower()}" for title in TITLES if is_held_out(title)}
    assert 0 < len(held_out) < len(TITLES) / 4
    assert trained == {f"where is {title.lower()}" for title in TITLES} - held_out


@pytest.mark.parametrize("kind", ["qed", "squad"])
def test_no_source_trains_on_what_another_holds_out(folder, held_out, kind):
    trained = asked(Source(kind=kind, path=str(folder / f"{kind}.jsonl")).training_examples(0))
    # A third of SQuAD's questions have their article's title behind them.
    assert not any(question.startswith(tuple(held_out)) for question in trained)
    assert len(trained) > len(TITLES) / 2


def test_the_texts_of_a_vocabulary_are_all_of_them(folder):
    texts = list(Source(kind="qed", path=str(folder / "qed.jsonl")).texts())
    assert len(texts) == 2 * len(TITLES)

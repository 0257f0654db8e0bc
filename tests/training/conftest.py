"""A tiny vocabulary, a tiny model folder, and a data file of each kind."""

import json

import pytest

from nqperf.formats.weights.model_folder import write_model_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.model.config import BertConfig
from nqperf.model.weights import initial_weights
from nqperf.training.sources import Source
from nqperf.training.vocabulary import VocabularyConfig, carry_vocabulary
from nqperf.world.generate import generate
from nqperf.world.layouts import simplified
from tests.training.wordpieces import small_wordpieces

PIECES = 700  # at most
TITLES = [f"Article {number:02}" for number in range(60)]

SQUAD = {
    "title": "Treadmills of the south",
    "paragraphs": [
        {
            "text": "The first treadmill was built in 1818 by William Cubitt, an engineer.",
            "questions": [["When was the first treadmill built?", 33, 37], ["Who built it?", 41, 55]],
        },
        {
            "text": "A mill needs 12,500 steps a day; few people like it.",
            "questions": [["How many steps does it need?", 13, 19]],
        },
    ],
}
QED = [
    {
        "title": "River",
        "question": "which river is the longest in the region",
        "paragraph": "The longest river of the region is the Osk , which is 300 km long .",
        "answers": [[35, 42]],
    },
    {
        "title": "Towns",
        "question": "what town lies at the river",
        "paragraph": "The town that lies at the river is Old Distun .",
        "answers": [[35, 45]],
    },
]


@pytest.fixture(scope="session")
def titled_folder(tmp_path_factory):
    """Hold nq.jsonl, qed.jsonl and squad.jsonl, which ask the same question of each title's article."""
    made = tmp_path_factory.mktemp("titled")
    pages = [simplified(one) for one in generate(examples=len(TITLES), seed=5, split="train")]
    text, other = "The river rises in the hills .", "Nothing is said here ."
    records = {
        "nq": [
            {**page, "document_title": title, "question_text": f"where is {title.lower()}"}
            for page, title in zip(pages, TITLES, strict=True)
        ],
        "qed": [
            {
                "title": title,
                "question": f"where is {title.lower()}",
                "paragraph": f"{text} {title} .",
                "answers": [[4, 9]],
            }
            for title in TITLES
        ],
        "squad": [
            {
                "title": title,
                "paragraphs": [
                    {"text": other, "questions": []},
                    {"text": text, "questions": [[f"Where is {title}?", 4, 9]]},
                ],
            }
            for title in TITLES
        ],
    }
    for kind, lines in records.items():
        (made / f"{kind}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def tokenizer_bytes():
    texts = list(Source(kind="world", examples=40).texts())
    return carry_vocabulary(small_wordpieces(texts), texts, VocabularyConfig(pieces=PIECES))


@pytest.fixture(scope="session")
def training_folder(tmp_path_factory, tokenizer_bytes):
    """Hold tokenizer.model, start (a network of 2 layers of 32), nq.jsonl, squad.jsonl and qed.jsonl."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "tokenizer.model").write_bytes(tokenizer_bytes)
    tokenizer = TokenizerFile(path=folder / "tokenizer.model", kind="sentencepiece")
    network = BertConfig(
        vocab_size=tokenizer.vocabulary_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=96,
        hidden_dropout_prob=0.1,  # the state of its random numbers must survive a kill, too
    )
    write_model_folder(
        folder / "start",
        network,
        initial_weights(network, seed=1),
        tokenizer,
    )
    examples = [simplified(one) for one in generate(examples=40, seed=9, split="train")]
    (folder / "nq.jsonl").write_text("".join(json.dumps(one) + "\n" for one in examples), encoding="utf-8")
    (folder / "squad.jsonl").write_text(json.dumps(SQUAD) + "\n", encoding="utf-8")
    (folder / "qed.jsonl").write_text("".join(json.dumps(one) + "\n" for one in QED), encoding="utf-8")
    return folder

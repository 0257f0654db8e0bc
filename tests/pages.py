"""Files of any number of Natural Questions examples, generated, the same at every run."""

import json

import numpy as np

TOKENS = 3_500  # of a page, as in Natural Questions
CANDIDATES = 60
WORDS = 20_000
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvw", "aeiou"


def write_pages(path, count, *, tokens=TOKENS):
    """Write `count` annotated examples in the simplified layout; return the path."""
    rng = np.random.default_rng(11)
    known = np.array(_known_words(), dtype=object)
    with path.open("w") as file:
        for example_id in range(1, count + 1):
            file.write(json.dumps(_page(rng, known, example_id, tokens)) + "\n")
    return path


def vocabulary():
    """Return WordPieces for the generated words: the commonest whole, the others by syllables."""
    syllables = [a + b for a in _CONSONANTS for b in _VOWELS]
    common = [word.lower() for word in _known_words()[: WORDS // 4]]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[Q]", ".", *common, *syllables, *(f"##{one}" for one in syllables)]
    return list(dict.fromkeys(pieces))


def _known_words():
    rng = np.random.default_rng(7)
    return [_word(rng) for _ in range(WORDS)]


def _word(rng):
    syllables = rng.integers(1, 5)
    word = "".join(rng.choice(list(_CONSONANTS)) + rng.choice(list(_VOWELS)) for _ in range(syllables))
    return word.capitalize() if rng.random() < 0.2 else word


def _page(rng, known, example_id, tokens):
    size = tokens // CANDIDATES
    # Words repeat as in a language: a few are everywhere, many are rare.
    picked = known[np.minimum(rng.zipf(1.2, tokens) - 1, len(known) - 1)].tolist()
    text, candidates = [], []
    for number in range(CANDIDATES):
        words = picked[number * size : (number + 1) * size - 3]
        candidates.append({"start_token": len(text), "end_token": len(text) + size, "top_level": True})
        text += ["<P>", *words, ".", "</P>"]
    start = candidates[example_id % CANDIDATES]["start_token"]
    long_answer = {"start_token": start, "end_token": start + size, "candidate_index": example_id % CANDIDATES}
    return {
        "example_id": example_id,
        "question_text": " ".join(picked[:8]),
        "document_text": " ".join(text),
        "long_answer_candidates": candidates,
        "annotations": [
            {
                "long_answer": long_answer,
                "short_answers": [{"start_token": start + 1, "end_token": start + 3}],
                "yes_no_answer": "NONE",
            }
        ],
    }

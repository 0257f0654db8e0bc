"""A BERT vocabulary of a few hundred WordPieces, made from texts, for tests without MiniLM's package."""

from collections import Counter

from nqperf.nq.wordpiece import basic_tokens

WORDS = 250
ENDINGS = 60


def small_wordpieces(texts):
    """Return every character, alone and inside a word, the most frequent words and word endings."""
    words = Counter(part for text in texts for part in basic_tokens(text, lower_case=True))
    characters = sorted({character for word in words for character in word})
    endings = Counter(word[-length:] for word in words for length in (2, 3) if len(word) > length)
    return list(
        dict.fromkeys(
            [
                *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
                *characters,
                *(f"##{character}" for character in characters),
                *(word for word, _ in words.most_common(WORDS)),
                *(f"##{ending}" for ending, _ in endings.most_common(ENDINGS)),
            ]
        )
    )

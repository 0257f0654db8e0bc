"""Random texts as tokenizers meet them: every script, controls, emoji, accents in both forms, long words."""

import random
import unicodedata

# Blocks of the scripts that people write in, and of what is no script. Lone surrogates are no text.
_BLOCKS = (
    *((0x20, 0x7E),) * 6,
    *((0xA1, 0x17F),) * 3,
    (0x180, 0x24F),
    (0x300, 0x36F),
    (0x370, 0x3FF),
    (0x400, 0x52F),
    (0x530, 0x58F),
    (0x590, 0x5FF),
    (0x600, 0x6FF),
    (0x900, 0x97F),
    (0xE00, 0xE7F),
    (0x10A0, 0x10FF),
    (0x1100, 0x11FF),
    (0x1E00, 0x1FFF),
    (0x2000, 0x206F),
    (0x2070, 0x218F),
    (0x3000, 0x30FF),
    *((0x4E00, 0x9FFF),) * 2,
    (0xAC00, 0xD7A3),
    (0xE000, 0xE0FF),
    (0xF900, 0xFAFF),
    (0xFB00, 0xFDFF),
    (0xFE00, 0xFE2F),
    (0xFF00, 0xFFFD),
    (0x1D400, 0x1D4FF),
    *((0x1F300, 0x1F6FF),) * 2,
    (0x20000, 0x2A6DF),
    (0x0, 0x1F),
    (0x7F, 0xA0),
)
_WORDS = (
    *(
        "the",
        "kea",
        "lives",
        "in",
        "New",
        "Zealand",
        "cafe",
        "caf\u00e9",
        "cafe\u0301",
        "KEAS",
        "keas",
        "Kea's",
        "1850,",
    ),
    *("\u65b0\u897f\u5170", "don't", "U.S.A.", "3,470", "\u00df", "\u0130stanbul", "\u03a3\u0391\u03a3", "a\u200db"),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u00a0", "\u200b", "``quoted''", "x" * 120, "kea" * 40, "\ufb01n"),
)


def random_texts(count, seed, *, spaces=" "):
    """Yield texts; words in square brackets, which are looked up whole here and nowhere else, are none of theirs."""
    generator = random.Random(seed)
    for _ in range(count):
        words = [_word(generator) for _ in range(generator.randint(1, 9))]
        yield spaces.join(word for word in words if word and "[" not in word and "]" not in word)


def _word(generator):
    kind = generator.random()
    if kind < 0.4:
        return generator.choice(_WORDS)
    if kind < 0.45:
        return generator.choice(_WORDS) + generator.choice(_WORDS)
    first, last = generator.choice(_BLOCKS)
    size = generator.choice((1, 2, 3, 5, 8, 130 if kind > 0.995 else 4))
    letters = "".join(chr(generator.randint(first, last)) for _ in range(size)).replace(" ", "")
    return unicodedata.normalize(generator.choice(("NFC", "NFD")), letters) if generator.random() < 0.3 else letters

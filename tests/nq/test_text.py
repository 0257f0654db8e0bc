import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.context import ContextConfig, build_context
from nqperf.nq.text import TextDocument


def reference_paragraphs(text):
    """Lines joined until a blank one, each paragraph as its words' characters."""
    paragraphs, lines = [], []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            lines.append(line)
        elif lines:
            paragraphs.append(" ".join(lines))
            lines = []
    return ["".join(paragraph.split()) for paragraph in paragraphs]


# \n alone ends a line: the other line separators of Unicode are white space like any other.
TEXTS = st.text(st.one_of(st.sampled_from("ab.,'-<> \n\n\t\u2019é3"), st.characters(exclude_categories=["Cs"])))


@given(TEXTS)
def test_tokens_are_the_text_without_its_white_space_in_order(text):
    if not text.strip():
        with pytest.raises(ConfigError, match="no word"):
            TextDocument.of(text)
        return
    document = TextDocument.of(text)
    words = document.start_char < document.end_char
    pieces = [text[start:end] for start, end in zip(document.start_char, document.end_char, strict=True)]
    assert [token for token, word in zip(document.tokens, words, strict=True) if word] == [p for p in pieces if p]
    assert "".join(pieces) == "".join(text.split())
    assert (np.diff(document.start_char) >= 0).all()


@given(TEXTS.filter(str.strip))
def test_a_blank_line_parts_paragraphs(text):
    document = TextDocument.of(text)
    found = []
    for start, end in document.paragraph_token:
        assert (document.tokens[start], document.tokens[end - 1]) == ("<P>", "</P>")
        found.append("".join(document.tokens[start + 1 : end - 1]))
    assert found == reference_paragraphs(text)


def test_the_words_of_a_text_are_read_as_those_of_a_page():
    text = "Kea live in the Alps.\nThey don't fear 3,000 m.\n\n  \nA <b> is text here."
    document = TextDocument.of(text)
    example = document.example("where do kea live", example_id=7)
    context = build_context(example, ContextConfig())
    assert context.words == [
        *("[ContextId=-1]", "[NoLongAnswer]"),
        *("[ContextId=0]", "[Paragraph=1]"),
        *(["Kea", "live", "in", "the", "Alps", ".", "They", "don't", "fear", "3,000", "m", "."]),
        *("[ContextId=1]", "[Paragraph=2]"),
        *(["A", "<", "b", ">", "is", "text", "here", "."]),
    ]
    assert example.example_id == 7
    start = document.tokens.index("3,000")
    assert text[slice(*document.chars(start, start + 2))] == "3,000 m"


@pytest.mark.parametrize(
    "parts",
    [
        ["cafe\u0301", " ", "na\u0308ive"],
        ["\u0939\u093f\u0928\u094d\u0926\u0940", " ", "\u092d\u093e\u0937\u093e"],
        ["\u0645\u0650\u0646"],
        ["\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48"],
        ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
        ["\u65b0", "\u897f", "\u5170", "\u7684", "kea", "\u9e1f", "\u3002"],
        ["\u304b\u3099", "\u30ab\u3099", "\u3001", "\uff76\uff9e"],
        ["1998", "\u5e74", "3", "\u6708"],
        ["\ud55c\uad6d\uc5b4", " ", "\ubb38\uc11c"],
        ["\u2764\ufe0f", " ", "\U0001f469\u200d\U0001f4bb", "!", " ", "\U0001f44d\U0001f3fd"],
        ["it\u2019s", " ", "3,470", " ", "U-boats", " ", "\u2013", " ", "e\u0301.a"],
        ["\u0301", "a", " ", "\u0301"],
    ],
)
def test_a_letter_and_its_marks_are_one_token_and_chinese_one_a_character(parts):
    text, tokens = "".join(parts), [part for part in parts if part != " "]
    document = TextDocument.of(text)
    assert document.tokens[1:-1] == tokens
    assert [text[slice(*document.chars(n, n + 1))] for n in range(1, len(tokens) + 1)] == tokens


@given(TEXTS.filter(str.strip))
def test_no_token_begins_inside_a_letter(text):
    document = TextDocument.of(text)
    for start, end in zip(document.start_char, document.end_char, strict=True):
        marked = start < end and unicodedata.category(text[start])[0] == "M"
        assert not marked or start == 0 or text[start - 1].isspace()


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_ascii_is_cut_alike_amid_ascii_and_amid_other_letters(text):
    expected = re.findall(r"\w+(?:[.,'\-]\w+)*|[^\w\s]", text)
    for beside in ("a", "\u00e9"):
        tokens = [token for token in TextDocument.of(f"{text} {beside}").tokens if token not in ("<P>", "</P>")]
        assert tokens == [*expected, beside]


def test_half_a_surrogate_pair_is_a_character_that_nobody_knows(tokenizer):
    broken, known = (tokenizer.encode([f"river{sign}x"]).ids.tolist() for sign in ("\ud800", "\ufffd"))
    assert broken == known
    assert tokenizer.encode_question("\udfff river").tolist() == tokenizer.encode_question("\ufffd river").tolist()
    assert TextDocument.of("a \ud800 b").tokens[1:-1] == ["a", "\ud800", "b"]

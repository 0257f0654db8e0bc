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

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.context import ContextConfig, build_context, html_tokens, marker_words
from nqperf.nq.example import Candidates, Example
from tests import strategies
from tests.documents import Page
from tests.references.context import context


def example_of(page):
    fields = {name: [one[name] for one in page.candidates] for name in ("start_token", "end_token", "top_level")}
    return Example(
        example_id=1,
        question="",
        tokens=page.tokens,
        is_html=html_tokens(page.tokens),
        candidates=Candidates(
            start_token=np.array(fields["start_token"], np.int32),
            end_token=np.array(fields["end_token"], np.int32),
            top_level=np.array(fields["top_level"], np.bool_),
        ),
    )


@given(example=strategies.examples(), max_contexts=st.integers(1, 5), max_position=st.integers(1, 3))
def test_context_is_that_of_the_reference(example, max_contexts, max_position):
    built = build_context(example, ContextConfig(max_contexts=max_contexts, max_position=max_position))
    words, word_token = context(example, max_contexts=max_contexts, max_position=max_position)
    assert built.words == words
    assert built.word_token.tolist() == word_token


@given(example=strategies.examples())
def test_every_word_keeps_its_document_token_and_markers_have_none(example):
    built = build_context(example, ContextConfig())
    for word, token in zip(built.words, built.word_token.tolist(), strict=True):
        assert word.startswith("[") if token == -1 else word == example.tokens[token]


def test_a_page_reads_as_described():
    page = (
        Page().paragraph("One .").table("a b", "c").block("Dl", "x").block("Ol", "y").block("H2", "Z").paragraph("Two")
    )
    built = build_context(example_of(page), ContextConfig())
    assert " ".join(built.words) == (
        "[ContextId=-1] [NoLongAnswer] [ContextId=0] [Paragraph=1] One . [ContextId=1] [Table=1] a b c "
        "[ContextId=4] [List=1] x [ContextId=5] [List=2] y [ContextId=6] [Other=1] Z [ContextId=7] [Paragraph=2] Two"
    )


def test_nested_and_empty_candidates_are_skipped_but_counted_in_the_index():
    page = Page().block("P", "nested", top_level=False).block("P", "").block("P", "\u00a0 \u2003").paragraph("kept")
    assert build_context(example_of(page), ContextConfig()).words[2:] == ["[ContextId=3]", "[Paragraph=1]", "kept"]


def test_the_pseudo_candidate_counts_among_the_contexts():
    page = Page().paragraph("one").paragraph("two").paragraph("three")
    words = {n: build_context(example_of(page), ContextConfig(max_contexts=n)).words for n in (1, 2, 3)}
    assert words[1] == ["[ContextId=-1]", "[NoLongAnswer]"]
    assert words[2] == [*words[1], "[ContextId=0]", "[Paragraph=1]", "one"]
    assert words[3] == [*words[2], "[ContextId=1]", "[Paragraph=2]", "two"]


def test_numbers_saturate_for_each_type_on_its_own():
    page = Page()
    for _ in range(4):
        page.paragraph("p").block("Ul", "l")
    words = build_context(example_of(page), ContextConfig(max_position=2)).words
    numbered = [word for word in words if word.startswith(("[Paragraph", "[List"))]
    assert numbered == ["[Paragraph=1]", "[List=1]"] + ["[Paragraph=2]", "[List=2]"] * 3


def test_marker_words_are_what_contexts_hold():
    markers = marker_words(ContextConfig(max_position=2), max_context_id=1)
    assert markers[:4] == ["[ContextId=-1]", "[NoLongAnswer]", "[ContextId=0]", "[ContextId=1]"]
    assert set(markers[4:]) == {f"[{kind}={n}]" for kind in ("Table", "Paragraph", "List", "Other") for n in (1, 2)}


@pytest.mark.parametrize("field", ["max_contexts", "max_position"])
def test_a_config_of_nothing_is_refused(field):
    with pytest.raises(ConfigError, match=field):
        ContextConfig(**{field: 0})

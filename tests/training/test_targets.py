"""Targets against a slow reading of the rule, and the windows that are said to hold them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.example import NULL_SPAN, Annotation, Candidates, Example, Span
from nqperf.training.targets import NO_TARGET, check_annotations, piece_target

TYPES = {"YES": 1, "NO": 2, "SHORT": 3, "LONG": 4}


@st.composite
def annotated(draw):
    """Draw an example of two candidates, and the token under each of its pieces: some words have none or several."""
    words = draw(st.lists(st.integers(0, 3), min_size=4, max_size=60))
    middle = draw(st.integers(2, len(words) - 2))
    candidates = [(0, middle), (middle, len(words))]
    piece_token = [-1, -1]
    for start, end in candidates:
        piece_token += [-1, -1]
        piece_token += [token for token in range(start, end) for _ in range(words[token])]
    annotations = []
    for kind in draw(st.lists(st.sampled_from(["NULL", "YES", "NO", "SHORT", "SEVERAL", "LONG"]), max_size=3)):
        start, end = draw(st.sampled_from(candidates))
        short = Span(start_token=start, end_token=draw(st.integers(start + 1, end)))
        annotations.append(
            Annotation(
                long_answer=NULL_SPAN if kind == "NULL" else Span(start_token=start, end_token=end),
                short_answers={"SHORT": (short,), "SEVERAL": (short, Span(start_token=start, end_token=end))}.get(
                    kind, ()
                ),
                yes_no_answer=kind if kind in ("YES", "NO") else "NONE",
            )
        )
    start_token, end_token = np.array(candidates, dtype=np.int32).T
    example = Example(
        example_id=1,
        question="q",
        tokens=["w"] * len(words),
        is_html=np.zeros(len(words), dtype=bool),
        candidates=Candidates(start_token=start_token, end_token=end_token, top_level=np.ones(2, dtype=bool)),
        annotations=tuple(annotations),
    )
    return example, np.array(piece_token, dtype=np.int32)


def slow_target(example, piece_token):
    """Return (first, last, evidence, type, share of the end on [CLS]) piece by piece."""
    for annotation in example.annotations:
        if annotation.long_answer.is_null:
            continue
        if annotation.yes_no_answer != "NONE":
            kind = annotation.yes_no_answer
        elif annotation.short_answers:
            kind = "SHORT"
        else:
            kind = "LONG"
        one = kind == "SHORT" and len(annotation.short_answers) == 1
        span = annotation.short_answers[0] if one else annotation.long_answer
        pieces = [p for p, token in enumerate(piece_token) if span.start_token <= token < span.end_token]
        if not pieces:
            break
        if one and len(pieces) == 1:
            pair = [pieces[0], pieces[0] + 1]
            if pair[1] == len(piece_token) or piece_token[pair[1]] < 0:
                pair = [pieces[0] - 1, pieces[0]]
            if piece_token[pair[0]] < 0:
                pair = pieces * 2
            return pair[0], pair[1], pair[1], TYPES[kind], 0.25
        if one:
            return pieces[0], pieces[:30][-1], pieces[:30][-1], TYPES[kind], 0.0
        return pieces[0], pieces[:2][-1], pieces[:128][-1], TYPES[kind], 0.25
    return -1, -1, -1, 0, 0.0


@given(annotated())
def test_targets_follow_the_rule(drawn):
    example, piece_token = drawn
    got = piece_target(example, piece_token)
    assert (got.first_piece, got.last_piece, got.evidence_piece, got.answer_type, got.null_end) == slow_target(
        example, piece_token.tolist()
    )


@given(annotated(), st.integers(1, 40), st.integers(1, 20))
def test_a_window_holds_an_answer_when_it_has_all_its_evidence(drawn, room, stride):
    example, piece_token = drawn
    target = piece_target(example, piece_token)
    starts = np.arange(0, len(piece_token), stride, dtype=np.int32)
    held = target.inside(starts, starts + room)
    needed = set(range(target.first_piece, target.evidence_piece + 1)) if target != NO_TARGET else {-1}
    assert held.tolist() == [needed <= set(range(start, start + room)) for start in starts.tolist()]


@given(annotated())
def test_drawn_annotations_are_consistent(drawn):
    example, _ = drawn
    if example.annotations:
        check_annotations(example)
    else:
        with pytest.raises(ConfigError, match="no annotations"):
            check_annotations(example)

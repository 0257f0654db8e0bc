"""Long-answer candidates told from a document's tags, for data that were handed out without them."""

from __future__ import annotations

import numpy as np

from nqperf.nq.example import BoolArray, Candidates

# The elements that a candidate is one of. Source: README of google-research-datasets/natural-questions.
_ELEMENTS = frozenset({"P", "Table", "Tr", "Ul", "Ol", "Dl", "Li", "Dd", "Dt"})


def candidates_of(tokens: list[str], is_html: BoolArray) -> Candidates:
    """Return the elements of a document that can be a long answer, in order of their first token.

    `tokens` are the document's words and tags, `is_html` says which of them are tags: bool[n].

    Google's own candidates leave out some of these (lists of links, for one) by rules that are not known: the two agree
    on paragraphs, and scores on derived candidates do not compare with published ones.
    """
    found: list[tuple[int, int]] = []
    waiting: dict[str, list[int]] = {name: [] for name in _ELEMENTS}
    for index in np.flatnonzero(is_html).tolist():
        name = tokens[index].strip("</>").partition("_")[0]
        if name not in _ELEMENTS:
            continue
        if not tokens[index].startswith("</"):
            waiting[name].append(index)
        elif waiting[name]:
            start = waiting[name].pop()
            found.append((start, index + 1))
            for others in waiting.values():
                while others and others[-1] > start:  # left open within what ends here
                    others.pop()
    found.sort(key=lambda span: (span[0], -span[1]))
    top_level, end = [], 0
    for start, stop in found:
        top_level.append(start >= end)
        end = max(end, stop)
    return Candidates(
        start_token=np.array([start for start, _ in found], dtype=np.int32),
        end_token=np.array([stop for _, stop in found], dtype=np.int32),
        top_level=np.array(top_level, dtype=np.bool_),
    )

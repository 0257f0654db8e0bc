"""From an example's candidates to the words that the model reads, each with the document token it came from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from operator import contains

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import BoolArray, Example, IntArray

CANDIDATE_TYPES = {"<Table>": "Table", "<P>": "Paragraph", "<Ul>": "List", "<Dl>": "List", "<Ol>": "List"}
OTHER_TYPE = "Other"
PSEUDO_CANDIDATE = ("[ContextId=-1]", "[NoLongAnswer]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextConfig:
    """How many candidates are read, and where their numbering saturates.

    `max_contexts` is the largest number of candidates, the pseudo-candidate counted; `max_position` the largest number
    in a marker of position, which all later candidates of a kind share. Both are at least 1.

    Raises: ConfigError when one is not.
    Source: the reference values of BERT Joint.
    """

    max_contexts: int = 48
    max_position: int = 50

    def __post_init__(self) -> None:
        for name in ("max_contexts", "max_position"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """The words of the chosen candidates, marker words included.

    Shapes: words list[str] of length w, word_token int32[w]: a word's document token, -1 for a marker.
    """

    words: list[str]
    word_token: IntArray


def build_context(example: Example, config: ContextConfig) -> Context:
    """Return the pseudo-candidate and then every kept candidate: its two markers and its words without HTML tags.

    The candidates are those of `example`, as many as `config` says.

    Source: PIPELINE of BERT Joint; nested candidates and those without text are left out.
    """
    text_token = np.flatnonzero(~example.is_html).astype(np.int32)
    tokens = np.array(example.tokens, dtype=object)
    words = list(PSEUDO_CANDIDATE)
    word_token = [np.full(2, -1, dtype=np.int32)]
    numbered = dict.fromkeys((*CANDIDATE_TYPES.values(), OTHER_TYPE), 0)
    candidates = example.candidates
    kept = 1
    for index in np.flatnonzero(candidates.top_level).tolist():
        if kept == config.max_contexts:
            break
        start, end = int(candidates.start_token[index]), int(candidates.end_token[index])
        first, last = np.searchsorted(text_token, (start, end))
        candidate_token = text_token[first:last]
        candidate_words = tokens[candidate_token].tolist()
        if not "".join(candidate_words).strip():
            continue
        kind = CANDIDATE_TYPES.get(example.tokens[start], OTHER_TYPE)
        numbered[kind] = min(numbered[kind] + 1, config.max_position)
        words += (f"[ContextId={index}]", f"[{kind}={numbered[kind]}]")
        words += candidate_words
        word_token += (np.full(2, -1, dtype=np.int32), candidate_token)
        kept += 1
    return Context(words=words, word_token=np.concatenate(word_token))


def html_tokens(tokens: list[str]) -> BoolArray:
    """Tell which of `tokens` are HTML tags in the simplified layout: those that contain `<`."""
    return np.fromiter(map(contains, tokens, repeat("<")), dtype=np.bool_, count=len(tokens))


def marker_words(config: ContextConfig, *, max_context_id: int) -> list[str]:
    """List every marker that a context of `config` can hold, for a vocabulary that is to know them.

    `max_context_id` is the largest candidate index that gets a marker of its own.
    """
    kinds = dict.fromkeys((*CANDIDATE_TYPES.values(), OTHER_TYPE))
    numbers = range(1, config.max_position + 1)
    context_ids = [f"[ContextId={index}]" for index in range(max_context_id + 1)]
    return [*PSEUDO_CANDIDATE, *context_ids, *(f"[{kind}={number}]" for kind in kinds for number in numbers)]

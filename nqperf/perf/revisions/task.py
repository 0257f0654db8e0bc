"""What both sides of a comparison of the suite's rows are given: the same examples, and two vocabularies."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nqperf.defaults import PACKAGED_MODEL
from nqperf.errors import ConfigError
from nqperf.formats.files import scratch_folder, write_whole
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.nq.example import Example
from nqperf.nq.wordpiece import basic_tokens

# What the stages work on where no data is named.
_EXAMPLES = 120
_MEDIAN_TOKENS = 450
_SEED = 2020
_PIECES = 4000
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[Q]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTask:
    """What both sides are given: `limit` examples of `data`, and the files of two vocabularies.

    `examples` are the same as the tool has read them. `sentencepiece` is the packaged model's vocabulary, `wordpiece`
    one of the words in the examples.
    """

    data: str
    limit: int | None
    examples: tuple[Example, ...]
    sentencepiece: Path
    wordpiece: Path


@contextmanager
def shared_task(data: str | None, limit: int | None) -> Iterator[SharedTask]:
    """Yield what both sides are given, in a folder that goes with the block.

    Of `data` the first `limit` examples are used; None is generated examples, and as many as the stages need.

    Raises: FormatError for data that cannot be read; ConfigError for an example without annotations.
    """
    with scratch_folder() as folder:
        limit = limit or _EXAMPLES
        if data is None:
            data = str(folder / "examples.jsonl")
            write_whole(Path(data), _generated(limit))
        examples = tuple(NqReader(source=data, selection=Selection(limit=limit)).examples())
        unmarked = next((one for one in examples if not one.annotations), None)
        if unmarked is not None:
            raise ConfigError(
                f"example {unmarked.example_id} has no annotations, and answers cannot be scored: name annotated data"
            )
        wordpiece = folder / "vocab.txt"
        write_whole(wordpiece, "".join(f"{piece}\n" for piece in _pieces(examples)).encode())
        yield SharedTask(
            data=data,
            limit=limit,
            examples=examples,
            sentencepiece=PACKAGED_MODEL / "tokenizer.model",
            wordpiece=wordpiece,
        )


def _generated(count: int) -> bytes:
    """Return so many generated examples, a line of JSON each."""
    from nqperf.world.generate import generate
    from nqperf.world.layouts import simplified

    made = generate(examples=count, seed=_SEED, split="dev", median_tokens=_MEDIAN_TOKENS)
    return b"".join(json.dumps(simplified(one)).encode() + b"\n" for one in made)


def _pieces(examples: Sequence[Example]) -> list[str]:
    """Return a WordPiece vocabulary for the words of these examples: the commonest whole, all others by letters."""
    words = collections.Counter(
        word
        for example in examples
        for token in {*example.tokens, *example.question.split()}
        for word in basic_tokens(token, lower_case=True)
    )
    letters = sorted({letter for word in words for letter in word})
    common = [word for word, _ in words.most_common(_PIECES)]
    return list(dict.fromkeys([*_SPECIAL, *common, *letters, *(f"##{letter}" for letter in letters)]))

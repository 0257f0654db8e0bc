"""Examples by the chunk: what one shard of a run reads, small enough to be held and sent to another process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import google_crc32c

from nqperf.errors import FormatError
from nqperf.formats.lines import Line
from nqperf.formats.nq.jsonl import NqReader, Selection, example_in
from nqperf.nq.example import Annotation, Example

Gold = dict[int, tuple[Annotation, ...]]


class Chunk(Protocol):
    """Some examples in order; `gold` has the annotations of those that have some, `checksum` tells other ones apart."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The example ids."""

    @property
    def gold(self) -> Gold:
        """The annotations by example id."""

    @property
    def checksum(self) -> int:
        """The CRC-32C of what the examples are made of."""

    def examples(self) -> Iterator[Example]:
        """Yield the examples."""


class ChunkSource(Protocol):
    """Where chunks come from: `LinesSource` for files, `DevelopmentSet` where none is named."""

    @property
    def source(self) -> str:
        """The name of the data."""

    @property
    def selection(self) -> Selection:
        """Which of its examples are read."""

    @property
    def skipped(self) -> list[FormatError]:
        """What the last pass left out."""

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield the selected examples, `size` at once, and fewer at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesChunk:
    """Lines of Natural Questions as they stand in the file; only who answers them reads them whole.

    `lines` are in the file's order, and `ids` their example ids in the same; `gold` has the annotations of those that
    have some, by example id.
    """

    lines: tuple[Line, ...]
    ids: tuple[int, ...]
    gold: Gold

    @property
    def checksum(self) -> int:
        """The CRC-32C of the lines."""
        return _checksum(line.content for line in self.lines)

    def examples(self) -> Iterator[Example]:
        """Yield the examples.

        Raises: FormatError with file, line and field for a line that is no example.
        """
        return map(example_in, self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeChunk:
    """Examples that stand in no file: they are `made` already, in the order of answering."""

    made: tuple[Example, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """The example ids."""
        return tuple(one.example_id for one in self.made)

    @property
    def gold(self) -> Gold:
        """The annotations by example id."""
        return {one.example_id: one.annotations for one in self.made if one.annotations}

    @property
    def checksum(self) -> int:
        """The CRC-32C of ids, questions and documents."""
        return _checksum(" ".join([str(one.example_id), one.question, *one.tokens]).encode() for one in self.made)

    def examples(self) -> Iterator[Example]:
        """Yield the examples."""
        return iter(self.made)


@dataclass(slots=True, kw_only=True)
class LinesSource:
    """The chunks of a Natural Questions file, glob pattern, URL or standard input, as `reader` reads it."""

    reader: NqReader

    @property
    def source(self) -> str:
        """What the reader reads, as it may be stored."""
        return self.reader.shown

    @property
    def selection(self) -> Selection:
        """What of it."""
        return self.reader.selection

    @property
    def skipped(self) -> list[FormatError]:
        """What it left out."""
        return self.reader.skipped

    def chunks(self, size: int) -> Iterator[LinesChunk]:
        """Yield the selected lines, `size` at once."""
        heads = self.reader.heads()
        while some := list(islice(heads, size)):
            yield LinesChunk(
                lines=tuple(head.line for head in some),
                ids=tuple(head.example_id for head in some),
                gold={head.example_id: head.annotations for head in some if head.annotations},
            )


def chunks_of_examples(examples: Iterable[Example], size: int) -> Iterator[MadeChunk]:
    """Yield `examples`, `size` at once."""
    rest = iter(examples)
    while some := tuple(islice(rest, size)):
        yield MadeChunk(made=some)


def _checksum(parts: Iterable[bytes]) -> int:
    checksum = google_crc32c.Checksum()
    for part in parts:
        checksum.update(part + b"\0")  # what moves from one part to the next is another input
    return int.from_bytes(checksum.digest(), "big")

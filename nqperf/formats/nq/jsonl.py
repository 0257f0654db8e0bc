"""Natural Questions files: one example a line or a row, in any of the layouts that people have, streamed."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.compression import Limits
from nqperf.formats.lines import DEFAULT_LIMITS, STANDARD_INPUT, Line, lines_of, require_source, shown_source
from nqperf.formats.nq.line_faults import decoded_line, named_fault
from nqperf.formats.nq.plain_rows import plain_row
from nqperf.formats.nq.records import CandidateRecord, ExampleRecord, HeadRecord, RecordError
from nqperf.nq.example import Annotation, Candidates, Example

__all__ = ["STANDARD_INPUT", "Head", "NqReader", "Selection", "example_in", "example_of"]

DATA = "a Natural Questions .jsonl, packed or not, or .parquet"
_LOG = logging.getLogger(__name__)
_Item = TypeVar("_Item")
_Record = TypeVar("_Record", ExampleRecord, CandidateRecord, HeadRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which lines are read: `skip` examples are passed over, then `limit` are kept (None: all).

    With `on_error` "skip" a faulty line is left out and its error kept in NqReader.skipped. Then every pass judges a
    line as a whole example, so that all passes leave out the same ones.
    Raises: ConfigError when `skip` is below 0 or `limit` below 1.
    """

    limit: int | None = None
    skip: int = 0
    on_error: Literal["raise", "skip"] = "raise"

    def __post_init__(self) -> None:
        if self.skip < 0 or (self.limit is not None and self.limit < 1):
            raise ConfigError(f"skip {self.skip}, limit {self.limit}; expected skip >= 0 and limit >= 1")


@dataclass(slots=True, kw_only=True)
class NqReader:
    """Reads one Natural Questions source: a file, a glob pattern, a URL that fsspec reads, or `-`.

    Each method streams the `source` anew (standard input: once). `selection` says which lines are read, and what is
    done with a faulty one; `limits` bounds what is taken into memory. `skipped` lists what the last pass left out, and
    `unannotated` the ids that a pass over the gold found without annotations.

    Raises (while iterating): FormatError naming file, line and field for a missing or empty source, a broken archive,
    invalid JSON, missing or wrong-typed fields, spans outside the document, a repeated example id.
    """

    source: str
    selection: Selection = Selection()
    limits: Limits = DEFAULT_LIMITS
    skipped: list[FormatError] = field(default_factory=list)
    unannotated: list[int] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The source as it may be printed and stored: a URL without what signs it."""
        return shown_source(self.source)

    def require(self) -> None:
        """Raise FormatError where a source on this machine is not there or no file; nothing of it is read."""
        require_source(self.source, what=DATA)

    def examples(self) -> Iterator[Example]:
        """Yield whole examples."""
        return self._read(ExampleRecord, ExampleRecord.example)

    def candidates(self) -> Iterator[tuple[int, Candidates]]:
        """Yield each example's id and candidates; nothing else of the line is built."""
        return self._read(CandidateRecord, lambda record: (record.id(), record.candidates()))

    def gold(self) -> Iterator[tuple[int, tuple[Annotation, ...]]]:
        """Yield the id and the annotations of each example that has some; nothing else of the line is built.

        Raises: FormatError, at the end, when none has.
        """
        self.unannotated.clear()
        annotated = 0
        for identifier, given in self._read(HeadRecord, lambda record: (record.id(), record.annotated())):
            if given:
                annotated += 1
                yield identifier, given
            else:
                self.unannotated.append(identifier)
        if not annotated:
            raise FormatError(
                f"none of its {len(self.unannotated)} examples has annotations; an evaluation needs some",
                path=self.shown,
                field="annotations",
            )

    def heads(self) -> Iterator[Head]:
        """Yield each line unread but for its id and annotations; what else is wrong in it shows at `example_in`."""
        found = self._lines_read(HeadRecord, lambda record: (record.id(), record.annotated()))
        return (Head(line, *head) for line, head in found)

    def _read(self, record_type: type[_Record], build: Callable[[_Record], _Item]) -> Iterator[_Item]:
        return (item for _, item in self._lines_read(record_type, build))

    def _lines_read(
        self, record_type: type[_Record], build: Callable[[_Record], _Item]
    ) -> Iterator[tuple[Line, _Item]]:
        self.skipped.clear()
        decoder = msgspec.json.Decoder(record_type)
        judges = record_type is not ExampleRecord and self.selection.on_error == "skip"
        first_place: dict[int, tuple[str, int]] = {}
        passed = kept = 0
        for line in lines_of(self.source, what=DATA, limits=self.limits):
            try:
                if judges:
                    example_in(line)
                identifier, item = _parsed(line, decoder, build)
                _refuse_twice(identifier, line, first_place)
            except FormatError as error:
                if self.selection.on_error == "raise":
                    raise
                self.skipped.append(error)
                continue
            passed += 1
            if passed > self.selection.skip:
                kept += 1
                yield line, item
                if kept == self.selection.limit:
                    return
        if not kept:
            raise FormatError(self._nothing(passed), path=self.shown)

    def _nothing(self, passed: int) -> str:
        if self.skipped:
            return f"none of its {len(self.skipped)} lines is an example; the first: {self.skipped[0]}"
        if passed:
            return f"has {passed} examples, and skip {self.selection.skip} passes over all of them: lower it"
        return "is empty; expected one example a line"


def example_of(record: Mapping[str, Any], *, where: str) -> Example:
    """Return the example that `record`, a line's JSON in any layout, holds; `where` names it in an error.

    It and its values may be NumPy's, pandas' or TFDS's: arrays, scalars, bytes, NaN where a cell is empty.

    Raises: FormatError naming the field at fault.
    """
    return example_in(Line(where, 1, msgspec.json.encode(plain_row(record))))


class Head(NamedTuple):
    """A `line`, and what was read of it: its `example_id`, and its `annotations`, none where it has none."""

    line: Line
    example_id: int
    annotations: tuple[Annotation, ...]


def example_in(line: Line) -> Example:
    """Return the example that `line` holds.

    Raises: FormatError with file, line and field when it is none.
    """
    return _parsed(line, _EXAMPLES, ExampleRecord.example)[1]


_EXAMPLES = msgspec.json.Decoder(ExampleRecord)


def _parsed(line: Line, decoder: msgspec.json.Decoder[_Record], build: Callable[[_Record], _Item]) -> tuple[int, _Item]:
    """Return a line's example id and what `build` makes of its record."""
    try:
        record = decoded_line(line, decoder)
        if record.derives_candidates:
            _say_derived(line.path)
        return record.id(), build(record)
    except RecordError as error:
        raise named_fault(line, str(error), error.field) from error


@functools.lru_cache(maxsize=1024)
def _say_derived(path: str) -> None:
    """Say once of each file that its candidates are not Google's."""
    _LOG.warning(
        "%s: has no long_answer_candidates, as TFDS hands Natural Questions out; they are told from the tags, which is "
        "near to Google's but not the same: compare these scores with each other alone",
        path,
    )


def _refuse_twice(identifier: int, line: Line, first_place: dict[int, tuple[str, int]]) -> None:
    if identifier in first_place:
        path, number = first_place[identifier]
        raise line.fault(f"{identifier} stands twice, first in {path}, line {number}: remove one", "example_id")
    first_place[identifier] = line.path, line.number

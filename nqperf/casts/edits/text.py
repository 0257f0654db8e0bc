"""An edit as text: pieces of source put in a call or replaced, with everything around them as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nqperf.casts.trace.records import Span
from nqperf.errors import ConfigError

Position = tuple[int, int]  # line from 1, column in bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The source at `span` becomes `before` + what it was + `after`, or `before` alone where `drops` is set."""

    span: Span
    before: str
    after: str = ""
    drops: bool = False

    @property
    def start(self) -> Position:
        """Where it begins."""
        return self.span[:2]

    @property
    def end(self) -> Position:
        """Where it ends, exclusive."""
        return self.span[2:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """The `changes` to the file `path` that belong together; `imports` are lines that it needs and does not have."""

    path: str
    changes: tuple[Change, ...]
    imports: tuple[str, ...] = ()

    @property
    def span(self) -> Span:
        """From the first to the last character that changes."""
        start, end = min(each.start for each in self.changes), max(each.end for each in self.changes)
        return (*start, *end)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with all changes of `edits` made; the same change twice is made once. Lines keep their numbers.

    Raises: ConfigError when two changes overlap, or when one lies beyond the text.
    """
    lines = [f"{line}\n".encode() for line in text.split("\n")]  # no other character ends a line of Python
    lines[-1] = lines[-1][:-1]
    inserted: list[tuple[Position, tuple[int, Position], bytes]] = []
    dropped: list[tuple[Position, Position]] = []
    changes = sorted({change for edit in edits for change in edit.changes}, key=_outer_first)
    _require_nested(changes)
    for change in changes:
        if not 1 <= change.span[0] <= change.span[2] <= len(lines):
            raise ConfigError(f"line {change.span[2]} is beyond the end of the file: it has changed since the trace")
        # Where pieces begin together the wider one is the outer; an end comes before the next beginning.
        inserted.append((change.start, (1, _negative(change.end)), change.before.encode()))
        if change.drops:
            dropped.append((change.start, change.end))
        else:
            inserted.append((change.end, (0, _negative(change.start)), change.after.encode()))
    return _rebuilt(lines, inserted, dropped).decode()


def expression(text: str, span: Span) -> str:
    """Return the source at `span` of `text` on one line."""
    lines = [line.encode() for line in text.split("\n")]
    first, start, last, end = span
    if first == last:
        return lines[first - 1][start:end].decode()
    parts = [lines[first - 1][start:], *lines[first : last - 1], lines[last - 1][:end]]
    return " ".join(part.decode().strip() for part in parts)


def _outer_first(change: Change) -> tuple[Position, Position, str]:
    return change.start, _negative(change.end), change.before


def _negative(position: Position) -> Position:
    return (-position[0], -position[1])


def _require_nested(changes: list[Change]) -> None:
    """Refuse changes of which one begins inside another and ends outside of it, or lies in what another replaces."""
    for number, outer in enumerate(changes):
        for inner in changes[number + 1 :]:
            if inner.start >= outer.end:
                continue
            if inner.end > outer.end or outer.drops or (inner.drops and inner.span == outer.span):
                raise ConfigError(f"line {inner.span[0]} would be edited twice, by edits that do not fit together")


def _rebuilt(
    lines: list[bytes],
    inserted: list[tuple[Position, tuple[int, Position], bytes]],
    dropped: list[tuple[Position, Position]],
) -> bytes:
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    whole = b"".join(lines)

    def offset(position: Position) -> int:
        return offsets[position[0] - 1] + position[1]

    pieces: list[bytes] = []
    at = 0
    for position, _, text in sorted(inserted, key=lambda each: (each[0], each[1])):
        here = offset(position)
        pieces += [whole[at:here], text] if here >= at else [text]
        at = max(at, here)
        at = max([at, *(offset(end) for start, end in dropped if start == position)])
    return b"".join([*pieces, whole[at:]])

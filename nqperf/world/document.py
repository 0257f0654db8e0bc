"""Laying out: blocks become NQ tokens with their candidates, and HTML with the byte offsets of every token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nqperf.world.entity import Entity
from nqperf.world.telling import Stretch


@dataclass(slots=True)
class Heading:
    """A heading: its `text`, and its `level`, 1 to 3."""

    text: str
    level: int = 2


@dataclass(slots=True)
class Paragraph:
    """A paragraph of the words of `text`."""

    text: Stretch


@dataclass(slots=True)
class Table:
    """A table of `rows`, each a list of cells.

    The first `heads` cells of a row are header cells, and so is the whole first row with `has_header`.
    """

    rows: list[list[Stretch]]
    has_header: bool = True


@dataclass(slots=True)
class Listing:
    """A list, of the HTML element `tag`; `items` of a definition list are pairs, others hold one stretch each."""

    tag: Literal["Ul", "Ol", "Dl"]
    items: list[list[Stretch]]


Block = Heading | Paragraph | Table | Listing


@dataclass(slots=True)
class Statement:
    """Where the document states a fact: the one that `entity` has under the name `topic`.

    `candidate` is the long-answer candidate, `nested` that of the row or item in it (-1 if none). `spans` are the
    tokens of the fact's values, as [start, end).
    """

    entity: Entity
    topic: str
    candidate: int
    nested: int
    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Document:
    """A page as Natural Questions sees it.

    `tokens` are words and tags, `candidates` the (start token, end token, top level) of each long-answer candidate,
    `statements` say where which fact stands.
    """

    tokens: list[str] = field(default_factory=list)
    candidates: list[tuple[int, int, bool]] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def add(self, block: Block) -> None:
        """Append one `block`."""
        if isinstance(block, Heading):
            self.tokens += (f"<H{block.level}>", *block.text.split(), f"</H{block.level}>")
            return
        candidate = self._open(top_level=True)
        if isinstance(block, Paragraph):
            self._cell("P", block.text, candidate, -1)
        elif isinstance(block, Table):
            self.tokens.append("<Table>")
            for number, row in enumerate(block.rows):
                self._row(row, candidate, all_heads=number == 0 and block.has_header)
            self.tokens.append("</Table>")
        else:
            self.tokens.append(f"<{block.tag}>")
            for item in block.items:
                self._item(block.tag, item, candidate)
            self.tokens.append(f"</{block.tag}>")
        self._close(candidate)

    def _row(self, row: list[Stretch], candidate: int, *, all_heads: bool) -> None:
        nested = self._open(top_level=False)
        self.tokens.append("<Tr>")
        for column, cell in enumerate(row):
            self._cell("Th" if all_heads or column == 0 else "Td", cell, candidate, nested)
        self.tokens.append("</Tr>")
        self._close(nested)

    def _item(self, tag: str, item: list[Stretch], candidate: int) -> None:
        if tag == "Dl":
            self._cell("Dt", item[0], candidate, -1)
        nested = self._open(top_level=False)
        self._cell("Dd" if tag == "Dl" else "Li", item[-1], candidate, nested)
        self._close(nested)

    def _cell(self, tag: str, text: Stretch, candidate: int, nested: int) -> None:
        self.tokens.append(f"<{tag}>")
        at = len(self.tokens)
        self.tokens += text.words
        self.tokens.append(f"</{tag}>")
        for mark in text.marks:
            self.statements.append(Statement(mark.entity, mark.topic, candidate, nested, mark.moved(at).spans))

    def _open(self, *, top_level: bool) -> int:
        self.candidates.append((len(self.tokens), -1, top_level))
        return len(self.candidates) - 1

    def _close(self, candidate: int) -> None:
        start, _, top_level = self.candidates[candidate]
        self.candidates[candidate] = (start, len(self.tokens), top_level)


def size(blocks: list[Block]) -> int:
    """Return how many tokens the `blocks` will take."""
    document = Document()
    for block in blocks:
        document.add(block)
    return len(document.tokens)


_NO_SPACE_BEFORE = frozenset([".", ",", ";", ":", "?", "!", ")", "'s"])
_NEW_LINE_BEFORE = (
    "<H",
    "<P>",
    "<Table>",
    "<Tr>",
    "<Ul>",
    "<Ol>",
    "<Dl>",
    "<Li>",
    "<Dt>",
    "</Table>",
    "</Ul>",
    "</Ol>",
    "</Dl>",
)


def write_html(title: str, tokens: list[str]) -> tuple[str, list[int], list[int]]:
    """Return the HTML of the page `title` with these `tokens`, and each token's first and end byte in it (UTF-8)."""
    pieces = [f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="UTF-8">\n<title>{title}</title>\n</head>\n<body>']
    at = len(pieces[0].encode())
    starts, ends = [], []
    quoted = False
    glued = True
    for word in tokens:
        gap = "" if glued or word in _NO_SPACE_BEFORE or word.startswith("</") else " "
        if word.startswith(_NEW_LINE_BEFORE):
            gap = "\n"
        glued = word == "(" or word.startswith("<")
        if word == '"':
            gap, glued, quoted = ("", False, False) if quoted else (gap, True, True)
        start = at + len(gap)
        at = start + len(word.encode())
        starts.append(start)
        ends.append(at)
        pieces += (gap, word)
    return "".join([*pieces, "\n</body>\n</html>\n"]), starts, ends

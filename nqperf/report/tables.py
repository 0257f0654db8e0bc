"""Tables of text cells, aligned for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Literal

from nqperf.plain_text import plain

# rich's eight rows of a box, each with left edge, line, divider, right edge: a line under the headings, spaces between.
_RULED = "    \n    \n -- \n    \n    \n    \n    \n    \n"
# No table is cut or folded, wherever it is shown.
_WIDEST = 100_000
# A cell that there is nothing for.
NONE = "-"


def with_cells(
    headings: tuple[str, ...], rows: tuple[tuple[str, ...], ...]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return `headings` and `rows` without the columns that hold nothing in any row, which only make a table wide."""
    kept = [column for column in range(len(headings)) if not rows or any(row[column] != NONE for row in rows)]
    return tuple(headings[one] for one in kept), tuple(tuple(row[one] for one in kept) for row in rows)


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str] = ()) -> str:
    """Return `rows` under `headings`, aligned.

    The first column and those named in `left` stand to the left, the others to the right.
    """
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=Box(_RULED, ascii=True), show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
    for number, name in enumerate(headings):
        justify: Literal["left", "right"] = "left" if not number or name in left else "right"
        table.add_column(Text(plain(name)), justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console = Console(file=StringIO(), width=_WIDEST, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(table, crop=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str] = ()) -> str:
    """Return `rows` under `headings` in GitHub's Markdown.

    The first column and those named in `left` stand to the left, the others to the right.
    """
    rules = [":--" if not column or name in left else "--:" for column, name in enumerate(headings)]
    return "\n".join(_markdown_row(row) for row in [headings, rules, *rows])


def markdown_text(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, in one line."""
    marks = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|"})
    return plain(" ".join(text.split())).translate(marks)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"

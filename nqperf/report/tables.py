"""Tables of text cells, aligned for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from nqperf.plain_text import plain


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str] = ()) -> str:
    """Return rows under headings, the first column and those named in `left` to the left, the others to the right."""
    headings, rows = [plain(cell) for cell in headings], [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    to_left = {0, *(headings.index(name) for name in left)}
    lines = [
        "  ".join(
            cell.ljust(width) if column in to_left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [headings, *rows]
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str] = ()) -> str:
    """Return the same table in GitHub's Markdown."""
    rules = [":--" if not column or name in left else "--:" for column, name in enumerate(headings)]
    return "\n".join(_markdown_row(row) for row in [headings, rules, *rows])


def markdown_text(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, in one line."""
    marks = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|"})
    return plain(" ".join(text.split())).translate(marks)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"

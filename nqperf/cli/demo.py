"""The command that shows in a minute what all this is about: questions, a page, and the answers marked in it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.console import start_engine
from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.errors import FormatError
from nqperf.formats.reading import read_whole

if TYPE_CHECKING:
    from nqperf.api import Answers

PAGE = Path(__file__).with_name("demo.txt")
QUESTIONS = ("where does the kea live", "how long is a kea", "when was the kea protected by law")
_WIDTH = 100
# Where there are no colours, the answer stands between these.
_MARKS = ("[[", "]]")


@click.command("demo")
@click.argument("questions", nargs=-1)
@shared.option("--text", type=shared.PATH, help="A text file to ask instead, paragraphs apart by a blank line.")
@shared.option("--model", type=shared.MODEL, help="A model folder.  [default: the packaged nq-mini]")
@shared.json_option
def demo_command(questions: tuple[str, ...], text: Path | None, model: Path | None, *, as_json: bool) -> None:
    """Answer QUESTIONS (three of our own where none is given) on a page, and show each answer in its paragraph.

    \b
    nqperf demo
    nqperf demo "what do kea eat" "where do kea nest"
    nqperf demo --text article.txt "who wrote it"
    """
    page = _read_text(text or PAGE)
    start_engine(find_engine(DEFAULT_ENGINE))
    from nqperf.api import load_model

    loaded = load_model(model)
    answers = [loaded.answer(question, page) for question in questions or QUESTIONS]
    if as_json:
        click.echo(msgspec.json.encode(answers).decode())
    else:
        click.echo("\n\n".join("\n".join(_shown(one, page)) for one in answers))


def _read_text(path: Path) -> str:
    try:
        return read_whole(path, what="a text").decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"is no UTF-8 text ({error.reason} at byte {error.start})", path=path) from None


def _shown(answers: Answers, page: str) -> Iterator[str]:
    """Yield the question, its answer, and the paragraph with the answer marked."""
    question = f"{answers.question}?"
    yield click.style(question, bold=True) if _has_colours() else question
    given = answers.short or answers.long
    if given is None or given.start_char is None or given.end_char is None:
        yield "  no answer on this page"
        return
    kind = "short answer" if answers.short else "long answer"
    yield f"  {kind}, score {given.score:.1f}: {given.text if answers.short else 'the paragraph'}"
    start = page.rfind("\n\n", 0, given.start_char) + 1
    end = page.find("\n\n", given.end_char)
    before, after = page[start : given.start_char], page[given.end_char : end if end >= 0 else len(page)]
    # Wrapped before it is styled: colour codes have no width, but textwrap would count them.
    marked = f"{before}{_MARKS[0]}{given.text}{_MARKS[1]}{after}"
    for line in _coloured(textwrap.wrap(" ".join(marked.split()), _WIDTH - 4)):
        yield f"    {line}"


def _coloured(lines: list[str]) -> Iterator[str]:
    """Replace the marks by colour where the terminal has some; an answer may go over several lines."""
    if not _has_colours():
        yield from lines
        return
    inside = False
    for line in lines:
        head, opening, rest = line.partition(_MARKS[0])
        if not opening:
            head, rest = ("", line) if inside else (line, "")
        inside = inside or bool(opening)
        answer, closing, tail = rest.partition(_MARKS[1])
        yield head + (click.style(answer, fg="black", bg="yellow") if answer else "") + tail
        inside = inside and not closing


def _has_colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")

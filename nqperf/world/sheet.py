"""The sheets' little language: sections of templates, alternatives in brackets, slots in braces.

A sheet is text. A line `= kind arguments` opens a section (intro, fact, facts, filler, essay, roster); the lines below
it begin with `+` (a sentence), `?` (a question), `!` (a yes/no question with {v} for the value), or `~` (a lure: a
sentence that shares a question's words and does not answer it). Slots: {n} the subject, by name or by pronoun; {N} its
bare name; {np} its possessive and {nm} its object form; {value}, {sort}, {land}. A fact's last sentence and every
topic's last question are kept for the development split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

# One choice is a tuple of alternatives, each a tuple of words and slots; a template is a tuple of choices.
Template = tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Topic:
    """Something that a page can say and a question can ask for; `title` is its label or heading."""

    name: str
    title: str
    heading: str
    several: bool = False
    columns: tuple[tuple[str, str], ...] = ()
    sentences: tuple[Template, ...] = ()
    questions: tuple[Template, ...] = ()
    polar: tuple[Template, ...] = ()
    lures: tuple[Template, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that is said about one kind of thing."""

    intros: tuple[Template, ...]
    facts: tuple[Topic, ...]
    fillers: dict[str, tuple[Template, ...]]
    essays: tuple[Topic, ...]
    rosters: tuple[Topic, ...]


@cache
def template(text: str) -> Template:
    """Return the parsed template."""
    return tuple(
        tuple(tuple(option.split()) for option in piece[1:-1].split("|"))
        if piece.startswith("[")
        else (tuple(piece.split()),)
        for piece in re.findall(r"\[[^\]]*\]|[^\[]+", text)
    )


def read_sheet(text: str) -> Sheet:
    """Return the sheet that `text` describes."""
    topics: dict[str, list[Topic]] = {"fact": [], "essay": [], "roster": []}
    fillers: dict[str, tuple[Template, ...]] = {}
    intros: tuple[Template, ...] = ()
    for kind, arguments, lines in _sections(text):
        sentences = lines["+"]
        if kind == "intro":
            intros = sentences
        elif kind == "filler":
            fillers[arguments] = sentences
        else:
            topics["fact" if kind == "facts" else kind].append(_topic(kind, arguments, lines))
    return Sheet(
        intros=intros,
        facts=tuple(topics["fact"]),
        fillers=fillers,
        essays=tuple(topics["essay"]),
        rosters=tuple(topics["roster"]),
    )


def _sections(text: str) -> Iterator[tuple[str, str, dict[str, tuple[Template, ...]]]]:
    for section in text.strip().removeprefix("= ").split("\n= "):
        head, *body = section.splitlines()
        kind, _, arguments = head.partition(" ")
        rows = [line.partition(" ") for line in body if line]
        signs = {sign: tuple(template(line) for mark, _, line in rows if mark == sign) for sign in "+?!~"}
        yield kind, arguments, signs


def _topic(kind: str, arguments: str, lines: dict[str, tuple[Template, ...]]) -> Topic:
    first, *rest = arguments.split(" | ")
    columns: tuple[tuple[str, str], ...] = ()
    if kind in ("fact", "facts"):
        name, (title, heading) = first, rest
    else:
        name, title, heading = first.lower(), first, first
        columns = tuple((column.partition(":")[0], column.partition(":")[2]) for column in rest)
    return Topic(
        name=name,
        title=title,
        heading=heading,
        several=kind == "facts",
        columns=columns,
        sentences=lines["+"],
        questions=lines["?"],
        polar=lines["!"],
        lures=lines["~"],
    )

"""The sheets' little language: sections of templates, alternatives in brackets, slots in braces.

A sheet is a text file, `sheets/NAME.sheet`. Its first section, `= kind`, has lines of a word and what it says (the
fields of `Sheet`). A line `= kind arguments` opens any other section (intro, fact, facts, filler, essay, roster); the
lines below it begin with `+` (a sentence), `?` (a question), `!` (a yes/no question with {v} for the value), or `~` (a
lure: a sentence that shares a question's words and does not answer it). Slots: {n} the subject, by name or by pronoun;
{N} its bare name; {np} its possessive and {nm} its object form; {value}, {sort}, {land}. A fact's last sentence and
every topic's last question are kept for the development split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

# One choice is a tuple of alternatives, each a tuple of words and slots; a template is a tuple of choices.
Template = tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Topic:
    """Something that a page can say and a question can ask for.

    `name` is the fact's, `title` its label, `heading` that of its section. A fact with `several` has more than one
    value. `columns` are those of a roster: a heading, and what makes its cells. `sentences` state the fact, `questions`
    ask for it, `polar` ask whether it is so, and `lures` are sentences that sound like it and state something else.
    """

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
    """All that is said about one kind of thing.

    Fields:
        count: How many of them a region has.
        others: The heading of a section on several of them.
        names: The forms of their names, with * for the root and # for the year, each with the noun that stands for it.
        sorts: What they are called in a sentence.
        article: Whether "the" belongs before the name.
        maker: The role of the people whose work they are; "" for nobody's.
        years: Between which years they began, where nobody of the region made them.
        intros: First sentences of a page.
        facts: What is known of each.
        fillers: Sentences by the headings of the sections that they may stand in.
        essays: Sections that answer a question as a whole.
        rosters: Tables.
    """

    count: int
    others: str
    names: tuple[tuple[str, str], ...]
    sorts: tuple[str, ...] = ()
    article: bool = False
    maker: str = ""
    years: tuple[int, int] = (1771, 1925)
    intros: tuple[Template, ...]
    facts: tuple[Topic, ...]
    fillers: dict[str, tuple[Template, ...]]
    essays: tuple[Topic, ...]
    rosters: tuple[Topic, ...]


@cache
def template(text: str) -> Template:
    """Return the template that `text` is written as."""
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
    head, _, rest = text.removeprefix("= kind\n").partition("\n= ")
    for kind, arguments, lines in _sections(rest):
        sentences = lines["+"]
        if kind == "intro":
            intros = sentences
        elif kind == "filler":
            fillers[arguments] = sentences
        else:
            topics["fact" if kind == "facts" else kind].append(_topic(kind, arguments, lines))
    return Sheet(
        **_head(head),
        intros=intros,
        facts=tuple(topics["fact"]),
        fillers=fillers,
        essays=tuple(topics["essay"]),
        rosters=tuple(topics["roster"]),
    )


def _head(text: str) -> dict[str, Any]:
    """Return the fields of the first section."""
    said: dict[str, list[str]] = {}
    for line in text.strip().splitlines():
        word, _, value = line.partition(" ")
        said.setdefault(word, []).append(value)
    (count,), (others,) = said["count"], said["others"]
    fields: dict[str, Any] = {"count": int(count), "others": others, "sorts": tuple(said.get("sort", ()))}
    fields["names"] = tuple((form, noun) for form, _, noun in (name.partition(" : ") for name in said["name"]))
    fields["article"], fields["maker"] = "article" in said, *said.get("maker", [""])
    if "years" in said:
        first, last = map(int, said["years"][0].split())
        fields["years"] = first, last
    return fields


def _sections(text: str) -> Iterator[tuple[str, str, dict[str, tuple[Template, ...]]]]:
    for section in text.strip().split("\n= "):
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

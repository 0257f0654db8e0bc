"""Telling: templates become words, with the place of every value kept."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from nqperf.world.entity import Entity
from nqperf.world.sheet import Template
from nqperf.world.stream import Stream, keyed_integer

# After these words a person is named and not meant by "he" or "she".
_PREPOSITIONS = frozenset(["of", "to", "by", "about", "from", "with", "on", "for", "in", "like", "and", "than"])
_SOURCES = (
    "according to the county survey ,",
    "as far as the records show ,",
    "in most accounts ,",
    "the guide books say that",
    "it is well documented that",
    "by all reports",
)


@dataclass(slots=True)
class Mark:
    """What a stretch of words states: a fact of `entity`, by the name of its `topic`.

    `spans` are the places of the fact's values within the words, as [start, end).
    """

    entity: Entity
    topic: str
    spans: tuple[tuple[int, int], ...]

    def moved(self, by: int) -> Mark:
        """Return the same mark for words that stand `by` places later."""
        return Mark(self.entity, self.topic, tuple((start + by, end + by) for start, end in self.spans))


@dataclass(slots=True)
class Stretch:
    """`words`, and the `marks` on them."""

    words: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def add(self, other: Stretch) -> None:
        """Append the stretch `other`."""
        self.marks += [mark.moved(len(self.words)) for mark in other.marks]
        self.words += other.words


@dataclass(slots=True)
class Teller:
    """Tells sentences of one paragraph about `entity`: its name first, then by name or by pronoun.

    `land` is the region's name; `stream` draws among phrasings. `named` says that the name was given already.
    """

    entity: Entity
    land: str
    stream: Stream
    named: bool = False
    _taste: int = 0

    def __post_init__(self) -> None:
        # An entity settles which alternatives are true of it, so that two pages never differ in a detail.
        self._taste = keyed_integer(self.entity.name)

    def sentence(
        self, template: Template, *, values: tuple[str, ...] = (), topic: str = "", source: bool = False
    ) -> Stretch:
        """Return the sentence that `template` makes of `values`.

        It is marked with `topic` where one is given; `source` may put a lead-in before it.
        """
        words: list[str] = []
        spans: list[tuple[int, int]] = []
        if source and self.stream.chance(12):
            words += self.stream.pick(_SOURCES).split()
        referred = False
        for choice in template:
            for item in choice[self._taste % len(choice)]:
                if item == "{value}":
                    spans += put_values(words, values)
                elif item[0] == "{":
                    words += self._refer(item, words, again=referred)
                    referred = referred or item in ("{n}", "{np}", "{nm}")
                else:
                    words.append(item)
        if words[-1] not in ".?!":
            words.append(".")
        _write_well(words)
        return Stretch(words, [Mark(self.entity, topic, tuple(spans))] if topic else [])

    def _refer(self, slot: str, before: list[str], *, again: bool) -> list[str]:
        entity = self.entity
        if slot in ("{sort}", "{land}"):
            return entity.sort.split() if slot == "{sort}" else [self.land]
        by_name = slot == "{N}" or not self.named or (not again and self.stream.chance(45))
        self.named = True
        if not by_name:
            return self._person(slot, before) if entity.kind == "person" else self._thing(slot, before)
        name = (entity.name if slot == "{N}" else entity.phrase).split()
        return [*name, "'s"] if slot == "{np}" else name

    def _thing(self, slot: str, before: list[str]) -> list[str]:
        if slot == "{np}":
            return ["its"]
        return ["it"] if not before and self.stream.chance(40) else ["the", self.entity.noun]

    def _person(self, slot: str, before: list[str]) -> list[str]:
        she = self.entity.female
        if slot == "{np}":
            return ["her" if she else "his"]
        if slot == "{nm}":
            return ["her" if she else "him"]
        if (before and before[-1] in _PREPOSITIONS) or self.stream.chance(25):
            return self.entity.name.split()[1:]
        return ["she" if she else "he"]


def put_values(words: list[str], values: tuple[str, ...]) -> list[tuple[int, int]]:
    """Append "A", "A and B" or "A , B and C" of `values` to `words` and return where each value stands."""
    spans = []
    for number, value in enumerate(values):
        if number:
            words.append("and" if number == len(values) - 1 else ",")
        start = len(words)
        words += value.split()
        spans.append((start, len(words)))
    return spans


def _write_well(words: list[str]) -> None:
    """Make "a" into "an" before a vowel, and start with a capital letter."""
    for at, word in enumerate(words[:-1]):
        if word == "a" and words[at + 1][0] in "aeiouAEIOUÉ":
            words[at] = "an"
    first = 1 if words[0] == '"' else 0
    words[first] = words[first][:1].upper() + words[first][1:]


def typed(text: str, *, plain: bool) -> str:
    """Return `text` as it is typed into a search box: lower case and, if `plain`, without accents."""
    text = text.lower()
    if plain:
        text = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    return text.replace(" 's", "'s").replace(" ,", ",")


def ask(template: Template, entity: Entity, stream: Stream, *, value: str = "") -> str:
    """Return the question that `template` puts about `entity`, as typed; `stream` draws among phrasings.

    `value` is what a question of yes or no asks about.
    """
    article = "the " if entity.article and stream.chance(60) else ""
    slots = {"{n}": article + entity.name, "{N}": entity.name, "{sort}": entity.sort, "{v}": value}
    words = [slots.get(item, item) for choice in template for item in stream.pick(choice)]
    text = typed(" ".join(words), plain=stream.chance(50))
    return text + "?" if stream.chance(4) else text

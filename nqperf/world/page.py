"""Parts of a page: sections and paragraphs that tell of entities without giving away what they must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from nqperf.world.document import Block, Heading, Paragraph
from nqperf.world.entity import Entity, Region
from nqperf.world.kinds import KINDS
from nqperf.world.sheet import Template, Topic
from nqperf.world.stream import Stream
from nqperf.world.telling import Mark, Stretch, Teller

AnswerKind = Literal["short", "several", "long", "yes", "no", "null"]
Line = Template | Topic

LURE = "~"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wish:
    """What is asked of a page: the `topic` of the `subject`.

    `kind` is the kind of answer that it has, `place` where that stands ("" on a page without it).
    """

    subject: Entity
    topic: Topic
    kind: AnswerKind
    place: Literal["text", "box", "grid", ""]


@dataclass(slots=True, kw_only=True)
class Pen:
    """Writes parts of one page about `entity`: `roomy` ones are long, `held_out` adds the kept-back sentences.

    `wish` is what the page is to answer, `region` where its other entities are from. `stream` draws what may vary;
    `told` are the sentences that the page has.
    """

    entity: Entity
    region: Region
    wish: Wish
    roomy: bool
    held_out: bool
    stream: Stream
    told: set[Template] = field(default_factory=set)

    def tells(self, entity: Entity, topic: Topic) -> bool:
        """Return whether the page may state the `topic` of `entity` in passing.

        It may not where that is what is asked, or a fact that gives it away.
        """
        if entity is self.wish.subject:
            return topic is not self.wish.topic
        return self.wish.subject.name not in entity.facts.get(topic.name, ())

    def facts(self, entity: Entity) -> list[Topic]:
        """Return the facts of `entity` that the page may state in passing."""
        return [topic for topic in KINDS[entity.kind].facts if self.tells(entity, topic)]

    def paragraph(self, entity: Entity, lines: list[Line], *, intro: bool = False) -> Paragraph:
        """Return a paragraph about `entity` with these `lines`: a topic is told as a fact, a template as it is.

        `intro` says that it is the page's first, which names the entity.
        """
        teller = Teller(entity, self.region.land, self.stream)
        text = Stretch()
        if intro:
            text.add(teller.sentence(self.stream.pick(KINDS[entity.kind].intros)))
        for line in lines:
            if isinstance(line, Topic):
                forms = line.sentences if self.held_out else line.sentences[:-1]
                values = entity.facts[line.name]
                text.add(teller.sentence(self.stream.pick(forms), values=values, topic=line.name, source=True))
            else:
                lure = entity is self.wish.subject and line in self.wish.topic.lures
                text.add(teller.sentence(line, topic=LURE if lure else ""))
        return Paragraph(text)

    def section(self, heading: str, more: list[Line]) -> list[Block]:
        """Return the page's own section under `heading`, with `more` sentences mixed in."""
        topics = [topic for topic in self.facts(self.entity) if topic.heading == heading]
        fillers = [*KINDS[self.entity.kind].fillers.get(heading, ())]
        fillers += [lure for topic in topics for lure in topic.lures]
        lines: list[Line] = [topic for topic in topics if topic not in more and self.stream.chance(75)]
        lines += self._unused(fillers, self.stream.between(3, 6) if self.roomy else self.stream.between(1, 3))
        return [Heading(heading), *self._paragraphs(self.stream.shuffled([*lines, *more]))]

    def _unused(self, fillers: list[Template], count: int) -> list[Template]:
        """Return some of the `fillers`, and none that the page has used as long as others are left."""
        fresh = [line for line in fillers if line not in self.told]
        chosen = self.stream.sample(fresh if len(fresh) >= count else fillers, count)
        self.told.update(chosen)
        return chosen

    def _paragraphs(self, lines: list[Line]) -> Iterator[Paragraph]:
        while lines:
            count = self.stream.between(5, 9) if self.roomy else self.stream.between(2, 5)
            # A single sentence left over joins the paragraph before it.
            count += len(lines) - count == 1
            yield self.paragraph(self.entity, lines[:count])
            lines = lines[count:]

    def portrait(self, entity: Entity, more: list[Line]) -> Paragraph:
        """Return a paragraph about another `entity`, with `more` sentences mixed in."""
        topics = self.facts(entity)
        lines: list[Line] = []
        lines += self.stream.sample(topics, self.stream.between(3, 5) if self.roomy else self.stream.between(1, 3))
        # The same fact of another entity is what a hasty reader would take for the answer.
        asked = self.wish.topic
        if asked in topics and asked not in lines and self.stream.chance(70):
            lines.append(asked)
        fillers = [line for group in KINDS[entity.kind].fillers.values() for line in group]
        lines += self._unused(fillers, self.stream.between(3, 6) if self.roomy else self.stream.between(1, 2))
        lines = [line for line in lines if line not in more] + more
        return self.paragraph(entity, self.stream.shuffled(lines), intro=self.stream.chance(50))

    def others(self, heading: str, entities: list[Entity], more: list[Line]) -> list[Block]:
        """Return a section under `heading` on other `entities`; `more` lines belong to the one that is asked about."""
        blocks: list[Block] = [Heading(heading)]
        for entity in entities:
            if self.roomy and len(entities) > 1:
                blocks.append(Heading(entity.name, level=3))
            blocks.append(self.portrait(entity, more if entity is self.wish.subject else []))
        return blocks

    def essay(self, topic: Topic) -> list[Block]:
        """Return the section with an essay on `topic` about the page's entity: one paragraph, marked as a whole."""
        lines: list[Line] = [*topic.sentences]
        if not self.roomy and self.stream.chance(60):
            del lines[self.stream.between(1, len(lines) - 1)]
        paragraph = self.paragraph(self.entity, lines)
        paragraph.text.marks.append(Mark(self.entity, topic.name, ()))
        return [Heading(topic.heading), paragraph]

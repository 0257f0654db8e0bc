"""Planning a page: what is on it, how long it gets, and where among its sections the answer stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from nqperf.world.document import Block, Document, Heading, size
from nqperf.world.entity import Entity
from nqperf.world.extras import box, grid, references, roster, see_also
from nqperf.world.kinds import KINDS
from nqperf.world.page import Line, Pen
from nqperf.world.sheet import Topic

MAX_TOKENS = 6_000
# More than a see-also list and references take.
_ENDING_TOKENS = 150
# In percent of the pages, where nothing else decides.
_BOX = 50
_BOX_REPEATS_ANSWER = 12
_ANSWER_IN_INTRO = 12
_LURE = 65
_GRID = 20
_ENDING = 35


@dataclass(slots=True)
class Plan:
    """The `sections` of a page so far below its `top`, their size in `tokens`, the `headings` that are taken.

    `told` are the entities that were told of.
    """

    top: list[Block] = field(default_factory=list)
    sections: list[list[Block]] = field(default_factory=list)
    tokens: int = 0
    headings: set[str] = field(default_factory=set)
    told: list[Entity] = field(default_factory=list)

    def put(self, section: list[Block]) -> None:
        """Add a `section`."""
        self.sections.append(section)
        self.tokens += size(section)


def write_page(pen: Pen, length: int) -> Document:
    """Return a page of about `length` tokens, by `pen`, that answers its wish, or does not where the wish says so."""
    plan = Plan()
    _open(pen, plan)
    _put_asked(pen, plan)
    for section in _more(pen, plan):
        if plan.tokens >= length:
            break
        if plan.tokens + size(section) <= MAX_TOKENS - _ENDING_TOKENS:
            plan.put(section)
    document = Document()
    for block in plan.top:
        document.add(block)
    ending = [see_also(pen.stream.sample(pen.region.everything(), 4))] if pen.stream.chance(_ENDING) else []
    ending += [references(pen.region, pen.stream)] if pen.stream.chance(_ENDING) else []
    for section in (*pen.stream.shuffled(plan.sections), *ending):
        for block in section:
            document.add(block)
    return document


def _open(pen: Pen, plan: Plan) -> None:
    """Write the title, the introduction and the box, which hold the answer where the wish or chance says so."""
    stream, wish = pen.stream, pen.wish
    own = wish.subject is pen.entity
    fact = wish.topic in KINDS[pen.entity.kind].facts
    said: list[Line] = [*stream.sample(pen.facts(pen.entity), stream.below(3))]
    if own and fact and wish.place == "text" and stream.chance(_ANSWER_IN_INTRO):
        said = stream.shuffled([*said, wish.topic])
        plan.headings.add("")
    intro = pen.paragraph(pen.entity, said, intro=True)
    plan.top = [Heading(pen.entity.name, level=1), intro]
    in_box = own and (wish.place == "box" or (fact and wish.place == "text" and stream.chance(_BOX_REPEATS_ANSWER)))
    if in_box or stream.chance(_BOX):
        topics = stream.sample(pen.facts(pen.entity), stream.between(2, 5))
        shown = stream.shuffled([*topics, wish.topic]) if in_box else topics
        plan.top.insert(stream.between(1, 2), box(pen.entity, shown, stream))
    plan.tokens = size(plan.top)


def _put_asked(pen: Pen, plan: Plan) -> None:
    """Write the sections that hold the answer, and the lure that shares the question's words."""
    stream, wish = pen.stream, pen.wish
    topic, place = wish.topic, wish.place
    sheet = KINDS[wish.subject.kind]
    lure: list[Line] = [*stream.sample(topic.lures, 1)] if stream.chance(_LURE) else []
    answer: list[Line] = [topic] if place == "text" and "" not in plan.headings else []
    if wish.subject is not pen.entity:
        group = stream.shuffled([wish.subject, *stream.sample(_siblings(pen, wish.subject), stream.between(0, 2))])
        plan.told += group
        plan.put(pen.others(KINDS[wish.subject.kind].others, group, [*answer, *lure]))
    elif topic in sheet.essays:
        if place:
            plan.put(pen.essay(topic))
    elif topic in sheet.rosters:
        if place:
            plan.put(roster(wish.subject, topic, pen.region))
    elif answer:
        plan.headings.add(topic.heading)
        plan.put(pen.section(topic.heading, answer))
    if wish.subject is pen.entity and lure:
        heading = stream.pick([heading for heading in sheet.fillers if heading not in plan.headings])
        plan.headings.add(heading)
        plan.put(pen.section(heading, lure))
    if place == "grid":
        rows = stream.shuffled([wish.subject, *stream.sample(_siblings(pen, wish.subject), 3)])
        plan.put([Heading("Comparison"), grid(rows, stream.shuffled([topic, *_columns(pen, rows)]))])


def _more(pen: Pen, plan: Plan) -> Iterator[list[Block]]:
    """Yield further sections until nobody asks for more: own ones, tables, other entities, in a random order."""
    stream, wish = pen.stream, pen.wish
    sheet = KINDS[pen.entity.kind]
    siblings = [other for other in _siblings(pen, pen.entity) if other not in plan.told]
    # A page nearly always mentions others of its kind, so that the topic alone does not lead to the answer.
    if siblings and stream.chance(85):
        group, siblings = siblings[:2], siblings[2:]
        taken = plan.told and wish.subject.kind == pen.entity.kind
        heading = f"Elsewhere in {pen.region.land}" if taken else KINDS[pen.entity.kind].others
        yield pen.others(heading, group, [])
    if wish.place != "grid" and stream.chance(_GRID):
        rows = [other for other in [*_siblings(pen, pen.entity)[:5], pen.entity] if other is not wish.subject]
        yield [Heading("Comparison"), grid(stream.shuffled(rows), _columns(pen, rows))]
    own: list[str | Topic] = [heading for heading in sheet.fillers if heading not in plan.headings]
    own += [topic for topic in (*sheet.essays, *sheet.rosters) if topic is not wish.topic]
    for part in stream.shuffled(own):
        if isinstance(part, str):
            yield pen.section(part, [])
        else:
            yield roster(pen.entity, part, pen.region) if part.columns else pen.essay(part)
    if siblings:
        yield pen.others("Further afield", siblings[:4], [])
    for name in stream.shuffled([name for name in KINDS if name not in (pen.entity.kind, wish.subject.kind)]):
        yield pen.others(KINDS[name].others, stream.sample(pen.region.entities[name], 4), [])


def _siblings(pen: Pen, entity: Entity) -> list[Entity]:
    """Return the others of the same kind, without the two that the page is about."""
    others = pen.region.entities[entity.kind]
    return pen.stream.shuffled([other for other in others if other not in (entity, pen.entity, pen.wish.subject)])


def _columns(pen: Pen, rows: list[Entity]) -> list[Topic]:
    """Return one or two topics that may be told of every row."""
    topics = [topic for topic in pen.facts(rows[0]) if all(pen.tells(row, topic) for row in rows)]
    return pen.stream.sample(topics, pen.stream.between(1, 2))

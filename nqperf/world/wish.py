"""Choosing what is asked: the kind of answer, the subject, the topic, the place of the answer, the question's words."""

from __future__ import annotations

from typing import Literal

from nqperf.world.entity import Entity, Region
from nqperf.world.kinds import KINDS
from nqperf.world.page import AnswerKind, Wish
from nqperf.world.sheet import Topic
from nqperf.world.stream import Stream
from nqperf.world.telling import ask

# Of 1,000 examples; about NQ's shares, with several spans kept few because the reference heuristic cannot answer them.
ANSWER_KINDS: tuple[tuple[AnswerKind, int], ...] = (
    ("null", 500),
    ("short", 341),
    ("long", 86),
    ("several", 28),
    ("yes", 24),
    ("no", 21),
)
# In percent: how often the question is about another entity than the page.
_OTHER_SUBJECT = {"short": 15, "yes": 15, "no": 15, "null": 35, "long": 0, "several": 0}
_HELD_OUT_QUESTION = 33
# What a page without the answer is asked for; essays and rosters only where the page is about the subject.
_UNANSWERED: dict[bool, tuple[tuple[AnswerKind, int], ...]] = {
    True: (("short", 72), ("long", 18), ("no", 10)),
    False: (("short", 90), ("no", 10)),
}


def choose(region: Region, page_of: Entity, stream: Stream) -> tuple[Entity, Wish, str]:
    """Return the page's entity (`page_of` unless it cannot serve), the wish, and the question as typed.

    The page is one of the `region`; `stream` draws what is asked.
    """
    kind = stream.weighted(ANSWER_KINDS)
    if kind == "several":
        page_of = stream.pick([entity for entity in region.everything() if _topics(entity, "several")])
    subject = page_of
    if stream.chance(_OTHER_SUBJECT[kind]):
        others = region.entities[page_of.kind] if stream.chance(70) else region.everything()
        subject = stream.pick([entity for entity in others if entity is not page_of])
    # What a null page is asked is drawn as for the pages with an answer.
    form = kind if kind != "null" else stream.weighted(_UNANSWERED[subject is page_of])
    topic = stream.pick(_topics(subject, form))
    value = ""
    if form in ("yes", "no"):
        value = _value(region, subject, topic, stream, true=form == "yes")
        # Where all the region agrees, no wrong value can be asked for.
        if kind == "no" and value in subject.facts[topic.name]:
            kind = "yes"
    place = "" if kind == "null" else _place(kind, own=subject is page_of, stream=stream)
    wish = Wish(subject=subject, topic=topic, kind=kind, place=place)
    return page_of, wish, _question(wish, stream, value=value, held_out=region.namer.split == "dev")


def _topics(entity: Entity, form: AnswerKind) -> list[Topic]:
    sheet = KINDS[entity.kind]
    if form == "long":
        # Two essays and one roster per kind.
        return [*sheet.essays, *sheet.rosters]
    if form in ("yes", "no"):
        return [topic for topic in sheet.facts if topic.polar]
    return [topic for topic in sheet.facts if topic.several == (form == "several")]


def _value(region: Region, subject: Entity, topic: Topic, stream: Stream, *, true: bool) -> str:
    values = subject.facts[topic.name]
    wrong = [other.facts[topic.name] for other in region.entities[subject.kind] if other.facts[topic.name] != values]
    return stream.pick(values if true or not wrong else stream.pick(wrong))


def _place(kind: AnswerKind, *, own: bool, stream: Stream) -> Literal["text", "box", "grid"]:
    if kind != "short":
        return "text"
    return stream.weighted((("text", 80), ("box", 12 if own else 0), ("grid", 8)))


def _question(wish: Wish, stream: Stream, *, value: str, held_out: bool) -> str:
    if value:
        return ask(stream.pick(wish.topic.polar), wish.subject, stream, value=value)
    *known, kept_back = wish.topic.questions
    form = kept_back if held_out and stream.chance(_HELD_OUT_QUESTION) else stream.pick(known)
    return ask(form, wish.subject, stream)

"""What is true of each entity: one function per kind, from the region and a stream of its own."""

from __future__ import annotations

from collections.abc import Callable

from nqperf.world import words
from nqperf.world.entity import MONTHS, Entity, Region, amount, date
from nqperf.world.stream import Stream

Facts = dict[str, tuple[str, ...]]


def facts_of(entity: Entity, region: Region, stream: Stream) -> Facts:
    """Return the facts of `entity`, by the names that its kind's sheet uses.

    They are drawn by `stream`, and speak of other entities of the `region`.
    """
    return _FACTS[entity.kind](entity, region, stream)


def _maker(entity: Entity, region: Region, stream: Stream) -> str:
    # What is older than all the people of the region was made by somebody without a page.
    return region.namer.person(stream) if entity.maker is None else entity.maker.name


def _older(kind: str, entity: Entity, region: Region, stream: Stream) -> str:
    """Return the name of something that existed when `entity` began, with or without a page of its own."""
    older = [other.name for other in region.entities[kind] if other.year <= entity.year]
    if older:
        return stream.pick(older)
    return region.namer.town(stream) if kind == "town" else region.namer.place(stream, "* Works|* Goods")


def _person(entity: Entity, region: Region, stream: Stream) -> Facts:
    place = region.namer.place
    return {
        "born": (date(stream, entity.year),),
        "birthplace": (_older("town", entity, region, stream),),
        "died": (date(stream, entity.year + stream.between(58, 89)),),
        "spouse": (region.namer.person(stream, female=not entity.female),),
        "school": (_older("school", entity, region, stream),),
        "award": (f"{region.namer.root()} {stream.pick(('Medal', 'Prize'))} for {stream.pick(words.LETTERS)}",),
        "grave": (place(stream, "* Churchyard|Saint * Cemetery|* Hill Cemetery|the * Chapel").removeprefix("the "),),
    }


def _town(entity: Entity, region: Region, stream: Stream) -> Facts:
    return {
        "founded": (date(stream, entity.year),),
        "founder": (_maker(entity, region, stream),),
        "river": (stream.pick(region.entities["river"]).name,),
        "population": (amount(stream, 1_200, 98_000, "inhabitants"),),
        "elevation": (amount(stream, 12, 1_640, "metres"),),
        "nickname": (words.nickname(stream),),
        "mayor": (region.namer.person(stream),),
    }


def _river(entity: Entity, region: Region, stream: Stream) -> Facts:
    place = region.namer.place
    # The towns that say they lie on this river; a river without any names two towns of its own.
    towns = [town.name for town in region.entities["town"] if town.facts["river"] == (entity.name,)]
    while len(towns) < 2:  # noqa: PLR2004 - a list of towns has at least two
        towns.append(region.namer.town(stream))
    return {
        "length": (amount(stream, 18, 940, "kilometres"),),
        "source": (place(stream, "Mount *|* Fell|* Peak|the * Ridge").removeprefix("the "),),
        "mouth": (place(stream, "Lake *|* Bay|* Sound|* Lagoon"),),
        "towns": tuple(towns[:3]),
        "explorer": (_maker(entity, region, stream),),
        "dam": (place(stream, "* Dam|* Gorge Dam|* Barrage"),),
        "discharge": (amount(stream, 6, 870, "cubic metres per second"),),
    }


def _company(entity: Entity, region: Region, stream: Stream) -> Facts:
    founders = (_maker(entity, region, stream), *(region.namer.person(stream) for _ in range(stream.between(1, 2))))
    return {
        "founded": (date(stream, entity.year),),
        "founders": founders,
        "seat": (_older("town", entity, region, stream),),
        "product": (stream.pick(words.PRODUCTS),),
        "staff": (amount(stream, 40, 9_800, stream.pick(("workers", "people", "employees"))),),
        "chief": (region.namer.person(stream),),
        "formerly": (region.namer.place(stream, "* and Sons|* Brothers|* Iron Works|* Trading House"),),
    }


def _book(entity: Entity, region: Region, stream: Stream) -> Facts:
    place = region.namer.place
    return {
        "author": (_maker(entity, region, stream),),
        "published": (date(stream, entity.year),),
        "publisher": (place(stream, "* House|* Press|* and Daughters|* University Press"),),
        "hero": (region.namer.person(stream),),
        "setting": (_older("town", entity, region, stream),),
        "prize": (place(stream, "* Prize|* Book Medal|Golden * Quill|* Readers Prize"),),
        "translator": (region.namer.person(stream),),
    }


def _school(entity: Entity, region: Region, stream: Stream) -> Facts:
    return {
        "opened": (date(stream, entity.year),),
        "founder": (_maker(entity, region, stream),),
        "town": (_older("town", entity, region, stream),),
        "motto": (words.motto(stream),),
        "head": (region.namer.person(stream),),
        "pupils": (amount(stream, 45, 1_900, stream.pick(("pupils", "children", "students"))),),
        "colours": (words.colours(stream),),
    }


def _island(entity: Entity, region: Region, stream: Stream) -> Facts:
    place = region.namer.place
    return {
        "area": (amount(stream, 3, 2_400, "square kilometres"),),
        "summit": (place(stream, "Mount *|* Head|* Hill|* Tor"),),
        "village": (place(stream, "* Harbour|* Haven|* Cove|Port *"),),
        "discoverer": (_maker(entity, region, stream),),
        "strait": (place(stream, "* Strait|* Sound|* Channel|Strait of *"),),
        "population": (amount(stream, 30, 7_900, stream.pick(("inhabitants", "people"))),),
        "lighthouse": (date(stream, entity.year + stream.between(20, 70)),),
    }


def _bridge(entity: Entity, region: Region, stream: Stream) -> Facts:
    return {
        "opened": (date(stream, entity.year),),
        "designer": (_maker(entity, region, stream),),
        "length": (amount(stream, 38, 2_300, "metres"),),
        "river": (stream.pick(region.entities["river"]).name,),
        "cost": (amount(stream, 18_000, 990_000, "crowns"),),
        "material": (stream.pick(words.MATERIALS),),
        "town": (_older("town", entity, region, stream),),
    }


def _match(entity: Entity, region: Region, stream: Stream) -> Facts:
    place, person = region.namer.place, region.namer.person
    scorers = (_maker(entity, region, stream), *(person(stream) for _ in range(stream.between(1, 2))))
    return {
        "date": (date(stream, entity.year),),
        "venue": (place(stream, "* Park|* Road Ground|* Stadium|* Lane"),),
        "winner": (place(stream, "* Rovers|* United|* Athletic|* Wanderers|Sporting *"),),
        "score": (f"{len(scorers)} {words.EN_DASH} {stream.below(len(scorers))}",),
        "attendance": (amount(stream, 3_000, 96_000, stream.pick(("spectators", "people"))),),
        "referee": (person(stream),),
        "scorers": scorers,
        "coach": (person(stream),),
    }


def _invention(entity: Entity, region: Region, stream: Stream) -> Facts:
    return {
        "inventor": (_maker(entity, region, stream),),
        "patented": (date(stream, entity.year),),
        "maker": (_older("company", entity, region, stream),),
        "shown": (_older("town", entity, region, stream),),
        "power": (stream.pick(words.POWERS),),
        "weight": (amount(stream, 2, 860, "kilograms"),),
        "price": (amount(stream, 3, 480, "crowns"),),
    }


def _ship(entity: Entity, region: Region, stream: Stream) -> Facts:
    place = region.namer.place
    return {
        "launched": (date(stream, entity.year),),
        "builder": (place(stream, "* Shipyard|* and Partners|* Slipways|* Marine Works"),),
        "captain": (_maker(entity, region, stream),),
        "speed": (amount(stream, 8, 29, "knots"),),
        "wreck": (place(stream, "Cape *|* Rocks|* Point|* Shoals"),),
        "passengers": (amount(stream, 24, 1_900, stream.pick(("passengers", "travellers"))),),
        "port": (place(stream, "* Harbour|Port *|* Quay"),),
    }


def _festival(entity: Entity, region: Region, stream: Stream) -> Facts:
    week = stream.pick(("first", "second", "third", "last"))
    return {
        "season": (f"{week} week of {stream.pick(MONTHS)}",),
        "town": (_older("town", entity, region, stream),),
        "began": (date(stream, entity.year),),
        "founder": (_maker(entity, region, stream),),
        "venue": (region.namer.place(stream, "* Meadow|* Square|* Common|* Castle Yard"),),
        "trophy": (stream.pick(words.TROPHIES),),
        "visitors": (amount(stream, 900, 88_000, stream.pick(("visitors", "guests"))),),
    }


_FACTS: dict[str, Callable[[Entity, Region, Stream], Facts]] = {
    "person": _person,
    "town": _town,
    "river": _river,
    "company": _company,
    "book": _book,
    "school": _school,
    "island": _island,
    "bridge": _bridge,
    "match": _match,
    "invention": _invention,
    "ship": _ship,
    "festival": _festival,
}

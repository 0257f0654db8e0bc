"""The kinds of things in the world, and the building of a region with all of them."""

from __future__ import annotations

from dataclasses import dataclass

from nqperf.world.entity import Entity, Region
from nqperf.world.facts import facts_of
from nqperf.world.names import Namer, Split
from nqperf.world.sheet import Sheet, read_sheet
from nqperf.world.sheets import (
    book,
    bridge,
    company,
    festival,
    invention,
    island,
    match,
    person,
    river,
    school,
    ship,
    town,
)
from nqperf.world.stream import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of thing: how many a region has, how they are named and described, and whose work they are.

    `names` are the forms of the name, with * for the root, and the noun that stands for the thing; `article` says
    whether "the" belongs before the name. `maker` is the role of the people whose work it is, `years` when it began
    where nobody of the region made it.
    """

    sheet: Sheet
    count: int
    others: str
    names: tuple[tuple[str, str], ...]
    article: bool = False
    sorts: tuple[str, ...]
    maker: str = ""
    years: tuple[int, int] = (1771, 1925)


ROLES = {
    "novelist": ("novelist", "short story writer"),
    "engineer": ("civil engineer", "mechanic and engineer"),
    "merchant": ("merchant", "wool trader"),
    "teacher": ("teacher", "composer and teacher"),
    "explorer": ("explorer", "sea captain"),
    "player": ("footballer", "football captain"),
}

KINDS: dict[str, Kind] = {
    "person": Kind(
        sheet=read_sheet(person.SHEET), count=12, others="Related people", names=(("*", "person"),), sorts=()
    ),
    "town": Kind(
        sheet=read_sheet(town.SHEET),
        count=6,
        others="Neighbouring towns",
        names=(("*", "town"),),
        sorts=("market town", "harbour town", "mill town", "garrison town", "spa town", "university town"),
        years=(1380, 1640),
    ),
    "river": Kind(
        sheet=read_sheet(river.SHEET),
        count=4,
        others="Rivers of the district",
        names=(("River *", "river"), ("* River", "river")),
        article=True,
        sorts=("river", "lowland river", "mountain river", "tidal river"),
        maker="explorer",
    ),
    "company": Kind(
        sheet=read_sheet(company.SHEET),
        count=4,
        others="Companies of the district",
        names=(("* Instruments", "company"), ("* Manufacturing", "company"), ("* Works", "firm"), ("* Goods", "firm")),
        sorts=("manufacturing company", "family firm", "mail order company", "stock company"),
        maker="merchant",
    ),
    "book": Kind(
        sheet=read_sheet(book.SHEET),
        count=5,
        others="Related books",
        names=(
            ("The Keeper of *", "book"),
            ("A Winter in *", "novel"),
            ("The Road to *", "book"),
            ("Letters from *", "book"),
            ("The * Affair", "novel"),
            ("Goodbye to *", "novel"),
        ),
        sorts=("novel", "historical novel", "comic novel", "detective novel"),
        maker="novelist",
    ),
    "school": Kind(
        sheet=read_sheet(school.SHEET),
        count=4,
        others="Schools of the district",
        names=(("* Academy", "school"), ("* College", "college"), ("* Grammar School", "school"), ("* Hall", "school")),
        sorts=("boarding school", "secondary school", "grammar school", "music school"),
        years=(1641, 1770),
    ),
    "island": Kind(
        sheet=read_sheet(island.SHEET),
        count=4,
        others="Neighbouring islands",
        names=(("* Island", "island"), ("Isle of *", "island"), ("* Holm", "island")),
        sorts=("rocky island", "low island", "wooded island", "volcanic island"),
        maker="explorer",
    ),
    "bridge": Kind(
        sheet=read_sheet(bridge.SHEET),
        count=4,
        others="Bridges of the district",
        names=(("* Bridge", "bridge"), ("* Viaduct", "viaduct")),
        sorts=("road bridge", "arch bridge", "toll bridge", "swing bridge"),
        maker="engineer",
    ),
    "match": Kind(
        sheet=read_sheet(match.SHEET),
        count=4,
        others="Further finals",
        names=(("# * Cup Final", "final"), ("# * Shield Final", "final"), ("# * League Final", "match")),
        article=True,
        sorts=("football final", "cup final", "football match"),
        maker="player",
    ),
    "invention": Kind(
        sheet=read_sheet(invention.SHEET),
        count=4,
        others="Related devices",
        names=(
            ("* Lamp", "lamp"),
            ("* Engine", "engine"),
            ("* Press", "press"),
            ("* Pump", "pump"),
            ("* Loom", "loom"),
        ),
        article=True,
        sorts=("household device", "mechanical device", "machine", "labour saving device"),
        maker="engineer",
    ),
    "ship": Kind(
        sheet=read_sheet(ship.SHEET),
        count=4,
        others="Ships of the district",
        names=(("Pride of *", "ship"), ("* Star", "steamer"), ("Lady of *", "ship"), ("* Maid", "vessel")),
        article=True,
        sorts=("paddle steamer", "sailing ship", "mail steamer", "coastal steamer"),
        maker="explorer",
    ),
    "festival": Kind(
        sheet=read_sheet(festival.SHEET),
        count=4,
        others="Similar festivals",
        names=(("* Lantern Festival", "festival"), ("* Fair", "fair"), ("* Harvest Days", "festival")),
        article=True,
        sorts=("harvest festival", "music festival", "winter festival", "street festival"),
        maker="teacher",
    ),
}


def build_region(*, seed: int, split: Split, index: int) -> Region:
    """Return the region with this number: the same for the same seed, split and number."""
    stream = Stream(seed, split, "region", index)
    namer = Namer(seed=seed, split=split, region=index)
    region = Region(land=namer.root(), entities={}, namer=namer)
    makers: dict[str, list[Entity]] = {role: [] for role in ROLES}
    people = []
    for number in range(KINDS["person"].count):
        role = tuple(ROLES)[number % len(ROLES)]
        female = stream.chance(50)
        entity = Entity(
            kind="person",
            name=namer.person(stream, female=female),
            article=False,
            noun="woman" if female else "man",
            sort=stream.pick(ROLES[role]),
            year=stream.between(*KINDS["person"].years),
            female=female,
        )
        makers[role].append(entity)
        people.append(entity)
    region.entities["person"] = people
    for name, kind in KINDS.items():
        if name != "person":
            region.entities[name] = [
                _made(name, kind, namer, makers.get(kind.maker, []), stream) for _ in range(kind.count)
            ]
    for entity in region.everything():
        entity.facts.update(facts_of(entity, region, stream))
    return region


def _made(name: str, kind: Kind, namer: Namer, makers: list[Entity], stream: Stream) -> Entity:
    maker = stream.pick(makers) if makers else None
    year = maker.year + stream.between(23, 51) if maker else stream.between(*kind.years)
    form, noun = stream.pick(kind.names)
    root = namer.town(stream) if name == "town" else namer.root()
    return Entity(
        kind=name,
        name=form.replace("*", root).replace("#", str(year)),
        article=kind.article,
        noun=noun,
        sort=stream.pick(kind.sorts),
        year=year,
        maker=maker,
    )

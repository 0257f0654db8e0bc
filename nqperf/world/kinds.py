"""The kinds of things in the world, and the building of a region with all of them."""

from __future__ import annotations

from pathlib import Path

from nqperf.formats.reading import read_whole
from nqperf.world.entity import Entity, Region
from nqperf.world.facts import facts_of
from nqperf.world.names import Namer, Split
from nqperf.world.sheet import Sheet, read_sheet
from nqperf.world.stream import Stream

ROLES = {
    "novelist": ("novelist", "short story writer"),
    "engineer": ("civil engineer", "mechanic and engineer"),
    "merchant": ("merchant", "wool trader"),
    "teacher": ("teacher", "composer and teacher"),
    "explorer": ("explorer", "sea captain"),
    "player": ("footballer", "football captain"),
}

_SHEETS = Path(__file__).with_name("sheets")
# In the order in which a region is filled.
_NAMES = (
    *("person", "town", "river", "company", "book", "school", "island", "bridge", "match", "invention", "ship"),
    "festival",
)
KINDS: dict[str, Sheet] = {
    name: read_sheet(read_whole(_SHEETS / f"{name}.sheet", what="a sheet of the world").decode()) for name in _NAMES
}


def build_region(*, seed: int, split: Split, index: int) -> Region:
    """Return the region with the number `index`: the same for the same `seed`, `split` and number."""
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


def _made(name: str, kind: Sheet, namer: Namer, makers: list[Entity], stream: Stream) -> Entity:
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

"""The things of the world: what an entity is, and the region in which entities know each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from nqperf.world.names import Namer
from nqperf.world.stream import Stream

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entity:
    """One thing of the world: `name` without article, the `year` it began, the `maker` of it, and its `facts`.

    `kind` is the sheet that it is told by, `noun` what it is called, `sort` which sort of it it is, as told by {sort}.
    `article` says that its name takes "the", `female` that it is called "she".
    Every page takes its facts from here, so that pages agree with each other. A fact has one value, or several.
    """

    kind: str
    name: str
    article: bool
    noun: str
    sort: str
    year: int
    maker: Entity | None = None
    female: bool = False
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def phrase(self) -> str:
        """The name as it stands inside a sentence."""
        return f"the {self.name}" if self.article else self.name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """A district of the world: its name `land`, its `entities` by kind, and `namer`, a source of further names."""

    land: str
    entities: dict[str, list[Entity]]
    namer: Namer

    def everything(self) -> list[Entity]:
        """Return all entities, kind by kind."""
        return [entity for kind in self.entities.values() for entity in kind]


def date(stream: Stream, year: int) -> str:
    """Return a day of `year` that `stream` draws, as in "4 March 1873"."""
    return f"{stream.between(1, 28)} {stream.pick(MONTHS)} {year}"


def amount(stream: Stream, low: int, high: int, unit: str) -> str:
    """Return a number from `low` to `high` that `stream` draws, with its `unit`, as in "4,210 metres"."""
    return f"{stream.between(low, high):,} {unit}"

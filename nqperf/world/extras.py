"""What stands on a page besides prose: fact boxes, comparison tables, rosters, see-also lists, references."""

from __future__ import annotations

from nqperf.world import words
from nqperf.world.document import Block, Heading, Listing, Table
from nqperf.world.entity import Entity, Region
from nqperf.world.sheet import Topic
from nqperf.world.stream import Stream
from nqperf.world.telling import Mark, Stretch, put_values


def box(entity: Entity, topics: list[Topic], stream: Stream) -> Block:
    """Return the facts of `entity` on `topics` at a glance: a table, a list or a definition list, as `stream` draws."""
    pairs = [[Stretch(topic.title.split()), _value(entity, topic)] for topic in topics]
    form = stream.weighted((("Table", 6), ("Dl", 2), ("Ul", 2)))
    if form == "Table":
        return Table([[Stretch(entity.name.split())], *pairs])
    if form == "Dl":
        return Listing("Dl", pairs)
    items = []
    for label, value in pairs:
        label.words.append(":")
        label.add(value)
        items.append([label])
    return Listing("Ul", items)


def grid(entities: list[Entity], topics: list[Topic]) -> Block:
    """Return a table that compares `entities`: one row each, one column for each of `topics`."""
    header = [Stretch(["Name"]), *(Stretch(topic.title.split()) for topic in topics)]
    rows = [[Stretch(entity.name.split()), *(_value(entity, topic) for topic in topics)] for entity in entities]
    return Table([header, *rows])


def _value(entity: Entity, topic: Topic) -> Stretch:
    found: list[str] = []
    spans = put_values(found, entity.facts[topic.name])
    return Stretch(found, [Mark(entity, topic.name, tuple(spans))])


def roster(entity: Entity, topic: Topic, region: Region) -> list[Block]:
    """Return the section with the roster of `entity` on `topic`: the same rows on every page of the `region`."""
    stream = Stream(region.namer.seed, region.namer.split, region.namer.region, entity.name, topic.name)
    names = stream.shuffled(words.TITLES)
    year = max(entity.year + (20 if entity.kind == "person" else 1), 1780)
    rows = []
    for number in range(stream.between(5, 12)):
        after = year + stream.between(1, 7)
        cells = {
            "year": str(year),
            "years": f"{year} {words.EN_DASH} {after}",
            "person": region.namer.somebody(stream),
            "place": region.namer.somebody(stream).split()[1] + stream.pick((" Landing", " Point", " Park", "")),
            "title": names[number],
            "count": f"{stream.between(2, 4_000):,}",
        }
        if entity.kind == "person" and year > int(entity.facts["died"][0].split()[-1]):
            break
        rows.append([Stretch(cells[maker].split()) for _, maker in topic.columns])
        year = after
    block: Block
    if stream.chance(60):
        block = Table([[Stretch(title.split()) for title, _ in topic.columns], *rows])
    else:
        block = Listing(stream.pick(("Ul", "Ol")), [[_joined(row)] for row in rows])
    whole = block.rows[0][0] if isinstance(block, Table) else block.items[0][0]
    whole.marks.append(Mark(entity, topic.name, ()))
    return [Heading(topic.heading), block]


def _joined(row: list[Stretch]) -> Stretch:
    text = Stretch()
    for number, cell in enumerate(row):
        text.words += [",", *cell.words] if number else cell.words
    return text


def see_also(entities: list[Entity]) -> list[Block]:
    """Return the section with the names of related `entities`."""
    return [Heading("See also"), Listing("Ul", [[Stretch(entity.name.split())] for entity in entities])]


def references(region: Region, stream: Stream) -> list[Block]:
    """Return the section with sources that look like sources, by people of the `region`, as `stream` draws."""
    items = []
    for _ in range(stream.between(2, 6)):
        title = (
            stream.pick(("A History of", "Notes on", "The Story of", "Sources for", "Studies in")) + " " + region.land
        )
        items.append(
            [
                Stretch(
                    [*region.namer.somebody(stream).split(), ",", *title.split(), ",", str(stream.between(1931, 2015))]
                )
            ]
        )
    return [Heading("References"), Listing("Ol", items)]

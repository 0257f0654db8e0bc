"""Lists of ordinary words from which values are put together."""

from __future__ import annotations

from nqperf.world.stream import Stream


def listed(text: str) -> tuple[str, ...]:
    """Return the items of `text`, a list that is written with "|" or, if it has none, with spaces between them."""
    return tuple(text.split("|") if "|" in text else text.split())


EN_DASH = "\N{EN DASH}"
LETTERS = listed("Letters|Science|Courage|Public Service|Music|Engineering|Exploration|Learning")
EMBLEMS = listed("Lanterns Storks Wells Bells Towers Gardens Anchors Owls Fountains Orchards Weavers Swans Gates Roses")
VIRTUES = listed("Light Labour Patience Truth Courage Order Wonder Silence Kindness Salt Bread Reason Laughter Memory")
COLOURS = listed("green silver crimson white blue gold black amber violet grey scarlet cream")
PRODUCTS = listed(
    "pocket barometers|enamel stoves|folding umbrellas|piano accordions|door locks|music boxes|racing bicycles|"
    "copper kettles|glass lamps|leather suitcases|sewing machines|fishing reels|garden tools|roof tiles|kitchen scales|"
    "reading glasses|wool blankets|ship lanterns|paper kites|wall clocks|church organs|garden hoses|pruning knives|"
    "snow shovels|tea services"
)
MATERIALS = listed(
    "grey granite|wrought iron|red sandstone|larch timber|glazed brick|riveted steel|white limestone|rammed concrete|"
    "black basalt|cast iron|yellow clinker|oak beams"
)
POWERS = listed(
    "compressed air|falling sand|melted snow|burning turf|beet spirit|lamp oil|a coiled spring|tidal water|coal gas|"
    "hot wax|a treadle wheel|electric current"
)
TROPHIES = listed(
    "Silver Kettle|Golden Goose|Painted Oar|Iron Spoon|Copper Crown|Straw Horse|Glass Bell|Wooden Fish|"
    "Blue Ribbon Drum|Velvet Boot|Honey Jug|Brass Key"
)
TITLES = listed(
    "The Long Evening|A Book of Weather|Salt and Smoke|The Second Door|Notes from a Ferry|Early Frost|The Blue Ladder|"
    "On Useful Errors|North Wind|The Small Lamp|A Walk at Noon|Grey Heron|Morning Star|The Open Gate|Silver Thread|"
    "Two Brothers|The Quiet Year|Swallow|Old Faithful|Dry Summer"
)


def nickname(stream: Stream) -> str:
    """Return a town's nickname that `stream` draws, as in "City of Lanterns"."""
    return f"{stream.pick(('City', 'Town', 'Garden', 'Cradle', 'Home', 'Place'))} of {stream.pick(EMBLEMS)}"


def motto(stream: Stream) -> str:
    """Return a school's motto that `stream` draws, as in "Light before Gold"."""
    first, second = stream.sample(VIRTUES, 2)
    return f"{first} {stream.pick(('before', 'and', 'through', 'without', 'above'))} {second}"


def colours(stream: Stream) -> str:
    """Return two colours that `stream` draws."""
    first, second = stream.sample(COLOURS, 2)
    return f"{first} and {second}"

"""Names that nobody bears: roots spelt from syllables, each used once in a world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nqperf.world.stream import Stream, keyed_integer
from nqperf.world.words import listed

Split = Literal["train", "dev"]

_ONSETS = listed("b br c cr d dr f fl g gr h j k l m n p pr r s sk st t th tr v w")
_FIRST_VOWELS = listed("a e i o u ei au é")
_MIDDLES = listed("l r n m v d t ld lm lt rn rv rd nd st sk lk rk nt mb dr ss")
_SECOND_VOWELS = listed("a e i o u")
_FINALS = listed("n r l s m th sk rn ck ld x ng")
_ROOTS = len(_ONSETS) * len(_FIRST_VOWELS) * len(_MIDDLES) * len(_SECOND_VOWELS) * len(_FINALS)
_PER_SPLIT = _ROOTS // 2
# No prime factor in common with the number of roots (2, 3, 5, 11, 13), so that multiplying by it permutes them.
_STEP = 62_017

ROOTS_PER_REGION = 512

_WOMEN = listed(
    "Ada Agnes Alma Anna Astrid Beata Berta Birgit Clara Dagny Dora Edith Elin Elsa Emma Erna Eva Flora Freda Greta "
    "Hanna Hedda Helga Hilda Ida Ilona Inga Irma Jana Johanna Judith Katla Klara Lena Lydia Mabel Magda Marta Matilda "
    "Mina Nadia Nora Olga Ottilie Paula Petra Rosa Runa Selma Signe Sofia Svea Tekla Thea Tilda Ursula Vera Wanda Zora"
)
_MEN = listed(
    "Abel Adam Albin Anton Axel Basil Boris Caspar Conrad Cyril Daniel Edgar Edric Elias Emil Erik Ernst "
    "Felix Frank Georg Gustav Hannes Harald Hector Henrik Hugo Ivan Jakob Jonas Josef Julius Konrad Lars Leo Linus "
    "Lorenz Lukas Magnus Martin Matteo Milan Nils Oskar Otto Paul Pavel Ralf Robert Rolf Samuel Simon Stefan Viktor"
)
_PLACE_ENDINGS = listed("ford stead wick ham by mere bridge")
_TWO_WORDS = "Port *|Upper *|Lower *|Great *|Old *|Saint *"


@dataclass(slots=True)
class Namer:
    """Hands out the names of one region; no two regions of a seed share a root, and neither do the two splits.

    `region` is its number in the `split` of the world that `seed` makes; `used` counts the roots handed out.
    """

    seed: int
    split: Split
    region: int
    used: int = 0

    def root(self) -> str:
        """Return a root that was not handed out before."""
        index = self.region * ROOTS_PER_REGION + self.used
        self.used += 1
        if self.used > ROOTS_PER_REGION:
            raise AssertionError(f"region {self.region} needs more than {ROOTS_PER_REGION} roots")
        return root_name(index, seed=self.seed, split=self.split)

    def person(self, stream: Stream, *, female: bool | None = None) -> str:
        """Return a given name that `stream` draws and a new surname; `female` None draws that, too."""
        if female is None:
            female = stream.chance(50)
        return f"{stream.pick(_WOMEN if female else _MEN)} {self.root()}"

    def somebody(self, stream: Stream) -> str:
        """Return the name of a person of the region who plays no part in it, as `stream` draws.

        Two of them may share a surname.
        """
        root = self.region * ROOTS_PER_REGION + stream.below(ROOTS_PER_REGION)
        given = stream.pick(_WOMEN if stream.chance(50) else _MEN)
        return f"{given} {root_name(root, seed=self.seed, split=self.split)}"

    def town(self, stream: Stream) -> str:
        """Return a new town's name, of one word or two, as `stream` draws."""
        endings = "|".join("*" + ending for ending in _PLACE_ENDINGS)
        return self.place(stream, stream.weighted(((endings, 4), ("*", 2), (_TWO_WORDS, 4))))

    def place(self, stream: Stream, forms: str) -> str:
        """Return a new name in one of the `forms`, split at "|", with * for the root; `stream` draws which."""
        return stream.pick(forms.split("|")).replace("*", self.root())


def root_name(index: int, *, seed: int, split: Split) -> str:
    """Return the root with the number `index` of a `split` of the world that `seed` makes; none is in both splits.

    Consonants and vowels alternate, so that different numbers never spell the same root; beyond the two-syllable roots
    come longer ones.
    """
    turn, number = divmod(index, _PER_SPLIT)
    number = (number * _STEP + keyed_integer(seed, "roots")) % _PER_SPLIT
    number = number * 2 + (split == "dev")
    parts = []
    for syllables in (_ONSETS, _FIRST_VOWELS, _MIDDLES, _SECOND_VOWELS):
        number, digit = divmod(number, len(syllables))
        parts.append(syllables[digit])
    while turn:
        turn, digit = divmod(turn - 1, len(_MIDDLES))
        parts += (_MIDDLES[digit], "a")
    parts.append(_FINALS[number])
    return "".join(parts).capitalize()

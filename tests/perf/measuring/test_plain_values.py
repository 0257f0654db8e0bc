"""Outputs as plain values: objects of any class are opened, and what is plain stays what it is."""

import collections
import copy
import dataclasses
import enum
import math
import pickle
import threading
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.perf.measuring.plain_values import plain_values
from nqperf.perf.pairs.sameness import Close, agree

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@dataclasses.dataclass
class Answer:
    text: str
    scores: object
    seconds: float = dataclasses.field(default=0.0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    text: str


class Index:
    def __init__(self, **fields):
        self.__dict__.update(fields)


class Slots:
    __slots__ = ("filled", "never")

    def __init__(self):
        self.filled = 1


class Named(NamedTuple):
    first: int
    second: object


class Column:
    def __array__(self, dtype=None, copy=None):
        return np.arange(2)


class Stated:
    def __reduce_ex__(self, protocol):
        return (Stated, (), ({"state": 1}, Slots()), iter([2]), iter([("a", 3)]))


class Colour(enum.Enum):
    RED = "r"


class Level(enum.IntEnum):
    HIGH = 3


class Id(int):
    pass


class Name(str):
    __slots__ = ()


class Table:
    """A table as pandas and Polars have it: columns by name, and a way to become an array."""

    columns = ("a", "b")

    def __getitem__(self, name):
        return {"a": [1.0, 2.0], "b": ["x", "y"]}[name]

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("its columns are taken")


@given(PLAIN)
def test_what_is_plain_stays_as_it_is(output):
    assert plain_values(output) == output


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Answer("kea", [1]), {"(type)": "Answer", "text": "kea", "scores": [1]}),
        (Frozen("kea"), {"(type)": "Frozen", "text": "kea"}),
        (Index(words={"a": 1}), {"(type)": "Index", "words": {"a": 1}}),
        (Slots(), {"(type)": "Slots", "filled": 1}),
        (
            Stated(),
            {
                "(type)": "Stated",
                "state": 1,
                "(state)": [{"(type)": "Slots", "filled": 1}],
                "(values)": [2],
                "(items)": [("a", 3)],
            },
        ),
        (Named(1, Frozen("kea")), (1, {"(type)": "Frozen", "text": "kea"})),
        (Colour.RED, {"(type)": "Colour", "value": "r"}),
        (Level.HIGH, {"(type)": "Level", "value": 3}),
        ({Id(7): [Name("kea")]}, {7: ["kea"]}),
        ({"b", "a", 1}, {"(type)": "set", "values": [1, "a", "b"]}),
        (collections.deque([Frozen("x")], 2), [{"(type)": "Frozen", "text": "x"}]),
        (collections.OrderedDict(a=Colour.RED), {"a": {"(type)": "Colour", "value": "r"}}),
        ({"d": Decimal("1.5"), "on": date(2020, 1, 2)}, {"d": Decimal("1.5"), "on": date(2020, 1, 2)}),
        (Answer, {"(type)": "type", "name": "Answer"}),
    ],
)
def test_objects_are_opened(value, plain):
    found = plain_values(value)
    assert found == plain
    assert plain_values(found) == found
    assert b"test_plain_values" not in pickle.dumps(found)  # no class of this module is needed to read it


def test_numbers_and_texts_of_ones_own_become_plain():
    ((number, (text,)),) = plain_values({Id(7): [Name("kea")]}).items()
    assert (type(number), type(text)) == (int, str)


def test_objects_may_be_keys_and_stand_in_sets_and_arrays():
    """A dictionary whose keys were of an enum ended the comparison; a set's order hung on its objects' addresses."""
    assert plain_values({Colour.RED: 1}) == {"{'(type)': 'Colour', 'value': 'r'}": 1}
    assert plain_values({(Frozen("x"), 1): 2}) == {"({'(type)': 'Frozen', 'text': 'x'}, 1)": 2}
    one, other = ({Index(place=number) for number in order} for order in (range(50), range(49, -1, -1)))
    assert plain_values(one) == plain_values(other)
    assert sorted(each["place"] for each in plain_values(one)["values"]) == [*range(50)]
    held = np.empty(2, dtype=object)
    held[:] = [Frozen("x"), None]
    assert plain_values(held) == [{"(type)": "Frozen", "text": "x"}, None]
    texts = np.array(["x", math.nan], dtype=object)
    assert plain_values(texts) is texts


def test_arrays_and_columns_are_arrays():
    found = plain_values([Answer("a", np.arange(3)), Table(), Column()])
    assert found[0]["scores"].tolist() == [0, 1, 2]
    assert found[1]["(type)"] == "Table"
    assert type(found[2]) is np.ndarray
    assert found[1]["a"].tolist() == [1.0, 2.0]
    assert found[1]["b"].tolist() == ["x", "y"]


def test_tensors_within_objects_are_arrays():
    import tensorflow as tf

    found = plain_values(Index(logits=tf.ones((2, 2)), kept=tf.Variable(3.0)))
    assert type(found["logits"]) is np.ndarray
    assert found["kept"] == 3.0


def test_an_object_that_holds_itself_ends():
    index = Index()
    index.itself = [index]
    assert plain_values(index) == {"(type)": "Index", "itself": ["(what it is in)"]}


@pytest.mark.parametrize("lazy", [(one for one in [1]), map(str, [1]), iter([1])], ids=["generator", "map", "list"])
def test_an_iterator_is_refused_for_it_computes_nothing(lazy):
    with pytest.raises(ConfigError, match=r"iterator, \w+, which computes nothing before it is read; return a list"):
        plain_values({"a": [lazy]})


def test_what_is_nested_too_deeply_is_refused():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ConfigError, match=r"^the output, list, is nested too deeply to be compared"):
        plain_values(nested)
    while nested:  # taken apart from outside: to free it whole is as deep
        nested = nested.pop()


def test_what_has_no_state_stays_as_it_is():
    lock = threading.Lock()
    assert plain_values([lock])[0] is lock


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Answer("kea", [Index(at=np.array([1.0, 2.0]))], seconds=9.0), None),
        (Answer("kea", [Index(at=np.array([1.0, 3.0]))]), "the first at [scores][0][at][1]: 2.0 and 3.0"),
        (Answer("tui", [Index(at=np.array([1.0, 2.0]))]), "the first at [text]: kea and tui"),
        (Answer("kea", [Frozen("x")]), "a part is missing"),
    ],
)
def test_objects_are_compared_by_their_fields(other, said):
    ours = Answer("kea", [Index(at=np.array([1.0, 2.0]))], seconds=1.0)
    agreement, fault = agree(Close(rtol=0, atol=0), ours, copy.deepcopy(other))
    assert (fault is None) == (said is None)
    assert said is None or said in fault
    assert bool(agreement.changed) == (said is not None)

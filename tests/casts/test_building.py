"""How inputs that a user names reach a model: by place where its call names them, else as one dictionary."""

from types import SimpleNamespace

import pytest

from nqperf.casts.building import _by_parameters


def one(self, images, training=False):
    return images


def two(self, ids, mask=None, training=False):
    return ids, mask


@pytest.mark.parametrize(
    ("call", "named", "places"),
    [
        (one, ["images"], ["images"]),
        (two, ["mask", "ids"], ["ids", "mask"]),
        (two, ["ids"], ["ids"]),
        (two, ["mask"], None),
        (one, ["ids", "mask"], None),
    ],
)
def test_named_inputs_are_given_as_the_call_names_them(call, named, places):
    model = SimpleNamespace(call=call.__get__(object()))
    specs = ({name: f"spec of {name}" for name in named},)
    expected = specs if places is None else tuple(f"spec of {name}" for name in places)
    assert _by_parameters(model, specs) == expected


def test_a_model_that_knows_its_inputs_is_left_alone():
    specs = ({"images": "a spec"},)
    assert _by_parameters(SimpleNamespace(call=one.__get__(object()), inputs=["known"]), specs) == specs
    assert _by_parameters(SimpleNamespace(call=one.__get__(object())), None) is None

"""How inputs that a user names reach a model: by place where its call names them, else as one dictionary."""

from types import SimpleNamespace

import pytest

from nqperf.casts.building import _by_parameters, _of_other_names, keras_restored


class One:
    def call(self, images, *, training=False):
        return images, training


class Two:
    def call(self, ids, mask=None, *, training=False):
        return ids, mask, training


@pytest.mark.parametrize(
    ("model", "named", "places"),
    [
        (One(), ["images"], ["images"]),
        (Two(), ["mask", "ids"], ["ids", "mask"]),
        (Two(), ["ids"], ["ids"]),
        (Two(), ["mask"], None),
        (One(), ["ids", "mask"], None),
    ],
)
def test_named_inputs_are_given_as_the_call_names_them(model, named, places):
    specs = ({name: f"spec of {name}" for name in named},)
    expected = specs if places is None else tuple(f"spec of {name}" for name in places)
    assert _by_parameters(model, specs) == expected


def test_names_that_the_call_does_not_have_are_told_of():
    said = _of_other_names(One(), ({"image": "a spec"},))
    assert said == "; it was called with one dictionary of image, for its call takes images"
    assert _of_other_names(One(), ("a spec",)) == ""


def test_a_model_that_knows_its_inputs_is_left_alone():
    specs = ({"images": "a spec"},)
    assert _by_parameters(SimpleNamespace(call=One().call, inputs=["known"]), specs) == specs
    assert _by_parameters(One(), None) is None


@pytest.mark.parametrize("fault", [ImportError, AttributeError, TypeError])
def test_a_keras_that_keeps_its_counts_elsewhere_ends_nothing(monkeypatch, fault):
    """They are in a private place, which another version may not have: names then go on, and the model is built."""

    class Elsewhere:
        @staticmethod
        def import_module(name):
            raise fault(name)

    monkeypatch.setattr("nqperf.casts.building.importlib", Elsewhere)
    ran = []
    with keras_restored():
        ran.append(True)
    assert ran

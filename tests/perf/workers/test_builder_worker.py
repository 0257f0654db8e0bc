"""A builder that is none, or is not there: its worker knows the function, and names what is meant."""

import sys

import pytest

from nqperf.errors import ConfigError
from nqperf.perf.workers.builder_worker import Answers, Build, Built, _Worker

MODULE = """
class Found:
    def __init__(self):
        self.words = ["kea"]

def found():
    return Found

def build(scale=2, *more, **others):
    return lambda: scale

def top_scores(words, count):
    return sorted(words)[:count]

def with_a_keyword(*, words):
    return words

def _hidden_build():
    return None
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "words_of_test.py").write_text(MODULE)

    def ask(name, **given):
        target = f"words_of_test:{name}"
        return _Worker().answer(Build(target=target, path=(str(tmp_path),), own=True, warm_up=False, arguments=given))

    return ask


def test_arguments_that_need_not_be_given_are_no_fault(asked):
    assert isinstance(asked("build"), Built)
    assert isinstance(asked("build", scale=3), Built)


@pytest.mark.parametrize(("name", "needed"), [("top_scores", "words, count"), ("with_a_keyword", "words")])
def test_a_function_that_needs_arguments_is_told_to_be_no_builder(asked, name, needed):
    with pytest.raises(ConfigError) as caught:
        asked(name)
    said = str(caught.value)
    assert said.startswith(f"words_of_test:{name} is no builder: it needs {needed}; a builder takes no arguments and ")
    assert said.endswith(f"def build(): {needed} = ...; return lambda: {name}({needed})")
    if name == "top_scores":
        with pytest.raises(ConfigError, match="it needs count; "):
            asked(name, words=[])


def test_a_name_that_is_not_there_is_told_with_the_nearest(asked):
    with pytest.raises(AttributeError, match=r"^module 'words_of_test' has no attribute 'bild'; did you mean build\?$"):
        asked("bild")
    with pytest.raises(AttributeError, match=r"has no attribute 'zzz'$"):
        asked("zzz")


def test_an_object_of_the_projects_own_class_is_read_where_its_module_is_not(tmp_path, monkeypatch):
    """`nqperf ab` ended in ModuleNotFoundError where a run returned a dataclass of the project's own."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "objects_of_test.py").write_text(MODULE)
    worker = _Worker()
    worker.answer(Build(target="objects_of_test:found", path=(str(tmp_path),), own=True))
    plain, whole = (worker.answer(Answers(plain=plain)) for plain in (True, False))
    del sys.modules["objects_of_test"]
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(tmp_path)])
    assert plain.value() == {"(type)": "Found", "words": ["kea"]}
    with pytest.raises(ModuleNotFoundError):
        whole.value()

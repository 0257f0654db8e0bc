"""A builder that is none, or is not there: its worker knows the function, and names what is meant."""

import sys

import pytest

from nqperf.errors import ConfigError
from nqperf.perf.workers.builder_worker import Build, Built, _Worker

MODULE = """
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

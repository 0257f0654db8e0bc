"""What a module defines is read, and never run."""

import pytest

from nqperf.errors import ConfigError
from nqperf.formats.python_names import find_function

MODULE = """
raise SystemExit("never run")
import json as plain
from json import dumps
from .near import far, gone as away
from nowhere_at_all import something

try:
    from fast import quick
except ImportError:
    def quick(words):
        return words

def free(a=1, *more, b=2, **others): ...
def bound(a, /, b, c=1, *, d, e=2): ...
async def later(words): ...
class Made: ...
if True:
    below = lambda: 1
first, (second, *third) = 1, (2, 3)
named: int = 3
"""


@pytest.fixture
def folder(tmp_path):
    package = tmp_path / "src" / "readonly"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(MODULE)
    (package / "near.py").write_text("def far(x, y): ...\n")
    (package / "stars.py").write_text("from .near import *\n")
    (package / "asked.py").write_text("def __getattr__(name): ...\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("free", ()),
        ("bound", ("a", "b", "d")),
        ("later", ("words",)),
        ("quick", ("words",)),
        ("far", ("x", "y")),
        ("dumps", ("obj",)),
        *((name, None) for name in ("Made", "below", "first", "third", "named", "plain", "away", "something", "near")),
    ],
)
def test_names_and_the_arguments_that_they_need(folder, name, needed):
    assert find_function("readonly", name, folder).needed == needed


def test_names_that_only_running_tells_are_let_through(folder):
    assert find_function("readonly.stars", "anything", folder).needed is None
    assert find_function("readonly.asked", "anything", folder).needed is None
    assert find_function("math", "sqrt", folder).needed is None
    assert find_function("json.encoder", "JSONEncoder", folder).needed is None


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        ("readonly", "bond", "did you mean bound"),
        ("readonly.nera", "far", "did you mean near"),
        ("readonlyy", "far", "did you mean readonly"),
        ("json", "dumpz", "did you mean dump"),
        ("readonly.near.more", "far", "nothing is called more"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(folder, module, name, said):
    with pytest.raises(ConfigError, match=said):
        find_function(module, name, folder)

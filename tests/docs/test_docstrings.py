"""Every public field and parameter is named in its docstring, and what a docstring gives as an example is so."""

import doctest
import importlib
import textwrap

import pytest

from tests.docstrings import missing
from tests.floors import PACKAGE, sources

WITH_EXAMPLES = [path for path in sources() if ">>> " in path.read_text()]


def test_nothing_is_left_out():
    left_out = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {name}" for path in sources() for line, name in missing(path)
    ]
    assert not left_out, "no docstring says what these are:\n" + "\n".join(left_out)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('def run(here, there):\n    """Go from `here` to `there`."""', []),
        ('def run(here, *rest, fast=False):\n    """Go."""', ["run(here)", "run(fast)", "run(rest)"]),
        ("def run(here): pass", ["run(here)"]),
        ("def _run(here): pass", []),
        ('def run(here):\n    """There, nowhere."""', ["run(here)"]),
        ('def run(here, there):\n    """Go `fast` from here `slowly`; `there`."""', ["run(here)"]),
        ('def run(start, end):\n    """Go over [start, end)."""', []),
        ('def run(here, there):\n    """Go.\n\n    Shapes: here int[n] -> [n].\n    Raises: there."""', ["run(there)"]),
        ('def run(here):\n    """Go.\n\n    Fields:\n        here: Where it is.\n    """', []),
        (
            '@dataclass\nclass Place:\n    """A place with `name`."""\n    name: str\n    size: int\n    _own: int',
            ["Place.size"],
        ),
        ('class Place(Table, frozen=True):\n    """A place."""\n    name: str', ["Place.name"]),
        ('class Place(NamedTuple):\n    """A place."""\n    name: str', ["Place.name"]),
        (
            'class Place:\n    """A place."""\n    kinds: ClassVar[int]\n    def __init__(self, name): pass',
            ["Place(name)"],
        ),
        (
            'class Place:\n    """A place."""\n    def near(self, other): """Return whether it is near."""',
            ["Place.near(other)"],
        ),
        ('@click.command("run")\ndef run(here): """Run."""', []),
        ('@pytest.fixture\ndef run(request): """Run."""', []),
    ],
)
def test_it_sees_what_is_left_out(tmp_path, source, names):
    path = tmp_path / "module.py"
    path.write_text(textwrap.dedent(source))
    assert [name for _, name in missing(path)] == names


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_an_example_gives_what_it_says(path, tmp_path, monkeypatch, model_folder):
    """Run the examples of a module where `models/bert-joint` is a model folder."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bert-joint").symlink_to(model_folder)
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_an_example_that_says_something_else_is_seen():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(wrong, out=lambda _: None).failed == 1

"""A change does not loosen its own gate: what decides is taken from the base's file, and what differs is said."""

import pytest

from nqperf.errors import FormatError
from nqperf.perf.revisions.base_settings import settings_of_base
from nqperf.perf.revisions.sides import Side
from nqperf.records.revisions import RevisionSide

NOTHING = {"margin": None, "allow_inconclusive": None}


@pytest.fixture
def sides(tmp_path):
    """Return base and change whose files say what is given, None for no file at all."""

    def made(base, change, below=""):
        found = []
        for name, text in {"main": base, "the working tree": change}.items():
            root = tmp_path / name
            (root / below).mkdir(parents=True)
            if text is not None:
                (root / below / "pyproject.toml").write_text(f"[tool.nqperf]\n{text}\n")
            found.append(Side(record=RevisionSide(label=name), root=root))
        return tuple(found)

    return made


@pytest.mark.parametrize("base", ["margin = 0.02", "", None])
def test_a_margin_that_the_change_widens_does_not_count(sides, base):
    both = sides(base, "margin = 0.5")
    found = settings_of_base(both[1].root, both, ())
    there = 0.02 if base else None
    assert found.values == {**NOTHING, "margin": there}
    (said,) = found.said
    assert said.startswith(f"margin is {'2 %' if base else 'none'} in main's pyproject.toml and 50 % in this tree's")
    assert said.endswith("(--margin 0.5 for this run)")


@pytest.mark.parametrize("change", ["", None])
def test_a_margin_that_the_change_leaves_out_counts_still(sides, change):
    both = sides("margin = 0.02\nallow_inconclusive = false", change)
    found = settings_of_base(both[1].root, both, ())
    assert found.values == {"margin": 0.02, "allow_inconclusive": False}
    assert [line.partition(" ")[0] for line in found.said] == ["margin"]


def test_an_undecided_change_cannot_let_itself_pass(sides):
    both = sides("margin = 0.1", "margin = 0.1\nallow-inconclusive = true")
    found = settings_of_base(both[1].root, both, (), prefix="--nqperf-")
    assert found.values == {"margin": 0.1, "allow_inconclusive": None}
    (said,) = found.said
    assert said.startswith("allow_inconclusive is false in main's pyproject.toml and true in this tree's")
    assert said.endswith("(--nqperf-allow-inconclusive for this run)")


@pytest.mark.parametrize(
    ("base", "counts", "there"), [("budget = 60", 60, "60 s"), ("", 180, "none"), (None, 180, "none")]
)
def test_a_change_cannot_take_the_time_for_a_verdict_away(sides, base, counts, there):
    both = sides(base, "budget = 5")
    found = settings_of_base(both[1].root, both, (), budget=180.0)
    assert found.values == {**NOTHING, "budget": counts}
    (said,) = found.said
    assert said.startswith(f"budget is {there} in main's pyproject.toml and 5 s in this tree's: the base's counts")
    assert said.endswith("(--budget 5 for this run)")


def test_a_change_may_take_more_time_and_what_was_typed_counts(sides):
    both = sides("budget = 60", "budget = 600")
    assert "budget" not in settings_of_base(both[1].root, both, (), budget=180.0).values
    (both[1].root / "pyproject.toml").write_text("[tool.nqperf]\nbudget = 6\n")
    assert settings_of_base(both[1].root, both, ("budget",), budget=180.0).said == ()


def test_what_was_typed_counts(sides):
    both = sides("margin = 0.02", "margin = 0.5")
    found = settings_of_base(both[1].root, both, ("margin",))
    assert (dict(found.values), found.said) == ({"allow_inconclusive": None}, ())


def test_equal_files_and_other_settings_say_nothing(sides):
    both = sides("margin = 0.05\nbudget = 60", "margin = 0.05\nbudget = 600")
    found = settings_of_base(both[1].root, both, ())
    assert (found.values["margin"], found.said) == (0.05, ())


def test_a_project_in_a_folder_of_its_repository_is_held_to_the_same_folder(sides):
    both = sides("margin = 0.02", "margin = 0.5", below="packages/one")
    found = settings_of_base(both[1].root / "packages" / "one", both, ())
    assert found.values["margin"] == 0.02
    (both[0].root / "packages" / "one" / "pyproject.toml").unlink()
    (both[0].root / "pyproject.toml").write_text("[tool.nqperf]\nmargin = 0.03\n")
    assert settings_of_base(both[1].root / "packages" / "one", both, ()).values["margin"] == 0.03


def test_the_same_files_or_a_file_outside_of_the_project_are_no_change(sides, tmp_path):
    both = sides(None, "margin = 0.5")
    assert settings_of_base(both[1].root, (both[1], both[1]), ()).values == {}
    (both[1].root / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("[tool.nqperf]\nmargin = 0.5\n")
    assert settings_of_base(both[1].root, both, ()).values == {}


def test_a_base_that_cannot_be_used_is_told_and_a_change_that_cannot_ends_it(sides):
    both = sides("margn = 0.02", "margin = 0.5")
    found = settings_of_base(both[1].root, both, ())
    assert found.values == NOTHING
    assert "the base's pyproject.toml cannot be used: " in found.said[1]
    assert "unknown option" in found.said[1]
    both[1].root.joinpath("pyproject.toml").write_text("[tool.nqperf]\nmargn = 1\n")
    with pytest.raises(FormatError, match="unknown option"):
        settings_of_base(both[1].root, both, ())

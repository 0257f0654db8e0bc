"""How many seconds a comparison of two revisions gets: what is typed, or the larger of what both sides' files say."""

import pytest

from nqperf.cli import ab, revisions
from nqperf.errors import NqPerfError


class _MeasuredError(NqPerfError):
    """Ends a command where it would begin to measure."""


@pytest.fixture
def budget_of(call, monkeypatch, tmp_path):
    """Return the seconds that a command asks for in a change whose and whose base's file say `budget`, in a folder."""
    asked = []

    def compare(*arguments, **keywords):
        given = (*arguments, *keywords.values())
        asked.extend(value for value in given if isinstance(value, revisions.RevisionsConfig))
        raise _MeasuredError("here it would measure")

    monkeypatch.setattr(revisions, "compare_suite", compare)
    monkeypatch.setattr(ab, "compare_revisions", compare)

    def run(*command, base, change):
        for name, budget in {"base": base, "change": change}.items():
            (tmp_path / name).mkdir(exist_ok=True)
            said = "" if budget is None else f"[tool.nqperf]\nbudget = {budget}\n"
            (tmp_path / name / "pyproject.toml").write_text(f'[project]\nname = "mine"\nversion = "1"\n{said}')
        monkeypatch.chdir(tmp_path / "change")
        asked.clear()
        _, _, err = call(*command, "--base-path", tmp_path / "base", "--quiet")
        assert "here it would measure" in err
        return asked[0].budget

    return run


@pytest.mark.parametrize(
    ("command", "usual"), [(("bench",), 600.0), (("bench", "--quick"), 180.0), (("ab", "work:build"), 180.0)]
)
@pytest.mark.parametrize(
    ("base", "change", "seconds"),
    [
        (None, None, None),
        (None, 5, None),
        (None, 900, 900.0),
        (60, None, None),
        (60, 5, 60.0),
        (60, 90, 90.0),
        (900, 60, 900.0),
    ],
)
def test_a_change_does_not_get_less_time_than_its_base(budget_of, command, usual, base, change, seconds):
    assert budget_of(*command, base=base, change=change) == (usual if seconds is None else seconds)


def test_a_typed_budget_counts(budget_of):
    for command in (("bench",), ("ab", "work:build")):
        assert budget_of(*command, "--budget", "7", base=60, change=90) == 7.0

"""What a project's file says of the verdict: the base's file counts, so that no change loosens its own gate."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nqperf.errors import FormatError
from nqperf.formats.project_toml import FILE, find_project, read_project_options
from nqperf.formats.reading import exists
from nqperf.perf.revisions.sides import Side

# The settings that make a verdict of what was measured, and what a change could take the time for one away by.
DECIDING = ("margin", "allow_inconclusive", "budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSettings:
    """What counts in place of what this tree's file says: `values` by name, None for what the base's does not say.

    `said` has a line for each that this tree's file says otherwise.
    """

    values: Mapping[str, Any]
    said: tuple[str, ...] = ()


def settings_of_base(
    folder: Path, sides: tuple[Side, Side], given: Collection[str], prefix: str = "--", budget: float = 0.0
) -> BaseSettings:
    """Return what the base of `sides` says of DECIDING in its pyproject.toml, but for what was `given` by hand.

    `folder` is where the change was started. Options begin with `prefix` where the comparison is started, and `budget`
    is how many seconds it takes where no file says it. A change may take more time than its base, and not less. Nothing
    is held to the base where both sides have the same files, or where the change's file stands outside of its project.
    Raises: FormatError for a file of the change that cannot be used; a base's that cannot is told, and says nothing.
    """
    base, change = (side.root.resolve() for side in sides)
    folder = folder.resolve()
    own = find_project(folder)
    apart = own is not None and not own.is_relative_to(change)
    if base == change or apart or not folder.is_relative_to(change):
        return BaseSettings(values={})
    ours = {} if own is None else read_project_options(own)
    theirs, said = _said_by(base / folder.relative_to(change), base)
    values = {name: theirs.get(name) for name in DECIDING if name not in given}
    least = theirs.get("budget", budget)
    if ours.get("budget", budget) >= least:
        values.pop("budget", None)
    elif "budget" in values:
        values["budget"] = least
    label = sides[0].record.label
    # Without a word on it INCONCLUSIVE is a failure: the same as false.
    apart_in = [name for name in values if (theirs.get(name) or None) != (ours.get(name) or None)]
    told = [_told(name, theirs, ours, label, prefix) for name in apart_in]
    return BaseSettings(values=values, said=(*told, *(said if told else ())))


def _said_by(folder: Path, root: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return what the nearest file of `folder` or above it, up to `root`, says, and why it says nothing."""
    path = next((each / FILE for each in _up(folder, root) if exists(each / FILE)), None)
    if path is None:
        return {}, ()
    try:
        return read_project_options(path), ()
    except FormatError as error:
        return {}, (f"the base's {FILE} cannot be used: {str(error).removeprefix(f'{path}: ')}",)


def _up(folder: Path, root: Path) -> Iterator[Path]:
    yield folder
    while folder != root:
        folder = folder.parent
        yield folder


def _told(name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any], label: str, prefix: str) -> str:
    option = prefix + name.replace("_", "-")
    if name == "allow_inconclusive":
        here, there = (str(bool(said.get(name))).lower() for said in (ours, theirs))
        now = f" ({option} for this run)" if ours.get(name) else ""
    else:
        here, there = (_number(name, said) for said in (ours, theirs))
        now = f" ({option} {ours[name]:g} for this run)" if name in ours else ""
    return (
        f"{name} is {there} in {label}'s {FILE} and {here} in this tree's: the base's counts, as no change loosens its "
        f"own gate; this tree's counts once it is in the base{now}"
    )


def _number(name: str, said: Mapping[str, Any]) -> str:
    if name not in said:
        return "none"
    return f"{100 * said[name]:g} %" if name == "margin" else f"{said[name]:g} s"

"""`[tool.nqperf]` of a project's pyproject.toml: what the gate's options say where the command line says nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import TOML_BYTES, decode_toml
from nqperf.formats.reading import exists, read_whole

FILE = "pyproject.toml"
TABLE = "tool.nqperf"
# What names a file or a folder; one that stands beside pyproject.toml is found from anywhere.
_PATHS = ("model", "data", "variants_file", "profile", "recipe", "against", "report", "save_results")
_OUTPUTS = ("report", "save_results")


class ProjectOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table; every key is an option of `nqperf bench` and of the pytest plugin, None where it says nothing.

    `nqperf ab` has some of them, too.

    Fields:
        model: The model folder.
        data: A Natural Questions file or glob.
        limit: Use only so many examples.
        variants: The rows that run, names with commas between or a list.
        baseline: The row that all others are held to.
        variants_file: Rows of the project's own (TOML).
        batch_size: Windows run at once.
        max_seq_length: Positions of one window.
        pages: The memory pages that all processes ask for, "huge" or "plain".
        profile: Device profiles (TOML), or the name of a packaged one.
        recipe: A recipe of `nqperf tune`, a row more.
        against: A second model folder.
        require: The device that the baseline must compute on, "gpu" or "cpu".
        quick: Few sets and examples.
        rounds: Rounds at most.
        budget: Seconds that the run may take.
        margin: The slowdown against a base, 0.05 is 5 %: surely more than 0.4 of it fails, surely less than it passes.
        allow_inconclusive: Whether INCONCLUSIVE is no failure.
        require_judged: Whether a run in which nothing was judged fails.
        report: The page to write.
        save_results: The results file to write; `--out` of `nqperf bench`.
        track: Whether the run is logged to MLflow.
    """

    model: str | None = None
    data: str | None = None
    limit: int | None = None
    variants: str | list[str] | None = None
    baseline: str | None = None
    variants_file: str | None = None
    batch_size: int | None = None
    max_seq_length: int | None = None
    pages: Literal["huge", "plain"] | None = None
    profile: str | None = None
    recipe: str | None = None
    against: str | None = None
    require: Literal["gpu", "cpu"] | None = None
    quick: bool | None = None
    rounds: int | None = None
    budget: float | None = None
    margin: float | None = None
    allow_inconclusive: bool | None = None
    require_judged: bool | None = None
    report: str | None = None
    save_results: str | None = None
    track: bool | None = None


# What is expected of the options that are no text, for who wrote something else.
_WHOLE, _YES_NO = "a whole number without quotes", "true or false without quotes"
_EXPECTED = {
    **dict.fromkeys(("limit", "batch_size", "max_seq_length", "rounds"), _WHOLE),
    **dict.fromkeys(("quick", "allow_inconclusive", "require_judged", "track"), _YES_NO),
    "margin": "a number such as 0.05 (5 %)",
    "budget": "a number of seconds such as 600",
    "pages": '"huge" or "plain"',
    "require": '"gpu" or "cpu"',
}
_PER_CENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
# Options of commands that are typed alone.
_TYPED = ("memory_margin", "start_margin")
# What no option of the suite is: how a run ends, and what it leaves.
RUN_OPTIONS = ("allow_inconclusive", "require_judged", "report", "save_results", "track")


class _Tool(msgspec.Struct, frozen=True):
    nqperf: dict[str, Any] = {}


class _Project(msgspec.Struct, frozen=True):
    tool: _Tool = _Tool()


def find_project(folder: Path) -> Path | None:
    """Return the pyproject.toml of `folder`, or of the nearest folder above it that has one."""
    for each in (folder, *folder.parents):
        if exists(each / FILE) and (each / FILE).is_file():
            return each / FILE
    return None


def read_project_options(path: Path) -> dict[str, Any]:
    """Return what the table in `path`, a pyproject.toml, says by the options' names; what it does not say is left out.

    Names may be written with dashes. Files beside pyproject.toml are named by paths from there.

    Raises: FormatError for a file that is no TOML, an unknown key, with the nearest known one, or a value of another
    type.
    """
    content = read_whole(path, what="a project's settings", limit=TOML_BYTES)
    table = decode_toml(content, _Project, path, expected="a project's settings").tool.nqperf
    known = ProjectOptions.__struct_fields__
    asked = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise FormatError(f"unknown option; {_meant(name, known)}", path=path, field=f"{TABLE}.{key}")
        asked[name] = value
    try:
        found = msgspec.convert(asked, ProjectOptions)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at ")
        field = where.strip("`").removeprefix("$.")
        said = _wrong(field, asked[field]) if field in _EXPECTED else said
        raise FormatError(said, path=path, field=f"{TABLE}.{field.replace('_', '-')}") from None
    options = {name: value for name in known if (value := getattr(found, name)) is not None}
    return {name: _from(path.parent, name, value) for name, value in options.items()}


def _meant(name: str, known: Sequence[str]) -> str:
    """Return which of the `known` options `name` may mean, and where all stand; all of them where none is near."""
    if name in _TYPED:
        return f"it stands in no file: type --{name.replace('_', '-')}"
    near = difflib.get_close_matches(name, known, n=3)
    names = ", ".join(each.replace("_", "-") for each in near or known)
    if not near:
        return f"expected some of {names}"
    first, _, more = names.partition(", ")
    return f"did you mean {first}?{f' Or {more}?' if more else ''} `nqperf bench --help` shows all"


def _wrong(name: str, value: Any) -> str:
    """Return that the option `name` has a `value` of another type, and what is expected."""
    got = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    expected = _EXPECTED[name]
    if name == "margin" and isinstance(value, str) and (per_cent := _PER_CENT.fullmatch(value)):
        share = float(per_cent[1])
        expected = f"a number such as {share / 100:g} ({share:g} %)"
    return f"got {got}, expected {expected}"


def _from(folder: Path, name: str, value: Any) -> Any:
    """Return a value as options take it."""
    if name == "variants":
        return value if isinstance(value, str) else ",".join(value)
    if name not in _PATHS or Path(value).is_absolute():
        return value
    beside = folder / value
    return str(beside) if name in _OUTPUTS or exists(beside) else value

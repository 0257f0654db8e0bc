"""What a Python module defines, read from its files without running them."""

from __future__ import annotations

import ast
import difflib
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.reading import WHOLE_BYTES, read_whole

_SOURCE_FOLDERS = ("", "src")
_PACKAGE = "__init__.py"
_DEEPEST = 8  # imports of a name that are followed
_NEVER = frozenset({"tests", "docs", "build", "dist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined:
    """A name that a module defines.

    `needed` are the arguments that a call must give, in order; None where they are not known, as of a class or of what
    a compiled module has.
    """

    needed: tuple[str, ...] | None


_UNKNOWN = Defined(needed=None)


def find_function(module: str, name: str, folder: Path) -> Defined:
    """Return what `name` is in `module`, of the project in `folder` or of what is installed.

    Raises: ConfigError when the module or the name is not there, with the nearest one; FormatError for a file that is
    no Python.
    """
    return _find(module, name, folder, _DEEPEST)


def _find(module: str, name: str, folder: Path, left: int) -> Defined:
    file = _file(module, folder)
    if file is None or left == 0:
        return _UNKNOWN
    names: dict[str, Defined | tuple[str, str]] = {}
    for each in _statements(_tree(file).body):
        if isinstance(each, ast.ImportFrom) and any(one.name == "*" for one in each.names):
            return _UNKNOWN  # the name may be any of another module's
        names |= _names(each, module, file)
    if (found := names.get(name)) is not None:
        return _elsewhere(*found, folder, left - 1) if isinstance(found, tuple) else found
    package = file.parent if file.name == _PACKAGE else None
    if "__getattr__" in names or (package and _below(package, name)):
        return _UNKNOWN
    raise ConfigError(f"{file} has no {name}{_near(name, names)}")


def _elsewhere(module: str, name: str, folder: Path, left: int) -> Defined:
    """Return what a name that is imported is; whether it is there is for Python to say."""
    try:
        return _find(module, name, folder, left)
    except (ConfigError, FormatError):
        return _UNKNOWN


def _file(module: str, folder: Path) -> Path | None:
    """Return the file of a module, None where it is none of text.

    Raises: ConfigError when there is no such module.
    """
    first, *rest = module.split(".")
    places = [folder / name for name in _SOURCE_FOLDERS]
    if any(_below(place, first) for place in places):
        rest = [first, *rest]
    else:
        # Nothing of it is run: only the finders are asked where it lies.
        spec = importlib.util.find_spec(first)
        if spec is None:
            raise ConfigError(f"there is no module {first} in {folder}, and none is installed{_near_of(first, places)}")
        if not rest:
            return Path(spec.origin) if spec.origin is not None and spec.origin.endswith(".py") else None
        places = [Path(place) for place in spec.submodule_search_locations or ()]
    for part in rest:
        there = [found for place in places if (found := _below(place, part)) is not None]
        if not there:
            raise ConfigError(f"there is no module {module}: nothing is called {part}{_near_of(part, places)}")
        places = [one for one in there if one.is_file() or (one / _PACKAGE).is_file()] or there
    file = places[0] / _PACKAGE if places[0].is_dir() else places[0]
    return file if file.suffix == ".py" and file.is_file() else None


def _below(place: Path, name: str) -> Path | None:
    """Return the package or the module of that name in a folder: a folder, a file of Python or a compiled one."""
    if (place / name).is_dir() and not name.startswith("."):
        return place / name
    file = place / f"{name}.py"
    return file if file.is_file() else next(iter(sorted(place.glob(f"{name}.*.so"))), None)


def _modules(place: Path) -> list[str]:
    """Return the names of the modules and packages in a folder."""
    found = [*place.glob("*.py"), *(one.parent for one in place.glob(f"*/{_PACKAGE}"))]
    return sorted(one.stem for one in found if one.stem.isidentifier() and one.stem not in _NEVER)


def _tree(file: Path) -> ast.Module:
    content = read_whole(file, what="a Python file", limit=WHOLE_BYTES)
    try:
        return ast.parse(content, filename=str(file))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise FormatError(f"no Python: {error}", path=file) from None


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those below a condition, a `try` or a `with` too."""
    for each in body:
        yield each
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(each, field, ()))
            for handler in getattr(each, "handlers", ()):
                yield from _statements(handler.body)


def _names(each: ast.stmt, module: str, file: Path) -> dict[str, Defined | tuple[str, str]]:
    """Return the names that a statement defines; of one from another module, that module and its name there."""
    if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
        return {each.name: Defined(needed=_needed(each.args))}
    if isinstance(each, ast.ClassDef):
        return {each.name: _UNKNOWN}
    if isinstance(each, ast.Import):
        return {one.asname or one.name.partition(".")[0]: _UNKNOWN for one in each.names}
    if isinstance(each, ast.ImportFrom):
        parts = module.split(".")
        above = parts[: len(parts) - each.level + (file.name == _PACKAGE)] if each.level else []
        source = ".".join([*above, *([each.module] if each.module else [])])
        return {one.asname or one.name: (source, one.name) for one in each.names}
    stored = (one.id for one in ast.walk(each) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
    return dict.fromkeys(stored, _UNKNOWN)


def _needed(arguments: ast.arguments) -> tuple[str, ...]:
    positional = [*arguments.posonlyargs, *arguments.args]
    free = positional[: len(positional) - len(arguments.defaults)]
    named = [one for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    return tuple(one.arg for one in (*free, *named))


def _near_of(name: str, places: Sequence[Path]) -> str:
    return _near(name, [one for place in places for one in _modules(place)])


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, [one for one in known if not one.startswith("__")], n=1)
    return f"; did you mean {near[0]}?" if near else ""

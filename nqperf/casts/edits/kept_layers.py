"""Layers kept in float32 as a patch: dtype="float32" where each is made, and what that makes necessary elsewhere."""

from __future__ import annotations

import ast
import contextlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from nqperf.casts.edits.in_memory import in_force
from nqperf.casts.edits.made_wide import with_dtype
from nqperf.casts.edits.text import Edit, edited
from nqperf.casts.findings import Finding
from nqperf.casts.trace import source
from nqperf.casts.trace.frames import is_users, location_of
from nqperf.casts.trace.hooks import constructions
from nqperf.casts.trace.records import SourceLocation
from nqperf.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Where the layers of a model are made: `places` by the id of a layer; `alive` keeps these ids theirs."""

    places: dict[int, SourceLocation]
    alive: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A patch that keeps layers in float32: the files' new `texts` and `imports` by path, and what it comes to.

    `error` is the largest relative L2 error of an output with the patch in force; `also` are layers that the same
    lines make, and that the patch keeps in float32 too.
    """

    texts: dict[str, str]
    imports: dict[str, tuple[str, ...]]
    error: float
    also: tuple[str, ...] = ()


def recorded(build: Callable[[], Any]) -> tuple[Any, Made]:
    """Return what `build` returns, and where the layers were made that it makes."""
    places: dict[int, SourceLocation] = {}
    alive: list[Any] = []

    def made(layer: Any, frame: FrameType) -> None:
        user: FrameType | None = frame
        while user is not None and not is_users(user.f_code.co_filename):
            user = user.f_back
        if user is not None:
            places[id(layer)] = location_of(user)
            alive.append(layer)

    with constructions(made):
        built = build()
    return built, Made(places=places, alive=tuple(alive))


def constructor_edits(layers: Sequence[Any], made: Made) -> tuple[Edit, ...] | str:
    """Return the edits that make `layers`, at their places in `made`, in float32; or why they cannot be made so."""
    edits: dict[Edit, None] = {}
    for layer in layers:
        place = made.places.get(id(layer))
        node = source.expression(place, "") if place is not None and place.column is not None else None
        if place is None or not isinstance(node, ast.Call):
            return f"no line is known that makes {layer.name}"
        edit = _with_dtype(place.path, node, layer)
        if edit is None:
            return f"{type(layer).__name__} takes no dtype ({place.path}:{place.line})"
        edits.setdefault(edit)
    return tuple(edits)


def kept_in_float32(
    edits: Sequence[Edit], find: Callable[[], Sequence[Finding]], error_of: Callable[[], float]
) -> Kept | str:
    """Return the patch of `edits` with what mends the conflicts that they bring, tried; or why there is none.

    `find` audits the model under what is in force, `error_of` builds and runs it and returns its error.
    """
    texts = _applied(edits)
    try:
        with in_force({path: (text, ()) for path, text in texts.items()}):
            fixes = [finding.fix for finding in find() if finding.fix is not None]
            texts = {**texts, **_applied(fixes)}
        imports = {path: tuple(dict.fromkeys(i for e in fixes if e.path == path for i in e.imports)) for path in texts}
        with in_force({path: (text, imports[path]) for path, text in texts.items()}):
            error = error_of()
    except ConfigError as raised:
        return str(raised)
    except Exception as raised:  # noqa: BLE001  # whatever the edited model raises
        return f"the edited model does not run: {type(raised).__name__}: {raised}"
    return Kept(texts=texts, imports=imports, error=error)


def _applied(edits: Sequence[Edit]) -> dict[str, str]:
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    return {path: edited(source.text_at(path), held) for path, held in by_path.items()}


def _with_dtype(path: str, node: ast.Call, layer: Any) -> Edit | None:
    """Return the edit that hands dtype="float32" to the call that makes `layer`, None where it takes none."""
    given = any(each.arg == "dtype" for each in node.keywords)
    return with_dtype(path, node) if given or _takes_dtype(type(layer)) else None


def _takes_dtype(kind: type) -> bool:
    for each in kind.__mro__:
        with contextlib.suppress(ValueError, TypeError):
            if "__init__" in vars(each):
                parameters = inspect.signature(vars(each)["__init__"]).parameters.values()
                if any(one.name == "dtype" for one in parameters):
                    return True
                if not any(one.kind is one.VAR_KEYWORD for one in parameters):
                    return False
    return False

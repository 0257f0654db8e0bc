"""Edited source in force without a file being touched: live functions run new code, and tracebacks show it."""

from __future__ import annotations

import contextlib
import gc
import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from nqperf.errors import ConfigError


class Live:
    """The functions that are there, by file; looked up once, for what edited code makes anew is edited already."""

    def __init__(self) -> None:
        self._all: list[FunctionType] | None = None
        self._by_path: dict[str, list[FunctionType]] = {}

    def of(self, path: str) -> list[FunctionType]:
        """Return the functions that were made from the file at `path`."""
        if self._all is None:
            self._all = [each for each in gc.get_objects() if type(each) is FunctionType]  # no proxy is asked
        if path not in self._by_path:
            self._by_path[path] = [each for each in self._all if each.__code__.co_filename == path]
        return self._by_path[path]


@contextlib.contextmanager
def in_force(sources: Mapping[str, tuple[str, Sequence[str]]], live: Live | None = None) -> Iterator[None]:
    """Let the functions of files run edited source in the block; `sources` are text and import lines by path.

    Lines must not have moved: code is matched by its place in the file. `live` saves looking for functions again.
    A function that now closes over other names stays as it is until the one around it makes it anew.
    Raises: ConfigError when a source cannot be compiled.
    """
    with contextlib.ExitStack() as stack:
        for path, (text, imports) in sources.items():
            before = "".join(linecache.getlines(path))
            pairs = dict(_pairs(_compiled(before, path), _compiled(text, path)))
            _names(stack, path, imports)
            for function in (live or Live()).of(path):
                new = pairs.get(function.__code__)
                if new is not None and new is not function.__code__:
                    _swap(stack, function, new)
            _lines(stack, path, text)
        yield


def _compiled(text: str, path: str) -> CodeType:
    try:
        return compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{path}: the edited source is no Python: {error}") from error


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Yield each function's old code with its new one; equal code is what was compiled from the same lines."""
    inner = [each for each in old.co_consts if isinstance(each, CodeType)]
    others = [each for each in new.co_consts if isinstance(each, CodeType)]
    if len(inner) != len(others):
        raise ConfigError(f"{old.co_filename}: the edit changes which functions there are")
    for before, after in zip(inner, others, strict=True):
        yield before, after
        yield from _pairs(before, after)


def _swap(stack: contextlib.ExitStack, function: FunctionType, code: CodeType) -> None:
    genuine = function.__code__
    with contextlib.suppress(ValueError):  # it closes over other names: the function around it makes it anew
        function.__code__ = code
    stack.callback(setattr, function, "__code__", genuine)


def _names(stack: contextlib.ExitStack, path: str, imports: Sequence[str]) -> None:
    """Bring the names of import lines into the modules that were made from the file."""
    scope: dict[str, Any] = {}
    for line in imports:
        exec(line, scope)  # noqa: S102  # a line of our own: "from keras import ops"
    scope.pop("__builtins__", None)
    for module in [each for each in sys.modules.values() if getattr(each, "__file__", None) == path]:
        for name, value in scope.items():
            if name not in vars(module):
                setattr(module, name, value)
                stack.callback(delattr, module, name)


def _lines(stack: contextlib.ExitStack, path: str, text: str) -> None:
    """Show the edited lines to whoever reads the file's source, as autograph does, which also has them read anew."""
    known, genuine = linecache.cache.get(path), linecache.updatecache
    lines = [f"{line}\n" for line in text.split("\n")]
    linecache.cache[path] = (len(text), None, lines, path)

    def update(filename: str, module_globals: dict[str, Any] | None = None) -> list[str]:
        return lines if filename == path else genuine(filename, module_globals)

    def back() -> None:
        linecache.updatecache = genuine
        if known is None:
            linecache.cache.pop(path, None)
        else:
            linecache.cache[path] = known

    linecache.updatecache = update
    stack.callback(back)

"""What somebody meant who names a model by a file, a module or its weights, or an input by another name."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from nqperf.errors import ConfigError
from nqperf.formats.reading import exists

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PYTHON = ".py"
_HDF5 = (".h5", ".hdf5")
_FUNCTION = "FUNCTION"


def meant(text: str, function: str = _FUNCTION) -> str:
    """Return what to write in place of `text`, a file or a dotted name, and `function`; nothing where it is neither."""
    path = Path(text)
    if path.suffix == _PYTHON:
        module, folder = _module_of(path)
        return f"; for a file say {module}:{function}{'' if folder == '.' else f' in {folder}'}"
    if text.endswith(_HDF5):
        return "; of weights, or in this format, name a function that builds the model and loads them"
    if is_module(text):
        return f"; {text} is a module: name the function in it that builds the model, {text}:{function}"
    module, _, last = text.rpartition(".")
    return f"; perhaps {module}:{last}" if module and _DOTTED.fullmatch(text) else ""


def refuse_misnamed(text: str) -> None:
    """Raise where `text` is no data, but what people write who mean a model: a file of Python, a module or weights.

    Raises: ConfigError that says what to write.
    """
    path, _, function = text.partition(":")
    if path.endswith(_PYTHON):
        raise ConfigError(f"{path} is a file; expected its module{meant(path, function or _FUNCTION)}")
    if text.endswith(_HDF5) or (is_module(text) and not exists(Path(text))):
        raise ConfigError(f"{text} is neither data nor a model{meant(text)}")


def is_module(name: str) -> bool:
    """Return whether `name` is a module that can be imported, of the working directory too; nothing is imported."""
    if not _DOTTED.fullmatch(name):
        return False
    first, *rest = name.split(".")
    try:
        found = PathFinder.find_spec(first, [str(Path.cwd()), *sys.path]) or importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return False
    if found is None or not rest:
        return found is not None
    inside = [Path(place, *rest) for place in found.submodule_search_locations or ()]
    return any(Path(f"{one}{_PYTHON}").is_file() or (one / f"__init__{_PYTHON}").is_file() for one in inside)


def only_array(arrays: Mapping[str, Any], inputs: Sequence[str]) -> str | None:
    """Return the name of the only one of `arrays` where it is for the only one of `inputs` and is called otherwise."""
    (name, *others) = arrays
    return None if others or len(inputs) != 1 or name == inputs[0] else name


def _module_of(path: Path) -> tuple[str, str]:
    """Return the dotted name of a file of Python, and the folder to start in: the one that holds its packages."""
    folder, names = path.resolve().parent, [path.stem]
    while (folder / f"__init__{_PYTHON}").is_file() and folder.name:
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names), os.path.relpath(folder)

"""Arrays by their names, written whole: the state of a training run, and the best weights that it found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nqperf.formats.decoding import decoding
from nqperf.formats.files import write_whole
from nqperf.formats.reading import read_whole

Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> None:
    """Write `arrays`, by name, to `path`, whole or not at all."""
    from safetensors.numpy import save

    write_whole(path, save(dict(arrays)))


def read_arrays(path: Path, *, what: str) -> Arrays:
    """Return the arrays that `write_arrays` wrote to `path`; `what` names the file's role in the message.

    Raises: FormatError when the file is missing or damaged.
    """
    from safetensors.numpy import load

    content = read_whole(path, what=what)
    with decoding(path, expected=what):
        arrays: Arrays = load(content)
    return arrays

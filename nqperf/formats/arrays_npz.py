"""Arrays by name in an .npz: what a user's model is given, and its weights on their way between processes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nqperf.errors import FormatError
from nqperf.formats.decoding import decoding
from nqperf.formats.files import whole_file
from nqperf.formats.reading import read_whole

Array = npt.NDArray[Any]
_EXPECTED = "an .npz of numpy.savez, without pickled objects"
# Arrays may be packed: so much of them is read at the most, in bytes.
_MOST = 8 << 30


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays in the .npz file `path`, by name.

    Raises: FormatError when there is no such file, when it holds anything else, nothing, or more than 8 GiB.
    """
    content = read_whole(path, what="arrays", limit=_MOST)
    with decoding(path, expected=_EXPECTED):
        with zipfile.ZipFile(io.BytesIO(content)) as entries:
            size = sum(entry.file_size for entry in entries.infolist())
        if size > _MOST:
            raise FormatError(f"unpacks to {size} bytes; expected {_MOST} at the most", path=path)
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    if not arrays or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise FormatError(f"holds no arrays; expected {_EXPECTED}", path=path)
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write `arrays` to the .npz file `path`, not packed, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's stubs take a name for its allow_pickle

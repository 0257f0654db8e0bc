"""Arrays that a user gives a model: in the types of its inputs, and ids that its embeddings have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nqperf.casts.samples import embedding_rows
from nqperf.errors import ConfigError

Array = npt.NDArray[Any]


def in_type(array: Array, spec: Any, where: str, expected: str) -> Array:
    """Return `array` in the type of `spec` (tf.TensorSpec), which holds all of its values.

    `where` says which array it is, `expected` what its input takes. Text is left as it is.
    Raises: ConfigError where the input takes whole numbers and the array is of others, and for values beyond its type.
    """
    if spec.dtype.name == "string":
        return array
    whole = spec.dtype.is_integer or spec.dtype.is_bool
    got = f"{where} is {array.dtype}{list(array.shape)}; expected {expected}"
    if whole and array.dtype.kind == "f":
        raise ConfigError(f"{got}: save it as whole numbers, array.astype({spec.dtype.name!r})")
    integers = array.dtype.kind in "iub" and whole
    if not integers and not (spec.dtype.is_floating and array.dtype.kind in "fiu"):
        raise ConfigError(got)
    cast = array.astype(spec.dtype.as_numpy_dtype)
    if integers and not np.array_equal(cast.astype(array.dtype), array):
        raise ConfigError(f"{where} has values that {spec.dtype.name} does not hold; expected {expected}")
    return cast


def require_embedded(array: Array, spec: Any, specs: Any, model: Any, where: str) -> None:
    """Raise where `array`, for the input `spec` among the `specs` of `model`, has ids that its embedding does not.

    `where` says which array it is. A kernel of the CPU ends then; compiled by XLA or on a GPU, another row is taken.
    Raises: ConfigError with the first such id and its place.
    """
    rows = embedding_rows(specs, model).get(id(spec))
    if rows is None:
        return
    outside = np.argwhere((array < 0) | (array >= rows))
    if len(outside):
        place = [int(each) for each in outside[0]]
        raise ConfigError(f"{where} has the id {array[tuple(place)]} at {place}; its embedding has 0 to {rows - 1}")

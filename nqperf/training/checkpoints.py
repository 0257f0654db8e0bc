"""The checkpoint of a training run: everything that its next steps depend on, written whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import write_whole
from nqperf.formats.reading import read_whole
from nqperf.nq.example import FloatArray

_STEP = "step"

State = dict[str, np.ndarray[Any, np.dtype[Any]]]


class Resumable(Protocol):
    """A run that can give its state, and continue from one."""

    step: int

    def state(self) -> State:
        """Return everything that the next steps depend on."""

    def restore(self, state: State, step: int) -> None:
        """Continue from the state after `step` steps."""


def write_checkpoint(path: Path, run: Resumable) -> None:
    """Write a run's state to `path`, whole or not at all."""
    from safetensors.numpy import save

    write_whole(path, save({_STEP: np.array(run.step), **run.state()}))


def write_tensors(path: Path, tensors: Mapping[str, FloatArray]) -> None:
    """Write weights as they are to `path`, whole or not at all."""
    from safetensors.numpy import save

    write_whole(path, save(dict(tensors)))


def read_tensors(path: Path) -> dict[str, FloatArray]:
    """Return the weights that `write_tensors` wrote.

    Raises: FormatError when the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: dict[str, FloatArray] = load(read_whole(path, what="the best weights of a training run"))
    except SafetensorError as error:
        raise FormatError(f"holds no weights ({error}): remove the work folder", path=path) from error
    return tensors


def resume(path: Path, run: Resumable) -> bool:
    """Continue `run` from the checkpoint at `path`; return whether there was one.

    Raises: FormatError when the file is damaged or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not path.exists():
        return False
    try:
        state: State = load(read_whole(path, what="a checkpoint"))
        run.restore(state, int(state.pop(_STEP)))
    except (SafetensorError, KeyError) as error:
        raise FormatError(f"is no checkpoint of a training run ({error}): remove it", path=path) from error
    except ConfigError as error:
        raise FormatError(str(error), path=path) from error
    return True

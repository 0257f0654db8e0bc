"""The checkpoint of a training run: everything that its next steps depend on, written whole."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.training.state_file import Arrays, read_arrays, write_arrays

_STEP = "step"
_EXPECTED = "the checkpoint of a training run: remove it to start over"


class Resumable(Protocol):
    """A run that can give its state, and continue from one; `step` is how many steps it has taken."""

    step: int

    def state(self) -> Arrays:
        """Return everything that the next steps depend on."""

    def restore(self, state: Arrays, step: int) -> None:
        """Continue from the `state` after `step` steps."""


def write_checkpoint(path: Path, run: Resumable) -> None:
    """Write the state of `run` to `path`, whole or not at all."""
    write_arrays(path, {_STEP: np.array(run.step), **run.state()})


def resume(path: Path, run: Resumable) -> bool:
    """Continue `run` from the checkpoint at `path`; return whether there was one.

    Raises: FormatError when the file is damaged or of another network.
    """
    if not path.exists():
        return False
    state = read_arrays(path, what=_EXPECTED)
    try:
        run.restore(state, int(state.pop(_STEP).item()))
    except (KeyError, ValueError) as error:
        raise FormatError(f"is none ({error}); expected {_EXPECTED}", path=path) from error
    except ConfigError as error:
        raise FormatError(str(error), path=path) from error
    return True

"""The library under Keras: chosen once a process, when Keras is first imported."""

from __future__ import annotations

import os
import sys

from nqperf.errors import ConfigError

VARIABLE = "KERAS_BACKEND"


def choose_backend(name: str) -> None:
    """Make `name` the backend that Keras has, or will have once it is imported.

    Raises: ConfigError where this process's Keras runs on another one already.
    """
    keras = sys.modules.get("keras")
    if keras is None:
        os.environ[VARIABLE] = name
        return
    chosen = keras.backend.backend()
    if chosen != name:
        raise ConfigError(
            f"Keras runs on {chosen} in this process, and the engine {name} needs it on {name}; that is chosen once, "
            f"before Keras is imported: start a new process with {VARIABLE}={name}"
        )

"""The versions of the libraries that decide about a run's bits."""

from __future__ import annotations

from importlib.metadata import version

_VERSIONED = ("tensorflow", "keras", "numpy", "sentencepiece", "tokenizers", "safetensors", "msgspec")


def versions() -> dict[str, str]:
    """Return the version of each library by its name."""
    return {name: version(name) for name in _VERSIONED}

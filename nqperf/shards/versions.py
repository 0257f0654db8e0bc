"""The versions of the libraries that decide about a run's bits."""

from __future__ import annotations

from nqperf.engines.registry import find_engine, installed_versions

# What reads the text, the weights and the data, whichever engine computes.
_ROUTE = ("numpy", "sentencepiece", "tokenizers", "safetensors", "msgspec")


def versions(engine: str) -> dict[str, str]:
    """Return the version of each library that a run in `engine`, a name, depends on, by the distributions' names.

    Raises: ConfigError for an engine that is in no row of the registry.
    """
    return {**find_engine(engine).versions(), **installed_versions(_ROUTE)}

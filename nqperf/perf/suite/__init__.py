"""The suite: one model and task in every variant, its answers and its speed held against the baseline's."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Return SuiteConfig, which projects import from here; new code imports it from `nqperf`."""
    if name != "SuiteConfig":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("nqperf.perf.suite.config").SuiteConfig

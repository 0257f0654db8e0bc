"""The suite's own pytest plugins where the package runs from its source; installed, entry points bring them."""

from importlib.metadata import entry_points

_INSTALLED = {entry.value for entry in entry_points(group="pytest11")}
pytest_plugins = [name for name in ("nqperf.casts.pytest_casts",) if name not in _INSTALLED]

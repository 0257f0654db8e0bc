import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Installed, entry points bring the package's own plugins; run from the source, this does.
_INSTALLED = {entry.value for entry in entry_points(group="pytest11")}
pytest_plugins = [name for name in ("nqperf.pytest_plugin", "nqperf.pytest_casts") if name not in _INSTALLED]

# A shared machine is slow at times; that is no failure of a property.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def shared() -> Path:
    path = Path(__file__).resolve().parent.parent / "shared"
    if not path.is_dir():
        pytest.skip("the reference files ../shared are not here")
    return path

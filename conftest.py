import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

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

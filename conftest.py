import gc
import os
import sys
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import settings

from tests.skips import NoSkips

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Tests start some hundred processes that import the same modules: the first of them leaves these compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What is imported is kept: a collector that looks through it at every few hundred objects finds nothing.
gc.disable()

# Installed, entry points bring the package's own plugins; run from the source, this does.
_INSTALLED = {entry.value for entry in entry_points(group="pytest11")}
pytest_plugins = [name for name in ("nqperf.pytest_plugin", "nqperf.pytest_casts") if name not in _INSTALLED]

# Folders whose files take longest.
_LONG = {"casts", "cli", "engines", "model", "perf", "training", "world"}

# A shared machine is slow at times; that is no failure of a property.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config):
    """Let each of pytest-xdist's workers compute in one thread, for there is one of them for every core.

    In CI, a skipped test that need not be skipped fails the run. The fast lane draws fewer examples than a whole run.
    """
    if config.option.markexpr == "not slow":
        settings.register_profile("fast", settings.default, max_examples=30)
        settings.load_profile("fast")
    if hasattr(config, "workerinput"):
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    elif os.environ.get("CI"):
        config.pluginmanager.register(NoSkips())


@pytest.fixture(scope="session")
def shared() -> Path:
    path = Path(__file__).resolve().parent.parent / "shared"
    if not path.is_dir():
        pytest.skip("the reference files ../shared are not here")
    return path


def pytest_collection_finish():
    """Spare the collector what was imported: it would look through it again and again, as long as the tests run.

    Traced graphs and models are many objects, so it comes more rarely, too.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_collection_modifyitems(config, items):
    """Let pytest-xdist begin with the files that take longest, so that nothing long is left for the end.

    A slow test takes about as many seconds as its mark says, `slow(60)`, else some. Of the others, those that
    build networks or start processes come first.
    """
    if hasattr(config, "workerinput"):
        seconds = Counter()
        for item in items:
            if mark := item.get_closest_marker("slow"):
                seconds[item.path] += mark.args[0] if mark.args else 5
        items.sort(key=lambda item: (-seconds[item.path], _LONG.isdisjoint(item.path.parts)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each file to one worker, for its tests share the models and processes that its fixtures start."""
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") != "load":
        return None  # something else was asked for
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)

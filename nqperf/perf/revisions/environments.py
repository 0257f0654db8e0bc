"""An environment for a base whose dependencies are others than the change's: made once, kept by what they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from nqperf.errors import ConfigError
from nqperf.formats.files import open_lock, remove, take_lock, write_whole
from nqperf.formats.project_files import dependency_digest, to_install

_INSTALL_SECONDS = 3600.0
_WAIT_SECONDS = 1.0
_LAST_LINES = 3
# What the process of a side needs beside the project's own libraries.
_WORKER = ("numpy", "msgspec>=0.19,<0.23")
_COMPLETE = "nqperf-complete"


def cache_folder() -> Path:
    """Return where environments are kept: $XDG_CACHE_HOME/nqperf/environments, or below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nqperf" / "environments"


def environment_for(project: Path) -> str:
    """Return the Python of an environment with the project at `project` and its dependencies, made where there is none.

    Two projects of the same dependencies and the same Python share one; a search path of their own files comes first.
    Raises: ConfigError with the last lines of what failed.
    """
    key = f"{sys.implementation.cache_tag}-{dependency_digest(project)[:24]}"
    folder = cache_folder() / key
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"{folder.parent} cannot be made ({error.strerror}): set XDG_CACHE_HOME to another place"
        ) from None
    lock = open_lock(folder.with_name(f"{key}.lock"))
    try:
        _wait_for(lock)
        if not (folder / _COMPLETE).exists():
            remove(folder)
            _run("a virtual environment", [sys.executable, "-m", "venv", str(folder)])
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            _run(f"the libraries of {project.name}", [*install, *to_install(project), *_WORKER])
            write_whole(folder / _COMPLETE, b"")
    finally:
        os.close(lock)
    return str(python)


def _wait_for(lock: int) -> None:
    """Wait until no other process makes the same environment."""
    while True:
        try:
            take_lock(lock)
        except BlockingIOError:
            time.sleep(_WAIT_SECONDS)
        else:
            return


def _run(what: str, command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{what} could not be installed: {error}") from None
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        raise ConfigError(
            f"{what} could not be installed: {' | '.join(words)}; name an environment that has them by --base-python"
        )

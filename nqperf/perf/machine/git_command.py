"""Git, asked by its own command: hooks of the repository do not run, and no file monitor that it names.

Variables that a hook of the caller's has set (GIT_DIR, GIT_INDEX_FILE) do not reach it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from nqperf.errors import ConfigError

_SECONDS = 600.0
_LAST_LINES = 3
# What a hook of the caller's has set to point git at its own repository.
_ELSEWHERE = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|NAMESPACE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES)"
)
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_STANDING_SECONDS = 10.0  # so long a run waits to hear where it stands
# What a fingerprint has observed where the run was started in a repository.
COMMIT = "commit"


def git(folder: Path, *arguments: str, seconds: float = _SECONDS) -> str:
    """Return what the git command of these `arguments` prints in `folder`, within so many `seconds`.

    Raises: ConfigError with git's last words when it fails.
    """
    environment = {name: value for name, value in os.environ.items() if not _ELSEWHERE.fullmatch(name)}
    # A repository that was unpacked, and not cloned, may name commands of its own.
    safe = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false")
    command = ["git", *safe, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environment, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        missing = "no such folder" if not folder.is_dir() else "git is not installed; expected its command on the path"
        raise ConfigError(f"{folder}: {missing}") from None
    except (NotADirectoryError, PermissionError) as error:
        raise ConfigError(f"{folder}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(f"git {arguments[0]} in {folder} did not end within {seconds:g} s") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        raise ConfigError(f"git {arguments[0]} in {folder}: {' | '.join(words) or 'failed without a word'}")
    return done.stdout.decode(errors="surrogateescape")


def commit_at(folder: Path) -> dict[str, str]:
    """Return the commit that `folder` stands at, under COMMIT, and whether files differ from it; nothing elsewhere."""
    try:
        commit = git(folder, "rev-parse", "--short=10", "HEAD", seconds=_STANDING_SECONDS).strip()
    except ConfigError:  # no repository, no git, or no commit yet
        return {}
    try:
        if _names_filters(folder):
            return {COMMIT: f"{commit}, changes not looked for: the repository names filters of its own"}
        words = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
        changed = git(folder, *words, seconds=_STANDING_SECONDS).strip()
    except ConfigError:  # an old git, or files too many for the time
        return {COMMIT: f"{commit}, changes not looked for"}
    return {COMMIT: f"{commit} and changes" if changed else commit}


def _names_filters(folder: Path) -> bool:
    """Return whether the repository's own settings name filters: commands that git runs to see what has changed.

    Nobody asked for that who measures in a folder that was unpacked. Those of the user or the system may run.
    """
    told = git(folder, "config", "--list", "--includes", "--show-scope", "-z", seconds=_STANDING_SECONDS).split("\0")
    return any(
        scope not in ("system", "global") and setting.startswith("filter.")
        for scope, setting in zip(told[::2], told[1::2], strict=False)
    )

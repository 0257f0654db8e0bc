"""What a project's files say of the libraries that it needs: whether two revisions can share one environment."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import msgspec

from nqperf.formats.reading import WHOLE_BYTES, exists, read_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Files that name libraries with nothing else in them; pyproject.toml has more, of which only some tables count.
_WHOLE = ("setup.cfg", "setup.py", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock", "environment.yml")
_PROJECT = ("dependencies", "optional-dependencies", "requires-python")


def dependency_digest(root: Path) -> str:
    """Return a checksum of what the project at `root` says of its libraries; equal ones can share an environment.

    Shapes: 64 hexadecimal digits. A file that cannot be read counts as its own bytes or as absent.
    """
    digest = hashlib.sha256()
    for path in [*(root / name for name in _WHOLE), *sorted(root.glob("requirements*.txt"))]:
        if exists(path) and path.is_file():
            content = read_whole(path, what="a file of the project's dependencies", limit=WHOLE_BYTES)
            digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
    path = root / "pyproject.toml"
    if exists(path) and path.is_file():
        content = read_whole(path, what="the project's pyproject.toml", limit=WHOLE_BYTES)
        digest.update(_tables(content))
    return digest.hexdigest()


def _tables(content: bytes) -> bytes:
    """Return the tables of pyproject.toml that name libraries; the whole file where it cannot be taken apart."""
    try:
        document: dict[str, Any] = tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        return content
    project = document.get("project", {})
    tool = document.get("tool", {})
    named = {name: project.get(name) for name in _PROJECT} if isinstance(project, dict) else project
    poetry = tool.get("poetry", {}) if isinstance(tool, dict) else {}
    wanted = {
        "project": named,
        "groups": document.get("dependency-groups"),
        "build": document.get("build-system"),
        "poetry": {key: value for key, value in poetry.items() if "dependencies" in key or key == "group"}
        if isinstance(poetry, dict)
        else poetry,
    }
    return msgspec.json.encode(wanted, order="sorted", enc_hook=str)

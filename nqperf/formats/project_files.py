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


def to_install(root: Path) -> tuple[str, ...]:
    """Return what pip is asked for to install the libraries of the project at `root`; empty where no file names any."""
    path = root / "pyproject.toml"
    tables = b""
    if exists(path) and path.is_file():
        tables = _tables(read_whole(path, what="the project's pyproject.toml", limit=WHOLE_BYTES))
    if tables or (root / "setup.py").is_file():
        return (str(root),)
    requirements = root / "requirements.txt"
    return ("--requirement", str(requirements)) if requirements.is_file() else ()


def _tables(content: bytes) -> bytes:
    """Return the tables of pyproject.toml that name libraries, empty where none does.

    It is the whole file where that cannot be taken apart.
    """
    try:
        document: dict[str, Any] = tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        return content
    if not {"project", "dependency-groups", "build-system"} & document.keys() and not _poetry(document):
        return b""
    project = document.get("project", {})
    named = {name: project.get(name) for name in _PROJECT} if isinstance(project, dict) else project
    poetry = _poetry(document)
    wanted = {
        "project": named,
        "groups": document.get("dependency-groups"),
        "build": document.get("build-system"),
        "poetry": {key: value for key, value in poetry.items() if "dependencies" in key or key == "group"}
        if isinstance(poetry, dict)
        else poetry,
    }
    return msgspec.json.encode(wanted, order="sorted", enc_hook=str)


def _poetry(document: dict[str, Any]) -> Any:
    """Return Poetry's own table of a pyproject.toml."""
    tool = document.get("tool", {})
    return tool.get("poetry", {}) if isinstance(tool, dict) else {}

"""What pyproject.toml says of the gate's options, as defaults of the commands that have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nqperf.formats.project_toml import find_project, read_project_options

# The option of a command that has another name than the table's key.
_NAMES = {"save_results": "out", "track": "tracked"}


def defaults(command: str) -> dict[str, Any]:
    """Return the options of `[tool.nqperf]` in the pyproject.toml of this folder or above it, by those of `command`.

    The file of the suite's record is not that of a comparison. Raises: FormatError for a table that cannot be used.
    """
    path = find_project(Path.cwd())
    found = {} if path is None else read_project_options(path)
    if command == "ab":
        found.pop("save_results", None)
    return {_NAMES.get(name, name): value for name, value in found.items()}

"""The oldest versions that pyproject.toml promises to work with, one `name==version` a line, for pip-audit.

`python -m tests.oldest FILE` writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def oldest() -> Iterator[str]:
    """Yield the lowest version of each requirement that is for this Python; the package itself is none."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    for line in dict.fromkeys(lines):
        requirement = Requirement(line)
        if requirement.name == project["name"] or not (requirement.marker is None or requirement.marker.evaluate()):
            continue
        lowest = [each.version for each in requirement.specifier if each.operator in {">=", "=="}]
        if len(lowest) != 1:
            raise ValueError(f"{PROJECT.name}: {line}; expected one lowest version")
        yield f"{requirement.name}=={lowest[0]}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(dict.fromkeys(oldest())) + "\n")

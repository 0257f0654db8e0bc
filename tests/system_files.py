"""What Linux tells of itself by files: made up, and the real processes."""

import contextlib
import os
import sys
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's files")


def write(root, files):
    """Write texts by their paths below `root`, and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def children() -> list[int]:
    """Return the processes that this one has started and that have not ended, the oldest first.

    Their numbers alone do not tell: they begin anew when the largest was given.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = path.read_text().rpartition(")")[2].split()
            state, parent, began = fields[0], int(fields[1]), int(fields[19])
            if parent == os.getpid() and state != "Z":
                found.append((began, int(path.parent.name)))
    return [number for _, number in sorted(found)]

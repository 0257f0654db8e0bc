"""Files as Linux tells of itself by them, made up."""

import sys

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's files")


def write(root, files):
    """Write texts by their paths below `root`, and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root

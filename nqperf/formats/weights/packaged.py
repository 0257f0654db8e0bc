"""The model that comes with the package, and its name, which stands for its folder wherever a model folder is named."""

from __future__ import annotations

from pathlib import Path

PACKAGED = "nq-mini"
PACKAGED_MODEL = Path(__file__).parents[2] / "models" / PACKAGED


def named_path(path: Path | str) -> Path:
    """Return `path`; where it is `nq-mini`, and nothing of that name is there, the packaged model's.

    >>> named_path("nq-mini") == PACKAGED_MODEL
    True
    """
    found = Path(path)
    return PACKAGED_MODEL if str(path) == PACKAGED and not found.exists() else found

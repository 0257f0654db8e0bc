"""The model that comes with the package, and its name, which stands for its folder wherever a model folder is named."""

from __future__ import annotations

import difflib
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


def meant_folder(path: Path, *holds: str) -> str:
    """Return which model folder `path`, which is none, may mean; where none is near, what one `holds` first of all."""
    beside = [each.name for each in sorted(path.parent.glob("*")) if (each / holds[0]).is_file()]
    if near := difflib.get_close_matches(path.name, beside, n=1):
        return f"did you mean {path.with_name(near[0])}?"
    packaged = f"{PACKAGED}, the packaged model"
    if difflib.get_close_matches(str(path), [PACKAGED]):
        return f"did you mean {packaged}?"
    return f"expected a model folder with {' and '.join(holds)}, or {packaged}"

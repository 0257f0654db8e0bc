"""The job summary of GitHub Actions: Markdown appended to the file that GITHUB_STEP_SUMMARY names."""

from __future__ import annotations

import os
from pathlib import Path

from nqperf.errors import FormatError

VARIABLE = "GITHUB_STEP_SUMMARY"


def step_summary_fault() -> str | None:
    """Return why the job summary cannot be written, None where it can, and outside of GitHub Actions."""
    try:
        append_step_summary("")
    except FormatError as error:
        return str(error)
    return None


def append_step_summary(markdown: str) -> None:
    """Append `markdown` to the job summary; do nothing outside of GitHub Actions.

    Raises: FormatError when the file cannot be written.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(markdown)
    except OSError as error:
        raise FormatError(
            f"cannot be written ({error.strerror}): set {VARIABLE} to a file, or unset it", path=name
        ) from error

"""A comparison of two revisions as a comment on a pull request: `python -m nqperf.report.comment gate.json`.

The file comes from a job that ran a stranger's code. So it is read as data of a checked form, its text is escaped, and
what is too long for a comment is cut.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nqperf.errors import NqPerfError
from nqperf.formats.results.revisions_json import read_revisions
from nqperf.records.revisions import RevisionResults
from nqperf.report.revisions import revisions_markdown

# By it an earlier comment is found, which is then replaced.
MARK = "<!-- nqperf gate -->"
# GitHub takes 65,536 letters.
_LETTERS = 60_000


def comment(results: RevisionResults) -> str:
    """Return the comment that says what `results` found."""
    text = f"{MARK}\n{revisions_markdown(results)}"
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}\n\n(cut: the whole record is the run's artifact)\n"


def main() -> None:
    """Print the comment on the file that the command line names; a file that cannot be read ends with 2 and a line."""
    if len(sys.argv) != 2:  # noqa: PLR2004  # the module and the file
        sys.exit("expected the file of one comparison, as `nqperf bench --base REVISION --out FILE` writes it")
    try:
        sys.stdout.write(comment(read_revisions(Path(sys.argv[1]))))
    except NqPerfError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()

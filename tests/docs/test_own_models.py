"""The page on models of one's own: its commands, in an empty folder, with the exit codes that it tells."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "own-models.md").read_text()
FILES = dict(re.findall(r'^```python title="(.*?)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))
SESSIONS = re.findall(r"^<!-- session: (\d) -->\n```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_command_of_the_page_is_in_a_session():
    assert set(FILES) == {"mytext.py", "myvision.py"}
    assert sum(text.count("\n") for _, text in SESSIONS) == PAGE.count("\nnqperf ") + PAGE.count("\npython ")


@pytest.mark.slow(130)
def test_the_commands_end_as_the_page_says(tmp_path):
    """Rows are timed in one round each: what is measured is not the page's."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for code, text in SESSIONS:
        for line in text.splitlines():
            program, *rest = shlex.split(line)
            rest += ["--rounds", "1"] if rest[0] == "bench" else []
            start = [sys.executable] if program == "python" else [sys.executable, "-m", "nqperf.cli.main"]
            done = subprocess.run(
                [*start, *rest], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400
            )
            assert done.returncode == int(code), f"{line}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "mytext.py").read_text() != FILES["mytext.py"]
    assert (tmp_path / "text.html").read_text().startswith("<!doctype html>")

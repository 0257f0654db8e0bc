"""The page on models of one's own: its commands, in an empty folder, with the exit codes that it tells."""

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "own-models.md").read_text()
FILES = dict(re.findall(r'^```python title="(.*?)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))
SESSIONS = re.findall(r"^<!-- session: (\d) -->\n```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_command_of_the_page_is_in_a_session():
    assert set(FILES) == {"mytext.py", "myvision.py"}
    assert sum(text.count("\n") for _, text in SESSIONS) == PAGE.count("\nnqperf ") + PAGE.count("\npython ")


def run_page(folder, *, leave_out=()):
    """Run the page's commands in an empty folder, but for those of nqperf that are left out."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for code, text in SESSIONS:
        for line in text.splitlines():
            program, *rest = shlex.split(line)
            if rest[0] in leave_out:
                continue
            start = [sys.executable] if program == "python" else [sys.executable, "-m", "nqperf.cli.main"]
            done = subprocess.run([*start, *rest], cwd=folder, capture_output=True, text=True, check=False, timeout=400)
            assert done.returncode == int(code), f"{line}\n{done.stdout}\n{done.stderr}"
    assert (folder / "mytext.py").read_text() != FILES["mytext.py"]


@pytest.mark.slow(50)
def test_the_commands_end_as_the_page_says(tmp_path):
    """Without those that measure, which take minutes: `python -m tests.docs.test_own_models` runs all, each night."""
    run_page(tmp_path, leave_out={"bench"})


def main():
    with tempfile.TemporaryDirectory() as folder:
        run_page(Path(folder))
        assert (Path(folder) / "text.html").read_text().startswith("<!doctype html>")


if __name__ == "__main__":
    main()

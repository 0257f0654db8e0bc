"""Closed streams, a terminal that has gone, a working directory that was removed: the exit code says what was."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nqperf
from nqperf.cli import signals
from nqperf.cli.console import progress
from nqperf.errors import Interrupted

ROOT = Path(nqperf.__file__).parents[1]
NQPERF = f"{shlex.quote(sys.executable)} -m nqperf.cli.main"


def shell(script, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_streams_change_no_exit_code(closed, tmp_path):
    done = shell(f"{NQPERF} evaluate --gold none --predictions none {closed}", tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert shell(f"{NQPERF} --version {closed}", tmp_path).returncode == 0


def test_no_output_takes_the_place_of_a_closed_stream(tmp_path):
    """A file that is opened while standard error is closed would get its number, and the warnings of libraries."""
    script = (
        "from nqperf.cli.start_up import open_closed_streams; import os, sys; open_closed_streams();"
        "file = open('out', 'w'); os.write(2, b'a warning'); file.write('whole'); assert file.fileno() > 2"
    )
    done = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(script)} <&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "out").read_text() == "whole"


def test_a_removed_working_directory_is_no_traceback(tmp_path):
    (tmp_path / "gone").mkdir()
    done = shell(f"rmdir ../gone; {NQPERF} evaluate --gold none --predictions none", tmp_path / "gone")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_the_end_of_a_terminal_ends_the_program_as_sigterm_does():
    assert set(signals.ENDING) == {signal.SIGTERM, signal.SIGHUP}
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        with pytest.raises(Interrupted) as caught, signals.handling(signals.end_now, *signals.ENDING):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert caught.value.signum == signal.SIGHUP


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.handling(signals.end_now, *signals.ENDING):
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("setting", ["TERM=xterm-256color", "NO_COLOR=1 TERM=xterm-256color", "TERM=dumb"])
def test_a_terminal_shows_what_is_done_on_standard_error_and_takes_it_away(setting, tmp_path):
    import pty

    script = (
        "from nqperf.casts.telling import tell; from nqperf.cli.console import users_code, work_shown\n"
        "import sys\n"
        "with users_code(), work_shown():\n"
        "    tell('tracing', 'mixed_float16 [red]'); print('a user\\'s word')\n"
        "sys.stdout.write('the result')"
    )
    ours, theirs = pty.openpty()
    command = ["/usr/bin/env", "-u", "NO_COLOR", *setting.split(), sys.executable, "-c", script]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path, text=True, check=False)
    os.close(theirs)
    seen = os.read(ours, 1 << 20).decode()
    os.close(ours)
    assert (done.returncode, done.stdout) == (0, "the result")
    assert "a user's word" in seen
    assert ("tracing mixed_float16 [red]" in seen) == (
        "dumb" not in setting
    )  # a dumb one is a log: too soon for a line
    assert ("\x1b[32m" in seen) == (setting == "TERM=xterm-256color")
    assert ("\x1b" in seen) == ("dumb" not in setting)


def test_what_is_done_is_heard_while_native_codes_lines_are_held_back(tmp_path):
    script = (
        "import os; from nqperf.cli import start_up; start_up.hold_back(); out = start_up.screen()\n"
        "with start_up.quiet_start_up():\n"
        "    os.write(2, b'native'); print('heard', file=out, flush=True)\n"
        "print('after', file=out, flush=True)"
    )
    done = shell(f"unset TF_CPP_MIN_LOG_LEVEL; {shlex.quote(sys.executable)} -c {shlex.quote(script)}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "heard\nafter\n")


def test_a_log_is_told_how_far_a_command_is_once_nothing_was_said_for_a_while(monkeypatch, capsys):
    totals = {"examples": 40, "windows": None}
    with progress(totals, quiet=False) as advance:
        advance("examples", 3)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("nqperf.cli.console.SECONDS_SILENT", 0.0)
    with progress(totals, quiet=False) as advance:
        advance("examples", 3)
        advance("windows", 7)
        advance("examples", 2)
    assert capsys.readouterr().err.splitlines() == [
        "nqperf: examples 3 of 40",
        "nqperf: windows 7",
        "nqperf: examples 5 of 40",
    ]
    with progress(totals, quiet=True) as advance:
        advance("examples", 3)
    assert capsys.readouterr().err == ""

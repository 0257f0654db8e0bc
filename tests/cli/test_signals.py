"""Signals that ask the program to end, where they come at a bad moment."""

import importlib
import os
import signal
import sys
import time

import pytest

from nqperf.cli import stages
from nqperf.cli.main import main
from nqperf.cli.signals import end_now, ending_between_shards, handling
from nqperf.errors import Interrupted
from tests.documents import river_examples, write_lines

SHORT_WINDOWS = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12")

ENDED_IN_THE_MIDST = """
import os, signal
os.kill(os.getpid(), signal.{})
for _ in range(1000):  # a handler runs between two of these
    pass
whole = True
"""
RAISED = {signal.SIGTERM: Interrupted, signal.SIGINT: KeyboardInterrupt}


@pytest.fixture(autouse=True)
def no_signal_is_ignored():
    """What a shell runs in the background ignores SIGINT."""
    usual = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {signum: signal.signal(signum, handler) for signum, handler in usual.items()}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize(("signum", "error"), RAISED.items())
def test_an_import_is_whole_before_a_signal_ends_the_program(signum, error, tmp_path, monkeypatch):
    (tmp_path / "ended_in_the_midst.py").write_text(ENDED_IN_THE_MIDST.format(signum.name))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ended_in_the_midst", raising=False)

    def imported_and_waited():
        assert importlib.import_module("ended_in_the_midst").whole
        time.sleep(30)

    with handling(end_now, signum), pytest.raises(error):
        imported_and_waited()
    assert sys.modules["ended_in_the_midst"].whole


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize(("signum", "error"), RAISED.items())
def test_elsewhere_a_signal_ends_it_at_once(signum, error):
    def killed_and_waited():
        os.kill(os.getpid(), signum)
        time.sleep(30)

    with handling(end_now, signum), pytest.raises(error):
        killed_and_waited()


class Ending:
    """Its finaliser gets the signal `signum`, and Python ignores what a finaliser raises."""

    def __init__(self, signum):
        self.signum = signum

    def __del__(self):
        os.kill(os.getpid(), self.signum)
        for _ in range(1000):  # a handler runs between two of these
            pass


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("signum", RAISED)
@pytest.mark.parametrize("examples", [0, 2])
def test_a_signal_whose_exception_was_lost_ends_the_run_as_interrupted(
    signum, examples, tmp_path, model_folder, monkeypatch, capsys
):
    """Without examples the run ends by an error of its own, with some by itself."""
    lost = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: lost.append(ignored.exc_type))
    prepare = stages.prepare

    def prepared(*given):
        Ending(signum)
        return prepare(*given)

    monkeypatch.setattr(stages, "prepare", prepared)
    data = write_lines(tmp_path / "data.jsonl", river_examples(examples))
    out = tmp_path / "f.tfrecord"
    arguments = ["prepare", data, "--tokenizer", model_folder, "--out", out, *SHORT_WINDOWS, "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert lost == [RAISED[signum]]
    assert ended.value.code == 128 + signum
    assert "nqperf: interrupted; nothing was left half-written" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == ([data, out] if examples else [data])


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("signum", RAISED)
def test_the_second_signal_between_shards_is_told_as_an_interruption(signum, capfd):
    """click takes a KeyboardInterrupt for its own: what was kept was not said."""

    def killed_and_waited():
        os.kill(os.getpid(), signum)
        time.sleep(30)

    with ending_between_shards() as end_if_asked:
        os.kill(os.getpid(), signum)
        assert "once more to end at once" in capfd.readouterr().err
        with pytest.raises(Interrupted) as second:
            killed_and_waited()
        assert second.value.signum == signum
        with pytest.raises(Interrupted):
            end_if_asked()

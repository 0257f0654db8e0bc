"""Signals that ask the program to end, where they come at a bad moment."""

import importlib
import os
import signal
import sys
import time

import pytest

from nqperf.cli.signals import end_now, handling
from nqperf.errors import Interrupted

ENDED_IN_THE_MIDST = """
import os, signal
os.kill(os.getpid(), signal.SIGTERM)
for _ in range(1000):  # a handler runs between two of these
    pass
whole = True
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_an_import_is_whole_before_a_signal_ends_the_program(tmp_path, monkeypatch):
    (tmp_path / "ended_in_the_midst.py").write_text(ENDED_IN_THE_MIDST)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ended_in_the_midst", raising=False)

    def imported_and_waited():
        assert importlib.import_module("ended_in_the_midst").whole
        time.sleep(30)

    with handling(end_now, signal.SIGTERM), pytest.raises(Interrupted):
        imported_and_waited()
    assert sys.modules["ended_in_the_midst"].whole


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_elsewhere_a_signal_ends_it_at_once():
    def killed_and_waited():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

    with handling(end_now, signal.SIGTERM), pytest.raises(Interrupted):
        killed_and_waited()

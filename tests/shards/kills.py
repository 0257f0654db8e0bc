"""Runs that are killed at random moments and started again: `python -m tests.shards.kills DATA MODEL [KILLS] [TERMS]`.

The runs are forked off a process that has imported TensorFlow already, so that a kill costs two seconds and not six.
"""

import importlib
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from nqperf.cli.main import main

FILES = ("features.tfrecord", "logits.npz", "predictions.json", "metrics.json")
SHORT_WINDOWS = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12", "--batch-size", "4")


def start(arguments):
    """Start a command in a forked process; return its number."""
    importlib.import_module("tensorflow")
    child = os.fork()
    if child:
        return child
    try:
        main([str(argument) for argument in arguments])
        os._exit(0)
    except SystemExit as leave:
        os._exit(leave.code or 0)
    finally:
        os._exit(70)


def ended(child, *, wait=False):
    """Return whether a process has ended, and its status then: an exit code, or the signal below 0."""
    found, status = os.waitpid(child, 0 if wait else os.WNOHANG)
    return None if not found else os.waitstatus_to_exitcode(status)


def at_work(out, child):
    """Wait until a run has its work folder; return when that was."""
    while not (out / "work" / "lock").exists():
        assert ended(child) is None, "it ended before it began"
        time.sleep(0.002)
    return time.monotonic()


def contents(out):
    return {name: (out / name).read_bytes() for name in FILES if (out / name).exists()}


def kill_and_go_on(arguments, out, *, kills, signum, seed):
    """Start a run into `out`, end it by a signal after random times, start it again, ..., and let the last one end.

    When a run ends before its kill, its files are compared and another one begins. Return the files of the undisturbed
    run, those of every run that ended, and how the others did.
    """
    rng = random.Random(seed)
    command = ["run", *arguments, "--out", out, "--quiet"]
    child = start(command)
    began = at_work(out, child)
    assert ended(child, wait=True) == 0
    longest = time.monotonic() - began
    undisturbed = contents(out)
    shutil.rmtree(out)
    found, statuses = [], []
    while len(statuses) < kills:
        child = start(command)
        until = at_work(out, child) + rng.uniform(0, longest)
        status = None
        while status is None and time.monotonic() < until:
            time.sleep(0.002)
            status = ended(child)
        if status is None:
            os.kill(child, signum)
            status = ended(child, wait=True)
        if status == 0:
            found.append(contents(out))
            assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "run.json"])
            shutil.rmtree(out)
        else:
            statuses.append(status)
    assert ended(start(command), wait=True) == 0
    found.append(contents(out))
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "run.json"])
    return undisturbed, found, statuses


if __name__ == "__main__":
    data, model = sys.argv[1:3]
    for signum, count in zip(
        (signal.SIGKILL, signal.SIGTERM), itertools.chain(map(int, sys.argv[3:]), (100, 20)), strict=False
    ):
        out = Path(tempfile.mkdtemp()) / "out"
        arguments = [data, "--model", model, "--shard-examples", "2", *SHORT_WINDOWS]
        undisturbed, found, statuses = kill_and_go_on(arguments, out, kills=count, signum=signum, seed=count)
        same = sum(one == undisturbed for one in found)
        ways = {status: statuses.count(status) for status in set(statuses)}
        name = signal.Signals(signum).name
        sys.stdout.write(f"{name}: {count} starts ended {ways}; {same} of {len(found)} runs equal\n")
        sys.stdout.flush()

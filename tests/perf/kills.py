"""Commands that are ended at random moments and started again: `python -m tests.perf.kills OUT [MOMENTS] [COMMAND...]`.

Each is ended by SIGKILL or SIGHUP, on a full disk, or with its standard streams closed. Then no process of it may be
left, no output may be there in part, and the same command must go on to its end and leave nothing behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import nqperf

ROOT = Path(nqperf.__file__).parents[1]
WINDOWS = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12", "--batch-size", "4")
# No process of these starts TensorFlow, which would take most of the time.
SHORT = (*WINDOWS, "--engine", "onnxruntime", "--quiet")
FAST = ("--baseline", "onnxruntime", "--variants", "openvino")
BRIEF = ("--max-seq-length", "96", *FAST, "--budget", "300", "--rounds", "2", "--quiet")
MARK = "NQPERF_KILLS"
KINDS = ("SIGKILL", "SIGHUP", "full disk", "closed streams")
# What an ended command may say: that it was ended, that its reader or its disk is gone, or nothing at all.
GRACE_SECONDS = 15
# Changes the process and then becomes the command; only of a process of its own can a file's size be bounded.
LAUNCHER = """
import os, resource, signal, sys
kind, largest, *command = sys.argv[1:]
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if kind == "full disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), int(largest)))
if kind == "closed streams":
    os.close(1)
    os.close(2)
os.execv(command[0], command)
"""


class Trial:
    """One command, its outputs in a folder of its own."""

    def __init__(self, name: str, folder: Path, data: Path, model: Path) -> None:
        self.name, self.folder = name, folder
        self.out, self.temporary = folder / "out", folder / "tmp"
        self.out.mkdir(parents=True)
        self.temporary.mkdir()
        self.mark = secrets.token_hex(8)
        self.command = {
            "run": ("run", data, "--model", model, "--out", self.out / "run", "--shard-examples", "2", *SHORT),
            "bench": ("bench", data, "--model", model, "--out", self.out / "bench.json", *BRIEF),
            "tune": ("tune", model, data, "--out", self.out / "recipe.toml", *BRIEF),
        }[name]

    def start(self, kind: str = "", largest: int = 0) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "nqperf.cli.main", *map(str, self.command)]
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, kind, str(largest), *program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, MARK: self.mark, "TMPDIR": str(self.temporary)},
            start_new_session=True,
        )

    def left(self) -> list[str]:
        """Return the commands of processes that are left of this trial."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                mine = entry.name.isdigit() and f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes()
                if mine and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:150])
        return found

    def orphans(self) -> list[str]:
        """Return what is left when a while has gone; a worker sees at its next message that its parent is gone."""
        until = time.monotonic() + GRACE_SECONDS
        while (found := self.left()) and time.monotonic() < until:
            time.sleep(0.2)
        return found

    def halves(self) -> list[str]:
        """Return the outputs that cannot be read; what is unfinished has a name that says so."""
        found = []
        for path in self.out.rglob("*"):
            if path.is_file() and not path.name.startswith(".") and "lock" not in path.name:
                try:
                    _read(path)
                except Exception as error:  # noqa: BLE001  # whatever it is, it is a fault
                    found.append(f"{path.relative_to(self.out)}: {error}")
        return found

    def remains(self) -> list[str]:
        """Return what is left in the temporary folder, and what is unfinished among the outputs."""
        names = [path.name for path in self.temporary.iterdir()]
        return names + [path.name for path in self.out.rglob("*.nqperf.partial")]


def _read(path: Path) -> None:
    if path.suffix == ".json":
        json.loads(path.read_bytes())
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            for name in arrays.files:
                arrays[name]
    elif not path.read_bytes().endswith(b"\n") and path.suffix == ".toml":
        raise ValueError("it ends within a line")


def end_and_go_on(trial: Trial, kind: str, after: float, largest: int) -> list[str]:
    """Start, end after so many seconds, and start again; return all that was wrong."""
    process = trial.start(kind, largest)
    faults = []
    try:
        process.communicate(timeout=after if kind.startswith("SIG") else 300)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.Signals[kind] if kind.startswith("SIG") else signal.SIGKILL)
        said = process.communicate(timeout=60)[0].decode(errors="replace")
        if kind == "SIGHUP" and (process.returncode != 128 + signal.SIGHUP or "Traceback" in said):
            faults.append(f"status {process.returncode}: {said[-300:]}")
    if kind == "full disk" and process.returncode not in (0, 1, 2, 3):
        faults.append(f"status {process.returncode}")
    faults += [f"left: {one}" for one in trial.orphans()] + [f"half: {one}" for one in trial.halves()]
    again = trial.start()
    said = again.communicate(timeout=300)[0].decode(errors="replace")
    if again.returncode not in (0, 1, 3) or "Traceback" in said:
        faults.append(f"again: status {again.returncode}: {said[-300:]}")
    faults += [f"left again: {one}" for one in trial.orphans()] + [f"half again: {one}" for one in trial.halves()]
    return faults + [f"remains: {one}" for one in trial.remains()]


def try_moments(names: list[str], moments: int, folder: Path, data: Path, model: Path, seed: int = 0) -> list[str]:
    """End the commands `names` in turns at so many moments; return all that was wrong."""
    source = random.Random(seed)
    lengths = {}
    faults, done = [], Counter()
    for name in names:
        trial = Trial(name, folder / f"whole-{name}", data, model)
        began = time.monotonic()
        process = trial.start()
        said = process.communicate(timeout=300)[0].decode(errors="replace")
        lengths[name] = time.monotonic() - began
        if process.returncode not in (0, 1, 3):
            faults.append(f"{name}: whole: status {process.returncode}: {said[-500:]}")
    for number in range(moments):
        name, kind = names[number % len(names)], KINDS[number // len(names) % len(KINDS)]
        trial = Trial(name, folder / f"{number}-{name}", data, model)
        after, largest = source.uniform(0.1, lengths[name]), source.choice((1, 100, 1000, 10_000))
        found = end_and_go_on(trial, kind, after, largest)
        faults += [f"{name}, {kind}, {after:.1f} s, {largest} bytes: {one}" for one in found]
        done[name, kind] += 1
        sys.stderr.write(f"{number} {name} {kind} {after:.1f}/{lengths[name]:.1f} s: {found or 'holds'}\n")
        shutil.rmtree(trial.folder, ignore_errors=True)
    return faults


def main() -> None:
    folder, moments = Path(sys.argv[1]), int(sys.argv[2])
    names = sys.argv[3:] or ["run", "bench", "tune"]
    faults = try_moments(names, moments, folder / "work", folder / "rivers.jsonl", folder / "tiny")
    sys.stdout.write(f"{moments} moments of {', '.join(names)}: {len(faults)} faults\n" + "\n".join(faults) + "\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()

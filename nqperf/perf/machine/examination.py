"""The machine as it is by default: its fingerprint, and what TensorFlow was seen to do on it.

Nothing here is derived from an architecture's name: which kernels, types and tools there are is tried out, in processes
with the environment of the baseline's worker. What rows require, and `doctor` says, is read from it.
"""

from __future__ import annotations

import functools
import re
import signal
import subprocess
from itertools import takewhile

import msgspec

from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.engines.state import EngineState
from nqperf.errors import NqPerfError
from nqperf.perf.machine.environment import python_command, worker_environment
from nqperf.perf.machine.probe import APART, MARK, STEPS, Finding
from nqperf.records.results import Fingerprint

# oneDNN then says which instruction sets it uses; nothing else tells.
_VERBOSE = {"ONEDNN_VERBOSE": "1"}
_ISA = re.compile(r"^onednn_verbose,(?:v\d+,)?info,cpu,isa:(.*)$", re.MULTILINE)
PROBE_SECONDS = 300.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's fingerprint and what was seen of it by default; None where it could not be seen, and `faults` why.

    `onednn` tells whether its kernels compute, `onednn_isa` which instruction sets it says it uses. `grappler` changes
    graphs, `xla` compiles functions, `tf32` rounds matrix products where it may. `float16` and `bfloat16` are
    between what a matrix product in them is how many times as fast as in float32. `bfloat16_softmax` equals the
    float32 one rounded. `openvino_int8` and the next two tell whether OpenVINO multiplies so. `malloc` names the
    library that serves memory, `keeps_memory` tells whether it keeps large blocks that were freed.
    """

    fingerprint: Fingerprint
    onednn: bool | None = None
    onednn_isa: str | None = None
    grappler: bool | None = None
    xla: bool | None = None
    tf32: bool | None = None
    float16: tuple[float, float] | None = None
    bfloat16: tuple[float, float] | None = None
    bfloat16_softmax: bool | None = None
    openvino_int8: bool | None = None
    openvino_bfloat16: bool | None = None
    openvino_int8_bfloat16: bool | None = None
    malloc: str | None = None
    keeps_memory: bool | None = None
    faults: dict[str, str] = msgspec.field(default_factory=dict)

    def seen_by(self, baseline: EngineState) -> Machine:
        """Return the machine with what the baseline itself was seen to do, which holds where a small layer misleads."""
        own = baseline.own
        return msgspec.structs.replace(
            self,
            onednn=own["onednn_ops"] > 0 if "onednn_ops" in own else self.onednn,
            grappler=own["rewritten_nodes"] > 0 if "rewritten_nodes" in own else self.grappler,
            keeps_memory=self.keeps_memory if baseline.keeps_memory is None else baseline.keeps_memory,
        )

    @property
    def on_x86_linux(self) -> bool:
        """Whether TensorFlow's wheels for this system can turn oneDNN on."""
        return self.fingerprint.system == "Linux" and self.fingerprint.machine.lower() in ("x86_64", "amd64")


def look_at_machine(*, timeout: float = PROBE_SECONDS) -> Machine:
    """Return what this machine is and does, looked at in processes that are ended after `timeout` seconds.

    Raises: NqPerfError when TensorFlow cannot even say on which device it runs.
    """
    environment = {**worker_environment(find_engine(DEFAULT_ENGINE), {}), **_VERBOSE}
    return _look(frozenset(environment.items()), timeout)


@functools.cache
def _look(variables: frozenset[tuple[str, str]], timeout: float) -> Machine:
    """Return what is seen with these variables in the environment; within one process a machine stays what it is."""
    environment = dict(variables)
    findings: list[Finding] = []
    isa: str | None = None
    while len(findings) < len(STEPS):
        steps = _together(list(STEPS)[len(findings) :])
        ended, said, words = _run(steps, environment, timeout)
        found = [msgspec.json.decode(line, type=Finding) for line in said.splitlines() if line]
        isa = isa or words
        if len(found) < len(steps):  # the process ended within a step; what is behind that step is tried without it
            found.append(Finding(step=steps[len(found)], fault=ended))
        findings += found
    return _machine(findings, isa)


def _together(left: list[str]) -> list[str]:
    """Return which of the steps that are left the next process does."""
    return list(takewhile(lambda step: (step in APART) == (left[0] in APART), left))


def _machine(findings: list[Finding], isa: str | None) -> Machine:
    """Return what the findings come to."""
    faults = {finding.step: finding.fault for finding in findings if finding.fault}
    seen = {name: value for finding in findings for name, value in finding.seen.items()}
    if "fingerprint" not in seen:
        raise NqPerfError(
            f"TensorFlow cannot be looked at on this machine: {faults['fingerprint']}; "
            "expected `python -c 'import tensorflow'` to end without an error"
        )
    machine = msgspec.convert({**seen, "onednn_isa": isa, "faults": faults}, Machine)
    onednn = None if machine.onednn is None else "on" if machine.onednn else "off"
    states = {"onednn": onednn, "onednn_isa": isa if machine.onednn else None}
    fingerprint = msgspec.structs.replace(
        machine.fingerprint,
        states={name: value for name, value in states.items() if value},
        observed={**machine.fingerprint.observed, "malloc": machine.malloc or "unknown"},
    )
    return msgspec.structs.replace(machine, fingerprint=fingerprint)


def _run(steps: list[str], environment: dict[str, str], timeout: float) -> tuple[str, str, str | None]:
    """Return how a process that does `steps` ended, the lines of its findings, and what oneDNN said of itself."""
    command = python_command("nqperf.perf.machine.probe", *steps)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=timeout, check=False)
        status, output, errors = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        status, output, errors = None, late.stdout or b"", late.stderr or b""
    text, words = output.decode(errors="replace"), errors.decode(errors="replace").strip().splitlines()
    found = [line.removeprefix(MARK) for line in text.splitlines() if line.startswith(MARK)]
    isa = _ISA.search(text)
    return _ending(status, words, timeout), "\n".join(found), isa[1].strip() if isa else None


def _ending(status: int | None, words: list[str], timeout: float) -> str:
    """Return how a process ended, in words."""
    if status is None:
        return f"no answer within {timeout:g} s"
    # The C++ library's report of an exception that nobody caught starts with "what():".
    last = f": {words[-1].strip().removeprefix('what():').strip().partition('. ')[0]}" if words else ""
    if status < 0:
        return f"the process was ended by {signal.Signals(-status).name}{last}"
    return f"the process ended with exit status {status}{last}"

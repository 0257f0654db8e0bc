"""The machine as it is by default: its fingerprint, and what each engine was seen to do on it.

Nothing here is derived from an architecture's name: which kernels, types and tools there are is tried out, in a process
of each engine with the environment that its workers have. What rows require, and `doctor` says, is read from it.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from nqperf.engines.probe import Machine, Sight
from nqperf.engines.registry import DEFAULT_ENGINE, ENGINES, EngineRow, find_engine
from nqperf.engines.state import EngineState
from nqperf.errors import DeviceError, NqPerfError
from nqperf.formats.files import scratch_folder
from nqperf.perf.machine.environment import python_command, worker_environment
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.machine.git_command import commit_at
from nqperf.perf.machine.gpus import listed_gpus
from nqperf.perf.machine.probe import FINGERPRINT, MARK, MEMORY, Finding
from nqperf.records.results import Fingerprint

PROBE_SECONDS = 300.0


def look_at_machine(
    baseline: str = DEFAULT_ENGINE, *, engines: Collection[str] | None = None, timeout: float = PROBE_SECONDS
) -> Machine:
    """Return what this machine is and does, looked at in processes that are ended after `timeout` seconds.

    `baseline` is the engine that says on which device it computes. Beside it, the `engines` of these names are looked
    at as far as they are installed; None is all of them.
    Raises: NqPerfError when the baseline's engine is not installed, or cannot even say so.
    """
    row = find_engine(baseline)
    row.require()
    return _look(tuple(_looks(row, ENGINES if engines is None else engines, timeout)))


def device_fingerprint(baseline: str = DEFAULT_ENGINE) -> Fingerprint:
    """Return the fingerprint of the device that the baseline's engine computes on; `baseline` is that engine.

    No process is started for it where the driver lists no GPU, for then there is none to ask about.
    Raises: NqPerfError as `look_at_machine`.
    """
    listed = take_fingerprint()
    return look_at_machine(baseline).fingerprint if listed.gpus else listed


def usual_engine() -> str:
    """Return the engine of the table's own baseline, or where that is not installed, the first one that is."""
    installed = (row.name for row in ENGINES.values() if row.missing() is None)
    return DEFAULT_ENGINE if find_engine(DEFAULT_ENGINE).missing() is None else next(installed, DEFAULT_ENGINE)


def require_device(wanted: str | None, machine: Machine) -> None:
    """Raise unless the baseline's engine computes on the device that is `wanted`, on this `machine`; None wants none.

    Raises: DeviceError with what the driver and the engine say.
    """
    if wanted is None or machine.device == wanted:
        return
    if wanted == "cpu":
        names = ", ".join(machine.fingerprint.gpus)
        raise DeviceError(
            f"a CPU is required, and {machine.engine} computes on {names}: hide it (CUDA_VISIBLE_DEVICES=)"
        )
    driver, advice = listed_gpus(), find_engine(machine.engine).probe_of().gpu_advice
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    said = f"the driver lists {', '.join(gpu.name for gpu in driver.gpus)}" if driver.gpus else driver.fault
    if driver.gpus and hidden is not None:
        said = f"{said}, and CUDA_VISIBLE_DEVICES is {hidden!r}"
    raise DeviceError(
        f"a GPU is required, and {machine.engine} sees none: {said}: "
        f"{advice if driver.gpus and advice else 'install its driver, or run where there is one'}"
    )


def seen_by(machine: Machine, baseline: EngineState) -> Machine:
    """Return `machine` with what the `baseline` itself was seen to do, which holds where a small layer misleads.

    Raises: DeviceError when the baseline was not executed on the device that its engine says it computes on.
    """
    if baseline.device not in (None, machine.device):
        on = ", ".join(machine.fingerprint.gpus) or "the CPU"
        raise DeviceError(
            f"the baseline's products are computed on the {baseline.device}, and {baseline.engine} says that it "
            f"computes on {on}: times of the one say nothing of the other; look at `nqperf doctor`"
        )
    sight = machine.of(baseline.engine)
    told = find_engine(baseline.engine).probe_of().seen_by(baseline)
    seen = msgspec.structs.replace(sight, states={**sight.states, **told})
    return msgspec.structs.replace(
        machine,
        sights={**machine.sights, baseline.engine: seen},
        keeps_memory=machine.keeps_memory if baseline.keeps_memory is None else baseline.keeps_memory,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one engine's processes are asked: its steps, in which environment."""

    engine: str
    steps: tuple[str, ...]
    variables: frozenset[tuple[str, str]]
    timeout: float = field(compare=False)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What one engine's processes saw."""

    states: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def _looks(baseline: EngineRow, engines: Collection[str], timeout: float) -> Iterator[_Look]:
    """Yield what is looked at: the machine with the baseline's engine, then those of `engines` that are installed."""
    yield _look_of(baseline, (MEMORY, FINGERPRINT), timeout)
    for row in ENGINES.values():
        if row.name in engines and row.name != baseline.name and row.missing() is None and row.probe_of().steps:
            yield _look_of(row, (), timeout)


def _look_of(row: EngineRow, before: tuple[str, ...], timeout: float) -> _Look:
    probe = row.probe_of()
    environment = {**worker_environment(row, {}), **probe.environment}
    steps, variables = (*before, *probe.steps), frozenset(environment.items())
    return _Look(engine=row.name, steps=steps, variables=variables, timeout=timeout)


def _look(looks: tuple[_Look, ...]) -> Machine:
    """Return what is seen."""
    seen = {look.engine: _seen(look) for look in looks}
    engine = looks[0].engine
    first = seen[engine] = _Seen(states=dict(seen[engine].states), faults=dict(seen[engine].faults))
    if FINGERPRINT not in first.states:
        raise NqPerfError(
            f"{engine} cannot be looked at on this machine: {first.faults[FINGERPRINT]}; "
            f"expected `python -c 'import {next(iter(find_engine(engine).needs), engine)}'` to end without an error"
        )
    fingerprint = msgspec.convert(first.states.pop(FINGERPRINT), Fingerprint)
    malloc, keeps = first.states.pop("malloc", None), first.states.pop("keeps_memory", None)
    faults = {MEMORY: first.faults.pop(MEMORY)} if MEMORY in first.faults else {}
    sights = {name: Sight(states=one.states, faults=one.faults) for name, one in seen.items()}
    return Machine(
        fingerprint=msgspec.structs.replace(
            fingerprint,
            states=find_engine(engine).probe_of().defaults(sights[engine]),
            observed={**fingerprint.observed, "malloc": malloc or "unknown", **commit_at(Path.cwd())},
        ),
        engine=engine,
        malloc=malloc,
        keeps_memory=keeps,
        sights=sights,
        faults=faults,
    )


@functools.cache
def _seen(look: _Look) -> _Seen:
    """Return what the steps of one engine saw; those behind one that ended its process are done in another.

    Within one process a machine stays what it is.
    """
    seen = _Seen()
    left = list(look.steps)
    while left:
        found, ended, heard = _run(look, left)
        if len(found) < len(left):
            found.append(Finding(step=left[len(found)], fault=ended))
        seen.states = {**heard, **seen.states}
        for finding in found:
            seen.states |= finding.seen
            if finding.fault:
                seen.faults[finding.step] = finding.fault
        left = left[len(found) :]
    return seen


def _run(look: _Look, steps: list[str]) -> tuple[list[Finding], str, dict[str, Any]]:
    """Return the findings of a process that does `steps`, how it ended, and what its libraries said of themselves."""
    command = python_command("nqperf.perf.machine.probe", look.engine, *steps)
    try:
        with scratch_folder() as temporary:  # AutoGraph leaves its code behind when its process is killed
            environment = {**dict(look.variables), "TMPDIR": str(temporary)}
            done = subprocess.run(command, env=environment, capture_output=True, timeout=look.timeout, check=False)
        status, output, errors = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        status, output, errors = None, late.stdout or b"", late.stderr or b""
    text, words = output.decode(errors="replace"), errors.decode(errors="replace").strip().splitlines()
    found = [
        msgspec.json.decode(line.removeprefix(MARK), type=Finding)
        for line in text.splitlines()
        if line.startswith(MARK)
    ]
    said = "\n".join((text, *words))
    return found, _ending(status, words, look.timeout), dict(find_engine(look.engine).probe_of().heard(said))


def _ending(status: int | None, words: list[str], timeout: float) -> str:
    """Return how a process ended, in words."""
    if status is None:
        return f"no answer within {timeout:g} s"
    # The C++ library's report of an exception that nobody caught starts with "what():".
    last = f": {words[-1].strip().removeprefix('what():').strip().partition('. ')[0]}" if words else ""
    if status < 0:
        return f"the process was ended by {signal.Signals(-status).name}{last}"
    return f"the process ended with exit status {status}{last}"

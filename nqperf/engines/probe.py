"""What an engine looks at on a machine before any switch is set, and what follows from it for rows and for `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import msgspec

from nqperf.engines.state import EngineState
from nqperf.records.results import Fingerprint

# What a fingerprint has observed of a library on a GPU: for which GPUs its kernels are, as "sm_80 compute_90".
BUILT_FOR = "gpu_code"
# Where a reason names the command that knows more, unless that command says it.
TOLD_BY_DOCTOR = ": nqperf doctor tells what is missing"
# The state of a sight that holds what the library itself says, line by line, of GPUs that it does not use.
GPU_WORDS = "gpu_words"

CheckState = Literal["ok", "missing", "note"]


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one engine: its `states` by name, and in `faults`, by a step's name, why it saw nothing."""

    states: dict[str, Any] = msgspec.field(default_factory=dict)
    faults: dict[str, str] = msgspec.field(default_factory=dict)

    def unseen(self, what: str, step: str) -> str:
        """Return in words that `what`, which `step` looks for, cannot be used."""
        return f"{what} cannot be used here: {self.faults.get(step, 'it was not seen to work')}"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine as it is by default.

    `engine` names the baseline's engine, which says in `fingerprint` on which device it computes. `malloc` names the
    library that serves memory, `keeps_memory` tells whether it keeps large blocks that were freed; None where that
    could not be seen, and `faults` says why by the step. `sights` holds by engine what its probe saw.
    """

    fingerprint: Fingerprint
    engine: str
    malloc: str | None = None
    keeps_memory: bool | None = None
    sights: dict[str, Sight] = msgspec.field(default_factory=dict)
    faults: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def device(self) -> str:
        """The kind of device that the baseline's engine says it computes on: "gpu" or "cpu"."""
        return "gpu" if self.fingerprint.gpus else "cpu"

    def of(self, engine: str) -> Sight:
        """Return what was seen of the engine called `engine`; nothing for one without a probe, or not installed."""
        return self.sights.get(engine) or Sight()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: what was found and what to do about it.

    `name` is the thing's. `state` is "ok", "missing", or "note", which is worth knowing and no fault; `finding` says
    what was found, `advice` what to do, empty where nothing is.
    """

    name: str
    state: CheckState
    finding: str
    advice: str = ""


Step = Callable[[], Mapping[str, Any]]
Rule = Callable[[Machine], str | None]


class Probe:
    """What an engine looks at; one that needs nothing of a machine has none.

    `steps` are done in their order in a process of the engine's own, with its environment and `environment`; each
    returns states by name. A step may end its process: those behind it are done in another one. `rules` says by the
    name of a requirement why a machine does not meet it, or None when it does. `named_rules` take the place of some
    where a row was named: they refuse what cannot run, and let run what cannot pay. `gpu_advice` is what to do where
    the driver lists a GPU and the engine sees none.
    """

    environment: ClassVar[Mapping[str, str]] = MappingProxyType({})
    steps: ClassVar[Mapping[str, Step]] = MappingProxyType({})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType({})
    named_rules: ClassVar[Mapping[str, Rule]] = MappingProxyType({})
    gpu_advice: ClassVar[str] = ""

    def described(self, fingerprint: Fingerprint) -> Fingerprint:
        """Return `fingerprint` with the device that this engine computes on; called in the process of the steps."""
        return fingerprint

    def heard(self, output: str) -> Mapping[str, Any]:
        """Return the states that the libraries' own words, their `output` on standard output and error, tell."""
        del output
        return {}

    def defaults(self, sight: Sight) -> dict[str, str]:
        """Return what the libraries do by default that ratios depend on, by `sight`, for the fingerprint."""
        del sight
        return {}

    def seen_by(self, baseline: EngineState) -> Mapping[str, Any]:
        """Return the states that the `baseline` itself was seen in, which hold where a small layer misleads."""
        del baseline
        return {}

    def slow_because(self, settings: Mapping[str, Any], machine: Machine) -> str | None:
        """Return why a row with these `settings` is very slow on `machine`, None where nothing is known."""
        del settings, machine
        return None

    def products_alone(self, settings: Mapping[str, Any], machine: Machine) -> str | None:
        """Return how fast products in the type of these `settings` are alone on `machine`, None where none was seen."""
        del settings, machine
        return None

    def checks(self, machine: Machine) -> Iterable[Check]:
        """Return what `doctor` says of the engine on a `machine`."""
        del machine
        return ()


def for_cpus(machine: Machine) -> str | None:
    """Return why `machine` does not compute on its CPU, or None when it does."""
    return "is for machines that compute on the CPU" if machine.fingerprint.gpus else None


def for_gpus(machine: Machine) -> str | None:
    """Return why `machine` does not compute on a GPU, or None when it does."""
    if machine.fingerprint.gpus:
        return None
    return f"needs a GPU that {machine.engine} sees{TOLD_BY_DOCTOR}"


def elsewhere(library: str, device: str, machine: Machine, advice: str) -> str | None:
    """Return why a `library` that computes on `device` is not held to the baseline of `machine`; None: one device.

    `advice` is how the library comes to compute on a GPU.
    """
    if device == machine.device:
        return None
    ours, theirs = (f"the {device}" for device in (device, machine.device))
    what = f": {advice}" if machine.device == "gpu" else ""
    return f"{library} computes on {ours} here, and the baseline, in {machine.engine}, on {theirs}{what}"


def on_cpu(fingerprint: Fingerprint) -> Fingerprint:
    """Return `fingerprint` as an engine that computes on the CPU alone has it."""
    return msgspec.structs.replace(fingerprint, gpus=(), driver=None, cuda=None)

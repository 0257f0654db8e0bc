"""What a row of the variants table may require of a machine, and in which words it is told that it is not there.

Each requirement is a state that was seen, never what an architecture's name promises. Those here are of any machine;
the others are an engine's, and stand in its probe. An effect that can only be had where the baseline is in some state
(to turn oneDNN off, it must be on) has that state among its requirements.
"""

from __future__ import annotations

from nqperf.engines.probe import Machine, Rule, for_cpus, for_gpus
from nqperf.engines.registry import EngineRow
from nqperf.errors import ConfigError

# What a row requires to have its process's malloc told to keep memory.
GLIBC_MALLOC = "glibc_malloc"


def _glibc_malloc(machine: Machine) -> str | None:
    if on_gpu := for_cpus(machine):
        return on_gpu
    if machine.malloc is None or not machine.malloc.startswith("glibc"):
        return f"sets glibc's malloc, and {machine.malloc or 'another one, which does not tell its name,'} serves here"
    if machine.keeps_memory is None:
        fault = machine.faults.get("memory", "it was not seen to work")
        return f"what malloc keeps cannot be used here: {fault}"
    return "malloc keeps its memory here already" if machine.keeps_memory else None


RULES: dict[str, Rule] = {"cpu": for_cpus, "gpu": for_gpus, GLIBC_MALLOC: _glibc_malloc}


def rule_of(requirement: str, engine: EngineRow, *, named: bool = False) -> Rule:
    """Return what says why a machine does not meet the `requirement` of a row of `engine`, or None when it does.

    A row that was `named` is refused for what cannot run alone, not for what cannot pay.

    Raises: ConfigError for a name that no machine and not this engine knows.
    """
    probe = engine.probe_of()
    rules = {**RULES, **probe.rules, **(probe.named_rules if named else {})}
    if requirement not in rules:
        raise ConfigError(
            f"{requirement!r} is no requirement of the engine {engine.name}; expected some of {', '.join(rules)}"
        )
    return rules[requirement]

"""The row that the others are held to: whether it can run here, and the machine as its engine computes on it."""

from __future__ import annotations

import msgspec

from nqperf.engines.probe import Machine
from nqperf.errors import ConfigError
from nqperf.perf.machine.examination import PROBE_SECONDS, look_at_machine, require_device
from nqperf.perf.machine.gpu_checks import require_shared
from nqperf.perf.measuring.budget import FIRST_SECONDS
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.profiles import HELD_TO
from nqperf.records.results import BASELINE


def require_installed(baseline: Variant) -> None:
    """Raise unless the engine of `baseline`, a row, is installed.

    Raises: ConfigError that names rows of engines that are.
    """
    missing = baseline.engine_row().missing()
    if missing is None:
        return
    # The plain row of each engine has its name.
    others = [name for name, row in VARIANTS.items() if name == row.engine and row.engine_row().missing() is None]
    instead = f"; or hold the rows to another one by --baseline: {', '.join(others)}" if others else ""
    raise ConfigError(f"the baseline is not installed: {missing}{instead}")


def probe_seconds(budget: float) -> float:
    """Return how long a look at the machine may take in a run of so many seconds, its `budget`.

    >>> probe_seconds(10.0), probe_seconds(180.0), probe_seconds(900.0)
    (120.0, 180.0, 300.0)
    """
    return min(PROBE_SECONDS, max(budget, FIRST_SECONDS))


def machine_of(config: SuiteConfig) -> Machine:
    """Return the machine as the engine of the baseline in `config` sees it; which row that is stands among its states.

    Raises: DeviceError where it is not the device that is required, or only one process may have it; ConfigError where
    the baseline cannot run on it; NqPerfError as `look_at_machine`.
    """
    rows = config.rows()
    row, engines = rows[0], {one.engine for one in rows}
    machine = look_at_machine(row.engine, engines=engines, timeout=probe_seconds(config.budget))
    require_device(config.require, machine)
    require_shared(machine)
    if config.baseline is None or config.baseline.name == BASELINE:
        return machine
    if why := row.missing(machine):
        raise ConfigError(f"{config.baseline.name} cannot be the baseline on this machine: {why}")
    states = {**machine.fingerprint.states, HELD_TO: config.baseline.name}
    return msgspec.structs.replace(machine, fingerprint=msgspec.structs.replace(machine.fingerprint, states=states))

"""What a device's noise allows the gate to promise, and the profile that follows from it.

A floor is the speed-up as it was measured, with the standard error that it was measured with: rows are tested against
both, so nothing is lowered by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.records.profiles import Device, Profile, Provenance
from nqperf.records.results import Fingerprint, Workload
from nqperf.records.verdict import slowdown_found
from nqperf.statistics.estimation import estimates
from nqperf.statistics.location import SetEstimate
from nqperf.statistics.sets import Row, Sets
from nqperf.statistics.verdicts import JudgeConfig

FEWEST_SETS, FEWEST_ROUNDS, ROUNDS = 3, 3, 10
# A later run is taken to have so many sets, for what it can find: those of a verdict and of its confirmation.
_LATER_SETS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The noise of a device and what follows; `noise`, `offset` and `sds` are SDs of log ratios.

    Fields:
        sets: The sets of fresh processes that were measured.
        noise: From round to round, by what the robust location's own error says.
        offset: From set to set, of the mean row.
        same: The ratio of the baseline to itself.
        ratios: The speed-ups, which are the floors.
        sds: Their standard errors.
        freedom: The degrees of freedom of these.
        finds: The slowdown of each row that a later run of five sets finds in four of five cases, as a share.
        warnings: What the gate cannot do on this device.
    """

    sets: int
    noise: float
    offset: float
    same: float
    ratios: Mapping[str, float]
    sds: Mapping[str, float]
    freedom: float
    finds: Mapping[str, float]
    warnings: tuple[str, ...]


def calibrate(
    rows: Sequence[Row], measured: Sequence[Mapping[str, SetEstimate]], config: JudgeConfig | None = None
) -> Calibration:
    """Return what the noise of a device allows, from the estimates of its rows and the control "same" in each set.

    `rows` are those that were measured, the control too; `measured` has the estimate of each by name, one mapping a set
    of fresh processes. `config` is how later runs will judge, the default where None.

    Raises: ConfigError for fewer than three sets.
    """
    config = config or JudgeConfig()
    if len(measured) < FEWEST_SETS:
        raise ConfigError(f"{len(measured)} sets of processes; expected {FEWEST_SETS} or more, to tell how they differ")
    found = estimates(Sets.of(rows, measured))
    named = {row.name: column for column, row in enumerate(rows) if row.role == "row" and found.sets[column] > 1}
    same = next(column for column, row in enumerate(rows) if row.role == "same")
    sds = {name: float(found.error[0, column]) for name, column in named.items()}
    freedom = min((float(found.freedom[0, column]) for column in named.values()), default=math.inf)
    spread = {name: float(found.sd[0, column]) for name, column in named.items()}
    finds = {
        name: slowdown_found(
            error=math.hypot(spread[name] / math.sqrt(_LATER_SETS), sds[name]),
            freedom=float(found.freedom[0, column]),
            family=len(named) + 1,
            config=config,
        )
        for name, column in named.items()
    }
    errors = [one.error * math.sqrt(one.rounds) for each in measured for one in each.values() if one.error is not None]
    return Calibration(
        sets=len(measured),
        noise=float(np.median(errors)) if errors else 0.0,
        offset=float(np.sqrt(np.nanmean(found.sd[0] ** 2))),
        same=math.exp(float(found.mean[0, same])),
        ratios={name: math.exp(float(found.mean[0, column])) for name, column in named.items()},
        sds=sds,
        freedom=freedom if math.isfinite(freedom) else 1e6,
        finds=finds,
        warnings=tuple(_warnings(finds, config)),
    )


def propose_profile(
    calibration: Calibration, fingerprint: Fingerprint, workload: Workload, *, name: str, command: str, date: str
) -> Profile:
    """Return the profile that `calibration` supports, for devices of this kind and this workload.

    The kind is told from `fingerprint`; `workload` is what was run, in its sizes. `name` will be the profile's;
    `command` and `date` say what measured it and when.

    Raises: ConfigError for a machine with GPUs of several kinds.
    """
    if fingerprint.gpus:
        if len(set(fingerprint.gpus)) > 1:
            raise ConfigError(
                f"GPUs of several kinds ({', '.join(fingerprint.gpus)}); expected one kind: hide the others"
            )
        device = Device(gpu=_literal(fingerprint.gpus[0]), gpu_count=len(fingerprint.gpus))
    else:
        # Not the model's name, which one design is sold under many of, but the vendor and family that it is of.
        vendor_family = fingerprint.cpu_id.rpartition("-")[0]
        device = Device(
            cpu=None if vendor_family else _literal(fingerprint.cpu_model),
            cpu_id=f"{_literal(vendor_family)}-*" if vendor_family else _literal(fingerprint.cpu_id),
            cores=fingerprint.cores,
            isa=fingerprint.isa,
            states=fingerprint.states,
        )
    found = ", ".join(f"{row} {share:.1%}" for row, share in calibration.finds.items())
    return Profile(
        name=name,
        device=device,
        workload=dict(workload),
        floors={row: round(ratio, 4) for row, ratio in calibration.ratios.items()},
        sds={row: round(sd, 5) for row, sd in calibration.sds.items()},
        freedom=round(calibration.freedom, 1),
        provenance=Provenance(
            command=command,
            date=date,
            figures=f"noise of a round {calibration.noise:.2%}, of a set {calibration.offset:.2%}, "
            f"{calibration.sets} sets of processes; the baseline against itself {calibration.same:.3f}",
            note="; ".join((f"finds slowdowns of {found}", *calibration.warnings)),
        ),
    )


def _warnings(finds: Mapping[str, float], config: JudgeConfig) -> Iterator[str]:
    """Yield a line for everything that the gate cannot do on this device."""
    wanted = config.pass_margin - 1
    weak = [name for name, share in finds.items() if share > wanted]
    if weak:
        yield (
            f"five sets do not find a slowdown of {wanted:.0%} in {', '.join(weak)}: expect INCONCLUSIVE, measure "
            "longer, or on a quieter machine"
        )


def _literal(name: str) -> str:
    """Return the pattern that only `name` fits."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

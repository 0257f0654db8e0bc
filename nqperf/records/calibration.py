"""What a device's noise allows the gate to promise, and the profile that follows from it.

Two kinds of noise are told apart. Within one set of processes times scatter from pair to pair; more pairs average that
out. Between sets of fresh processes the ratio is shifted as a whole (memory layout, thread placement); no number of
pairs helps, so the floors must leave room for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from nqperf.errors import ConfigError
from nqperf.records.profiles import Device, Profile, Provenance
from nqperf.records.results import Fingerprint, Pairs, Workload
from nqperf.records.verdict import REFERENCE_GATE, GateConfig
from nqperf.statistics import signed_rank
from nqperf.statistics.signed_rank import FloatArray

# A regression is to be found with this probability, as in the nightly proof of the gate.
POWER = 0.95
# Room that a floor leaves, in standard deviations of what one more set of processes will show: 1 in 44 lies below.
ROOM = 2.0
# Fewer pairs a set say too little about the noise to extrapolate from.
FEWEST_PAIRS = 20
# Above this, pairs are not nearly exchangeable and the gate's error rates no longer hold within one set of processes.
HIGH_AUTOCORRELATION = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The noise of a device and what follows; everything but `ratios` and `floors` is about log ratios.

    `noise` is the SD from pair to pair, `core_noise` the same without outliers (1.4826 times the median deviation),
    `autocorrelation` the rank correlation of neighbouring pairs, `offset` the SD between sets of fresh processes.
    `rounds` are the pairs that find a slowdown as large as the pass margin in 19 of 20 runs, were there no offset.
    `power` and `false_fail` are what that offset leaves when pairs are plenty: the probability that such a slowdown is
    found and confirmed, and that the baseline fails against itself and is confirmed.
    `ratios` are the speed-ups measured, `floors` the proposed ones.
    """

    sets: int
    noise: float
    core_noise: float
    autocorrelation: float
    offset: float
    rounds: int
    power: float
    false_fail: float
    ratios: Mapping[str, float]
    floors: Mapping[str, float]
    warnings: tuple[str, ...]


def calibrate(
    same: Sequence[Pairs], variants: Mapping[str, Sequence[Pairs]], config: GateConfig = REFERENCE_GATE
) -> Calibration:
    """Return what the noise of a device allows.

    `same` is the baseline against itself and `variants` each variant against the baseline, an entry for each set of
    fresh processes. The floor of a variant is the mean of its sets' median log ratios, less ROOM standard deviations
    of what one further set will show (offset and scatter), rounded down to two places.
    Raises: ConfigError for fewer than two sets of the baseline against itself, or fewer than FEWEST_PAIRS in a set.
    """
    if len(same) < 2:  # noqa: PLR2004  # one set has no spread
        raise ConfigError(f"{len(same)} sets of processes; expected 2 or more, to tell what processes differ by")
    rows = {"": [_Set.of(pairs, config.alpha) for pairs in same]}
    rows |= {name: [_Set.of(pairs, config.alpha) for pairs in sets] for name, sets in variants.items()}
    empty = sorted(name for name, sets in rows.items() if not sets)
    if empty:
        raise ConfigError(f"no times of {', '.join(empty)}; expected one or more sets of processes each")
    controls = rows.pop("")
    offset = _offset([controls, *rows.values()])
    centred = [one.speedup - one.median for one in controls]
    rounds = max(_pairs_needed(one, config) for one in controls)
    autocorrelation = float(np.mean([_autocorrelation(one) for one in centred]))
    power = _below(math.log(config.pass_margin / config.fail_margin), offset) ** 2
    return Calibration(
        sets=len(controls),
        noise=math.sqrt(float(np.mean([one.var(ddof=1) for one in centred]))),
        core_noise=1.4826 * float(np.median(np.abs(np.concatenate(centred)))),
        autocorrelation=autocorrelation,
        offset=offset,
        rounds=rounds,
        power=power,
        false_fail=_below(-math.log(config.fail_margin), offset) ** 2,
        ratios={name: math.exp(_mean(sets)) for name, sets in rows.items()},
        floors={name: _floor(sets, offset) for name, sets in rows.items()},
        warnings=tuple(_warnings(rounds, power, autocorrelation, config)),
    )


def propose_profile(
    calibration: Calibration, fingerprint: Fingerprint, workload: Workload, *, name: str, command: str, date: str
) -> Profile:
    """Return the profile that `calibration` supports, for devices of this kind and this workload."""
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
    ratios = ", ".join(f"{variant} {ratio:.3f}" for variant, ratio in calibration.ratios.items())
    return Profile(
        name=name,
        device=device,
        workload=dict(workload),
        floors=dict(calibration.floors),
        provenance=Provenance(
            command=command,
            date=date,
            figures=f"{ratios}; noise {calibration.noise:.2%}, between processes {calibration.offset:.2%}, "
            f"{calibration.sets} sets of processes",
            note="; ".join(
                (
                    f"floor = measured, less {ROOM:g} SD of what one further set of processes shows, rounded down",
                    *calibration.warnings,
                )
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Set:
    """The log speed-ups of one set of processes, their median, and half the width of its interval."""

    speedup: FloatArray
    median: float
    half_width: float
    error: float

    @classmethod
    def of(cls, pairs: Pairs, alpha: float) -> _Set:
        speedup = np.log(pairs.baseline_seconds) - np.log(pairs.variant_seconds)
        bounds = signed_rank.interval(speedup, alpha)
        if len(speedup) < FEWEST_PAIRS or bounds is None:
            raise ConfigError(f"a set of {len(speedup)} pairs; expected {FEWEST_PAIRS} or more")
        half_width = (bounds[1] - bounds[0]) / 2
        return cls(
            speedup=speedup,
            median=float(np.median(speedup)),
            half_width=half_width,
            error=half_width / NormalDist().inv_cdf(1 - alpha),
        )


def _offset(rows: Sequence[Sequence[_Set]]) -> float:
    """Return the SD of log ratios between sets, over all rows, less what the scatter of pairs explains of it."""
    freedom = sum(len(sets) - 1 for sets in rows)
    seen = sum(float(np.var([one.median for one in sets])) * len(sets) for sets in rows) / freedom
    explained = sum(one.error**2 for sets in rows for one in sets) / sum(len(sets) for sets in rows)
    return math.sqrt(max(0.0, seen - explained))


def _pairs_needed(one: _Set, config: GateConfig) -> int:
    """Return the pairs with which a slowdown of the pass margin is found with probability POWER.

    The interval narrows with the root of the number of pairs, whatever the shape of the noise, so the measured one
    tells how many make it narrow enough: no normal distribution, and no SD that one outlier spoils.
    """
    critical = NormalDist().inv_cdf(1 - config.alpha)
    reach = one.half_width * (critical + NormalDist().inv_cdf(POWER)) / critical
    gap = math.log(config.pass_margin / config.fail_margin)
    if gap <= 0:
        raise ConfigError(f"fail and pass margin are both {config.pass_margin}; expected a gap to find slowdowns in")
    return max(signed_rank.fewest_pairs(config.alpha), math.ceil(len(one.speedup) * (reach / gap) ** 2))


def _autocorrelation(centred: FloatArray) -> float:
    """Return the rank correlation of each pair with the next one."""
    ranks = np.argsort(np.argsort(centred)).astype(np.float64)
    ranks -= ranks.mean()
    return float(np.dot(ranks[1:], ranks[:-1]) / np.dot(ranks, ranks))


def _below(value: float, sd: float) -> float:
    """Return P(normal noise of SD `sd` < value)."""
    return NormalDist(sigma=sd).cdf(value) if sd > 0 else float(value > 0)


def _mean(sets: Sequence[_Set]) -> float:
    return float(np.mean([one.median for one in sets]))


def _floor(sets: Sequence[_Set], offset: float) -> float:
    """Return the speed-up that one further set of processes reaches with room to spare, rounded down."""
    error = float(np.mean([one.error for one in sets]))
    spread = math.sqrt((offset**2 + error**2) * (1 + 1 / len(sets)))
    floor = math.floor(math.exp(_mean(sets) - ROOM * spread) * 100) / 100
    return max(floor, 0.01)  # the least that two places hold


def _warnings(rounds: int, power: float, autocorrelation: float, config: GateConfig) -> Iterator[str]:
    """Yield a line for everything that the gate cannot do on this device."""
    slowdown = f"{config.pass_margin - 1:.0%}"
    if rounds > config.last_look:
        yield (
            f"a slowdown of {slowdown} needs {rounds} pairs and the gate ends at {config.last_look}: "
            "expect INCONCLUSIVE, or measure on a quieter machine"
        )
    if power < POWER:
        yield f"processes differ so much that a slowdown of {slowdown} is found and confirmed in {power:.0%} of runs"
    if autocorrelation > HIGH_AUTOCORRELATION:
        yield f"neighbouring pairs correlate by {autocorrelation:.2f}: verdicts err more often than stated"


def _literal(name: str) -> str:
    """Return the pattern that only `name` fits."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

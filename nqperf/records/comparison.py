"""Two runs compared: each variant's speed-up over its own run's baseline, then against now.

The two samples of log ratios are not paired with each other and may differ in size and in noise, so the test is Brunner
and Munzel's. Mann and Whitney's takes equal spreads for granted: with 80 quiet ratios against 20 of five times their
spread it errs in 4.5 % of runs at nominal 1 %; this one in 1.1 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nqperf.errors import ConfigError
from nqperf.records.profiles import sizes_text
from nqperf.records.results import BASELINE, Fingerprint, Results, VariantResult
from nqperf.statistics.signed_rank import FloatArray

Change = Literal["SLOWER", "SAME", "FASTER", "INCONCLUSIVE"]

# What measures and is no part of what is timed; of these a change is only told. Another major version of anything else
# that a run has on record computes with other kernels.
MEASURING = frozenset({"python", "nqperf", "numpy", "scipy"})
# Below, the t approximation of the test is too coarse for any alpha worth having.
FEWEST_COMPARED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """What counts as a change, as a factor of speed-up: beyond `changed` is one, within `same` is none.

    `alpha` is nominal; at 20 to 320 pairs the test errs in at most 1.32 times as many runs.
    Raises: ConfigError when a value is out of range.
    """

    alpha: float = 0.0075
    changed: float = 1.02
    same: float = 1.05

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:  # noqa: PLR2004  # at one half every sample is significant
            raise ConfigError(f"alpha is {self.alpha}; expected above 0 and below 0.5")
        if not 1 <= self.changed <= self.same < math.inf:
            raise ConfigError(
                f"margins are {self.changed} (changed) and {self.same} (same); expected 1 <= first <= second"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantChange:
    """How one variant's speed-up changed.

    `factor` is the new speed-up / the old one, below 1 when slower; `interval` holds it with `confidence` probability,
    None for too few pairs. SLOWER and FASTER: shown to be beyond the one margin. SAME: neither, and shown to be less
    than the other margin slower. INCONCLUSIVE: none of these.
    """

    name: str
    change: Change
    old_ratio: float
    new_ratio: float
    factor: float
    interval: tuple[float, float] | None
    confidence: float
    old_pairs: int
    new_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed from an old run to a new one.

    `missing` are the variants that have times in the old run only, with the reason; `added` those that have them in the
    new run only; `notes` are differences between the runs that do not forbid the comparison.
    """

    changes: tuple[VariantChange, ...]
    missing: Mapping[str, str]
    added: tuple[str, ...]
    notes: tuple[str, ...]


def compare(
    old: Results, new: Results, *, across_machines: bool = False, config: CompareConfig | None = None
) -> Comparison:
    """Return what changed from `old` to `new`, variant by variant, each held against its own run's baseline.

    Of a variant that ran in several sets of processes the last counts: it is the one that its verdict stands on.
    `across_machines` lets through another device and other major versions, which are then told in the notes.
    Raises: ConfigError when the runs cannot be compared.
    """
    for role, run in (("old", old), ("new", new)):
        if run.outcome == "INVALID":
            reasons = "; ".join(run.reasons)
            raise ConfigError(f"the {role} run is INVALID ({reasons}): its times say nothing, make it again")
    notes = _differences(old, new, across_machines=across_machines)
    before, after = _timed(old), _timed(new)
    return Comparison(
        changes=tuple(
            _variant_change(name, before[name], after[name], config or CompareConfig())
            for name in before
            if name in after
        ),
        missing={name: _absence(new, name) for name in before if name not in after},
        added=tuple(name for name in after if name not in before),
        notes=notes,
    )


def changed_versions(old: Fingerprint, new: Fingerprint) -> dict[str, tuple[str | None, str | None]]:
    """Return the versions that two machines do not share, the old and the new one by name; None where it is absent."""
    before, after = old.versions, new.versions
    names = sorted({*before, *after})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def exit_status(comparison: Comparison, *, allow_inconclusive: bool = False) -> int:
    """Return 1 when a variant is slower, missing, or none could be compared; 3 when one is INCONCLUSIVE; else 0."""
    found = {change.change for change in comparison.changes}
    if "SLOWER" in found or comparison.missing or not found:
        return 1
    return 3 if "INCONCLUSIVE" in found and not allow_inconclusive else 0


def p_greater(sample: FloatArray, other: FloatArray) -> float:
    """Return the one-sided p-value of "values of `sample` tend to be greater than those of `other`".

    Samples that do not overlap have no variance of ranks to test with; for them it is that of the permutation test.
    Source: Brunner and Munzel, "The nonparametric Behrens-Fisher problem", Biometrical Journal 42 (2000).
    """
    from scipy import stats

    if sample.min() > other.max():
        return 1 / math.comb(len(sample) + len(other), len(sample))
    if sample.max() < other.min() or sample.min() == sample.max() == other.min() == other.max():
        return 1.0
    return float(stats.brunnermunzel(other, sample, alternative="less").pvalue)


def _variant_change(name: str, old: FloatArray, new: FloatArray, config: CompareConfig) -> VariantChange:
    """Return the change between two samples of log speed-ups."""
    changed, same = math.log(config.changed), math.log(config.same)
    change: Change = "INCONCLUSIVE"
    interval = None
    if min(len(old), len(new)) >= FEWEST_COMPARED:
        interval = _interval(old, new, config.alpha)
        if p_greater(old - changed, new) <= config.alpha:
            change = "SLOWER"
        elif p_greater(new - changed, old) <= config.alpha:
            change = "FASTER"
        elif p_greater(new + same, old) <= config.alpha:
            change = "SAME"
    return VariantChange(
        name=name,
        change=change,
        old_ratio=math.exp(float(np.median(old))),
        new_ratio=math.exp(float(np.median(new))),
        factor=math.exp(float(np.median(new) - np.median(old))),
        interval=interval,
        confidence=1 - 2 * config.alpha,
        old_pairs=len(old),
        new_pairs=len(new),
    )


def _interval(old: FloatArray, new: FloatArray, alpha: float) -> tuple[float, float]:
    """Return the factors between the samples that the test leaves standing, found by bisection."""
    centre = float(np.median(np.subtract.outer(new, old)))
    low = _edge(lambda shift: p_greater(new - shift, old) <= alpha, centre, float(new.min() - old.max()) - 1e-6)
    high = _edge(lambda shift: p_greater(old + shift, new) <= alpha, centre, float(new.max() - old.min()) + 1e-6)
    return math.exp(low), math.exp(high)


def _edge(rejected: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return, to a millionth, where going from `inside` to `outside` the shift becomes rejected."""
    while abs(outside - inside) > 1e-6:  # noqa: PLR2004  # far below any difference in speed worth a digit
        middle = (inside + outside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return outside


def _timed(run: Results) -> dict[str, FloatArray]:
    """Return the log speed-ups of each variant that has some, from the last set of processes."""
    return {
        variant.name: np.log(variant.samples[-1].baseline_seconds) - np.log(variant.samples[-1].variant_seconds)
        for variant in run.variants
        if variant.name != BASELINE and _is_timed(variant)
    }


def _is_timed(variant: VariantResult) -> bool:
    return variant.status == "measured" and bool(variant.samples) and bool(variant.samples[-1].baseline_seconds)


def _absence(run: Results, name: str) -> str:
    """Return why `run` has no times of `name`."""
    variant = run.variant(name)
    return "not in the new run" if variant is None else f"{variant.status}: {variant.reason or 'no paired times'}"


def _differences(old: Results, new: Results, *, across_machines: bool) -> tuple[str, ...]:
    """Return what differs between the runs; raise for what makes their ratios incomparable."""
    if old.workload != new.workload:
        sizes = f"{sizes_text(old.workload)} and {sizes_text(new.workload)}"
        raise ConfigError(f"the runs computed different things: {sizes}; expected the same sizes")
    serious: list[str] = []
    notes = [
        f"{what} {getattr(old, what).name} and {getattr(new, what).name}: not the same content"
        for what in ("model", "data")
        if getattr(old, what) != getattr(new, what)
    ]
    if old.fingerprint.device_key != new.fingerprint.device_key:
        serious.append(f"device {old.fingerprint.device_key!r} and {new.fingerprint.device_key!r}")
    before, after = old.fingerprint.states, new.fingerprint.states
    changed = sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
    serious += [f"{name} {before[name]} and {after[name]}" for name in changed]
    for name, (ours, theirs) in changed_versions(old.fingerprint, new.fingerprint).items():
        apart = name not in MEASURING and None not in {ours, theirs} and _major(ours) != _major(theirs)
        (serious if apart else notes).append(f"{name} {ours or 'absent'} and {theirs or 'absent'}")
    if serious and not across_machines:
        raise ConfigError(
            f"the runs are from different machines: {'; '.join(serious)}; "
            "ask for ratios across machines if that is what you want to see"
        )
    return (*serious, *notes)


def _major(version: str | None) -> str:
    return (version or "").partition(".")[0]

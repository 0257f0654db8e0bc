"""Two runs compared: each row's sets against its sets then, and the baseline's own seconds and answers beside them.

The new run's sets are judged as a run's are, with the old run's ratios as floors, each with the standard error that it
was measured with. So the same statistics say what is slower, rows share the error rate, and what one run cannot see the
other does not either: two runs are minutes or months apart, on a machine that may be in another state. Two revisions in
one session, in the same rounds, tell smaller differences apart.
"""

# Long: one comparison of two records, with all that can differ between them.
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from nqperf.errors import ConfigError
from nqperf.records.profiles import HELD_TO, PAGES, held_to, pages_of, sizes_text
from nqperf.records.results import BASELINE, SAME, Fingerprint, Pairs, Results, VariantResult
from nqperf.statistics.estimation import Estimates, estimates
from nqperf.statistics.judge import judge
from nqperf.statistics.location import SetEstimate, set_estimate
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, RowVerdict

Change = Literal["SLOWER", "SAME", "FASTER", "INCONCLUSIVE"]

# What measures and is no part of what is timed; of these a change is only told. Another major version of anything else
# that a run has on record computes with other kernels.
MEASURING = frozenset({"python", "nqperf", "numpy", "scipy"})
# What a fingerprint has observed of a GPU that decides about times on it.
GPU_SETTINGS = (
    *("cudnn", "gpu_power_limit", "gpu_clock", "gpu_memory_clock", "gpu_application_clock", "gpu_persistence"),
    *("gpu_mig", "gpu_ecc", "gpu_compute_mode", "gpu_memory"),
)
# The baseline's own seconds are the machine's too, whose state changes from run to run: so much is no news.
_SECONDS = JudgeConfig(fail_margin=1.25, pass_margin=1.5)
_SECONDS_SD = 0.05
# Of micro-F1 so much may be lost: by the baseline, which is exact, and by any other row.
_SCORE_LOSS = {True: 0.001, False: 0.01}
_CHANGED_ALPHA = 0.01
# So unsure that nothing follows from it.
_UNKNOWN_SD = 1.0
WEAKER = (
    "two runs are told apart less sharply than two revisions in one session, in the same rounds: "
    "see `nqperf_paired` for that"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantChange:
    """How one row's speed changed.

    Fields:
        name: The row; the baseline's is that of its own seconds.
        change: SLOWER and FASTER: surely another speed, by more than the fail margin. SAME: surely less than the pass
            margin slower. INCONCLUSIVE: none of these.
        old_ratio: The old speed-up; of the baseline the old seconds of a batch.
        new_ratio: The new one.
        factor: How many times as fast the row is now, below 1 when slower.
        interval: What holds the factor with `confidence` probability; None where a run has a single set.
        confidence: That probability.
        old_sets: The sets of processes of the old run.
        new_sets: Those of the new one.
    """

    name: str
    change: Change
    old_ratio: float
    new_ratio: float
    factor: float
    interval: tuple[float, float] | None
    confidence: float
    old_sets: int
    new_sets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed from an old run to a new one.

    Fields:
        changes: How each row's speed changed, and the baseline's.
        worse: What is worse about the answers, a line each.
        missing: The rows that have times in the old run only, with the reason.
        added: The rows that have times in the new run only.
        notes: Differences between the runs that do not forbid the comparison.
    """

    changes: tuple[VariantChange, ...]
    worse: tuple[str, ...]
    missing: Mapping[str, str]
    added: tuple[str, ...]
    notes: tuple[str, ...]


def compare(
    old: Results, new: Results, *, across_machines: bool = False, config: JudgeConfig | None = None
) -> Comparison:
    """Return what changed from `old` to `new`, row by row, each held against its own run's baseline.

    `across_machines` lets through another device and other major versions, which are then told in the notes; the
    baseline's own seconds are not compared then. `config` is how slowdowns are judged, the default where None.
    Raises: ConfigError when the runs cannot be compared.
    """
    for role, run in (("old", old), ("new", new)):
        if run.outcome == "INVALID":
            reasons = "; ".join(run.reasons)
            raise ConfigError(f"the {role} run is INVALID ({reasons}): its times say nothing, make it again")
    notes = _differences(old, new, across_machines=across_machines)
    before, after = _timed(old), _timed(new)
    names = [name for name in before if name in after]
    changes = list(_changes(names, old, new, config or JudgeConfig()))
    if not across_machines and names:
        changes.insert(0, _baseline_change(old, new))
    return Comparison(
        changes=tuple(changes),
        worse=tuple(_worse(old, new)),
        missing={name: _absence(new, name) for name in before if name not in after},
        added=tuple(name for name in after if name not in before),
        notes=(*notes, WEAKER),
    )


def changed_versions(old: Fingerprint, new: Fingerprint) -> dict[str, tuple[str | None, str | None]]:
    """Return the versions that two machines do not share, those of `old` and `new` by name; None where it is absent."""
    before, after = old.versions, new.versions
    names = sorted({*before, *after})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def changed_settings(old: Fingerprint, new: Fingerprint) -> Iterator[tuple[str, str, str]]:
    """Yield what decides about times on a GPU and is other in `new` than in `old`: its name, before and after."""
    before, after = (
        {"driver": one.driver, "CUDA": one.cuda, **{name: one.observed.get(name) for name in GPU_SETTINGS}}
        for one in (old, new)
    )
    for name, value in before.items():
        if value != after[name]:
            yield name.replace("_", " "), value or "unknown", after[name] or "unknown"


def exit_status(comparison: Comparison, *, allow_inconclusive: bool = False) -> int:
    """Return 1 when a row is slower, worse, missing, or none could be compared; 3 when one is INCONCLUSIVE; else 0.

    What is INCONCLUSIVE in the `comparison` counts as the same with `allow_inconclusive`.
    """
    found = {change.change for change in comparison.changes if change.name != BASELINE}
    slower = any(change.change == "SLOWER" for change in comparison.changes)
    if slower or comparison.worse or comparison.missing or not found:
        return 1
    return 3 if "INCONCLUSIVE" in found and not allow_inconclusive else 0


def _changes(names: Sequence[str], old: Results, new: Results, config: JudgeConfig) -> Iterator[VariantChange]:
    """Yield each row's change: the new sets judged against the old ratios, and the old against the new for FASTER."""
    if not names:
        return
    then, now = _held(old, names), _held(new, names)
    slower, faster = _judged(now, then, names, config), _judged(then, now, names, config)
    for column, name in enumerate(names):
        same = _timed(old)[name] == _timed(new)[name]
        outcome, other = slower[name].outcome, faster[name].outcome
        change: Change = "INCONCLUSIVE"
        if same or outcome == "PASS":
            change = "SAME"
        if not same and outcome == "FAIL":
            change = "SLOWER"
        elif not same and other == "FAIL":
            change = "FASTER"
        yield _change(name, change, (then.found, now.found), column, config)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Held:
    """A run's sets, and what they say of each row."""

    sets: Sets
    found: Estimates


def _held(run: Results, names: Sequence[str]) -> _Held:
    rows = [Row(name=name) for name in names]
    control = run.controls.same.samples if run.controls.same else ()
    measured = _by_set({**{name: _timed(run)[name] for name in names}, SAME: control})
    same = [Row(name=SAME, role="same")] if control else []
    sets = Sets.of([*rows, *same], measured, shared=bool(control))
    return _Held(sets=sets, found=estimates(sets))


def _judged(held: _Held, floors: _Held, names: Sequence[str], config: JudgeConfig) -> dict[str, RowVerdict]:
    """Return the verdicts on the sets of one run against the ratios of the other."""
    rows = []
    for column, row in enumerate(held.sets.rows):
        if row.name not in names:
            rows.append(row)
            continue
        mean, error = (float(part[0, column]) for part in (floors.found.mean, floors.found.error))
        # A run of a single set says nothing of how far its ratio is from the next one's.
        sd = error if math.isfinite(error) else _UNKNOWN_SD
        freedom = max(float(floors.found.freedom[0, column]), 1.0) if math.isfinite(error) else 1.0
        rows.append(Row(name=row.name, floor=Floor(ratio=math.exp(mean), sd=sd, freedom=freedom)))
    sets = Sets(rows=tuple(rows), location=held.sets.location, total=held.sets.total, shared=held.sets.shared)
    return {row.name: row for row in judge(sets, config=config).rows}


def _change(
    name: str, change: Change, both: tuple[Estimates, Estimates], column: int, config: JudgeConfig
) -> VariantChange:
    old, new = (float(one.mean[0, column]) for one in both)
    return VariantChange(
        name=name,
        change=change,
        old_ratio=math.exp(old),
        new_ratio=math.exp(new),
        factor=math.exp(new - old),
        interval=_interval(new - old, both, column, config),
        confidence=config.confidence,
        old_sets=int(both[0].sets[column]),
        new_sets=int(both[1].sets[column]),
    )


def _interval(
    change: float, both: tuple[Estimates, Estimates], column: int, config: JudgeConfig
) -> tuple[float, float] | None:
    """Return the factors that hold the true one, by Welch's t; None where a run has a single set."""
    from scipy import special

    errors = np.array([one.error[0, column] for one in both])
    freedoms = np.array([one.freedom[0, column] for one in both])
    if not (np.isfinite(errors).all() and (freedoms > 0).all()):
        return None
    variances = errors**2
    freedom = variances.sum() ** 2 / (variances**2 / freedoms).sum()
    half = float(special.stdtrit(freedom, (1 + config.confidence) / 2)) * math.sqrt(variances.sum())
    return math.exp(change - half), math.exp(change + half)


def _baseline_change(old: Results, new: Results) -> VariantChange:
    """Return how the baseline's own seconds changed; each set counts once, and the machine's own ups and downs too."""
    both = [_baseline_sets(run) for run in (old, new)]
    found = [estimates(Sets.of([Row(name=BASELINE)], sets, shared=False)) for sets in both]
    speeds = [float(one.mean[0, 0]) for one in found]
    errors = [float(one.error[0, 0]) for one in found]
    sd = math.hypot(_SECONDS_SD, *(error if math.isfinite(error) else _SECONDS_SD for error in errors))
    faster = speeds[1] - speeds[0]
    normal, beyond = NormalDist(sigma=sd), math.log(_SECONDS.fail_margin)
    surely = abs(faster) - beyond >= normal.inv_cdf(1 - _SECONDS.beyond_alpha)
    half = normal.inv_cdf((1 + _SECONDS.confidence) / 2)
    change: Change = "SAME" if faster - half > -math.log(_SECONDS.pass_margin) else "INCONCLUSIVE"
    if surely:
        change = "FASTER" if faster > 0 else "SLOWER"
    return VariantChange(
        name=BASELINE,
        change=change,
        old_ratio=math.exp(-speeds[0]),
        new_ratio=math.exp(-speeds[1]),
        factor=math.exp(faster),
        interval=(math.exp(faster - half), math.exp(faster + half)),
        confidence=_SECONDS.confidence,
        old_sets=len(both[0]),
        new_sets=len(both[1]),
    )


def _baseline_sets(run: Results) -> list[dict[str, SetEstimate]]:
    """Return the baseline's speed in each set, in batches a second."""
    seconds: dict[int, tuple[float, ...]] = {}
    for samples in _timed(run).values():
        for sample in samples:
            if len(sample.baseline_seconds) > len(seconds.get(sample.number, ())):
                seconds[sample.number] = sample.baseline_seconds
    return [{BASELINE: set_estimate(np.ones(len(one)), np.array(one))} for _, one in sorted(seconds.items())]


def _worse(old: Results, new: Results) -> Iterator[str]:
    """Yield what is worse about the answers of the new run, where both answered the same."""
    if old.model != new.model or old.data != new.data:
        return
    family = max(1, len(new.variants))
    for row in new.variants:
        before = old.variant(row.name)
        if before is None:
            continue
        score, then = _score(row), _score(before)
        if score is not None and then is not None and score < (1 - _SCORE_LOSS[row.name == BASELINE]) * then:
            yield f"{row.name}: micro-F1 {score:.4f}, and it was {then:.4f}"
        if row.agreement is None or before.agreement is None:
            continue
        more = _p_more(
            before.agreement.changed, before.agreement.compared, row.agreement.changed, row.agreement.compared
        )
        if more <= _CHANGED_ALPHA / family:
            yield (
                f"{row.name}: {row.agreement.changed} of {row.agreement.compared} answers changed, and it was "
                f"{before.agreement.changed} of {before.agreement.compared}"
            )


def _p_more(changed: int, of: int, now_changed: int, now_of: int) -> float:
    """Return the one-sided p-value of "a larger share changes now", by Fisher's exact test."""
    from scipy import stats

    table = [[now_changed, now_of - now_changed], [changed, of - changed]]
    return float(stats.fisher_exact(table, alternative="greater").pvalue)


def _score(row: VariantResult) -> float | None:
    """Return a row's micro-F1, None where it has none."""
    if row.agreement is not None:
        return row.agreement.value
    return row.metrics.get("all-answer-f1")


def _by_set(samples: Mapping[str, Sequence[Pairs]]) -> list[dict[str, SetEstimate]]:
    """Return the estimates of each set of processes, from the rows' times."""
    numbers = sorted({sample.number for sets in samples.values() for sample in sets})
    found: dict[int, dict[str, SetEstimate]] = {number: {} for number in numbers}
    for name, sets in samples.items():
        for sample in sets:
            baseline, row = np.array(sample.baseline_seconds), np.array(sample.variant_seconds)
            found[sample.number][name] = set_estimate(baseline, row)
    return [found[number] for number in numbers]


def _timed(run: Results) -> dict[str, tuple[Pairs, ...]]:
    """Return the times of each row that has some and was right."""
    return {row.name: row.samples for row in run.variants if row.name != BASELINE and _is_timed(row)}


def _is_timed(row: VariantResult) -> bool:
    return row.status == "measured" and any(sample.baseline_seconds for sample in row.samples)


def _absence(run: Results, name: str) -> str:
    """Return why `run` has no times of `name`."""
    row = run.variant(name)
    return "not in the new run" if row is None else f"{row.status}: {row.reason or row.note or 'no times'}"


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
    both = before.keys() & after.keys() - {PAGES, HELD_TO}
    changed = sorted(name for name in both if before[name] != after[name])
    if pages_of(before) != pages_of(after):
        serious.append(f"memory pages {pages_of(before)} and {pages_of(after)}")
    if held_to(before) != held_to(after):
        serious.append(f"rows held to {held_to(before)} and to {held_to(after)}")
    serious += [f"{name} {before[name]} and {after[name]}" for name in changed]
    notes += [
        f"{name} {ours} and {theirs}" for name, ours, theirs in changed_settings(old.fingerprint, new.fingerprint)
    ]
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

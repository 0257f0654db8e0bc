"""Two runs compared: each row's sets against its sets then, and the baseline's own seconds and answers beside them.

What is slower is said by `nqperf.statistics.comparison`, over the rows and the baseline's seconds at once. What one run
cannot see the other does not either: two runs are minutes or months apart, on a machine that may be in another state.
Two revisions in one session, in the same rounds, tell smaller differences apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nqperf.errors import ConfigError
from nqperf.records.results import BASELINE, Results, VariantResult
from nqperf.records.settings import require_comparable
from nqperf.records.timed import baseline_sets, is_of_baseline, sets_of_rows, timed_rows
from nqperf.statistics import comparison
from nqperf.statistics.comparison import SPEED_UPS, Change, ComparisonConfig, Margins

# The baseline's own seconds are the machine's too, whose state changes from run to run: those of two runs are 5 % apart
# (SD), and only much more than that is news.
SECONDS = Margins(changed=1.25, same=1.5, run_sd=0.035, set_sd=0.05)
# Of micro-F1 so much may be lost: by the baseline, which is exact, and by any other row.
_SCORE_LOSS = {True: 0.001, False: 0.01}
_CHANGED_ALPHA = 0.01
WEAKER = (
    "two runs are told apart less sharply than two revisions in one session, in the same rounds: "
    "see `nqperf_paired` for that"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed from an old run to a new one.

    Fields:
        changes: How each row's speed changed. The row "baseline" is its own: its ratios are seconds of a batch. Where
            each row has a baseline of its own, these are called "baseline of" it.
        worse: What is worse about the answers, a line each.
        missing: The rows that have times in the old run only, with the reason.
        added: The rows that have times in the new run only.
        notes: Differences between the runs that do not forbid the comparison.
    """

    changes: tuple[Change, ...]
    worse: tuple[str, ...]
    missing: Mapping[str, str]
    added: tuple[str, ...]
    notes: tuple[str, ...]


def compare(
    old: Results, new: Results, *, across_machines: bool = False, config: ComparisonConfig | None = None
) -> Comparison:
    """Return what changed from `old` to `new`, row by row, each held against its own run's baseline.

    `across_machines` lets through another device and other major versions, which are then told in the notes; the
    baseline's own seconds are not compared then. `config` says how sure a change must be.
    Raises: ConfigError when the runs cannot be compared.
    """
    for role, run in (("old", old), ("new", new)):
        if run.outcome == "INVALID":
            reasons = "; ".join(run.reasons)
            raise ConfigError(f"the {role} run is INVALID ({reasons}): its times say nothing, make it again")
    notes = require_comparable(old, new, across_machines=across_machines)
    before, after = timed_rows(old), timed_rows(new)
    names = [name for name in before if name in after]
    pairs = [(sets_of_rows(old, names), sets_of_rows(new, names), SPEED_UPS)] if names else []
    if not across_machines and names:
        pairs.insert(0, (baseline_sets(old, names), baseline_sets(new, names), SECONDS))
    changes = comparison.compare(pairs, config or ComparisonConfig())
    return Comparison(
        changes=tuple(_in_seconds(change) if is_of_baseline(change.name) else change for change in changes),
        worse=tuple(_worse(old, new)),
        missing={name: _absence(new, name) for name in before if name not in after},
        added=tuple(name for name in after if name not in before),
        notes=(*notes, WEAKER),
    )


def exit_status(found: Comparison, *, allow_inconclusive: bool = False) -> int:
    """Return what `found` comes to: 1 when a row is slower, worse, missing, or none could be compared; else 0.

    3 when a row is INCONCLUSIVE, unless that is allowed (`allow_inconclusive`).
    """
    rows = {change.change for change in found.changes if not is_of_baseline(change.name)}
    slower = any(change.change == "SLOWER" for change in found.changes)
    if slower or found.worse or found.missing or not rows:
        return 1
    return 3 if "INCONCLUSIVE" in rows and not allow_inconclusive else 0


def _in_seconds(speed: Change) -> Change:
    """Return the change of the baseline's speed with the seconds of a batch in place of batches a second."""
    return dataclasses.replace(speed, old_ratio=1 / speed.old_ratio, new_ratio=1 / speed.new_ratio)


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


def _absence(run: Results, name: str) -> str:
    """Return why `run` has no times of `name`."""
    row = run.variant(name)
    return "not in the new run" if row is None else f"{row.status}: {row.reason or row.note or 'no times'}"

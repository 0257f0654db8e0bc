"""What must be alike in two runs for their ratios to be held beside each other, and what of it differs."""

from __future__ import annotations

from collections.abc import Iterator

from nqperf.errors import ConfigError
from nqperf.records.profiles import HELD_TO, PAGES, held_to, pages_of, sizes_text
from nqperf.records.results import Fingerprint, Results, Subject

# What measures and is no part of what is timed; of these a change is only told. Another major version of anything else
# that a run has on record computes with other kernels.
MEASURING = frozenset({"python", "nqperf", "numpy", "scipy"})
# What a fingerprint has observed of a GPU that decides about times on it.
GPU_SETTINGS = (
    *("cudnn", "gpu_power_limit", "gpu_clock", "gpu_memory_clock", "gpu_application_clock", "gpu_persistence"),
    *("gpu_mig", "gpu_ecc", "gpu_compute_mode", "gpu_memory"),
)


def changed_versions(old: Fingerprint, new: Fingerprint) -> dict[str, tuple[str | None, str | None]]:
    """Return the versions that the machines `old` and `new` do not share, both by name; None where it is absent."""
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


def work_of(run: Results) -> tuple[object, ...]:
    """Return what `run` did and on which device: runs that have it in common go on with one another's history."""
    subjects = ((subject.name, subject.sha256) for subject in (run.model, run.data))
    return (run.fingerprint.device_key, tuple(sorted(run.workload.items())), *subjects)


def changes_of_setting(old: Results, new: Results) -> Iterator[str]:
    """Yield what makes the ratios of the runs `old` and `new`, which follow each other, two different things."""
    if old.fingerprint.device_key != new.fingerprint.device_key:
        yield f"device: {old.fingerprint.device_key} -> {new.fingerprint.device_key}"
    for name, (before, after) in changed_versions(old.fingerprint, new.fingerprint).items():
        if name not in MEASURING:
            yield f"{name}: {before or 'absent'} -> {after or 'absent'}"
    yield from (f"{name}: {before} -> {after}" for name, before, after in _changed_states(old, new))
    settings = changed_settings(old.fingerprint, new.fingerprint)
    yield from (f"{name}: {before} -> {after}" for name, before, after in settings)
    if old.workload != new.workload:
        yield f"work: {sizes_text(old.workload)} -> {sizes_text(new.workload)}"
    for what in ("model", "data"):
        one, other = getattr(old, what), getattr(new, what)
        if one != other:
            names = f"{one.name} -> {other.name}"
            yield f"{what}: {names if one.name != other.name else f'{one.name}, {_apart(one, other)}'}"


def require_comparable(old: Results, new: Results, *, across_machines: bool) -> tuple[str, ...]:
    """Return what differs between the runs `old` and `new`, a line each.

    Raises: ConfigError for what makes their ratios incomparable; another machine is let through `across_machines`.
    """
    if old.workload != new.workload:
        sizes = f"{sizes_text(old.workload)} and {sizes_text(new.workload)}"
        raise ConfigError(f"the runs computed different things: {sizes}; expected the same sizes")
    serious: list[str] = []
    notes = [*_other_subjects(old, new)]
    if old.fingerprint.device_key != new.fingerprint.device_key:
        serious.append(f"device {old.fingerprint.device_key!r} and {new.fingerprint.device_key!r}")
    serious += [f"{name} {before} and {after}" for name, before, after in _changed_states(old, new)]
    settings = changed_settings(old.fingerprint, new.fingerprint)
    notes += [f"{name} {before} and {after}" for name, before, after in settings]
    for name, (ours, theirs) in changed_versions(old.fingerprint, new.fingerprint).items():
        apart = name not in MEASURING and None not in {ours, theirs} and _major(ours) != _major(theirs)
        (serious if apart else notes).append(f"{name} {ours or 'absent'} and {theirs or 'absent'}")
    if serious and not across_machines:
        raise ConfigError(
            f"the runs are from different machines: {'; '.join(serious)}; "
            "ask for ratios across machines if that is what you want to see"
        )
    return (*serious, *notes)


def _other_subjects(old: Results, new: Results) -> Iterator[str]:
    """Yield of the model and of the data what of it differs between `old` and `new`, and what that costs."""
    for what in ("model", "data"):
        one, other = getattr(old, what), getattr(new, what)
        if one == other:
            continue
        counts = _counts_apart(one, other) if one.name == other.name else None
        said = f"{one.name} and {other.name}: not the same content" if counts is None else f"{one.name}: {counts}"
        step = ": take as many in both (--limit, a --budget with time for all)" if counts and what == "data" else ""
        yield f"{what} {said}, so speeds are compared and answers are not{step}"


def _apart(one: Subject, other: Subject) -> str:
    """Return what differs between subjects of one name: how many of what they hold, else their content."""
    return _counts_apart(one, other) or "other content"


def _counts_apart(one: Subject, other: Subject) -> str | None:
    """Return how many of what `one` and the `other` hold where that differs ("79 and 17 examples"), else None.

    Of several counts the first that differs is told: the others follow from it.
    """
    return next(
        (
            f"{count} and {other.counts[name]} {name}"
            for name, count in one.counts.items()
            if name in other.counts and other.counts[name] != count
        ),
        None,
    )


def _changed_states(old: Results, new: Results) -> Iterator[tuple[str, str, str]]:
    """Yield the states that both machines have on record and that differ: the name, the old one, the new one.

    Without a record of them memory pages are plain, and rows are held to the table's own baseline.
    """
    before, after = old.fingerprint.states, new.fingerprint.states
    if pages_of(before) != pages_of(after):
        yield "memory pages", pages_of(before), pages_of(after)
    if held_to(before) != held_to(after):
        yield "baseline", held_to(before), held_to(after)
    for name in sorted(before.keys() & after.keys() - {PAGES, HELD_TO}):
        if before[name] != after[name]:
            yield name, before[name], after[name]


def _major(version: str | None) -> str:
    return (version or "").partition(".")[0]

"""One line is one line: findings of one place become one, and what goes with another finding is listed under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from nqperf.casts.findings import Finding

_CONFLICTS = ("CAST001", "CAST002")

# Of two findings at one place, the second is a consequence of the first.
_TOGETHER = (
    ("CAST001", "NUM101"),
    ("CAST001", "NUM102"),
    ("CAST001", "NUM105"),
    ("CAST002", "NUM101"),
    ("NUM101", "NUM103"),
    ("NUM102", "NUM105"),
    ("CAST007", "CAST003"),
)


def folded(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return one finding of `found` a rule, line and message, with its layers; consequences stand under their cause."""
    merged = _merged(found)
    heads: list[Finding] = []
    under: dict[int, list[Finding]] = {}
    for finding in sorted(merged, key=_rank):
        head = next((each for each in heads if _follows(finding, each)), None)
        if head is None:
            heads.append(finding)
        else:
            under.setdefault(id(head), []).append(finding)
    whole = [
        dataclasses.replace(head, consequences=tuple(sorted(under[id(head)], key=order))) if id(head) in under else head
        for head in heads
    ]
    return tuple(sorted(whole, key=order))


def order(finding: Finding) -> tuple[str, int, int, str, str]:
    """Return what a `finding` is sorted by: file, line, column, rule and layer."""
    location = finding.location
    column = location.column if location is not None and location.column is not None else 0
    return (finding.path or "", finding.line or 0, column, finding.rule, finding.layer)


def _merged(found: Iterable[Finding]) -> list[Finding]:
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.rule, finding.location, finding.message), []).append(finding)
    return [_one(held) for held in groups.values()]


def _one(held: Sequence[Finding]) -> Finding:
    return dataclasses.replace(
        held[0],
        layers=tuple(dict.fromkeys(finding.layer for finding in held)),
        reached=frozenset(index for finding in held for index in finding.reached),
    )


def _rank(finding: Finding) -> tuple[bool, int]:
    """Rank conflicts first and in the order of the trace: what follows from one comes after it."""
    rules = [rule for rule, _ in _TOGETHER]
    return (finding.rule not in _CONFLICTS, rules.index(finding.rule) if finding.rule in rules else len(rules))


def _follows(finding: Finding, head: Finding) -> bool:
    if (head.rule, finding.rule) in _TOGETHER and _same_place(finding, head):
        return True
    if head.rule in _CONFLICTS and finding.rule == "CAST003" and finding.cause >= 0:
        return finding.cause == head.cause or finding.cause in head.reached
    if head.rule in _CONFLICTS and finding.rule == "CAST002":
        return finding.cause >= 0 and finding.cause == head.cause and finding.reached <= head.reached
    if head.rule == "CAST001" and finding.rule == "CAST005":
        # Somebody widened a value, and a layer that he forgot narrows it and then meets what is wide.
        return bool(finding.reached) and any(layer.startswith(finding.layer) for layer in head.layers)
    return False


def _same_place(finding: Finding, head: Finding) -> bool:
    return finding.location is not None and finding.path == head.path and finding.line == head.line

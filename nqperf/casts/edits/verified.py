"""Trying edits before they are printed: applied in memory, traced again, and kept when the finding goes and none comes.

All first choices are tried together; where that does not hold, one finding after the other, each on top of those that
are kept, so that what is kept at the end holds together.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from nqperf.casts.edits.in_memory import in_force
from nqperf.casts.edits.text import Edit, edited
from nqperf.casts.findings import Finding, flattened
from nqperf.casts.trace import source
from nqperf.errors import ConfigError

# What a trial finds, None when the model can no longer be traced to its end.
Retrace = Callable[[], Sequence[Finding] | None]

# Trials end after this many seconds; what has not been tried by then is not promised.
_SECONDS = 90.0

_CONFLICTS = ("CAST001", "CAST002")
_LINKS = 4  # conflicts that one edit may bring after another

_Key = tuple[str, str | None, int | None]


def verified(findings: Sequence[Finding], retrace: Retrace, *, seconds: float = _SECONDS) -> tuple[Finding, ...]:
    """Return `findings` with the edit of each that has one which works; `retrace` audits under the edits in force."""
    hopeful = [finding for finding in findings if finding.proposals]
    if not hopeful:
        return tuple(findings)
    before = _counted(findings)
    kept = _together(hopeful, before, retrace) or _in_turn(hopeful, before, retrace, time.monotonic() + seconds)
    fixes = _merged(kept)
    return tuple(
        dataclasses.replace(finding, fix=fixes[id(finding)]) if id(finding) in fixes else finding
        for finding in findings
    )


def _merged(kept: dict[int, Edit]) -> dict[int, Edit]:
    """Return the edits with those of one statement made one."""
    groups: dict[tuple[str, object], list[int]] = {}
    for number, edit in kept.items():
        statement = source.statement(edit.path, edit.span[0])
        groups.setdefault((edit.path, statement if statement is not None else number), []).append(number)
    merged: dict[int, Edit] = {}
    for members in groups.values():
        merged |= dict.fromkeys(members, _joined([kept[number] for number in members]))
    return merged


def under(edits: Iterable[Edit], retrace: Retrace) -> Sequence[Finding] | None:
    """Return what `retrace` finds with `edits` in force, None when they do not work."""
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    try:
        sources = {
            path: (edited(source.text_at(path), held), tuple(line for edit in held for line in edit.imports))
            for path, held in by_path.items()
        }
        with in_force(sources):
            return retrace()
    except ConfigError:
        return None


def _together(hopeful: Sequence[Finding], before: Counter[_Key], retrace: Retrace) -> dict[int, Edit]:
    chosen = {id(finding): finding.proposals[0] for finding in hopeful}
    after = under(chosen.values(), retrace)
    if after is None or any(_counted(after)[_key(finding)] for finding in hopeful) or _counted(after) - before:
        return {}
    return chosen


def _in_turn(hopeful: Sequence[Finding], before: Counter[_Key], retrace: Retrace, end: float) -> dict[int, Edit]:
    kept: dict[int, Edit] = {}
    standing = before
    for number, finding in enumerate(hopeful):
        # Several findings of one rule may stand on one line: how many of those that come now are left to mend?
        left = sum(_key(other) == _key(finding) for other in hopeful[number:] if id(other) not in kept)
        if standing[_key(finding)] < left:
            continue  # an edit that is kept has mended this one too
        for edit in finding.proposals:
            if time.monotonic() > end:
                return kept
            found = _mends(finding, [edit], list(kept.values()), standing, retrace)
            if found is not None:
                kept[id(finding)], standing = found
                break
    return kept


def _mends(
    finding: Finding, edits: list[Edit], kept: list[Edit], standing: Counter[_Key], retrace: Retrace
) -> tuple[Edit, Counter[_Key]] | None:
    """Return the edit that mends `finding`, with what stands after it, None when it does not.

    Where it brings conflicts further on in the same file, what mends these becomes part of it.
    """
    for _ in range(_LINKS):
        after = under([*kept, *edits], retrace)
        if after is None or _counted(after)[_key(finding)] >= standing[_key(finding)]:
            return None
        counted = _counted(after)
        new = [each for each in after if (counted - standing)[_key(each)]]
        if not counted - standing:
            return _joined(edits), counted
        follow = [each.proposals[0] for each in new if each.rule in _CONFLICTS and each.proposals]
        if len(follow) < len(new) or any(edit.path != edits[0].path for edit in follow):
            return None
        edits = [*edits, *follow]
    return None


def _joined(edits: Sequence[Edit]) -> Edit:
    changes = dict.fromkeys(change for edit in edits for change in edit.changes)
    imports = dict.fromkeys(line for edit in edits for line in edit.imports)
    return Edit(path=edits[0].path, changes=tuple(changes), imports=tuple(imports))


def _counted(findings: Iterable[Finding]) -> Counter[_Key]:
    return Counter(_key(finding) for finding in flattened(findings))


def _key(finding: Finding) -> _Key:
    return (finding.rule, finding.path, finding.line)

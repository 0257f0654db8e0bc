"""Trying edits before they are printed: applied in memory, traced again, and kept when the finding goes and none comes.

All first choices are tried together; where that does not hold, one finding after the other, each on top of those that
are kept, so that what is kept at the end holds together. Then the model is run for real.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from nqperf.casts.edits.in_memory import Live, in_force
from nqperf.casts.edits.text import Edit, edited
from nqperf.casts.findings import Finding, flattened
from nqperf.casts.telling import tell
from nqperf.casts.trace import source
from nqperf.errors import ConfigError
from nqperf.plain_text import counted

# What a trial finds, None when the model can no longer be traced to its end.
Retrace = Callable[[], Sequence[Finding] | None]

# Trials end after this many seconds of computing; what has not been tried by then is not promised.
_SECONDS = 90.0

_CONFLICTS = ("CAST001", "CAST002")
_REFUSED = ("CAST001", "CAST007", "CAST008")
_ROUNDS = 12  # of all edits at once, and choices of one edit
_LINKS = 4  # conflicts that one edit may bring after another
_CHOICES = 16  # edits of the first of them

_Key = tuple[str, str | None, int | None]


def verified(
    findings: Sequence[Finding], retrace: Retrace, sound: Callable[[], bool], *, seconds: float = _SECONDS
) -> tuple[Finding, ...]:
    """Return `findings` with the edit of each that has one which works.

    `retrace` audits under the edits in force; `sound` says whether the model then runs and comes to what it should. It
    is asked once all conflicts have an edit: before that the model does not run. After `seconds` of CPU time no single
    edit is tried any more.
    """
    hopeful = [finding for finding in findings if finding.proposals]
    if not hopeful:
        return tuple(findings)
    trials = _Trials(findings, retrace, sound, time.process_time() + seconds)
    fixes = _merged(trials.kept(hopeful))
    return tuple(
        dataclasses.replace(finding, fix=fixes[id(finding)]) if id(finding) in fixes else finding
        for finding in findings
    )


class _Trials:
    """One model's edits, tried on top of each other; `standing` counts what is found under those that are kept."""

    def __init__(self, findings: Sequence[Finding], retrace: Retrace, sound: Callable[[], bool], end: float) -> None:
        self.findings = findings
        self.retrace, self.sound, self.end = retrace, sound, end
        self.standing = _counted(findings)
        self.live = Live()

    def kept(self, hopeful: Sequence[Finding]) -> dict[int, Edit]:
        """Return the edits that work, by the id of their finding."""
        kept = self._in_turn(hopeful, self._together(hopeful))
        if not kept or self._refused_still(kept) or self._sound(kept):
            return kept
        return self._sound_ones(hopeful, kept)

    def _sound_ones(self, hopeful: Sequence[Finding], kept: dict[int, Edit]) -> dict[int, Edit]:
        """Return edits with which the model comes to what it should, where those that are `kept` do not.

        First those without which it does not run, then one by one; what is not sound gives way to its next choice.
        """
        needed = [each for each in hopeful if id(each) in kept and each.rule in _REFUSED]
        chosen = {id(each): kept[id(each)] for each in needed}
        if chosen and not self._sound(chosen):
            chosen = next(self._other_choices(needed, chosen), {})
            if not chosen:
                return {}
        for finding in hopeful:
            if id(finding) in kept and id(finding) not in chosen and time.process_time() < self.end:
                if self._sound({**chosen, id(finding): kept[id(finding)]}):
                    chosen[id(finding)] = kept[id(finding)]
                else:
                    chosen = next(self._other_choices([finding], chosen), chosen)
        return chosen

    def _other_choices(self, findings: Sequence[Finding], chosen: dict[int, Edit]) -> Iterator[dict[int, Edit]]:
        """Yield `chosen` with another edit for one of `findings`, under which nothing is found anew, and sound."""
        before = _counted(self.findings)
        for finding in findings:
            for edit in finding.proposals[1:_ROUNDS]:
                if time.process_time() > self.end:
                    return
                other = {**chosen, id(finding): edit}
                after = self._under(other.values(), self.retrace)
                mended = after is not None and _counted(after)[_key(finding)] < before[_key(finding)]
                if mended and not _counted(after or ()) - before and self._sound(other):
                    yield other

    def _under(self, edits: Iterable[Edit], act: Callable[[], Sequence[Finding] | None]) -> Sequence[Finding] | None:
        """Return what `act` finds with `edits` in force, None when they do not work."""
        by_path: dict[str, list[Edit]] = {}
        for edit in edits:
            by_path.setdefault(edit.path, []).append(edit)
        try:
            sources = {
                path: (edited(source.text_at(path), held), tuple(line for edit in held for line in edit.imports))
                for path, held in by_path.items()
            }
            with in_force(sources, self.live):
                return act()
        except ConfigError:
            return None

    def _together(self, hopeful: Sequence[Finding]) -> dict[int, Edit]:
        """Return one edit a finding, all tried at once; those that do not work give way to their next choice."""
        choice = {id(finding): 0 for finding in hopeful}
        for _ in range(_ROUNDS):
            chosen = {
                id(finding): finding.proposals[choice[id(finding)]]
                for finding in hopeful
                if choice[id(finding)] < len(finding.proposals)
            }
            tell("trying", f"{counted(len(chosen), 'edit')} together")
            after = self._under(chosen.values(), self.retrace)
            found = _counted(after or ())
            failed = [each for each in hopeful if id(each) in chosen and found[_key(each)]]
            if after is None or (not failed and found - self.standing):
                return {}
            if not failed:
                self.standing = found
                return chosen
            for finding in failed:
                choice[id(finding)] += 1
        return {}

    def _in_turn(self, hopeful: Sequence[Finding], kept: dict[int, Edit]) -> dict[int, Edit]:
        """Return the edits that are `kept` already, and one for each other finding that has one which works."""
        kept = dict(kept)
        missing = [finding for finding in hopeful if id(finding) not in kept]
        for number, finding in enumerate(missing):
            tell("trying", f"an edit for finding {number + 1} of {len(missing)}", number / len(missing))
            # Several findings of one rule may stand on one line: how many of those that come now are left to mend?
            left = sum(_key(other) == _key(finding) for other in missing[number:])
            if self.standing[_key(finding)] < left:
                kept[id(finding)] = list(kept.values())[-1]  # an edit that is kept has mended this one too
                continue
            for edit in finding.proposals:
                if time.process_time() > self.end:
                    return kept
                joined = self._mends(finding, [edit], list(kept.values()))
                if joined is not None:
                    kept[id(finding)] = joined
                    break
        return kept

    def _mends(self, finding: Finding, edits: list[Edit], kept: list[Edit], links: int = _LINKS) -> Edit | None:
        """Return the edit that mends `finding`, None when it does not.

        Where it brings conflicts further on in the same file, what mends these becomes part of it. Of the first of them
        further choices are tried: the first one may let a number overflow that another one keeps wide.
        """
        after = self._under([*kept, *edits], self.retrace)
        if after is None or _counted(after)[_key(finding)] >= self.standing[_key(finding)]:
            return None
        new = _counted(after) - self.standing
        if not new:
            self.standing = _counted(after)
            return _joined(edits)
        coming = [each for each in after if new[_key(each)]]
        if links == 1 or any(each.rule not in _CONFLICTS or not each.proposals for each in coming):
            return None
        for choice in range(_CHOICES if links == _LINKS else 1):
            follow = [each.proposals[min(choice, len(each.proposals) - 1)] for each in coming]
            if time.process_time() > self.end or any(edit.path != edits[0].path for edit in follow):
                return None
            mended = self._mends(finding, [*edits, *follow], kept, links - 1)
            if mended is not None:
                return mended
        return None

    def _refused_still(self, kept: dict[int, Edit]) -> bool:
        """Whether a conflict is left that TensorFlow refuses: then the model cannot be run."""
        left = [each for each in self.findings if each.rule in _REFUSED and id(each) not in kept]
        return any(self.standing[_key(each)] for each in left)

    def _sound(self, kept: dict[int, Edit]) -> bool:
        outcome: list[bool] = []
        tell("running", f"the model with {counted(len(kept), 'edit')}")

        def ask() -> None:
            outcome.append(self.sound())

        self._under(kept.values(), ask)
        return outcome == [True]


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


def _joined(edits: Sequence[Edit]) -> Edit:
    changes = dict.fromkeys(change for edit in edits for change in edit.changes)
    imports = dict.fromkeys(line for edit in edits for line in edit.imports)
    return Edit(path=edits[0].path, changes=tuple(changes), imports=tuple(imports))


def _counted(findings: Iterable[Finding]) -> Counter[_Key]:
    return Counter(_key(finding) for finding in flattened(findings))


def _key(finding: Finding) -> _Key:
    return (finding.rule, finding.path, finding.line)

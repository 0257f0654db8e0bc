"""All edits that work as one patch: what each file becomes, and the difference as `git apply` takes it."""

from __future__ import annotations

import ast
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nqperf.casts.edits.text import Edit, edited
from nqperf.casts.findings import Finding
from nqperf.casts.trace import source
from nqperf.casts.trace.records import relative
from nqperf.errors import ConfigError
from nqperf.formats.casts.source_files import SourceFile, read_source

_PROJECT = ("pyproject.toml", "setup.cfg", "setup.py", ".git")
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """The files `before` and `after`, in the order of their paths; `mended` findings have an edit in it."""

    before: tuple[SourceFile, ...]
    after: tuple[SourceFile, ...]
    mended: int

    @property
    def diff(self) -> str:
        """The unified difference, with paths from the working directory."""
        return "".join(_difference(old, new) for old, new in zip(self.before, self.after, strict=True))


def patch_of(findings: Sequence[Finding], *, anywhere: bool = False) -> Patch:
    """Return the patch of all edits of `findings` that have been tried.

    Raises: ConfigError when a file is outside of the project (unless `anywhere`), when what a finding points to is no
    file (a notebook's cell, an archive), when a file has changed since it was traced, or would be edited twice in a way
    that does not fit together.
    """
    edits: dict[str, list[Edit]] = {}
    for path in dict.fromkeys(each.location.path for each in findings if each.location is not None):
        if not Path(path).is_file():
            read_source(Path(path))  # says why that is refused
    for finding in findings:
        if finding.fix is not None:
            edits.setdefault(finding.fix.path, []).append(finding.fix)
    before = [_as_traced(path, anywhere=anywhere) for path in sorted(edits)]
    after = [
        file.with_text(_with_imports(edited(file.text, held), [line for edit in held for line in edit.imports]))
        for file, held in zip(before, (edits[path] for path in sorted(edits)), strict=True)
    ]
    return Patch(before=tuple(before), after=tuple(after), mended=sum(finding.fix is not None for finding in findings))


def patch_to(texts: Mapping[str, str], imports: Mapping[str, Sequence[str]], *, anywhere: bool = False) -> Patch:
    """Return the patch that makes the files at the paths of `texts` so, with the import lines in `imports` by path.

    `anywhere` is as in `patch_of`.

    Raises: ConfigError as `patch_of` does.
    """
    before = [_as_traced(path, anywhere=anywhere) for path in sorted(texts)]
    after = [
        file.with_text(_with_imports(texts[path].removesuffix("\n") + "\n" * file.text.endswith("\n"), imports[path]))
        for file, path in zip(before, sorted(texts), strict=True)
    ]
    return Patch(before=tuple(before), after=tuple(after), mended=0)


def _as_traced(path: str, *, anywhere: bool) -> SourceFile:
    """Return the file at `path`, which has to be in the project and as it was when it was traced."""
    if not anywhere:
        _require_inside(Path(path))
    file = read_source(Path(path))
    if source.text_at(path) not in (file.text, f"{file.text}\n"):  # linecache ends the last line
        raise ConfigError(f"{relative(path)} has changed since it was traced: nothing was written; run it again")
    return file


def project_root() -> Path:
    """Return the folder of the project that the working directory is in; the directory itself where none is marked."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if any((folder / mark).exists() for mark in _PROJECT):
            return folder
    return here


def _require_inside(path: Path) -> None:
    resolved, root = path.resolve(), project_root()
    installed = next((part for part in resolved.parts if part in _INSTALLED), None)
    if installed is None and resolved.is_relative_to(root):
        return
    where = f"installed in {installed}" if installed else f"outside of the project ({root})"
    raise ConfigError(f"{path} is {where}: nothing was written; to edit it all the same, say --anywhere")


def _with_imports(text: str, imports: Iterable[str]) -> str:
    """Return `text` with the import lines that its edits need, behind the imports that it has."""
    wanted = dict.fromkeys(imports)
    if not wanted:
        return text
    lines = [f"{line}\n" for line in text.split("\n")]
    last = 0
    for number, node in enumerate(ast.parse(text).body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or docstring:
            last = node.end_lineno or node.lineno
    return "".join([*lines[:last], *(f"{line}\n" for line in wanted), *lines[last:]])[:-1]


def _difference(old: SourceFile, new: SourceFile) -> str:
    name = Path(os.path.relpath(old.path)).as_posix()
    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{name}", f"b/{name}", lineterm="\n")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(file: SourceFile) -> list[str]:
    ending = file.newline
    return [f"{line}{ending}" for line in file.text.split("\n")[:-1]] + (
        [rest] if (rest := file.text.split("\n")[-1]) else []
    )

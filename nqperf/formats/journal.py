"""The work folder of a run that can be broken off: its shards, each whole with checksums, and what they belong to.

journal.json             what the run is: data, configuration, model, versions; shards of another run do not mix
shard-00003.json         the record of a shard that is done: its input's checksum, its counts, its files' checksums
shard-00003.logits.npz   ... and its files, which count only when the record is there
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import google_crc32c
import msgspec

from nqperf.errors import FormatError, Interrupted, NqPerfError
from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.files import open_lock, refuse_links, remove_leftovers, take_lock, write_whole
from nqperf.formats.reading import read_whole

JOURNAL_SCHEMA = 1
_JOURNAL, _LOCK = "journal.json", "lock"
_OURS = re.compile(r"shard-\d{5,}\..+")
_RECORD = re.compile(r"shard-(\d{5,})\.json")
_SHOWN_DIFFERENCES = 3
_START_OVER = "--fresh starts over"

Identity = dict[str, Any]


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A shard's file as it was written: its `size` in bytes, and the CRC-32C of its content in `crc32c`."""

    size: int
    crc32c: int


class ShardRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A shard that is done: its `number`, from 0, and how many `windows` it has.

    `seconds` is the time of each stage, `observed` the engine's switches.
    `warm_up_windows` of its windows were in a first batch of all, which has a stage of its own: "warm up".
    `input` is the CRC-32C of its examples, where it was made of some, and `examples` their number.
    `files` are those that belong to it, by the end of their name ("logits.npz"); `schema_version` is the journal's.
    """

    number: int
    windows: int
    seconds: dict[str, float]
    observed: dict[str, Any]
    input: int | None = None
    examples: int = 0
    warm_up_windows: int = 0
    files: dict[str, FileRecord] = {}
    schema_version: int = JOURNAL_SCHEMA


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    run: Identity
    schema_version: int = JOURNAL_SCHEMA


class _Head(msgspec.Struct):
    schema_version: int


_Record = TypeVar("_Record", ShardRecord, _Run)


@dataclass(slots=True, kw_only=True)
class Journal:
    """The shards that are done, by number; only one process at a time has a folder's journal.

    `folder` is where they stand, `done` has the record of each, by its number from 0.
    """

    folder: Path
    done: dict[int, ShardRecord] = field(default_factory=dict)

    def add(self, record: ShardRecord, files: Mapping[str, bytes]) -> None:
        """Keep a shard: its `files` first, by the end of their name, and then the `record` that makes them count.

        Raises: FormatError when one cannot be written.
        """
        stored = {}
        for name, content in files.items():
            write_whole(self.folder / _name(record.number, name), content)
            stored[name] = FileRecord(size=len(content), crc32c=google_crc32c.value(content))
        record = msgspec.structs.replace(record, files=stored)
        write_whole(self.folder / _name(record.number, "json"), msgspec.json.encode(record))
        self.done[record.number] = record

    def read(self, number: int, name: str) -> bytes:
        """Return the content of the file `name` ("logits.npz") of the shard `number`, which is done.

        Raises: FormatError when it is not as it was written.
        """
        path = self.path(number, name)
        content = read_whole(path, what="a file of a shard that is done")
        if self.done[number].files[name] != FileRecord(size=len(content), crc32c=google_crc32c.value(content)):
            raise FormatError(
                "does not match its checksum, it is damaged: remove it and its shard's .json, and the shard is made "
                f"again; {_START_OVER}",
                path=path,
            )
        return content

    def checked(self, number: int, name: str) -> Path:
        """Return the place of the file `name` of the shard `number`, which was read and found as it was written.

        Raises: FormatError when it is not.
        """
        self.read(number, name)
        return self.path(number, name)

    def path(self, number: int, name: str) -> Path:
        """Return the place of the file `name` ("logits.npz") of the shard `number`, whether it is there or not."""
        return self.folder / _name(number, name)

    def check_input(self, number: int, checksum: int) -> None:
        """Raise unless the shard `number`, which is done, was made of the input with this CRC-32C, `checksum`.

        Raises: FormatError when the data have changed.
        """
        if self.done[number].input != checksum:
            raise FormatError(
                f"was made of other data than are there now; give the data as they were, or {_START_OVER}",
                path=self.path(number, "json"),
            )

    def remove(self) -> None:
        """Remove all that is ours, in an order in which a kill leaves nothing that looks done and is not."""
        names = _ours(self.folder)
        records = [name for name in names if _RECORD.fullmatch(name)]
        for name in [*records, *(name for name in names if name not in records), _JOURNAL]:
            (self.folder / name).unlink(missing_ok=True)
        self.done.clear()


@contextlib.contextmanager
def opened_journal(folder: Path, run: Identity, *, fresh: bool = False) -> Iterator[Journal]:
    """Yield the journal in `folder`, with the shards that an earlier start of the same `run` has done.

    `run` is what the bytes of shards depend on; `fresh` removes what another start has done. When the block ends, all
    is removed; when it raises, what is done stays, and the error says so.

    Raises: FormatError when another process has the journal, when the shards are another run's (saying in what it
    differs), of another schema, or damaged.
    """
    with _locked(folder):
        journal = Journal(folder=folder)
        refuse_links(folder, [_JOURNAL, *_ours(folder)])
        remove_leftovers(folder)
        if fresh:
            journal.remove()
        _begin_or_go_on(journal, run)
        try:
            yield journal
        except BaseException as error:
            if not journal.done:
                with contextlib.suppress(OSError):
                    journal.remove()
            elif folder.exists() and isinstance(error, NqPerfError | Interrupted):
                shards = "1 shard is" if len(journal.done) == 1 else f"{len(journal.done)} shards are"
                error.kept = f"{shards} kept in {folder}, and the same command goes on from there"
            raise
        journal.remove()


def _begin_or_go_on(journal: Journal, run: Identity) -> None:
    path = journal.folder / _JOURNAL
    if not path.exists():
        journal.remove()
        write_whole(path, msgspec.json.format(msgspec.json.encode(_Run(run=run), enc_hook=str), indent=1) + b"\n")
        return
    if odd := differences(_decoded(path, _Run).run, run):
        raise FormatError(f"is of a run that differs: {odd}: make them equal, or {_START_OVER}", path=path)
    for entry in sorted(os.scandir(journal.folder), key=lambda entry: entry.name):
        if found := _RECORD.fullmatch(entry.name):
            number = int(found[1])
            journal.done[number] = _decoded(Path(entry.path), ShardRecord)
            for name in journal.done[number].files:
                if "/" in name or os.sep in name:
                    raise FormatError(
                        f"names the file {name[:80]!r}; expected files beside it: {_START_OVER}", path=entry.path
                    )
                journal.checked(number, name)


def differences(older: Identity, newer: Identity) -> str:
    """Return in what the run `newer` differs from `older` as JSON has them, in words; nothing where they are equal.

    The first three differences are spelt out, further ones counted.
    """
    found = list(_differences(*(msgspec.json.decode(msgspec.json.encode(run, enc_hook=str)) for run in (older, newer))))
    more = f"; and {len(found) - _SHOWN_DIFFERENCES} more" if len(found) > _SHOWN_DIFFERENCES else ""
    return "; ".join(found[:_SHOWN_DIFFERENCES]) + more


def _differences(older: Any, newer: Any, where: str = "") -> Iterator[str]:
    if isinstance(older, dict) and isinstance(newer, dict):
        for name in sorted(older.keys() | newer.keys()):
            yield from _differences(older.get(name), newer.get(name), f"{where}.{name}".lstrip("."))
    elif older != newer:
        yield f"{where} was {older}, now {newer}"


def _decoded(path: Path, record_type: type[_Record]) -> _Record:
    expected = f"a journal of nqperf: {_START_OVER}"
    content = read_whole(path, what="a journal of nqperf", limit=JSON_BYTES)
    version = decode_json(content, _Head, path, expected=expected).schema_version
    if version == JOURNAL_SCHEMA:
        return decode_json(content, record_type, path, expected=expected)
    raise FormatError(
        f"is {version}; expected {JOURNAL_SCHEMA}: go on with the nqperf that began, or {_START_OVER}",
        path=path,
        field="schema_version",
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make the folder, lock it for the block, and remove it behind when nothing is kept in it."""
    refuse_links(folder.parent, [folder.name])
    try:
        folder.mkdir(exist_ok=True)
        lock = open_lock(folder / _LOCK)
    except OSError as error:
        raise FormatError(
            f"cannot be written ({error.strerror}), where finished shards are kept: name another output",
            path=folder,
        ) from error
    try:
        try:
            take_lock(lock)
        except BlockingIOError:
            holder = os.pread(lock, 100, 0).decode(errors="replace")
            raise FormatError(
                f"another run (process {holder}) writes to this output: wait for it, or name another one", path=folder
            ) from None
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                if not (folder / _JOURNAL).exists():
                    (folder / _LOCK).unlink()
                    folder.rmdir()
    finally:
        os.close(lock)


def _ours(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if _OURS.fullmatch(entry.name))


def _name(number: int, name: str) -> str:
    return f"shard-{number:05d}.{name}"

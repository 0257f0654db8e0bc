"""The ledger of casts as canonical JSON: one record a line, so that a diff of the file reads as a list of casts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import write_whole
from nqperf.formats.json_object import read_json_object

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CastRecord:
    """All casts of one kind: `layers` layers of the template have `times` of them each.

    `layer` is the layer's path with its numbers taken out, `function` the qualified name of the Python function that
    makes the cast, `kind` what made it (explicit, autocast, promotion or variable). `from_dtype` and `to_dtype` are the
    types before and after it ("float16"). `reads` and `feeds` are the ops before and after the cast, so that one that
    moves is seen.
    """

    layer: str
    function: str
    reads: str
    from_dtype: str
    to_dtype: str
    kind: str
    feeds: str
    times: int
    layers: int

    @property
    def site(self) -> tuple[str, str]:
        """Where the cast stands: layer template and function."""
        return (self.layer, self.function)

    def __str__(self) -> str:
        count = f" x{self.times}" if self.times > 1 else ""
        layers = f" in {self.layers} layers" if self.layers > 1 else ""
        return (
            f"{self.layer or '(no layer)'}{layers}, {self.function or '(module)'}: {self.kind} cast "
            f"{self.from_dtype} -> {self.to_dtype}{count}, {self.reads} -> {self.feeds}"
        )


# The casts of one model by precision.
Ledger = Mapping[str, tuple[CastRecord, ...]]


def ledger_text(model: str, ledger: Ledger, versions: Mapping[str, str]) -> str:
    """Return the text of the file that holds the `ledger` of the model named `model`.

    `versions` are those of the libraries that the casts were recorded with, by name. Precisions, records and libraries
    come in sorted order, so that the same ledger is the same text.
    """
    lines = ["{", f'  "schema_version": {SCHEMA_VERSION},', f'  "model": {json.dumps(model)},']
    lines.append(f'  "recorded_with": {json.dumps(dict(sorted(versions.items())))},')
    lines.append('  "precisions": {')
    for number, (precision, held) in enumerate(sorted(ledger.items())):
        lines.append(f"    {json.dumps(precision)}: [")
        entries = [f"      {json.dumps(asdict(record))}" for record in sorted(held)]
        lines.append(",\n".join(entries))
        lines.append("    ]," if number + 1 < len(ledger) else "    ]")
    return "\n".join([*lines, "  }", "}", ""])


def read_ledger(path: Path, *, model: str) -> Ledger:
    """Return the ledger in `path`, which must be that of the model named `model`.

    Raises: FormatError when it is no ledger of this schema, ConfigError when it is missing or another model's.
    """
    if not path.exists():
        raise ConfigError(
            f"{path}: there is no such ledger yet; write it with --update, or in pytest with --nqperf-ledger-update"
        )
    held = read_json_object(path, what="a cast ledger")
    version = held.get("schema_version")
    if version != SCHEMA_VERSION:
        raise FormatError(
            f"schema_version is {version!r}, expected {SCHEMA_VERSION}: write the ledger anew with --update", path=path
        )
    if held.get("model") != model:
        raise ConfigError(
            f"{path} is the ledger of {held.get('model')!r}, not of {model!r}: name another with --ledger"
        )
    try:
        return {
            precision: _merged([CastRecord(**record) for record in entries])
            for precision, entries in held["precisions"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"holds a broken record ({error}): write the ledger anew with --update", path=path) from error


def require_reviewer(option: str) -> None:
    """Raise where nobody looks at what `option` accepts: when CI is set.

    Raises: ConfigError naming the option.
    """
    if os.environ.get("CI"):
        raise ConfigError(f"{option} is refused when CI is set: accept changed casts where a person sees them")


def update_ledger(path: Path, held: Ledger, *, model: str, versions: Mapping[str, str]) -> None:
    """Write the precisions in `held` to the ledger at `path`, beside the other precisions that it has.

    `model` is the name of the model whose ledger it is; `versions`, those of the libraries that `held` was recorded
    with, stand in place of the older ones.

    Raises: as `read_ledger` where there is a file already, FormatError when it cannot be written.
    """
    known = read_ledger(path, model=model) if path.exists() else {}
    write_whole(path, ledger_text(model, {**known, **held}, versions).encode())


def _merged(records: list[CastRecord]) -> tuple[CastRecord, ...]:
    """Return the records as they are written today: earlier ones told numbered layers (`block_{n}`) apart."""
    kinds: dict[CastRecord, list[CastRecord]] = {}
    for record in records:
        layer = "/".join(part.removesuffix("_{n}") for part in record.layer.split("/"))
        kinds.setdefault(replace(record, layer=layer, times=0, layers=0), []).append(record)
    merged = []
    for kind, held in kinds.items():
        layers = sum(record.layers for record in held)
        casts = sum(record.layers * record.times for record in held)
        merged.append(replace(kind, times=casts // layers if layers else 0, layers=layers))
    return tuple(sorted(merged))

"""The results file of a benchmark run: what was run where, the paired times, the verdicts.

One JSON object, `schema_version` 1. Ratios are speed-ups: baseline seconds / variant seconds. Every time is in seconds.
The samples are stored, not only what was concluded from them, so that a later run can be compared with this one.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np

from nqperf.errors import FormatError
from nqperf.formats.files import read_whole, write_whole

SCHEMA_VERSION: Final = 1
BASELINE = "baseline"

Switch = str | int | float | bool | None
# REPORTED: measured without a promise, so nothing was judged.
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "REPORTED"]
RunOutcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "REPORTED", "INVALID"]
Status = Literal["measured", "skipped", "failed"]


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record of the file; msgspec turns a ValueError of `__post_init__` into a located error."""


class Fingerprint(_Record, frozen=True):
    """The machine and the software that times belong to; None where it could not be found out.

    `cpu_id` is vendor-family-model, which tells generations apart where a hypervisor hides the model name; `cores` are
    those this process may use; `isa` the instruction sets that decide about 16- and 8-bit speed; `gpus` one name per
    visible GPU; `observed` holds the states read from the running libraries, as text.
    """

    system: str
    machine: str
    cpu_model: str
    cpu_id: str
    cores: int
    isa: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    tf32: bool | None = None
    intra_op_threads: int | None = None
    inter_op_threads: int | None = None
    observed: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def device_key(self) -> str:
        """The device that computes, in one line that is the same for every run on it.

        Versions, thread counts and switches are left out: they are settings of a run, not the device.
        """
        if self.gpus:
            names = sorted(set(self.gpus))
            return "gpu: " + ", ".join(f"{self.gpus.count(name)} x {name}" for name in names)
        isa = " ".join(sorted(self.isa)) or "no vector instructions known"
        return f"cpu: {self.cpu_model} ({self.cpu_id}), {self.cores} cores, {isa}"


class Model(_Record, frozen=True):
    """The network whose weights every variant runs; `sha256` is that of its weights file, if it has one."""

    name: str
    hidden_size: int
    num_hidden_layers: int
    sha256: str | None = None


class Data(_Record, frozen=True):
    """What was predicted: `batch_size` features of `max_seq_length` positions at once."""

    name: str
    examples: int
    features: int
    batch_size: int
    max_seq_length: int
    sha256: str | None = None


class Pairs(_Record, frozen=True):
    """The times of one set of fresh processes: entry i of both lists comes from round i."""

    baseline_seconds: tuple[float, ...]
    variant_seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.baseline_seconds) != len(self.variant_seconds):
            raise ValueError(
                f"{len(self.baseline_seconds)} baseline and {len(self.variant_seconds)} variant times; "
                "expected one of each a round"
            )
        if not all(0 < seconds < math.inf for seconds in (*self.baseline_seconds, *self.variant_seconds)):
            raise ValueError("a time is not a finite number above 0")


class Verdict(_Record, frozen=True):
    """What the pairs said about one variant; ratios are speed-ups, baseline seconds / variant seconds.

    `interval` holds the ratio with at least `confidence` probability; None below the fewest pairs that allow it.
    `p_fail` and `p_pass` are the one-sided p-values of the last look; None without a floor or where time ran out
    between looks. `processes` is the number of fresh sets of processes in which this outcome was found.
    """

    outcome: Outcome
    pairs: int
    floor: float | None
    ratio: float
    interval: tuple[float, float] | None
    confidence: float
    p_fail: float | None = None
    p_pass: float | None = None
    processes: int = 1


class Parity(_Record, frozen=True):
    """How far the answers agree with the baseline's on the same features."""

    micro_f1: float
    baseline_micro_f1: float
    predictions: int
    changed_predictions: int
    span_agreement: float
    max_abs_logit_difference: float


class VariantResult(_Record, frozen=True):
    """One row: the switches requested and observed, whether the answers are the same, the times, the verdict.

    `reason` says why it was skipped or failed. `samples` holds one entry for each set of fresh processes, in order; the
    baseline's own row has none. `predict_seconds` is one pass over the whole data.
    """

    name: str
    status: Status
    reason: str | None = None
    requested: dict[str, Switch] = msgspec.field(default_factory=dict)
    observed: dict[str, Switch] = msgspec.field(default_factory=dict)
    parity: Parity | None = None
    trace_seconds: float | None = None
    warm_up_seconds: float | None = None
    predict_seconds: float | None = None
    samples: tuple[Pairs, ...] = ()
    verdict: Verdict | None = None
    metrics: dict[str, float] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.status == "measured") != (self.reason is None):
            raise ValueError(f"status {self.status} with reason {self.reason!r}; expected a reason unless measured")
        if self.verdict is not None and (self.status != "measured" or not self.samples):
            raise ValueError(f"a verdict on a variant that is {self.status}, from {len(self.samples)} samples")


class Control(_Record, frozen=True):
    """A comparison with a known answer: its times and the verdict on them."""

    samples: tuple[Pairs, ...]
    verdict: Verdict


class Controls(_Record, frozen=True):
    """The baseline against itself, and against itself with a planted slowdown; None where not measured."""

    same: Control | None
    planted: Control | None


class Results(_Record, frozen=True):
    """A benchmark run as it is stored.

    `command` is the command line, `created` the UTC time of writing (ISO 8601, "Z"), `profile` the device profile whose
    floors were judged against, None on a device that has none.
    """

    command: str
    created: str
    fingerprint: Fingerprint
    model: Model
    data: Data
    profile: str | None
    variants: tuple[VariantResult, ...]
    controls: Controls
    judged: int
    expected: int
    outcome: RunOutcome
    reasons: tuple[str, ...] = ()
    schema_version: Literal[1] = SCHEMA_VERSION

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"variants stand twice: {', '.join(repeated)}")

    def variant(self, name: str) -> VariantResult | None:
        """Return the row of that name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)


def write_results(path: Path, results: Results) -> None:
    """Write `results` to `path`, whole or not at all; NumPy scalars and arrays are written as numbers and lists.

    Raises: FormatError when a value has no place in the file, as NaN has none in JSON.
    """
    try:
        content = msgspec.json.encode(results, enc_hook=_plain)
    except (TypeError, ValueError) as error:
        raise FormatError(f"cannot hold the results: {error}", path=path) from error
    _decode(content, path)  # JSON has no NaN and no types: what could not be read back is not written
    write_whole(path, msgspec.json.format(content, indent=1) + b"\n")


def read_results(path: Path) -> Results:
    """Return the results in the file `path`.

    Raises: FormatError when it is missing, truncated, of another schema, or no results file.
    """
    return _decode(read_whole(path, what="a results file of nqperf"), path)


class _Head(msgspec.Struct):
    """The only field that every version has."""

    schema_version: int


def _decode(content: bytes, path: Path) -> Results:
    """Return the results in `content`; the version is looked at first, for another one has other fields."""
    try:
        version = msgspec.json.decode(content, type=_Head).schema_version
    except msgspec.ValidationError as error:
        raise FormatError(
            f"is no results file of nqperf ({error}): name one written by --nqperf-save-results", path=path
        ) from None
    except msgspec.DecodeError as error:
        raise FormatError(f"is no whole JSON document ({error}): make the results again", path=path) from None
    if version != SCHEMA_VERSION:
        raise FormatError(
            f"is {version}; expected {SCHEMA_VERSION}: make the results again with this version of nqperf",
            path=path,
            field="schema_version",
        )
    try:
        return msgspec.json.decode(content, type=Results)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        field = re.sub(r"^\$\.?", "", where.strip("`")) or None
        raise FormatError(f"{message}: make the results again", path=path, field=field) from None


def _plain(value: Any) -> Any:
    """Return a NumPy value as Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} has no place in a results file")

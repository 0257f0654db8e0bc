"""What a run of the gate is on record with: the machine, the work, the paired times, the verdicts.

Ratios are speed-ups: baseline seconds / variant seconds. Every time is in seconds. The samples are kept, not only what
was concluded from them, so that a later run can be compared with this one.
"""

# Long: one schema, read and written as a whole, with what each field of it means.
from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

# Raised with every change to these records: one version cannot be read as another.
SCHEMA_VERSION: Final = 3
BASELINE = "baseline"
# The controls, which are rows like any other.
SAME = "baseline again"
PLANTED = "baseline with planted work"
# What a fingerprint has observed where the driver lists GPUs that the baseline's engine does not see: their names.
UNUSED_GPUS = "unused_gpus"
# What it has observed where other programs computed meanwhile: how many of the cores they kept busy.
OTHERS = "others_kept_busy"
# What it has observed where NVIDIA's tool is there and lists no GPU: what it says instead.
GPU_FAULT = "gpu_fault"
# What the workload of a user's own model has, and no other.
OWN_MODEL = "inputs"
# How a row's note begins where too few answers were compared to judge them.
UNDECIDED = "answers undecided"
# Where an agreement has, among its details, what was compared in all after more was asked, and what of it changed.
ALL_COMPARED, ALL_CHANGED = "all_compared", "all_changed"
# Where it has how far logits are apart at the most.
LOGIT_DIFFERENCE = "max_abs_logit_difference"

Switch = str | int | float | bool | None
# One size of the work; all of them by name are its workload.
Size = int | str
Workload = Mapping[str, Size]
# REPORTED: measured without a promise, so nothing was judged.
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "REPORTED"]
RunOutcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "REPORTED", "INVALID"]
# unjudged: nothing was promised of it, and the run's time was up before there were enough pairs.
Status = Literal["measured", "skipped", "unjudged", "failed"]


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record; msgspec turns a ValueError of `__post_init__` into an error located in what it decodes."""


class Fingerprint(_Record, frozen=True):
    """The machine and the software that times belong to; None where it could not be found out.

    Fields:
        system: The operating system ("Linux").
        machine: The architecture ("x86_64").
        cpu_model: The processor's name as the system has it; a hypervisor may hide it.
        cpu_id: Vendor-family-model, which tells generations apart even then.
        cores: The cores that this process may use.
        isa: The instruction sets that decide about 16- and 8-bit speed.
        gpus: One name a visible GPU.
        driver: The version of their driver.
        cuda: The version of CUDA that the engine was built for.
        versions: Those of Python and of the installed libraries that times depend on, by name.
        tf32: Whether float32 products may be computed as TensorFloat-32 on a GPU.
        intra_op_threads: The threads of one operation, 0 where the library chooses.
        inter_op_threads: The operations that may run side by side, 0 where the library chooses.
        states: What the libraries do by default that ratios depend on.
        observed: Whatever else was read from the running libraries and the environment, as text.
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
    states: dict[str, str] = msgspec.field(default_factory=dict)
    observed: dict[str, str] = msgspec.field(default_factory=dict)

    def and_observed(self, more: Mapping[str, str]) -> Fingerprint:
        """Return the same with what `more` was observed, as text by its name."""
        return msgspec.structs.replace(self, observed={**self.observed, **more})

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


class Subject(_Record, frozen=True):
    """What was run, or what it was run on: its `name`, the hash of its content, and how many of what it holds.

    `sha256` is None where there is no file to hash; `counts` are numbers by what is counted ("examples").
    """

    name: str
    sha256: str | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)


class Pairs(_Record, frozen=True):
    """One row's times in one set of fresh processes: entry i of both lists comes from round i.

    `baseline_seconds` are the geometric means of the baseline's two batches, at either end of the round,
    `variant_seconds` the row's own; `number` is that of the set in the run's record.

    Raises: ValueError when the lists differ in length, or a time is not a finite number above 0.
    """

    baseline_seconds: tuple[float, ...]
    variant_seconds: tuple[float, ...]
    number: int = 0

    def __post_init__(self) -> None:
        if len(self.baseline_seconds) != len(self.variant_seconds):
            raise ValueError(
                f"{len(self.baseline_seconds)} baseline and {len(self.variant_seconds)} variant times; "
                "expected one of each a round"
            )
        if not all(0 < seconds < math.inf for seconds in (*self.baseline_seconds, *self.variant_seconds)):
            raise ValueError("a time is not a finite number above 0")


class ProcessSet(_Record, frozen=True):
    """One set of fresh processes: how its order was drawn, and the baseline's times; units: seconds.

    `seed` is what the orders were drawn by; `order` is that in which the processes were started, `rounds` names the
    rows in the order of each round, `baseline_seconds` has the baseline's two batches of each, first and last. The
    rows' own times stand in their rows. All times are of one batch: the mean of so many `batches` that are run at once.
    """

    seed: int
    order: tuple[str, ...]
    rounds: tuple[tuple[str, ...], ...]
    baseline_seconds: tuple[tuple[float, float], ...]
    batches: int = 1


class Verdict(_Record, frozen=True):
    """What the sets said about one row; ratios are speed-ups, baseline seconds / variant seconds.

    `outcome` is the verdict, `floor` the speed-up that the row was held to, None where nothing was promised. `ratio`
    and `interval` are of one estimator; the interval holds the ratio with `confidence` probability, None after a single
    set. `sets` are those of fresh processes that it rests on, `pairs` the rounds in all of them. `total_ratio` is that
    of total times, `by_total` says that it made the FAIL. `floor_sd` is the floor's SD between runs (of the log ratio),
    `sd` that of one set, `scatters` tells that the row scatters more than the others. `p_fail` and `p_pass` are
    one-sided, before any correction for rows and looks. `finds` is the slowdown against the floor that these sets would
    have found in four of five runs, as a share. `more_seconds` is about how much longer it takes to decide, None where
    it is decided or nothing is known. With `at_most`, the row was ended at its limit, and the ratio is no larger.
    Raises: ValueError for a speed-up that is not a finite number above 0.
    """

    outcome: Outcome
    pairs: int
    floor: float | None
    ratio: float
    interval: tuple[float, float] | None
    confidence: float
    sets: int = 1
    total_ratio: float | None = None
    by_total: bool = False
    floor_sd: float = 0.0
    sd: float | None = None
    scatters: bool = False
    p_fail: float | None = None
    p_pass: float | None = None
    finds: float | None = None
    more_seconds: float | None = None
    at_most: bool = False

    def __post_init__(self) -> None:
        ratios = (self.ratio, *(self.interval or ()), *(() if self.floor is None else (self.floor,)))
        if not all(0 < ratio < math.inf for ratio in ratios):
            raise ValueError(f"a speed-up of {', '.join(map(str, ratios))} is not a finite number above 0")


class Difference(_Record, frozen=True):
    """One result that is not the baseline's, in words: what was asked, and what each of the two made of it.

    `subject` is what was asked, `baseline` and `variant` are the two results.
    """

    subject: str
    baseline: str
    variant: str


class Agreement(_Record, frozen=True):
    """How far a variant's results agree with the baseline's on the same inputs.

    `value` and `baseline_value` are the score named `metric`; of `compared` results `changed` differ; `details` holds
    what else was measured, by name, and `differences` the first of the changed results.
    """

    metric: str
    value: float
    baseline_value: float
    compared: int
    changed: int
    details: dict[str, float] = msgspec.field(default_factory=dict)
    differences: tuple[Difference, ...] = ()

    @property
    def changed_text(self) -> str:
        """How many of all that were compared have changed, those asked on after the sets too: "0 of 17"."""
        changed, compared = self.details.get(ALL_CHANGED, self.changed), self.details.get(ALL_COMPARED, self.compared)
        return f"{changed:.0f} of {compared:.0f}"


class Usage(_Record, frozen=True):
    """What a process took of the system, for one batch, in one pass over the data; and the most memory it ever held.

    `minor_faults` are page faults that need no disk, `major_faults` those that do. `user_seconds` and `system_seconds`
    are CPU time over all cores, in the program and in the system for it; `peak_memory` is in bytes, and so is
    `gpu_peak_memory`, the most that the engine's allocator held of a GPU, None where there is none.
    """

    minor_faults: float
    major_faults: float
    user_seconds: float
    system_seconds: float
    peak_memory: int | None = None
    gpu_peak_memory: int | None = None

    @property
    def system_share(self) -> float:
        """The system's part of the CPU time, most of which is spent on page faults."""
        total = self.user_seconds + self.system_seconds
        return self.system_seconds / total if total else 0.0


class VariantResult(_Record, frozen=True):
    """One row: the switches requested and observed, whether the results are the same, the times, the verdict.

    `name` is the row's, `status` what became of it, and `reason` says why it was skipped, failed or not judged; a row
    whose answers failed may have times and a verdict beside them. `requested` are its switches, `observed` what they
    were seen to be in the process. `agreement` says how far its answers are the baseline's. `samples` holds one entry
    for each set of fresh processes that it was in, in order; the baseline's own row has none. `verdict` is that on
    them, None where there is none. `trace_seconds` is the making of its graph, `warm_up_seconds` the batches before any
    that is timed, `predict_seconds` one pass over the whole data. `usage` is what that took of the system, `metrics`
    are further numbers by name, `note` is what else is to be said of it.

    Raises: ValueError for a row that is measured with a reason or not measured without one, and for a verdict that
    nothing was measured for.
    """

    name: str
    status: Status
    reason: str | None = None
    requested: dict[str, Switch] = msgspec.field(default_factory=dict)
    observed: dict[str, Switch] = msgspec.field(default_factory=dict)
    agreement: Agreement | None = None
    trace_seconds: float | None = None
    warm_up_seconds: float | None = None
    predict_seconds: float | None = None
    usage: Usage | None = None
    samples: tuple[Pairs, ...] = ()
    verdict: Verdict | None = None
    metrics: dict[str, float] = msgspec.field(default_factory=dict)
    note: str | None = None

    @property
    def undecided(self) -> bool:
        """Whether too few answers were compared to tell if they are the baseline's within the row's tolerance."""
        return is_undecided(self.note)

    def __post_init__(self) -> None:
        if (self.status == "measured") != (self.reason is None):
            raise ValueError(f"status {self.status} with reason {self.reason!r}; expected a reason unless measured")
        if self.verdict is None:
            return
        if self.status not in {"measured", "failed"} or not (self.samples or self.verdict.at_most):
            raise ValueError(f"a verdict on a variant that is {self.status}, from {len(self.samples)} samples")


class Control(_Record, frozen=True):
    """A row with a known answer: its times, `samples`, and the `verdict` on them; PASS is the right one.

    `planted` is the share of the baseline's time that was planted, as measured; 0 for the baseline itself.
    """

    samples: tuple[Pairs, ...]
    verdict: Verdict
    planted: float = 0.0


class Controls(_Record, frozen=True):
    """The baseline against itself, `same`, and with a slowdown, `planted`; None where not measured."""

    same: Control | None
    planted: Control | None


class Results(_Record, frozen=True):
    """A whole run.

    Fields:
        command: The command line.
        created: The UTC time of writing (ISO 8601, "Z").
        fingerprint: The machine and the software.
        model: What was run.
        data: What it was run on.
        workload: The sizes of the work that speed-ups depend on.
        profile: The device profile whose floors were judged against, None on a device that has none.
        variants: The rows, of which each has a name of its own.
        controls: The rows with a known answer.
        judged: How many rows were judged.
        expected: How many rows there are that should be judged.
        outcome: The verdict on the run.
        reasons: Why it is that, one line each, the worst first.
        given_up: What the run left out, a line each that says why: the time, a limit, or no more data.
        sets: The sets of fresh processes, in order.
        budget: The seconds that the run might take, None where it had no end or none are on record.
        schema_version: The version of these records.

    Raises: ValueError when a variant stands twice.
    """

    command: str
    created: str
    fingerprint: Fingerprint
    model: Subject
    data: Subject
    workload: dict[str, Size]
    profile: str | None
    variants: tuple[VariantResult, ...]
    controls: Controls
    judged: int
    expected: int
    outcome: RunOutcome
    reasons: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    sets: tuple[ProcessSet, ...] = ()
    budget: float | None = None
    schema_version: Literal[3] = SCHEMA_VERSION

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"variants stand twice: {', '.join(repeated)}")

    def variant(self, name: str) -> VariantResult | None:
        """Return the row called `name`, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)


def is_undecided(note: str | None) -> bool:
    """Return whether a row's `note` says that too few answers were compared to judge them."""
    return note is not None and note.startswith(UNDECIDED)


def utc_now() -> str:
    """Return the time as `Results.created` holds it."""
    return dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

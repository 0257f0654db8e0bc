"""Device profiles: which speed-up each variant must reach, on which device, and where that promise comes from."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from nqperf.errors import ConfigError
from nqperf.records.results import BASELINE, Fingerprint, Size, Workload
from nqperf.statistics.sets import Floor

# The state of a fingerprint that says which memory pages processes were seen on; absent, they are plain.
PAGES = "pages"
# The one that says which row the others were held to; absent, it is the table's own baseline.
HELD_TO = "baseline"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of a profile; msgspec turns a ValueError of `__post_init__` into an error located in what it decodes."""


class Device(_Table, frozen=True):
    """Which machines a profile is for: every field that is given must fit; names are patterns in which * is any text.

    Without `gpu` it is for machines that compute on the CPU, so a machine with a visible GPU does not fit; with it the
    machine has `gpu_count` of them. `cpu` is the processor's name, `cpu_id` its vendor-family-model, `cores` the number
    that a process may use. `isa` names all instruction sets that the machine has of those that a fingerprint tells:
    more of them are another speed-up. `states` are those of the fingerprint that must be the same. Two count also
    where they are not named, for ratios are others then: the row that others are held to, which is "baseline" then, and
    on a CPU memory pages, which are "plain".

    Raises: ValueError when it names no device, or a number is below 1.
    """

    gpu: str | None = None
    gpu_count: int = 1
    cpu: str | None = None
    cpu_id: str | None = None
    cores: int | None = None
    isa: tuple[str, ...] = ()
    states: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [name.strip("* ") for name in (self.gpu, self.cpu, self.cpu_id) if name is not None]
        if not (names or self.isa) or not all(names):
            raise ValueError("it names no device; expected isa, or gpu, cpu or cpu_id with more than * in it")
        if self.gpu_count < 1 or (self.cores is not None and self.cores < 1):
            raise ValueError(f"gpu_count is {self.gpu_count}, cores {self.cores}; expected 1 or more")

    def fits(self, fingerprint: Fingerprint) -> bool:
        """Return whether the machine of `fingerprint` is one of these."""
        if self.gpu is None:
            gpus_fit = not fingerprint.gpus
        else:
            gpus_fit = len(fingerprint.gpus) == self.gpu_count and all(_like(gpu, self.gpu) for gpu in fingerprint.gpus)
        return (
            gpus_fit
            and _like(fingerprint.cpu_model, self.cpu)
            and _like(fingerprint.cpu_id, self.cpu_id)
            and self.cores in {None, fingerprint.cores}
            and (not self.isa or set(self.isa) == set(fingerprint.isa))
            and self.states.items() <= fingerprint.states.items()
            and held_to(self.states) == held_to(fingerprint.states)
            and (self.gpu is not None or pages_of(self.states) == pages_of(fingerprint.states))
        )


def pages_of(states: Mapping[str, str]) -> str:
    """Return the kind of memory pages that the `states` of a fingerprint tell of."""
    return states.get(PAGES, "plain")


def held_to(states: Mapping[str, str]) -> str:
    """Return the row that the others are held to, of which `states` tell."""
    return states.get(HELD_TO, BASELINE)


class Provenance(_Table, frozen=True):
    """Where the floors come from: the `command` that measured them, the `date`, the `figures` seen, and a `note`.

    Raises: ValueError when one of the first three is empty.
    """

    command: str
    date: str
    figures: str
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("command", "date", "figures"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty; expected where the floors come from")


class Profile(_Table, frozen=True):
    """What one device promises for one workload: variant name to baseline seconds / variant seconds.

    `name` is its own, `device` says which machines it is for, and `provenance` where its floors come from. `floors` are
    the speed-ups as they were measured, `sds` the standard errors of their logs, learnt with `freedom` degrees of
    freedom. A floor without one is taken as it stands: one that was lowered by hand, as in profiles of earlier
    versions. A speed-up holds for a size of network and of batch, not for all; a size that `workload` does not name may
    be any.

    Raises: ValueError for an empty name, no floor, a floor that is no speed-up or is the baseline's, or an SD without a
    floor.
    """

    name: str
    device: Device
    floors: dict[str, float]
    provenance: Provenance
    workload: dict[str, Size] = msgspec.field(default_factory=dict)
    sds: dict[str, float] = msgspec.field(default_factory=dict)
    freedom: float | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("the profile's name is empty")
        if unknown := sorted(set(self.sds) - set(self.floors)):
            raise ValueError(f"profile {self.name} has an SD without a floor for {', '.join(unknown)}")
        if any(not 0 <= sd < math.inf for sd in self.sds.values()) or (self.freedom is not None and self.freedom <= 0):
            raise ValueError(f"profile {self.name}: SDs {self.sds} with {self.freedom} degrees of freedom")
        if not self.floors:
            raise ValueError(f"profile {self.name} promises nothing; expected a floor for at least one variant")
        for variant, floor in self.floors.items():
            if not 0 < floor < math.inf:
                raise ValueError(f"profile {self.name}, floor of {variant} is {floor}; expected a speed-up above 0")
        if BASELINE in self.floors:
            raise ValueError(f"profile {self.name} has a floor for {BASELINE}, which is what the others are held to")

    def promises(self) -> dict[str, Floor]:
        """Return the floors as rows are judged against them."""
        freedom = math.inf if self.freedom is None else self.freedom
        return {
            name: Floor(ratio=ratio, sd=self.sds.get(name, 0.0), freedom=freedom) for name, ratio in self.floors.items()
        }

    def fits(self, fingerprint: Fingerprint, workload: Workload) -> bool:
        """Return whether the promise is for the machine of this `fingerprint` and this `workload`."""
        return self.device.fits(fingerprint) and self.workload.items() <= workload.items()


def check_names(profiles: Iterable[Profile], *, variants: Collection[str], sizes: Collection[str], origin: str) -> None:
    """Raise unless all that the `profiles` name is known: one of the `variants`, one of the `sizes`.

    Raises: ConfigError that starts with `origin`, where the profiles come from.
    """
    for profile in profiles:
        where = f"{origin}: profile {profile.name}"
        _check_known(set(profile.floors) - set(variants), variants, f"{where} has floors for unknown variants")
        _check_known(set(profile.workload) - set(sizes), sizes, f"{where} is for unknown sizes")


def _check_known(unknown: Collection[str], known: Collection[str], fault: str) -> None:
    if unknown:
        raise ConfigError(f"{fault} {', '.join(sorted(unknown))}; expected some of {', '.join(sorted(known))}")


def profile_for(
    profiles: Sequence[Profile], fingerprint: Fingerprint, workload: Workload, *, origin: str, required: bool = False
) -> Profile | None:
    """Return the one of `profiles` for this machine and workload, None where nothing is promised: the run only reports.

    `fingerprint` is the machine's, `workload` has the sizes of the work. `origin` says where the profiles come from;
    `required` ones were asked for, so the run must not quietly become a report.
    Raises: ConfigError when two profiles fit, or none of required ones.
    """
    fitting = [profile for profile in profiles if profile.fits(fingerprint, workload)]
    if len(fitting) > 1:
        names = ", ".join(profile.name for profile in fitting)
        raise ConfigError(
            f"{origin}: profiles {names} all fit {fingerprint.device_key}; expected one: narrow the others"
        )
    if not fitting and required:
        raise ConfigError(
            f"{origin}: no profile is for this device and workload ({fingerprint.device_key}; {sizes_text(workload)}); "
            f"it has {', '.join(profile.name for profile in profiles)}: measure one with `nqperf calibrate`"
        )
    return fitting[0] if fitting else None


def sizes_text(workload: Workload) -> str:
    """Return the sizes of `workload` in words."""
    return ", ".join(f"{name} {size}" for name, size in workload.items())


def _like(name: str, pattern: str | None) -> bool:
    """Return whether `name` fits `pattern`; None fits all."""
    return pattern is None or fnmatch.fnmatchcase(name, pattern)

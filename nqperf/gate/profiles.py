"""Device profiles: which speed-up each variant must reach, on which device, and where that promise comes from."""

from __future__ import annotations

import fnmatch
import json
import math
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import read_whole
from nqperf.formats.results.results_json import BASELINE, Data, Fingerprint, Model

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGED = Path(__file__).with_name("profiles.toml")
SCHEMA_VERSION = 1


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file; msgspec turns a ValueError of `__post_init__` into a located error."""


class Device(_Table, frozen=True):
    """Which machines a profile is for: every field that is given must fit; names are patterns in which * is any text.

    Without `gpu` it is for machines that compute on the CPU, so a machine with a visible GPU does not fit.
    """

    gpu: str | None = None
    gpu_count: int = 1
    cpu: str | None = None
    cpu_id: str | None = None
    cores: int | None = None
    isa: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [name.strip("* ") for name in (self.gpu, self.cpu, self.cpu_id) if name is not None]
        if not names or not all(names):
            raise ValueError("it names no device; expected gpu, cpu or cpu_id with more than * in it")
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
            and set(self.isa) <= set(fingerprint.isa)
        )


class Workload(_Table, frozen=True):
    """What is run; in a profile, None fits any. A speed-up holds for a size of network and of batch, not for all."""

    hidden_size: int | None = None
    num_hidden_layers: int | None = None
    batch_size: int | None = None
    max_seq_length: int | None = None

    @classmethod
    def of(cls, model: Model, data: Data) -> Workload:
        """Return the workload of a run."""
        return cls(
            hidden_size=model.hidden_size,
            num_hidden_layers=model.num_hidden_layers,
            batch_size=data.batch_size,
            max_seq_length=data.max_seq_length,
        )

    def fits(self, workload: Workload) -> bool:
        """Return whether `workload` has every size that is given here."""
        return all(getattr(self, name) in {None, getattr(workload, name)} for name in self.__struct_fields__)


class Provenance(_Table, frozen=True):
    """Where the floors come from: the command that measured them, the day, the figures seen."""

    command: str
    date: str
    figures: str
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("command", "date", "figures"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty; expected where the floors come from")


class Profile(_Table, frozen=True):
    """The floors of one device and workload: variant name to the least baseline seconds / variant seconds."""

    name: str
    device: Device
    floors: dict[str, float]
    provenance: Provenance
    workload: Workload = Workload()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("the profile's name is empty")
        if not self.floors:
            raise ValueError(f"profile {self.name} promises nothing; expected a floor for at least one variant")
        for variant, floor in self.floors.items():
            if not 0 < floor < math.inf:
                raise ValueError(f"profile {self.name}, floor of {variant} is {floor}; expected a speed-up above 0")
        if BASELINE in self.floors:
            raise ValueError(f"profile {self.name} has a floor for {BASELINE}, which is what the others are held to")

    def fits(self, fingerprint: Fingerprint, workload: Workload) -> bool:
        """Return whether the promise is for this machine and this workload."""
        return self.device.fits(fingerprint) and self.workload.fits(workload)


class _File(_Table, frozen=True):
    """The whole file."""

    schema_version: Literal[1]
    profile: tuple[Profile, ...]

    def __post_init__(self) -> None:
        names = [profile.name for profile in self.profile]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or not names:
            raise ValueError(f"{len(names)} profiles, names that stand twice: {', '.join(repeated) or 'none'}")


def read_profiles(path: Path = PACKAGED) -> tuple[Profile, ...]:
    """Return the profiles in the TOML file `path`.

    Raises: FormatError when it is missing, no TOML, or a field is missing, unknown, of another type or out of range.
    """
    content = read_whole(path, what="a device profile")
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(f"is no UTF-8 text ({error.reason} at byte {error.start})", path=path) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise FormatError(f"is no TOML: {error}", path=path, line=int(line[1]) if line else None) from None
    try:
        return msgspec.convert(document, _File).profile
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        field = re.sub(r"^\$\.?", "", where.strip("`")) or None
        raise FormatError(f"{message}; see `nqperf calibrate` for a whole profile", path=path, field=field) from None


def profile_for(
    fingerprint: Fingerprint, workload: Workload, *, variants: Collection[str], path: Path | None = None
) -> Profile | None:
    """Return the profile for this machine and workload, or None where nothing is promised: the run is report-only.

    `path` is the user's own file instead of the packaged one; `variants` are all names of the variants table.
    Raises: FormatError as `read_profiles`; ConfigError when a floor is for no variant, two profiles fit, or the user's
    own file has none for this device: asked for a gate, the run must not quietly become a report.
    """
    where = path or PACKAGED
    profiles = read_profiles(where)
    for profile in profiles:
        unknown = sorted(set(profile.floors) - set(variants))
        if unknown:
            raise ConfigError(
                f"{where}: profile {profile.name} has floors for unknown variants {', '.join(unknown)}; "
                f"expected some of {', '.join(sorted(variants))}"
            )
    fitting = [profile for profile in profiles if profile.fits(fingerprint, workload)]
    if len(fitting) > 1:
        names = ", ".join(profile.name for profile in fitting)
        raise ConfigError(
            f"{where}: profiles {names} all fit {fingerprint.device_key}; expected one: narrow the others"
        )
    if not fitting and path is not None:
        raise ConfigError(
            f"{where}: no profile is for this device and workload ({fingerprint.device_key}; {_sizes(workload)}); "
            f"it has {', '.join(profile.name for profile in profiles)}: measure one with `nqperf calibrate`"
        )
    return fitting[0] if fitting else None


def render_profile(profile: Profile) -> str:
    """Return `profile` as the TOML that `read_profiles` reads, without the line of the schema version."""
    lines = ["[[profile]]", f"name = {_toml(profile.name)}"]
    for table, fields in msgspec.to_builtins(profile).items():
        if isinstance(fields, Mapping) and fields:
            lines += [
                "",
                f"[profile.{table}]",
                *(f"{_toml_key(key)} = {_toml(value)}" for key, value in fields.items()),
            ]
    return "\n".join(lines) + "\n"


def _sizes(workload: Workload) -> str:
    """Return the sizes of `workload` in words."""
    return ", ".join(f"{name} {getattr(workload, name)}" for name in workload.__struct_fields__)


def _like(name: str, pattern: str | None) -> bool:
    """Return whether `name` fits `pattern`; None fits all."""
    return pattern is None or fnmatch.fnmatchcase(name, pattern)


def _toml_key(key: str) -> str:
    """Return `key` bare where TOML allows it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    """Return `value` in TOML, whose strings and lists are written as JSON's but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

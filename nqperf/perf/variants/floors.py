"""What the suite promises where: the device profiles, read and held to its variants and sizes."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nqperf.formats.results.profiles_toml import PACKAGED, read_profiles
from nqperf.perf.machine.environment import Pages
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.profiles import PAGES, Profile, check_names, profile_for
from nqperf.records.results import Fingerprint, Workload

# The sizes of the work that speed-ups depend on, as profiles and results name them.
SIZES = ("hidden_size", "num_hidden_layers", "batch_size", "max_seq_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfiles:
    """The device profiles of one file.

    Fields:
        profiles: The profiles, as the file has them.
        origin: Where they come from, for messages.
        required: Whether one of them must be for the machine: the file was asked for.
    """

    profiles: tuple[Profile, ...]
    origin: str
    required: bool

    def check_names(self, own: Iterable[str] = ()) -> None:
        """Raise unless the floors are of variants of the table or of `own`, the user's, and the sizes are SIZES.

        Raises: ConfigError that names what is unknown.
        """
        check_names(self.profiles, variants={*VARIANTS, *own}, sizes=SIZES, origin=self.origin)

    def fitting(self, fingerprint: Fingerprint, workload: Workload) -> Profile | None:
        """Return the profile for the machine of this `fingerprint` and this `workload`; None where nothing is promised.

        Raises: ConfigError when two profiles fit, or none of required ones does.
        """
        return profile_for(self.profiles, fingerprint, workload, origin=self.origin, required=self.required)

    def pages_for(self, fingerprint: Fingerprint, workload: Workload) -> Pages:
        """Return the kind of memory pages to measure on: plain where floors hold for those, else huge.

        The floors are those for the machine of this `fingerprint` and this `workload`. Processes differ less on huge
        pages, and ratios are others.
        """

        def any_fits(pages: Pages) -> bool:
            states = {**fingerprint.states, PAGES: pages}
            seen = msgspec.structs.replace(fingerprint, states=states)
            return any(profile.fits(seen, workload) for profile in self.profiles)

        return "plain" if any_fits("plain") and not any_fits("huge") else "huge"


def read_floors(path: Path | None = None) -> DeviceProfiles:
    """Return the profiles in the user's own file `path`; the packaged ones, which are read once, when None.

    Raises: FormatError as `read_profiles`.
    """
    if path is None:
        return _packaged()
    return DeviceProfiles(profiles=read_profiles(path), origin=str(path), required=True)


@functools.cache
def _packaged() -> DeviceProfiles:
    return DeviceProfiles(profiles=read_profiles(), origin=str(PACKAGED), required=False)


def most_likely_first(variants: Iterable[Variant], *, on_gpu: bool) -> list[Variant]:
    """Return `variants` in the order of what a packaged profile of such devices promises of them at the best.

    The devices are GPUs with `on_gpu`, else CPUs. Where the time does not reach for all, it is for those then that have
    won somewhere, or were never seen to lose.
    """
    best: dict[str, float] = {}
    for profile in read_floors().profiles:
        if (profile.device.gpu is not None) == on_gpu:
            best.update({name: max(floor, best.get(name, 0.0)) for name, floor in profile.floors.items()})
    return sorted(variants, key=lambda variant: -best.get(variant.name, 1.0))

"""What the suite promises where: the device profiles, read and held to its variants and sizes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from nqperf.formats.results.profiles_toml import PACKAGED, read_profiles
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.profiles import Profile, check_names, profile_for
from nqperf.records.results import Fingerprint, Workload

# The sizes of the work that speed-ups depend on, as profiles and results name them.
SIZES = ("hidden_size", "num_hidden_layers", "batch_size", "max_seq_length")


def read_floors(path: Path | None = None, own: Collection[str] = ()) -> tuple[Profile, ...]:
    """Return the profiles in the user's own file `path`, or the packaged ones when None.

    They may have floors for the variants of the table and for `own`, the user's.

    Raises: FormatError as `read_profiles`; ConfigError for a variant or a size that the suite does not have.
    """
    profiles = read_profiles(path or PACKAGED)
    check_names(profiles, variants={*VARIANTS, *own}, sizes=SIZES, origin=str(path or PACKAGED))
    return profiles


def floors_for(
    fingerprint: Fingerprint, workload: Workload, path: Path | None = None, own: Collection[str] = ()
) -> Profile | None:
    """Return the profile of `read_floors` for this machine and workload; None where nothing is promised.

    Raises: as `read_floors`; ConfigError when two profiles fit, or none of the user's own file does.
    """
    profiles = read_floors(path, own)
    return profile_for(profiles, fingerprint, workload, origin=str(path or PACKAGED), required=path is not None)


def most_likely_first(variants: Iterable[Variant], *, on_gpu: bool) -> list[Variant]:
    """Return variants in the order of what a packaged profile of such devices promises of them at the best.

    Where the time does not reach for all, it is for those then that have won somewhere, or were never seen to lose.
    """
    best: dict[str, float] = {}
    for profile in read_profiles():
        if (profile.device.gpu is not None) == on_gpu:
            best.update({name: max(floor, best.get(name, 0.0)) for name, floor in profile.floors.items()})
    return sorted(variants, key=lambda variant: -best.get(variant.name, 1.0))

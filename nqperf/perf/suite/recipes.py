"""Recipes: what `tune` found, as a row of the suite with a floor of its own, and where it holds."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import msgspec

from nqperf.engines.registry import DEFAULT_ENGINE
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.results.recipe_toml import Recipe, read_recipe
from nqperf.formats.weights.model_folder import ModelFolder
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.suite.task import model_record
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.profiles import Device, Profile, Provenance
from nqperf.records.results import Fingerprint, Workload

# The name of a recipe's row in the suite.
RECIPE = "recipe"


def recipe_variant(recipe: Recipe, path: Path, *, name: str = RECIPE) -> Variant:
    """Return the variant that a recipe describes; it must be seen to do what the row it comes from must.

    Raises: FormatError for an engine or a setting that does not exist.
    """
    row = VARIANTS.get(recipe.row)
    try:
        return Variant(
            name=name,
            description=f"the recipe {path.name}",
            engine=recipe.engine,
            environment=recipe.environment,
            settings=recipe.settings,
            tolerance=recipe.tolerance,
            effects=row.effects if row else (),
            batch_size=recipe.batch_size,
        )
    except ConfigError as error:
        raise FormatError(f"cannot be run: {error}", path=path) from None


def read_recipe_row(path: Path | None) -> tuple[Variant, ...]:
    """Return the row of the recipe file `path`; none when None.

    Raises: FormatError as `read_recipe` and `recipe_variant`.
    """
    return () if path is None else (recipe_variant(read_recipe(path), path),)


def check_model(recipe: Recipe, path: Path, folder: ModelFolder) -> None:
    """Raise unless the recipe is one for this model.

    Raises: FormatError with both checksums.
    """
    found = model_record(folder)
    if found.sha256 != recipe.model.sha256:
        raise FormatError(
            f"is for the model {recipe.model.name} (sha256 {_short(recipe.model.sha256)}), not for {folder.path} "
            f"({_short(found.sha256)}): make one with `nqperf tune {folder.path}`",
            path=path,
            field="model.sha256",
        )


def way_of(path: Path, folder: ModelFolder) -> tuple[str, dict[str, Any]]:
    """Return the engine and its settings that a recipe says for this process, with a warning on another device.

    Raises: FormatError for a recipe that cannot be used for this model, ConfigError for variables that had to stand
    before Python started.
    """
    recipe = read_recipe(path)
    recipe_variant(recipe, path)
    check_model(recipe, path, folder)
    if why := other_device(recipe):
        warnings.warn(f"{path} is not for this machine: {why}; running the baseline's way", stacklevel=3)
        return DEFAULT_ENGINE, {}
    absent = [f"{name}={value}" for name, value in recipe.environment.items() if os.environ.get(name) != value]
    if absent:
        raise ConfigError(f"{path} needs variables that stand before Python starts: start it with {' '.join(absent)}")
    return recipe.engine, {**recipe.settings, "batch_size": recipe.batch_size}


def other_device(recipe: Recipe) -> str | None:
    """Return why this machine is not the recipe's, or None when it is."""
    here, there = take_fingerprint().device_key, recipe.device.device_key
    return None if here == there else f"it was found on {there}; this is {here}"


def with_recipe(
    profile: Profile | None, path: Path | None, fingerprint: Fingerprint, sizes: Workload
) -> Profile | None:
    """Return the profile with a recipe's own floor for its row, where the recipe is for this device and work.

    Raises: FormatError as `read_recipe`.
    """
    recipe = None if path is None else read_recipe(path)
    if recipe is None or recipe.figures is None or recipe.figures.floor is None:
        return profile
    same_work = recipe.max_seq_length == sizes["max_seq_length"]
    if recipe.device.device_key != fingerprint.device_key or not same_work:
        return profile
    floors = {RECIPE: recipe.figures.floor}
    if profile is not None:
        both = {**profile.floors, **floors}
        return msgspec.structs.replace(profile, name=f"{profile.name}, and the recipe's own", floors=both)
    figures = recipe.figures
    return Profile(
        name="the recipe's own",
        device=Device(cpu=fingerprint.cpu_model, gpu=next(iter(fingerprint.gpus), None), gpu_count=1),
        floors=floors,
        provenance=Provenance(
            command=recipe.command,
            date=recipe.created,
            figures=f"{figures.ratio:.3f} ({figures.interval[0]:.3f} .. {figures.interval[1]:.3f})",
        ),
    )


def _short(sha256: str | None) -> str:
    return (sha256 or "unknown")[:12]

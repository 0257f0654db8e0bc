"""Recipes: what `tune` found, as a row of the suite with a floor of its own, and where it holds."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nqperf.engines.registry import DEFAULT_ENGINE
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.results.recipe_toml import Recipe, read_recipe
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.perf.machine.examination import device_fingerprint
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.profiles import Device, Profile, Provenance, held_to
from nqperf.records.results import Fingerprint, Workload

# The name of a recipe's row in the suite.
RECIPE = "recipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeRow:
    """A recipe that was read, and the row that it is; `read_recipe_row` makes it.

    Fields:
        path: The file, for messages.
        recipe: What the file says.
        variant: The suite's row, which must be seen to do what the row that the recipe comes from must.
    """

    path: Path
    recipe: Recipe
    variant: Variant

    def require_model(self, model: OpenedModel) -> None:
        """Raise unless the recipe is one for this `model`.

        Raises: FormatError with both checksums.
        """
        wanted, found = self.recipe.model.sha256, model.weights_sha256
        if found != wanted:
            raise FormatError(
                f"is for the model {self.recipe.model.name} (sha256 {_short(wanted)}), not for {model.path} "
                f"({_short(found)}): make one with `nqperf tune {model.path}`",
                path=self.path,
                field="model.sha256",
            )

    def other_device(self) -> str | None:
        """Return why this machine is not the recipe's, or None when it is."""
        here, there = device_fingerprint(self.recipe.engine).device_key, self.recipe.device.device_key
        return None if here == there else f"it was found on {there}; this is {here}"

    def engine_and_settings(self) -> tuple[str, dict[str, Any]]:
        """Return the engine and its settings."""
        return self.recipe.engine, {**self.recipe.settings, "batch_size": self.recipe.batch_size}

    def added_to(self, profile: Profile | None, fingerprint: Fingerprint, sizes: Workload) -> Profile | None:
        """Return the `profile` with the recipe's own floor for its row, where it is for this device, work and baseline.

        `fingerprint` is the machine's, `sizes` are those of the work; the profile is None where nothing else is
        promised.
        """
        recipe, figures = self.recipe, self.recipe.figures
        same_work = recipe.max_seq_length == sizes["max_seq_length"]
        if figures is None or figures.floor is None:
            return profile
        same_baseline = held_to(recipe.device.states) == held_to(fingerprint.states)
        if recipe.device.device_key != fingerprint.device_key or not (same_work and same_baseline):
            return profile
        floors, sds = {RECIPE: figures.floor}, {RECIPE: figures.floor_sd}
        if profile is not None:
            return msgspec.structs.replace(
                profile,
                name=f"{profile.name}, and the recipe's own",
                floors={**profile.floors, **floors},
                sds={**profile.sds, **sds},
            )
        return Profile(
            name="the recipe's own",
            device=Device(cpu=fingerprint.cpu_model, gpu=next(iter(fingerprint.gpus), None), gpu_count=1),
            floors=floors,
            sds=sds,
            provenance=Provenance(
                command=recipe.command,
                date=recipe.created,
                figures=f"{figures.ratio:.3f} ({figures.interval[0]:.3f} .. {figures.interval[1]:.3f})",
            ),
        )


def read_recipe_row(path: Path | str) -> RecipeRow:
    """Return the recipe in the file `path`, and its row.

    Raises: FormatError as `read_recipe`, and for an engine or a setting that does not exist; MissingExtraError for an
    engine that is not installed.
    """
    path = Path(path)
    recipe = read_recipe(path)
    row = VARIANTS.get(recipe.row)
    try:
        variant = Variant(
            name=RECIPE,
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
    variant.engine_row().require()
    return RecipeRow(path=path, recipe=recipe, variant=variant)


def way_of(path: Path, model: OpenedModel) -> tuple[str, dict[str, Any]]:
    """Return the engine and its settings that the recipe in `path` says, with a warning on another device.

    `model` is what is run, in this process.

    Raises: FormatError for a recipe that cannot be used for this model, ConfigError for variables that had to stand
    before Python started.
    """
    row = read_recipe_row(path)
    row.require_model(model)
    if why := row.other_device():
        warnings.warn(f"{path} is not for this machine: {why}; running the baseline's way", stacklevel=3)
        return DEFAULT_ENGINE, {}
    wanted = row.recipe.environment
    absent = [f"{name}={value}" for name, value in wanted.items() if os.environ.get(name) != value]
    if absent:
        raise ConfigError(f"{path} needs variables that stand before Python starts: start it with {' '.join(absent)}")
    return row.engine_and_settings()


def _short(sha256: str | None) -> str:
    return (sha256 or "unknown")[:12]

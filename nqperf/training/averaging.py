"""One model out of several of the same shape: the mean of their weights, a model soup.

Models that training made out of one another lie in one basin of the loss, and their mean is often better than the best
of them, at no cost when it answers (Wortsman et al. 2022, Model soups; Izmailov et al. 2018 for points of one run).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import (
    FolderSettings,
    OpenedModel,
    check_replaceable,
    open_model,
    write_model_folder,
)
from nqperf.formats.weights.tokenizer_file import same_vocabulary
from nqperf.nq.example import FloatArray


def average(models: Sequence[Path], out: Path) -> None:
    """Write the model folder `out`, each of whose tensors is the mean of the `models`', with float16 weights.

    It has no thresholds.
    A model named twice weighs twice.

    Raises: ConfigError for fewer than two models, or for one that has another network or tokenizer than the first;
    FormatError for a folder that cannot be read or written.
    """
    if len(models) <= 1:
        raise ConfigError(f"{len(models)} model to average; expected at least two")
    check_replaceable(out)
    folders = [open_model(path) for path in models]
    first = folders[0]
    for other in folders[1:]:
        _require_alike(first, other)
    totals: dict[str, FloatArray] = {name: np.zeros_like(values) for name, values in first.read_weights().items()}
    for folder in folders:
        for name, values in folder.read_weights().items():
            totals[name] += values
    means = {name: total / np.float32(len(folders)) for name, total in totals.items()}
    # The thresholds of none of them are the mean's, and a head that is untrained in one is of no use in the mean.
    heads: Literal["new"] | None = "new" if any(folder.settings.heads == "new" for folder in folders) else None
    settings = FolderSettings(heads=heads)
    write_model_folder(out, first.config, means, first.tokenizer_file, dtype="float16", settings=settings)


def _require_alike(first: OpenedModel, other: OpenedModel) -> None:
    ours, theirs = first.config.to_dict(), other.config.to_dict()
    different = sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name))
    if different:
        said = ", ".join(f"{name} {theirs.get(name)} for {ours.get(name)}" for name in different)
        raise ConfigError(
            f"{other.path} is another network than {first.path} ({said}); expected models of one training"
        )
    if not same_vocabulary(first.require_tokenizer(), other.require_tokenizer()):
        raise ConfigError(f"{other.path} has another tokenizer than {first.path}; expected models of one training")

"""From finished shards to the files of the whole run: in order, each checked once more on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from nqperf.formats.files import copy_whole
from nqperf.formats.journal import Journal
from nqperf.formats.nq.logits_npz import logits_writer, read_logits
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.formats.nq.tfrecord import features_writer
from nqperf.nq.example import Prediction
from nqperf.shards.worker import FEATURES, LOGITS, PREDICTIONS


def join_features(journal: Journal, out: Path, *, again: Path | None = None) -> None:
    """Write the features of all shards in `journal` to `out`; where they are used again, they are copied from `again`.

    Raises: FormatError when a shard's file is not as it was written, or `out` cannot be written.
    """
    if again is not None:
        if again.resolve() != out.resolve():
            copy_whole(again, out)
        return
    with features_writer(out) as writer:
        for number in sorted(journal.done):
            writer.add_encoded(journal.read(number, FEATURES), journal.done[number].windows)


def join_logits(journal: Journal, out: Path) -> None:
    """Write the logits of all shards in `journal` to `out`, in order.

    Raises: FormatError when a shard's file is not as it was written, or `out` cannot be written.
    """
    with logits_writer(out) as writer:
        for number in sorted(journal.done):
            for block in read_logits(journal.checked(number, LOGITS)):
                writer.add(block)


def joined_predictions(journal: Journal) -> list[Prediction]:
    """Return the predictions of all shards in `journal`, in order.

    Raises: FormatError when a shard's file is not as it was written.
    """
    found = []
    for number in sorted(journal.done):
        found += read_predictions(journal.checked(number, PREDICTIONS))
    return found


def joined_states(journal: Journal) -> dict[str, Any]:
    """Return the switches that the engine was observed in, over all shards in `journal`.

    `observed` holds those that all shards have alike, `observed_apart` the others: an entry for each set of shards that
    has them alike, with the numbers of the shards.
    """
    states = {number: journal.done[number].observed for number in sorted(journal.done)}
    first = next(iter(states.values()), {})
    alike = {
        name: value
        for name, value in first.items()
        if all(name in one and one[name] == value for one in states.values())
    }
    apart: dict[bytes, dict[str, Any]] = {}
    for number, one in states.items():
        rest = {name: value for name, value in sorted(one.items()) if name not in alike}
        entry = apart.setdefault(msgspec.json.encode(rest), {"shards": [], **rest})
        entry["shards"].append(number)
    return {"observed": alike, "observed_apart": list(apart.values()) if len(apart) > 1 else []}

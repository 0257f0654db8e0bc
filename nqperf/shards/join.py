"""From finished shards to the files of the whole run: in order, each checked once more on the way."""

from __future__ import annotations

from pathlib import Path

from nqperf.formats.files import copy_whole
from nqperf.formats.journal import Journal
from nqperf.formats.nq.logits_npz import logits_writer, read_logits
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.formats.nq.tfrecord import features_writer
from nqperf.nq.example import Prediction
from nqperf.shards.worker import FEATURES, LOGITS, PREDICTIONS


def join_features(journal: Journal, out: Path, *, again: Path | None = None) -> None:
    """Write the features of all shards to `out`; where they are used again, they are copied from there."""
    if again is not None:
        if again.resolve() != out.resolve():
            copy_whole(again, out)
        return
    with features_writer(out) as writer:
        for number in sorted(journal.done):
            writer.add_encoded(journal.read(number, FEATURES), journal.done[number].windows)


def join_logits(journal: Journal, out: Path) -> None:
    """Write the logits of all shards to `out`."""
    with logits_writer(out) as writer:
        for number in sorted(journal.done):
            for block in read_logits(journal.checked(number, LOGITS)):
                writer.add(block)


def joined_predictions(journal: Journal) -> list[Prediction]:
    """Return the predictions of all shards."""
    found = []
    for number in sorted(journal.done):
        found += read_predictions(journal.checked(number, PREDICTIONS))
    return found

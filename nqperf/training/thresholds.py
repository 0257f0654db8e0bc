"""The thresholds of a trained model, chosen on held-out training data and stored in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from nqperf.errors import ConfigError
from nqperf.formats.files import refuse_links, write_whole
from nqperf.formats.json_object import read_json_object
from nqperf.formats.weights.model_folder import CONFIG, open_model
from nqperf.formats.weights.packaged import PACKAGED_MODEL
from nqperf.nq.example import NULL_SPAN, Annotation, Candidates, Example, IntArray
from nqperf.nq.features import FeatureConfig
from nqperf.training.sources import Source
from nqperf.training.validation import prepare_validation

# Of the held-out answerable examples as many yes/no questions are taken as make a quarter, as among search questions.
_SHORT_PER_YES_NO = 3
# One null for every two answerable examples, as in held-out data of search questions.
_ANSWERABLE_PER_NULL = 2
# Generated examples come from a seed of their own, so that none was trained on.
_WORLD_SEED = 1_000_003
_OTHER_ID = 1 << 40
# As many as the search questions that are held out, so that no source outweighs another.
VALIDATION_EXAMPLES = 54


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationJob:
    """A `model` folder, and the `sources` that its thresholds are chosen on: at most `validation` examples of a file.

    `features` says how long a window is, `precision` what the network computes in.
    """

    model: Path
    sources: tuple[Source, ...]
    validation: int = VALIDATION_EXAMPLES
    features: FeatureConfig = FeatureConfig()
    precision: str = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The thresholds of the best micro-F1 on so many held-out `examples`: `micro_f1`.

    `long_threshold` and `short_threshold` are in logits.
    """

    examples: int
    micro_f1: float
    long_threshold: float
    short_threshold: float


def calibrate(job: CalibrationJob) -> Calibration:
    """Choose the thresholds of the model of `job` and store them in its folder.

    Raises: ConfigError when no example is held out; FormatError for a model folder that cannot be read.
    """
    from nqperf.model.bert import BertJoint
    from nqperf.model.variables import assign_weights, build

    folder = open_model(job.model)
    refuse_links(job.model, [CONFIG])
    if folder.path == PACKAGED_MODEL:
        raise ConfigError(f"{job.model} is the packaged model, which stays as it is: copy its folder, name the copy")
    examples = [
        example
        for source in job.sources
        for example in validation_examples(source, source.examples if source.kind == "world" else job.validation)
    ]
    validation = prepare_validation(examples, folder.tokenizer, job.features)
    model = build(BertJoint(folder.config, job.precision), job.features.max_seq_length)
    assign_weights(model, folder.read_weights())
    (long, short), micro_f1 = validation.calibrated(validation.predictions(model))
    fields = dict(read_json_object(job.model / CONFIG, what="a BERT configuration"))
    fields["nqperf"] = {**msgspec.to_builtins(folder.settings), "long_threshold": long, "short_threshold": short}
    write_whole(job.model / CONFIG, msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n")
    return Calibration(examples=len(examples), micro_f1=micro_f1, long_threshold=long, short_threshold=short)


def calibration_examples(source: Source) -> Iterator[Example]:
    """Yield the held-out examples of `source` in the proportions of search questions.

    Nulls are made from some of them.
    """
    if source.kind == "world":
        yield from source.training_examples(_WORLD_SEED)
        return
    examples = list(source.held_out_examples())
    others = [example for example in examples if example.annotations[0].yes_no_answer == "NONE"]
    yes_no = [example for example in examples if example.annotations[0].yes_no_answer != "NONE"]
    answerable = [*others, *yes_no[: max(1, len(others) // _SHORT_PER_YES_NO)]]
    yield from answerable
    for example in islice(answerable, 0, None, _ANSWERABLE_PER_NULL):
        unanswered = without_answer(example)
        if unanswered is not None:
            yield unanswered


def validation_examples(source: Source, limit: int) -> list[Example]:
    """Return at most `limit` of the held-out examples of `source`, evenly chosen: the first ones may be of one kind."""
    if source.kind == "world":
        return list(calibration_examples(replace(source, examples=min(limit, source.examples))))
    examples = list(calibration_examples(source))
    return examples[:: max(1, -(-len(examples) // limit))]


def without_answer(example: Example) -> Example | None:
    """Return `example`, under another id, whose answering candidates are gone; None where no other one is left."""
    keep = np.ones(len(example.tokens), dtype=np.bool_)
    for annotation in example.annotations:
        keep[annotation.long_answer.start_token : max(annotation.long_answer.end_token, 0)] = False
    new_token: IntArray = np.concatenate([[0], np.cumsum(keep)]).astype(np.int32)
    start, end = new_token[example.candidates.start_token], new_token[example.candidates.end_token]
    left = end > start
    if not left.any():
        return None
    return replace(
        example,
        example_id=example.example_id ^ _OTHER_ID,
        tokens=[token for token, kept in zip(example.tokens, keep.tolist(), strict=True) if kept],
        is_html=example.is_html[keep],
        candidates=Candidates(
            start_token=start[left], end_token=end[left], top_level=example.candidates.top_level[left]
        ),
        annotations=(Annotation(long_answer=NULL_SPAN, short_answers=(), yes_no_answer="NONE"),),
    )

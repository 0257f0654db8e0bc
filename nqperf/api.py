"""nqperf from Python: load a model and ask it, predict and score files, audit a network, bench the variants."""

# Long: it is the list of what users call, each with its docstring.
from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nqperf.defaults import PACKAGED_MODEL, DevelopmentSet
from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.errors import ConfigError
from nqperf.formats.nq.jsonl import NqReader, example_of
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.formats.weights.model_folder import OpenedModel, open_model
from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.example import Annotation, Example, Prediction, YesNo
from nqperf.nq.features import FeatureConfig, build_features
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import concatenate
from nqperf.nq.ranking import rank_spans
from nqperf.nq.scoring import Thresholds, score
from nqperf.nq.text import TextDocument
from nqperf.pipeline import REFERENCE, PipelineConfig, answer_stream, prepare

if TYPE_CHECKING:
    from nqperf.casts.findings import Audit
    from nqperf.engines.engine import Engine
    from nqperf.nq.tokenization import Tokenizer
    from nqperf.perf.variants.variant import Tolerance
    from nqperf.records.results import Results
    from nqperf.tuning.tune import Tuned

_LOG = logging.getLogger(__name__)
# Of one document there are few windows, and a batch is filled up with empty ones.
_BATCH_SIZE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A stretch of the document that answers a question: tokens [start_token, end_token) with their `text`.

    `start_char` and `end_char` are the same in the characters of a plain text, None for an example's document. `score`
    is the span score: logits above those of "no answer here".
    """

    text: str
    score: float
    start_token: int
    end_token: int
    start_char: int | None = None
    end_char: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model answers to one `question`.

    `long` and `short` are None where no score is above the model's threshold; `yes_no` is "YES", "NO" or "NONE"; `best`
    are the best spans whatever the thresholds, best first.
    """

    question: str
    long: Answer | None
    short: Answer | None
    yes_no: YesNo
    best: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model, opened in `folder`, in one `engine`; `load_model` makes it.

    `pipeline` has the numbers of its route: the length of a window, the model's own thresholds.
    """

    folder: OpenedModel
    engine: Engine[Any]
    pipeline: PipelineConfig

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The folder's tokenizer."""
        return self.folder.tokenizer

    def answer(self, question: str, document: str | Example | Mapping[str, Any], *, best: int = 5) -> Answers:
        """Answer a `question` from a document, and say where the answers stand.

        `document` is a plain text, paragraphs apart by a blank line, or a Natural Questions example: an Example, or a
        line's JSON in either layout. An example's own question and annotations are not read. At most `best` spans are
        listed in `Answers.best`.
        Raises: ConfigError for a document without words, an empty question, or a document of another kind.
        """
        if not question.strip():
            raise ConfigError("the question is empty; expected words")
        text = TextDocument.of(document) if isinstance(document, str) else None
        example = text.example(question) if text else _example(question, document)
        features = build_features(example, self.tokenizer, self.pipeline.context, self.pipeline.features)
        logits = concatenate(list(self.engine.predict([features])))
        prediction = answer([AnswerInput.of(example)], features, logits, self.pipeline.answers)[0]
        starts = np.array([0, len(features)], dtype=np.int32)
        ranked = rank_spans(features, logits, starts, self.pipeline.answers.ranking)
        spans = zip(ranked.start_token.tolist(), ranked.end_token.tolist(), ranked.score.tolist(), strict=True)

        def stretch(start_token: int, end_token: int, score: float) -> Answer:
            return _answer(example, text, (start_token, end_token), score)

        long, short = prediction.long_answer, prediction.short_answers
        return Answers(
            question=question,
            long=None if long.is_null else stretch(long.start_token, long.end_token, prediction.long_answer_score),
            short=stretch(short[0].start_token, short[0].end_token, prediction.short_answers_score) if short else None,
            yes_no=prediction.yes_no_answer,
            best=tuple(stretch(*span) for span in list(spans)[:best]),
        )

    def predict(self, examples: Iterable[Example]) -> Iterator[Prediction]:
        """Yield one prediction for each of `examples`, streamed, by the model's own thresholds."""
        return answer_stream(
            examples,
            prepared=lambda some: prepare(some, self.tokenizer, self.pipeline),
            predict=self.engine.predict,
            config=self.pipeline.answers,
        )


def load_model(
    folder: str | Path | None = None,
    *,
    engine: str = DEFAULT_ENGINE,
    recipe: str | Path | None = None,
    max_seq_length: int | None = None,
    answers: AnswerConfig | None = None,
    **settings: Any,
) -> Model:
    """Return the model in `folder`, ready to be asked; None is the packaged nq-mini.

    `engine` is the name of what runs it; `settings` go to it (TensorFlow: precision, xla, batch_size, ...); a `recipe`
    of `nqperf tune` says both in their place, and on another device than its own it warns and is passed over. `answers`
    replaces the thesis's heuristic with the model's own thresholds. A shorter `max_seq_length` than the model's is
    faster for short documents.
    Raises: FormatError for a folder that is no model or a recipe for another one, ConfigError for settings that cannot
    be, or variables that a recipe needs before Python starts.
    """
    found = open_model(PACKAGED_MODEL if folder is None else Path(folder))
    if recipe is not None:
        if settings or engine != DEFAULT_ENGINE:
            raise ConfigError("a recipe says the engine and its settings; expected it alone")
        from nqperf.perf.suite.recipes import way_of

        engine, settings = way_of(Path(recipe), found)
    length = max_seq_length or min(REFERENCE.features.max_seq_length, found.config.positions)
    found.config.require_positions(length)
    features = FeatureConfig.for_length(length)
    chosen = answers or AnswerConfig.of(found.settings)
    loaded = find_engine(engine).load(
        found.config, found.read_weights(), {"batch_size": _BATCH_SIZE, **settings}, seq_length=length
    )
    return Model(folder=found, engine=loaded, pipeline=replace(REFERENCE, features=features, answers=chosen))


def predict(
    data: str | Path | Iterable[Example | Mapping[str, Any]] | None = None, model: Model | str | Path | None = None
) -> list[Prediction]:
    """Return one prediction an example of a Natural Questions file (or glob), of examples, or of rows in its layouts.

    None for `data` is the generated development set, for `model` the packaged nq-mini.
    Raises: FormatError and ConfigError for input that cannot be used.
    """
    loaded = model if isinstance(model, Model) else load_model(model)
    return list(loaded.predict(_examples(data)))


def evaluate(
    gold: str | Path | Iterable[Example | Mapping[str, Any]] | Mapping[int, Sequence[Annotation]] | None,
    predictions: str | Path | Sequence[Prediction],
    *,
    non_null_threshold: int | None = None,
    long_non_null_threshold: int | None = None,
    short_non_null_threshold: int | None = None,
) -> dict[str, float | int]:
    """Return nq_eval's metrics under their official names; `all-answer-f1` is micro-F1.

    `gold` is annotated data: a file (or glob), examples, or annotations by example id; None is the generated
    development set. `predictions` are those of `predict`, or a predictions file. `non_null_threshold` is how many
    annotators must have given an answer for an example to have one, `long_non_null_threshold` and
    `short_non_null_threshold` the same for one kind of answer alone; None takes 2 where all examples have several
    annotators, else 1. Examples without annotations are left out, with a warning.
    Raises: FormatError and ConfigError for input that cannot be used.
    """
    annotations, unannotated = _gold(gold)
    found = read_predictions(Path(predictions)) if isinstance(predictions, str | Path) else predictions
    asked = Thresholds(both=non_null_threshold, long=long_non_null_threshold, short=short_non_null_threshold)
    scored = score(annotations, found, thresholds=asked, unannotated=unannotated)
    for note in scored.notes():
        _LOG.warning("%s", note)
    return scored.metrics


def audit(build_or_model: Any, *, precision: str | None = None, inputs: Any = None) -> Audit:
    """Return the float16 cast audit of a Keras model, or of a function that builds one.

    `build_or_model` is that model or function. `inputs` are tf.TensorSpecs, for a model that has not been called yet.
    `precision` is handed to a builder that has such a parameter; without one the global policy is set while it builds.
    Raises: ConfigError when the target is no such thing.
    """
    from nqperf.casts.audit import audit as audit_casts

    return audit_casts(build_or_model, precision=precision, inputs=inputs)


def bench(model: str | Path | None = None, data: str | Path | None = None, **options: Any) -> Results:
    """Run the suite as `nqperf bench` does and return its record.

    `model` is a model folder, None the packaged one; `data` a Natural Questions file or glob, None generated examples.
    `options` are those of SuiteConfig.from_options: variants, against, limit, batch_size, profile, rounds, ...
    Raises: NqPerfError for bad input, and when the baseline cannot run.
    """
    from nqperf.perf.suite.config import SuiteConfig
    from nqperf.perf.suite.suite import run_suite

    return run_suite(SuiteConfig.from_options(model=model, data=data, **options)).results


def tune(
    model: str | Path | None = None,
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    tolerance: Tolerance = "exact",
    **options: Any,
) -> Tuned:
    """Find the fastest way to run a model on this machine as `nqperf tune` does, and prove it; `out` takes the recipe.

    `model` and `data` are as in `bench`; `tolerance` says how much the answers may change: "exact", not at all.
    `options` are those of TuneConfig.from_options: budget (seconds), limit, variants, max_seq_length, ...
    Raises: NqPerfError for bad input, and when the baseline cannot run.
    """
    from nqperf.formats.files import require_places
    from nqperf.formats.results.recipe_toml import write_recipe
    from nqperf.tuning.tune import TuneConfig
    from nqperf.tuning.tune import tune as search

    config = TuneConfig.from_options(model=model, data=data, tolerance=tolerance, **options)
    place = None if out is None else Path(out)
    require_places(out=place)
    found = search(config)
    if place is not None:
        write_recipe(place, found.recipe)
    return found


def _examples(data: str | Path | Iterable[Example | Mapping[str, Any]] | None) -> Iterable[Example]:
    if data is None:
        return DevelopmentSet().examples()
    if isinstance(data, str | Path):
        return NqReader(source=str(data)).examples()
    return (
        one if isinstance(one, Example) else example_of(one, where=f"row {number}") for number, one in enumerate(data)
    )


def _gold(
    gold: str | Path | Iterable[Example | Mapping[str, Any]] | Mapping[int, Sequence[Annotation]] | None,
) -> tuple[Mapping[int, Sequence[Annotation]], list[int]]:
    """Return the annotations by example id, and the ids of the examples that have none."""
    if isinstance(gold, str | Path):
        reader = NqReader(source=str(gold))
        return dict(reader.gold()), reader.unannotated
    if isinstance(gold, Mapping):
        return gold, []
    examples = list(_examples(gold))
    annotated = {one.example_id: one.annotations for one in examples if one.annotations}
    return annotated, [one.example_id for one in examples if not one.annotations]


def _example(question: str, document: Any) -> Example:
    if hasattr(document, "keys"):  # a pandas row has them, and is no Mapping
        return example_of({**document, "question_text": question, "annotations": []}, where="the document")
    if not isinstance(document, Example):
        raise ConfigError(
            f"the document is a {type(document).__name__}; expected a text, an Example, or the JSON of a line"
        )
    return replace(document, question=question)


def _answer(example: Example, text: TextDocument | None, span: tuple[int, int], score: float) -> Answer:
    start_token, end_token = span
    if text is None:
        shown = range(start_token, end_token)
        words = " ".join(example.tokens[token] for token in shown if not example.is_html[token])
        return Answer(text=words, score=score, start_token=start_token, end_token=end_token)
    start_char, end_char = text.chars(start_token, end_token)
    return Answer(
        text=text.text[start_char:end_char],
        score=score,
        start_token=start_token,
        end_token=end_token,
        start_char=start_char,
        end_char=end_char,
    )

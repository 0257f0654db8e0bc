"""nqperf as a library: what a notebook would do."""

import dataclasses
import subprocess
import sys
import textwrap

import pytest

import nqperf
from nqperf.errors import ConfigError, FormatError
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.ranking import RankingConfig
from nqperf.nq.text import TextDocument
from tests.documents import river_examples, simplified

# A model with random weights answers nonsense, so it must not be too shy to answer.
EVERYTHING = AnswerConfig(long_threshold=0.0, short_threshold=0.0, ranking=RankingConfig(one_piece=True))
TEXT = "The river Ada is 30 miles long.\n\nIt was built by the lake. A hill is over it, and it is old."


@pytest.fixture(scope="module")
def model(model_folder):
    return nqperf.load_model(model_folder, answers=EVERYTHING)


def test_answers_to_a_text_are_stretches_of_it(model):
    found = model.answer("how long is the river", TEXT)
    assert found.question == "how long is the river"
    assert found.best
    scores = [answer.score for answer in found.best]
    assert scores == sorted(scores, reverse=True)
    assert found.short == found.best[0]
    for answer in (*found.best, found.short):
        assert answer.text == TEXT[answer.start_char : answer.end_char]
    paragraphs = {
        TextDocument.of(TEXT).chars(start + 1, end - 1) for start, end in TextDocument.of(TEXT).paragraph_token
    }
    if found.long is not None:
        assert (found.long.start_char, found.long.end_char) in paragraphs


def test_the_same_question_to_a_line_and_to_its_example_gets_the_prediction_of_the_run(model, river_documents):
    line, example = river_examples(1, simplified)[0], river_documents[0]
    from_line = model.answer(example.question, line)
    assert from_line == model.answer(example.question, example)
    prediction = next(iter(model.predict([example])))
    assert (from_line.short is None) == (not prediction.short_answers)
    if from_line.short is not None:
        span = prediction.short_answers[0]
        assert (from_line.short.start_token, from_line.short.end_token) == (span.start_token, span.end_token)
        shown = range(span.start_token, span.end_token)
        words = [example.tokens[token] for token in shown if not example.is_html[token]]
        assert from_line.short.text == " ".join(words)
    assert (from_line.long is None) == prediction.long_answer.is_null


def test_nothing_above_the_threshold_is_no_answer(model):
    shy = dataclasses.replace(
        model,
        pipeline=dataclasses.replace(model.pipeline, answers=model.pipeline.answers.with_thresholds(1e6, 1e6)),
    )
    found = shy.answer("how long is the river", TEXT)
    assert (found.long, found.short) == (None, None)
    assert found.best


def test_predictions_of_a_file_are_scored(model, data_file, river_documents):
    predictions = nqperf.predict(data_file, model)
    metrics = nqperf.evaluate(data_file, predictions)
    assert metrics["all-answer-n"] == 10
    assert nqperf.evaluate(river_documents, predictions) == metrics
    assert nqperf.evaluate({one.example_id: one.annotations for one in river_documents}, predictions) == metrics


@pytest.mark.parametrize(
    ("question", "document", "error", "message"),
    [
        ("", TEXT, ConfigError, "question is empty"),
        ("who", "  \n\n ", ConfigError, "holds no word"),
        ("who", 7, ConfigError, "document is a int; expected a text"),
        ("who", {"example_id": 1}, FormatError, "the document, line 1, field document_text"),
    ],
)
def test_what_cannot_be_asked_is_refused(model, question, document, error, message):
    with pytest.raises(error, match=message):
        model.answer(question, document)


def test_a_model_that_cannot_be_loaded_is_refused(tmp_path, model_folder):
    with pytest.raises(FormatError, match="nowhere"):
        nqperf.load_model(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"unknown engine 'tensorflo'; .* did you mean tensorflow"):
        nqperf.load_model(model_folder, engine="tensorflo")
    with pytest.raises(ConfigError, match="no setting presision"):
        nqperf.load_model(model_folder, presision="float32")
    with pytest.raises(ConfigError, match="positions"):
        nqperf.load_model(model_folder, max_seq_length=64)


def test_a_network_is_audited(model_folder):
    from nqperf.formats.weights.model_folder import open_model
    from nqperf.model.bert import BertJoint
    from nqperf.model.variables import build

    config = open_model(model_folder).config
    audit = nqperf.audit(lambda precision: build(BertJoint(config, precision), 16), precision="mixed_float16")
    assert audit.complete
    assert not audit.findings


def test_importing_nqperf_loads_nothing_until_a_name_is_used():
    script = """
        import sys
        import nqperf
        print(sorted({"numpy", "tensorflow", "keras", "msgspec", "click"} & sys.modules.keys()))
        print(set(nqperf.__all__) <= set(dir(nqperf)))
        try:
            nqperf.load_modle
        except AttributeError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    loaded, listed, error = done.stdout.splitlines()
    assert (loaded, listed) == ("[]", "True")
    assert error == "module 'nqperf' has no attribute 'load_modle'"


def test_every_name_that_is_offered_is_there():
    for name in nqperf.__all__:
        assert getattr(nqperf, name) is not None

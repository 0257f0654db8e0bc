import dataclasses

import msgspec
import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import WEIGHTS, open_model
from nqperf.nq.answers import AnswerConfig
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.task import cut_text, data_record, make_task, model_record, workload
from nqperf.perf.variants.floors import SIZES

LENGTH = 48


@pytest.fixture(scope="module")
def folder(model_folder):
    return open_model(model_folder)


@pytest.fixture(scope="module")
def whole(folder, river_documents):
    return make_task(folder, river_documents, max_seq_length=LENGTH, windows=None)


def test_every_example_is_in_it_with_its_rows_and_its_gold(whole, river_documents):
    ids = [document.example_id for document in river_documents]
    assert [entry.example_id for entry in whole.inputs] == ids == list(whole.gold)
    assert (whole.starts[0], whole.starts[-1], len(whole.starts)) == (0, len(whole.features), len(ids) + 1)
    windows = [number for rows in np.diff(whole.starts) for number in range(rows)]
    assert whole.features.unique_id.tolist() == (np.repeat(ids, np.diff(whole.starts)) + windows).tolist()
    assert all(whole.gold[document.example_id] == document.annotations for document in river_documents)


def test_only_top_level_candidates_are_kept(whole, river_documents):
    for entry, document in zip(whole.inputs, river_documents, strict=True):
        top = document.candidates.top_level
        assert entry.candidates.top_level.all()
        assert entry.candidates.start_token.tolist() == document.candidates.start_token[top].tolist()
        assert entry.candidates.end_token.tolist() == document.candidates.end_token[top].tolist()


def test_it_is_cut_after_whole_examples(folder, whole, river_documents):
    two = int(whole.starts[2])
    for windows, examples in ((two, 2), (two - 1, 1), (two + 1, 2), (1, 1)):  # one example at least, however long
        cut = make_task(folder, river_documents, max_seq_length=LENGTH, windows=windows)
        assert (len(cut.inputs), cut.is_cut) == (examples, True)
        np.testing.assert_array_equal(cut.starts, whole.starts[: examples + 1])
        np.testing.assert_array_equal(cut.features.input_ids, whole.features.input_ids[: whole.starts[examples]])


@pytest.mark.parametrize(("options", "said"), [({}, "48 windows;"), ({"limit": 9}, ", of the 9 of --limit: each row")])
def test_examples_behind_the_cut_are_said_to_be_left_out_and_why(folder, whole, river_documents, options, said):
    config = SuiteConfig(windows=48, **options)
    cut = make_task(folder, river_documents, max_seq_length=LENGTH, windows=1)
    (line,) = cut_text(cut, config)
    assert line.startswith(f"examples behind the first 1 ({len(cut.features)} window")
    assert said in line
    assert "--quick" not in line
    assert "fill 32 windows with --quick" in cut_text(cut, config.quick())[0]
    assert cut_text(whole, config) == ()


def test_what_lies_behind_the_cut_is_not_read(folder, river_documents):
    def examples():
        yield from river_documents[:2]
        raise AssertionError("a third example was read")

    assert len(make_task(folder, examples(), max_seq_length=LENGTH, windows=1).inputs) == 1


def test_the_models_own_thresholds_are_taken(folder, river_documents):
    settings = msgspec.structs.replace(folder.settings, long_threshold=1.25, short_threshold=None)
    own = dataclasses.replace(folder, settings=settings)
    answers = make_task(own, river_documents, max_seq_length=LENGTH, windows=1).answers
    assert (answers.long_threshold, answers.short_threshold) == (1.25, AnswerConfig().short_threshold)


@pytest.mark.parametrize(("annotators", "threshold"), [(1, 1), (5, 2)])
def test_two_of_several_annotators_must_agree(folder, river_documents, annotators, threshold):
    first = river_documents[0]
    several = dataclasses.replace(first, annotations=first.annotations[:1] * annotators)
    assert make_task(folder, [several], max_seq_length=LENGTH, windows=None).non_null_threshold == threshold


def test_an_example_without_annotations_is_refused_by_its_number(folder, river_documents):
    bare = dataclasses.replace(river_documents[1], annotations=())
    with pytest.raises(ConfigError, match=f"example {bare.example_id} has no annotations"):
        make_task(folder, [river_documents[0], bare], max_seq_length=LENGTH, windows=None)


def test_more_positions_than_the_model_has_are_refused(folder, river_documents):
    with pytest.raises(ConfigError, match="positions"):
        make_task(folder, river_documents, max_seq_length=4096, windows=None)


def test_the_records_tell_content_from_name(folder, whole, river_documents):
    one = make_task(folder, river_documents, max_seq_length=LENGTH, windows=1)
    everything, part = data_record(whole, "folder/rivers.jsonl"), data_record(one, "rivers.jsonl")
    assert everything == data_record(whole, "elsewhere/rivers.jsonl")
    assert everything.name == part.name == "rivers.jsonl"
    assert everything.sha256 != part.sha256
    assert everything.counts == {"examples": len(river_documents), "features": len(whole.features)}
    model = model_record(folder)
    assert model.name == folder.path.name
    assert len(model.sha256) == 64
    assert (folder.path / WEIGHTS).exists()


def test_the_workload_names_the_sizes_that_profiles_may(folder, whole):
    sizes = workload(folder, whole, 4)
    assert tuple(sizes) == SIZES
    assert sizes["hidden_size"] == folder.config.hidden_size
    assert sizes["num_hidden_layers"] == folder.config.num_hidden_layers
    assert (sizes["batch_size"], sizes["max_seq_length"]) == (4, LENGTH)

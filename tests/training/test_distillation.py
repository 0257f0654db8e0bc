"""Distillation: a student out of its teacher, each loss that falls, gradients everywhere, and what is refused."""

import dataclasses
import functools

import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import open_model, write_model_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.model.bert import BertJoint
from nqperf.model.families import FAMILIES
from nqperf.model.variables import assign_weights, build
from nqperf.model.weights import expected_shapes, initial_weights
from nqperf.training.distillation import Lesson, make_student
from nqperf.training.distillation_config import LOSSES, DistillationConfig
from nqperf.training.distiller import Distiller, Teacher
from nqperf.training.recipe import train
from nqperf.training.student import StudentShape, layer_mapping, states_basis, student_weights
from tests.families import CONFIGS
from tests.training.tiny_job import job

LENGTH, ROWS = 16, 4
NARROW = StudentShape(layers=1, hidden=12)
each_family = pytest.mark.parametrize("family", FAMILIES)


def weights_of(config):
    """Return weights large enough that pieces differ."""
    return initial_weights(dataclasses.replace(config, initializer_range=0.3), seed=1)


@functools.cache
def teacher_of(family, precision="float32"):
    config = CONFIGS[family]
    network = build(BertJoint(config, precision), LENGTH)
    assign_weights(network, weights_of(config))
    network.trainable = False
    return Teacher(network=network)


def batch(seed=3):
    generator = np.random.default_rng(seed)
    mask = (np.arange(LENGTH) < generator.integers(LENGTH // 2, LENGTH + 1, ROWS)[:, None]).astype(np.int32)
    inputs = {
        "input_ids": np.where(mask == 1, generator.integers(5, 120, mask.shape), 1).astype(np.int32),
        "input_mask": mask,
        "segment_ids": (np.arange(LENGTH) > 5).astype(np.int32) * mask,
    }
    one_hot = np.eye(LENGTH, dtype=np.float32)
    targets = {
        "start_logits": one_hot[generator.integers(0, LENGTH // 2, ROWS)],
        "end_logits": one_hot[generator.integers(0, LENGTH // 2, ROWS)],
        "answer_type_logits": generator.integers(0, 5, ROWS).astype(np.int32),
    }
    return inputs, targets


def distiller(family, shape=NARROW, config=None, precision="float32"):
    teacher = teacher_of(family, precision)
    student = shape.config(CONFIGS[family])
    weights, teacher = make_student(teacher, weights_of(CONFIGS[family]), student, [batch(seed)[0] for seed in (1, 2)])
    network = build(BertJoint(student, precision), LENGTH)
    assign_weights(network, weights)
    return Distiller(network, teacher, config or DistillationConfig())


@functools.cache
def untrained(family):
    """Return a narrow student with its teacher, for tests that change neither."""
    return distiller(family)


def losses_of(model, inputs, targets):
    """Return each loss, with no random dropout in it."""
    found = model.losses_of(
        model(inputs, training=False), model._teach(inputs, training=False), targets, inputs["input_mask"]
    )
    return {name: float(value) for name, value in found.items()}


@each_family
def test_gradients_reach_every_variable(family):
    import tensorflow as tf

    model, (inputs, targets) = untrained(family), batch()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(inputs, targets, model(inputs, training=False))
    variables = model.trainable_variables
    projections = [one.path for one in variables if "projection" in one.path]
    assert len(projections) == 1 + len(model.mapping)
    for variable, gradient in zip(variables, tape.gradient(loss, [one.value for one in variables]), strict=True):
        assert gradient is not None, variable.path
        largest = float(tf.reduce_max(tf.abs(tf.convert_to_tensor(gradient))))
        # The scores of a query are all as much larger as a key's bias says: the softmax does not see it, the loss does.
        assert largest > 0, variable.path


@each_family
def test_the_teacher_is_neither_trained_nor_kept(family):
    model = untrained(family)
    teacher = {id(one) for one in teacher_of(family).network.variables}
    assert not teacher & {id(one) for one in model.variables}


# One loss alone leaves variables out, the heads for one, which Keras warns of.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_falls(loss):
    before, after = trained(DistillationConfig(weights={name: float(name == loss) for name in LOSSES}))
    assert list(before) == [loss]
    assert after[loss] < 0.8 * before[loss]


@pytest.mark.slow
@pytest.mark.bfloat16
def test_the_losses_fall_together_in_16_bits():
    before, after = trained(DistillationConfig(), "mixed_bfloat16")
    assert list(before) == list(LOSSES)
    assert sum(after.values()) < 0.8 * sum(before.values())


def trained(config, precision="float32"):
    """Return the losses before and after some steps on one batch."""
    import keras

    model, (inputs, targets) = distiller("bert", config=config, precision=precision), batch()
    before = losses_of(model, inputs, targets)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), jit_compile=False)
    for _ in range(25):
        logs = model.train_on_batch(inputs, targets, return_dict=True)
    assert set(logs) == {"loss", *config.used()}
    return before, losses_of(model, inputs, targets)


@each_family
def test_a_student_as_large_as_its_teacher_is_its_teacher(family):
    model, (inputs, targets) = distiller(family, StudentShape()), batch()
    found = losses_of(model, inputs, targets)
    assert found.pop("hard") > 0.1
    assert not any("projection" in one.path for one in model.variables)
    assert found == pytest.approx(dict.fromkeys(("soft", "cosine", "hidden", "attention"), 0), abs=1e-5)


@each_family
def test_a_students_weights_are_whole_and_out_of_its_teacher(family):
    teacher = CONFIGS[family]
    student = NARROW.config(teacher)
    assert (student.hidden_size, student.num_attention_heads, student.intermediate_size) == (12, 2, 20)
    weights, taught = make_student(teacher_of(family), weights_of(teacher), student, [batch()[0]])
    assert {name: values.shape for name, values in weights.items()} == expected_shapes(student)
    assert taught.basis.shape == (24, 12)
    assert [one.shape for one in taught.heads] == [(2,)] * len(student.block_order)


@each_family
def test_a_student_with_fewer_heads_keeps_their_size_and_each_stands_for_one_of_its_teachers(family):
    shape = StudentShape(hidden=20, heads=3)
    model, (inputs, targets) = distiller(family, shape), batch()
    student = model.student.config
    assert (student.num_attention_heads, student.head_size, student.attention_size) == (3, 6, 18)
    assert len(model.head_projections) == len(student.block_order)
    for projection in np.asarray([one.numpy() for one in model.head_projections]):
        assert projection.sum(axis=1).tolist() == [1, 1, 1]
        assert sorted(projection.sum(axis=0).tolist()) == [0, 1, 1, 1]
    assert all(np.isfinite(value) for value in losses_of(model, inputs, targets).values())


def test_a_shallower_student_has_the_layers_that_it_is_mapped_to():
    teacher = dataclasses.replace(CONFIGS["bert"], num_hidden_layers=6)
    weights = weights_of(teacher)
    student = StudentShape(layers=3).config(teacher)
    made = student_weights(teacher, weights, student, None)
    for ours, theirs in enumerate((1, 3, 5)):
        name = "bert.encoder.layer.{}.intermediate.dense.weight"
        np.testing.assert_array_equal(made[name.format(ours)], weights[name.format(theirs)])
    np.testing.assert_array_equal(
        made["bert.embeddings.word_embeddings.weight"], weights["bert.embeddings.word_embeddings.weight"]
    )


@pytest.mark.parametrize(
    ("student", "teacher", "mapping"),
    [(3, 6, (2, 4, 6)), (4, 6, (2, 3, 5, 6)), (6, 6, (1, 2, 3, 4, 5, 6)), (1, 12, (12,)), (4, 12, (3, 6, 9, 12))],
)
def test_layers_are_mapped_evenly(student, teacher, mapping):
    assert layer_mapping(student, teacher) == mapping


def test_the_basis_is_orthonormal_and_holds_more_of_the_states_than_others():
    network = teacher_of("bert").network
    inputs, _ = batch()
    basis = states_basis(network, [inputs], 12)
    np.testing.assert_allclose(basis.T @ basis, np.eye(12), atol=1e-5)
    # The mean over the units, which a layer norm takes away, is the same in both.
    np.testing.assert_allclose(basis.T @ np.ones(24) / np.sqrt(2), np.ones(12), atol=1e-5)
    real = inputs["input_mask"].reshape(-1) == 1
    found = []
    network.encode(inputs, training=False, states=found)
    assert len(found) == 1 + len(network.config.block_order)
    states = np.concatenate([np.asarray(one)[real] for one in found])
    random = np.linalg.qr(np.random.default_rng(0).standard_normal((24, 12)))[0]
    kept, by_chance = (np.square(states @ one).sum() / np.square(states).sum() for one in (basis, random))
    assert kept > 0.8
    assert kept > by_chance + 0.1


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"layers": 3}, r"layers is 3; expected from 1 to 2, the teacher's"),
        ({"layers": 0}, r"layers is 0"),
        ({"hidden": 48}, r"hidden is 48; expected from 1 to 24"),
        ({"heads": 5}, r"heads is 5; expected from 1 to 4"),
        ({"heads": 0}, r"heads is 0"),
        ({"hidden": 20}, r"hidden is 20; expected a multiple of 6, a head of the teacher's"),
    ],
)
def test_shapes_that_cannot_be_made_are_refused(shape, told):
    with pytest.raises(ConfigError, match=told):
        StudentShape(**shape).config(CONFIGS["bert"])


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"weights": {"logits": 1.0}},
        {"weights": {"soft": -1.0}},
        {"weights": {"soft": float("inf")}},
        {"weights": dict.fromkeys(LOSSES, 0.0)},
    ],
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        DistillationConfig(**settings)


def unreported(what):
    raise AssertionError(f"work was done: {what}")


def lesson_job(folder, teacher, **changes):
    return dataclasses.replace(job(folder, folder / "start", "never"), lesson=Lesson(teacher=teacher), **changes)


def other_start(folder, out, tokenizer, **changes):
    config = dataclasses.replace(open_model(folder / "start").config, **changes)
    write_model_folder(out, config, initial_weights(config, seed=2), tokenizer)
    return out


def test_a_student_of_another_vocabulary_is_refused(training_folder, tmp_path):
    other = bytearray((training_folder / "tokenizer.model").read_bytes())
    at = other.rindex(b"the")  # one piece, as long as before
    other[at : at + 3] = b"teh"
    (tmp_path / "tokenizer.model").write_bytes(bytes(other))
    tokenizer = TokenizerFile(path=tmp_path / "tokenizer.model", kind="sentencepiece")
    start = other_start(training_folder, tmp_path / "other", tokenizer)
    with pytest.raises(ConfigError, match=r"the student's vocabulary \(.*\) is not its teacher's"):
        train(lesson_job(training_folder, training_folder / "start", start=start), unreported)


def test_a_student_of_other_positions_is_refused(training_folder, tmp_path):
    tokenizer = open_model(training_folder / "start").tokenizer_file
    start = other_start(training_folder, tmp_path / "other", tokenizer, max_position_embeddings=128)
    with pytest.raises(ConfigError, match=r"the student has 128 positions, its teacher 96; expected as many"):
        train(lesson_job(training_folder, training_folder / "start", start=start), unreported)


def test_windows_longer_than_the_network_are_refused(training_folder):
    wide = lesson_job(training_folder, training_folder / "start", start=None)
    features = dataclasses.replace(wide.features, max_seq_length=128)
    with pytest.raises(ConfigError, match=r"features of 128 positions, the model has 96"):
        train(dataclasses.replace(wide, features=features), unreported)

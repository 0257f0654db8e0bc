"""Float32 that a layer opens and closes itself is no finding; what escapes its layer, or drags products along, is."""

import importlib

import keras
import pytest
import tensorflow as tf
from keras import ops

from nqperf.casts.audit import audit
from nqperf.casts.trace import tracing
from nqperf.casts.trace.recorder import Recorder

HALF = tf.TensorSpec((2, 4, 8), tf.float16)


class Norm(keras.layers.Layer):
    """A root mean square norm as public code writes it: a weight times float32, and a cast at the end."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        wide = ops.cast(x, "float32")
        wide = wide * ops.rsqrt(ops.mean(ops.square(wide), axis=-1, keepdims=True) + 1e-6)
        return ops.cast(wide * self.scale, self.compute_dtype)


class Escaping(keras.layers.Layer):
    def call(self, x):
        return ops.cast(ops.relu(x), "float32")


class Promoting(keras.layers.Layer):
    """Promoted without a word and brought back at the end, all in one layer."""

    def call(self, x):
        return ops.cast(ops.tanh(ops.add(x, ops.full((8,), 0.1, dtype="float32"))), self.compute_dtype)


class Dragging(keras.layers.Layer):
    """The same, but the promotion drags a matrix product along: float32 speed where 16 bits were asked for."""

    def call(self, x):
        scores = ops.add(ops.matmul(x, ops.transpose(x, (0, 2, 1))), ops.full((4,), 0.1, dtype="float32"))
        return ops.cast(ops.matmul(ops.softmax(scores), x), self.compute_dtype)


class WrongHalf(keras.layers.Layer):
    """It comes back to a half type, but not to its policy's."""

    def call(self, x):
        return ops.tanh(ops.cast(ops.add(x, ops.full((8,), 0.1, dtype="float32")), "bfloat16"))


class Unused(keras.layers.Layer):
    """A float32 state beside the result that nobody keeps leaks nowhere."""

    def call(self, x):
        wide = ops.cast(x, "float32")
        _state = ops.matmul(wide, ops.transpose(wide, (0, 2, 1)))
        return ops.cast(ops.tanh(wide), self.compute_dtype)


class Two(keras.layers.Layer):
    """The inner layer leaves float32 behind; the outer one cleans up."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = Inner(name="inner", dtype=self.dtype_policy)

    def call(self, x):
        return ops.cast(ops.tanh(self.inner(x)), self.compute_dtype)


class Inner(keras.layers.Layer):
    def call(self, x):
        return ops.add(x, ops.full((8,), 0.1, dtype="float32"))


def rules(layer):
    outcome = audit(layer, inputs=HALF)
    assert outcome.complete, outcome.stopped
    return {(finding.rule, finding.layer) for finding in outcome.findings}, len(outcome.wide_by_design)


@pytest.mark.parametrize(("made", "islands"), [(Norm, 1), (Promoting, 1), (Unused, 1)])
def test_an_island_is_no_finding_and_is_counted(made, islands):
    assert rules(made(dtype="mixed_float16", name="made")) == (set(), islands)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (Dragging, {("CAST002", "made")}),
        (WrongHalf, {("CAST002", "made")}),
        (Two, {("CAST002", "made/inner")}),
    ],
)
def test_what_escapes_or_drags_products_along_is_found_in_its_layer(made, expected):
    assert rules(made(dtype="mixed_float16", name="made"))[0] == expected


def test_a_cast_that_the_next_layer_takes_back_is_blamed_on_who_made_it():
    model = keras.Sequential(
        [
            keras.Input((4, 8), dtype="float16"),
            Escaping(dtype="mixed_float16", name="escaping"),
            keras.layers.Dense(4, dtype="mixed_float16", name="dense"),
        ],
        name="sequential",
    )
    (finding,) = audit(model).findings
    assert (finding.rule, finding.layer) == ("CAST005", "sequential/escaping")
    assert "drop this cast" in finding.edit


def test_a_keras_variable_takes_the_operator_that_a_tensor_refuses():
    """float32 tensor * float16 variable: TensorFlow hands it on, it refuses nothing."""
    graphs = []
    for watched in (True, False):
        norm = Norm(dtype="mixed_float16", name="norm")
        norm(tf.zeros((2, 4, 8), tf.float16))
        if watched:
            built = tracing.Built(norm, ((HALF,), {}))
            built.model_dtype = "float16"
            concrete = tracing.trace(built)[1]
        else:
            plain = tf.function(tracing._audited_call(norm, Recorder(default_dtype="float16")), autograph=False)
            concrete = plain.get_concrete_function(HALF)
        graphs.append(concrete.graph.as_graph_def())
    assert graphs[0].SerializeToString(deterministic=True) == graphs[1].SerializeToString(deterministic=True)


def test_open_dimensions_get_sizes_where_the_model_needs_them():
    class Counting(keras.layers.Layer):
        def call(self, x):
            return x + ops.cast(sum(range(ops.shape(x)[1])), x.dtype)

    inputs = keras.Input((8, 4), dtype="float16")
    outputs = Counting(dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, outputs)
    outcome = audit(model, inputs=tf.TensorSpec((None, None, 4), tf.float16))
    assert outcome.complete, outcome.stopped


def test_two_half_types_that_meet_are_promoted_too():
    class Literal(keras.layers.Layer):
        def call(self, x):
            return ops.add(x, ops.cast(ops.full((8,), 0.1), "bfloat16"))

    assert ("CAST002", "literal") in rules(Literal(dtype="mixed_float16", name="literal"))[0]


def test_a_sum_of_few_terms_is_an_addition_and_a_far_bound_no_overflow():
    def few(x):
        return tf.reduce_sum(tf.clip_by_value(x, -1e9, 1.0), axis=1)

    assert audit(few, inputs=HALF).findings == ()
    rules_of = {finding.rule for finding in audit(lambda x: tf.clip_by_value(x, 1.0, -1e9), inputs=HALF).findings}
    assert rules_of == {"NUM101"}


@pytest.mark.parametrize(
    ("build", "rule", "edit"),
    [
        ("plainly", "NUM105", 'keras.layers.GlobalAveragePooling1D(dtype="float32")(x)))'),
        ("in_a_class", "NUM105", 'self.pool = keras.layers.GlobalAveragePooling1D(name="pool", dtype="float32")'),
        ("in_a_list", "NUM105", 'keras.layers.GlobalAveragePooling1D(dtype="float32"),'),
        ("normalized", "NUM102", 'keras.layers.UnitNormalization(dtype="float32")(keras.layers.Dense(8)(rows))'),
        ("distorted", "CAST001", 'keras.layers.RandomElasticTransform(dtype="float32")(x, training=True)'),
    ],
)
def test_what_lies_in_a_layer_of_keras_is_mended_where_the_layer_is_made(build, rule, edit):
    """Nobody can cast inside of a layer of Keras: the edit that was advised in words is tried, and found to work.

    The module is imported here: what is imported while tests are collected is frozen, and no edit reaches it.
    """
    outcome = audit(getattr(importlib.import_module("tests.casts.keras_layers"), build), precision="mixed_float16")
    for found in outcome.findings:
        assert (found.rule, found.unverified) == (rule, "")
        assert found.edit_text.endswith(edit)
    assert outcome.findings

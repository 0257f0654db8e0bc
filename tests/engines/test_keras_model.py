"""A user's Keras model in one process: how it is built, what it is given, and what is refused."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from nqperf.engines.tensorflow import keras_model
from nqperf.engines.tensorflow.config import TensorFlowConfig
from nqperf.errors import ConfigError

MODULE = """
import keras

def text():
    ids = keras.Input((7,), dtype="int32", name="ids")
    x = keras.layers.Embedding(50, 8)(ids)
    return keras.Model(ids, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(x)))

def by_name(precision):
    return text() if precision == "float32" else keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])

class Sub(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4)
    def call(self, inputs):
        return {"y": self.dense(inputs["x"]), "x": inputs["x"]}

def subclassed():
    return Sub()

def needs(size):
    return text()

def number():
    return 5

def printing():
    print("built")
    return text()

def raising():
    raise ValueError("no\\nmodel")
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "my_models.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    yield "my_models"
    sys.path.remove(str(folder))
    sys.modules.pop("my_models", None)


@pytest.fixture(autouse=True)
def policy_kept():
    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)


def built(name, *inputs, precision="float32"):
    return keras_model.build_model(name, inputs, (), precision)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("needs", "needs arguments"),
        ("number", "returned int, expected a Keras model"),
        ("raising", r"raised ValueError: no model \(at \S*my_models.py:\d+\); expected a Keras model"),
        ("absent", "has no 'absent'"),
    ],
)
def test_what_is_no_builder_is_refused(module, name, words):
    with pytest.raises(ConfigError, match=words):
        built(f"{module}:{name}")


def test_a_builder_that_16_bits_stop_is_sent_to_the_audit(module):
    with pytest.raises(ConfigError, match=f"no model .*; `nqperf casts audit {module}:raising` lists what stops it"):
        built(f"{module}:raising", precision="mixed_bfloat16")


def test_a_builder_that_prints_builds(module, capsys):
    assert built(f"{module}:printing").model.count_params() > 0
    assert capsys.readouterr().out == "built\n"


def test_the_policy_reaches_the_layers(module):
    assert built(f"{module}:text", precision="mixed_bfloat16").model.layers[-1].compute_dtype == "bfloat16"
    assert len(built(f"{module}:by_name", precision="mixed_bfloat16").model.layers) == 1


def test_an_input_is_called_by_its_key_its_name_or_its_place():
    spec = tf.TensorSpec((2,), tf.int32, "ids")
    assert [keras_model.input_name(path, spec) for path in ("", "1", "tokens")] == ["ids", "ids", "tokens"]
    assert keras_model.input_name("1", tf.TensorSpec((2,), tf.int32)) == "1"
    assert keras_model.input_name("", tf.TensorSpec((2,), tf.int32, "keras_tensor_3")) == ""


def test_leaves_stand_in_tensorflows_order():
    structure = ({"b": 1, "a": (2, {"c": 3})},)
    found = list(keras_model.named_leaves(structure))
    assert found == [("a.0", 2), ("a.1.c", 3), ("b", 1)]
    assert [leaf for _, leaf in found] == tf.nest.flatten(structure)


def test_drawn_inputs_fit_the_model(module):
    model = built(f"{module}:text")
    drawn = keras_model.drawn_inputs(model, model.specs, rows=6, length=9, vocabulary=None)
    (ids,) = keras_model.matched_inputs(model.specs, drawn, "drawn")
    assert ids.shape == (6, 7)
    assert ids.max() < 50
    assert keras_model.drawn_inputs(model, model.specs, rows=6, length=9, vocabulary=3)["input"].max() < 3


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"ids": np.zeros((4, 6), np.int32)}, r"int32\[4, 6\]; expected int32\[\?,7\]"),
        ({"ids": np.zeros((0, 7), np.int32)}, "expected int32"),
        ({"ids": np.zeros((4, 7))}, "float64"),
        ({"ids": np.full((4, 7), 2**40)}, "values that int32 does not hold"),
        ({"a": np.zeros((4, 7)), "b": np.zeros((4, 7))}, "has a, b; expected the model's inputs"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(module, arrays, words):
    with pytest.raises(ConfigError, match=words):
        keras_model.matched_inputs(built(f"{module}:text").specs, arrays, "batch.npz")


def test_ids_without_an_embedding_are_refused(module):
    model = built(f"{module}:text")
    with pytest.raises(ConfigError, match=r"batch\.npz: ids has the id 50 at \[0, 0\]; its embedding has 0 to 49"):
        keras_model.matched_inputs(model.specs, {"ids": np.full((4, 7), 50)}, "batch.npz", model.model)


def test_an_only_array_of_another_name_is_taken_and_told(module):
    specs = built(f"{module}:text").specs
    ids = np.zeros((4, 7), np.int32)
    name = keras_model.input_name(*next(keras_model.named_leaves(specs))) or "input"
    for taken, said in (("x", f"its only array, x, is the input {name}"), ("arr_0", None), (name, None)):
        assert keras_model.renamed_input(specs, {taken: ids}) == said
        assert len(keras_model.matched_inputs(specs, {taken: ids}, "batch.npz")) == 1


def test_a_subclassed_model_is_told_its_inputs(module):
    model = built(f"{module}:subclassed")
    with pytest.raises(ConfigError, match="no known inputs"):
        keras_model.input_specs(model, None)
    assert built(f"{module}:subclassed", "x=float32[?,8]").specs[0]["x"].shape == (None, 8)
    arrays = {"x": np.ones((4, 8), np.float32), "z": np.ones((3, 8), np.float32)}
    with pytest.raises(ConfigError, match="3, 4 rows"):
        keras_model.matched_inputs(keras_model.input_specs(model, arrays), arrays, "batch.npz")


@pytest.mark.parametrize("eager", [False, True])
def test_a_model_runs_with_another_s_weights(module, eager):
    first, second = (built(f"{module}:subclassed") for _ in range(2))
    specs = ({"x": tf.TensorSpec((None, 8), tf.float32)},)
    batch = [np.ones((2, 8), np.float32)]
    runs = [
        keras_model.KerasModelRun(one.model, specs, batch, TensorFlowConfig(batch_size=2)) for one in (first, second)
    ]
    for run in runs:
        run.call(run.put(batch))
    keras_model.set_weights(second.model, keras_model.get_weights(first.model), "float32")
    asked = keras_model.KerasModelRun(second.model, specs, batch, TensorFlowConfig(batch_size=2, eager=eager))
    asked.trace()
    asked.watch(lambda: asked.run(asked.put(batch)))
    outputs = asked.finish(asked.run(asked.put(batch)))
    assert set(outputs) == {"x", "y"}
    np.testing.assert_allclose(outputs["y"], runs[0].finish(runs[0].run(batch))["y"], rtol=1e-6)
    state = asked.state()
    assert (state.traces, state.own["eager"]) == ((0, True) if eager else (1, False))
    assert eager or state.matmuls == 1
    with pytest.raises(ConfigError, match="other weights in mixed_float16"):
        keras_model.set_weights(second.model, {"w0": np.zeros(3)}, "mixed_float16")

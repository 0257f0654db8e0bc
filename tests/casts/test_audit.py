"""The audit as a whole: it changes nothing, leaves nothing behind, and says when it cannot give a verdict."""

import sys
import threading
import types
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from keras.src.backend.common import dtypes as keras_dtypes
from tensorflow.python.framework import op_callbacks, op_def_library, tensor_conversion_registry

from nqperf.casts.audit import audit, audited_trace
from nqperf.casts.targets import of_config, packaged, packaged_folder, resolve
from nqperf.casts.trace import hooks, tracing
from nqperf.casts.trace.hooks import UnsupportedError, operations
from nqperf.casts.trace.recorder import Recorder
from nqperf.casts.trace.self_test import _Hearing, self_test
from nqperf.errors import ConfigError, FormatError
from nqperf.model.bert import BertJoint
from nqperf.model.config import BertConfig

SMALL = BertConfig(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=32,
)
HALF = tf.TensorSpec((2, 8), tf.float16)
SINGLE = tf.TensorSpec((2, 8), tf.float32)


def installed_hooks():
    modules = [module for name, module in sorted(sys.modules.items()) if name.split(".")[0] == "keras"]
    promoting = [vars(module)["result_type"] for module in modules if "result_type" in vars(module)]
    return [op_def_library._apply_op_helper, tensor_conversion_registry.convert, *promoting]


@pytest.mark.parametrize("act", ["gelu", "gelu_new"])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_the_network_is_clean_in_every_precision(precision, act):
    config = BertConfig(**_with(SMALL, act))
    outcome = audit(of_config(config, "bert").build, precision=precision)
    assert outcome.clean, outcome.findings
    share = outcome.metrics["allow_list_16_bit_share"]
    heads, products = 2, 19  # of two blocks, the pooler and the heads; the heads' alone are float32
    assert share == (0.0 if precision == "float32" else (products - heads) / products)


def _with(config, act):
    fields = {name: getattr(config, name) for name in config.__slots__}
    return {**fields, "hidden_act": act}


def test_the_packaged_model_is_clean():
    outcome = audit(packaged().build, precision="mixed_float16")
    assert outcome.clean
    if packaged_folder() is not None:
        assert resolve(None).weights is not None


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_the_traced_graph_is_the_same_with_and_without_the_audit(precision):
    specs = {name: tf.TensorSpec((2, 16), tf.int32) for name in ("input_ids", "input_mask", "segment_ids")}
    graphs = []
    for watched in (True, False):
        model = BertJoint(SMALL, precision)
        model({name: tf.zeros((2, 16), tf.int32) for name in specs})
        if watched:
            built = tracing.Built(model, ((specs,), {}))
            built.model_dtype = "float16"
            concrete = tracing.trace(built)[1]
        else:
            plain = tf.function(tracing._audited_call(model, Recorder(default_dtype="float16")), autograph=False)
            concrete = plain.get_concrete_function(specs)
        graphs.append(concrete.graph.as_graph_def())
    assert graphs[0].SerializeToString(deterministic=True) == graphs[1].SerializeToString(deterministic=True)


def test_hooks_are_gone_after_an_audit_and_after_any_exception():
    def fails(x, y):
        _ = x + y
        raise RuntimeError("the user's own fault")

    before = installed_hooks()
    outcome = audit(fails, inputs=(HALF, SINGLE))
    assert not outcome.complete
    assert "the user's own fault" in outcome.stopped
    assert [finding.rule for finding in outcome.findings] == ["CAST001"]
    with pytest.raises(KeyboardInterrupt), hooks.listening(_Hearing()):
        raise KeyboardInterrupt
    assert installed_hooks() == before
    assert not op_callbacks.should_invoke_op_callbacks()
    with pytest.raises(TypeError, match="does not match type float16"):
        tf.function(lambda x, y: x + y).get_concrete_function(HALF, SINGLE)


def test_other_threads_pass_straight_through():
    heard, failed = [], []

    class Listener(_Hearing):
        def operation(self, *said):
            heard.append(said)

        def mismatch(self, *said):
            heard.append(said)

    def elsewhere():
        try:
            tf.function(lambda x, y: x + y).get_concrete_function(HALF, SINGLE)
        except TypeError as error:
            failed.append(str(error))
        keras.Variable(np.ones(3, np.float32)).numpy()

    with hooks.listening(Listener(), abstract_variables=True):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert heard == []
    assert "does not match type float16" in failed[0]


def test_one_audit_at_a_time():
    with hooks.listening(_Hearing()), pytest.raises(ConfigError, match="already running"):
        audit(lambda x: x, inputs=(HALF,))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (op_def_library, "_apply_op_helper"),
        (tensor_conversion_registry, "convert"),
        (keras_dtypes, "result_type"),
        (op_callbacks, "add_op_callback"),
    ],
)
def test_a_hook_that_is_gone_means_unsupported(monkeypatch, owner, name):
    monkeypatch.delattr(owner, name)
    with pytest.raises(UnsupportedError, match=rf"UNSUPPORTED.*TensorFlow {tf.__version__}, Keras"):
        audit(lambda x, y: x + y, inputs=(HALF, SINGLE))


def test_a_hook_that_hears_nothing_means_unsupported(monkeypatch):
    monkeypatch.setattr(operations.Hooks, "result_type", lambda _self, genuine: genuine)
    self_test.cache_clear()
    with pytest.raises(UnsupportedError, match=r"keras promotion \(C\)"):
        audit(lambda x, y: x + y, inputs=(HALF, SINGLE))


def test_all_conflicts_of_one_model_come_from_one_trace():
    traces = []

    class Twice(keras.layers.Layer):
        def call(self, x):
            traces.append(1)
            table = tf.ones((2, 8), tf.float32)
            x = x + table
            x = tf.matmul(x, tf.ones((8, 8), tf.float32))
            return tf.concat([x, table], axis=-1)

    outcome = audit(Twice(dtype="mixed_float16", name="twice"), inputs=HALF)
    assert [finding.rule for finding in outcome.findings] == ["CAST001"] * 3
    assert len(traces) == 2  # the audit's, and the trial of all edits together
    assert all(finding.fix is not None and "self.compute_dtype" in finding.edit_text for finding in outcome.findings)


def test_edits_never_name_a_half_type_and_come_from_the_source():
    def forward(x, y):
        return tf.nn.relu(x + y)

    (finding,) = audit(forward, inputs=(HALF, SINGLE)).findings
    assert finding.edit_text == "return tf.nn.relu(x + ops.cast(y, x.dtype))"


def test_origins_lead_to_the_line_where_float32_began():
    class Masked(keras.layers.Layer):
        def call(self, x):
            bias = ops.cast(ops.arange(8), "float32")
            moved = bias * 2.0
            return ops.add(x, moved)

    outcome = audit(Masked(dtype="mixed_float16", name="masked"), inputs=HALF)
    promotion = next(finding for finding in outcome.findings if finding.rule == "CAST002")
    (leak,) = promotion.consequences
    assert leak.rule == "CAST003"
    assert promotion.origin == leak.location
    assert leak.line == promotion.line - 2


def test_a_model_with_eager_mismatches_in_its_builder_is_audited():
    """A builder that calls its model on real zeros meets the first mismatch eagerly."""

    class Mixed(keras.layers.Layer):
        def call(self, x):
            return x + tf.ones((2, 8), tf.float32)

    def build():
        model = keras.Sequential([Mixed(dtype="mixed_float16", name="mixed")])
        model(tf.zeros((2, 8), tf.float16))
        return model

    outcome = audit(build)
    assert [(finding.rule, finding.layer) for finding in outcome.findings][:1] == [("CAST001", "mixed")] or [
        finding.rule for finding in outcome.findings
    ] == ["CAST001"]


def test_autograph_is_used_where_the_model_needs_it():
    def decides(x, y):
        total = x
        if tf.reduce_max(x) > 0:
            total = total + y
        return total

    outcome = audit(decides, inputs=(HALF, SINGLE))
    assert outcome.complete, outcome.stopped
    (finding,) = outcome.findings
    assert finding.rule == "CAST001"
    assert finding.path.endswith("test_audit.py")


def test_weights_are_not_needed_and_not_made():
    huge = BertConfig(**{**_with(SMALL, "gelu"), "vocab_size": 250_000_000})
    assert audit(of_config(huge, "huge").build, precision="mixed_float16").clean


def test_the_model_is_its_own_after_the_audit():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, dtype="mixed_float16")])
    before = [variable.numpy() for variable in model.variables]
    assert audit(model).clean
    after = [variable.numpy() for variable in model.variables]
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_global_policy_is_put_back():
    def build():
        return keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])

    outcome = audit(build, precision="mixed_float16")
    assert outcome.metrics["allow_list_16_bit_share"] == 1.0
    assert keras.config.dtype_policy().name == "float32"


def raises():
    raise ValueError("no weights here")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module_here:build", "cannot be imported"),
        ("nqperf.model.bert:nothing", "has no 'nothing'"),
        ("nqperf.model.bert:ANSWER_TYPES", "expected a function"),
        ("somewhere", "is no model"),
        ("models.py", r"a model folder; for a file say models:FUNCTION$"),
        ("models.build", r"; perhaps models:build$"),
        ("nqperf.model.bert", r"is a module: name the function in it .*, nqperf\.model\.bert:FUNCTION$"),
        ("nqperf.weights.h5", "of weights, or in this format, name a function that builds the model and loads them$"),
        ("src/models.py:build", r"expected its module; for a file say models:build in src$"),
        ("missing.keras", "no such file"),
    ],
)
def test_targets_that_are_none(target, message):
    with pytest.raises(ConfigError, match=message):
        resolve(target)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (raises, {}, r"the builder raised ValueError: no weights here \(at \S*tests/casts/test_audit.py:\d+\)"),
        (lambda: sys.exit(3), {}, r"the builder ends the program: SystemExit: 3 \(at \S*test_audit.py:\d+\)"),
        (lambda width: width, {}, r"\(width\) needs arguments; expected a function of none"),
        (lambda: 3, {}, "returned int"),
        (lambda: keras.layers.Dense(3, name="shy"), {}, "no known inputs"),
        (lambda: None, {"precision": "float8"}, "is not supported"),
        ("text", {}, "neither a Keras model nor a function"),
    ],
)
def test_bad_input_is_one_clear_error(target, options, message):
    with pytest.raises(ConfigError, match=message) as error:
        audit(target, **options)
    assert "\n" not in str(error.value)


def test_inputs_are_read_from_the_command_line():
    assert resolve("nqperf.casts.findings:relative", ("float16[2, 8]", "int32[?,4]")).inputs == (
        tf.TensorSpec((2, 8), tf.float16),
        tf.TensorSpec((None, 4), tf.int32),
    )
    with pytest.raises(ConfigError, match="is not understood"):
        resolve("nqperf.casts.findings:relative", ("float17[2]",))


def test_a_keras_file_is_audited_in_another_precision(tmp_path):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="dense"), keras.layers.Softmax()])
    model.save(tmp_path / "small.keras")
    target = resolve(str(tmp_path / "small.keras"))
    assert audit(target.build).metrics["allow_list_16_bit_share"] == 0.0
    assert audit(target.build, precision="mixed_bfloat16").metrics["allow_list_16_bit_share"] == 1.0


def test_a_keras_file_takes_no_more_memory_than_its_weights(tmp_path):
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="dense")]).save(tmp_path / "small.keras")
    with zipfile.ZipFile(tmp_path / "small.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"units": 4', b'"units": 4000000000')
    with zipfile.ZipFile(tmp_path / "large.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(FormatError, match=r"large\.keras, field .*asks for variables of more than \d+ bytes"):
        resolve(str(tmp_path / "large.keras")).build("float32")


def test_a_module_in_the_working_directory_can_be_named(tmp_path, monkeypatch):
    (tmp_path / "my_models.py").write_text("def forward(x, y):\n    return x * y\n")
    monkeypatch.chdir(tmp_path)
    target = resolve("my_models:forward", ("float16[4]", "float32[4]"))
    outcome, trace = audited_trace(target.build, inputs=target.inputs)
    assert [(finding.rule, finding.path, finding.line) for finding in outcome.findings] == [
        ("CAST001", "my_models.py", 2)
    ]
    assert isinstance(sys.modules["my_models"], types.ModuleType)
    assert trace.model_dtype == "float16"


def test_a_layer_that_makes_no_op_when_it_is_wired_has_its_own_line():
    """Its finding had the first line of another layer's call."""

    class Own(keras.layers.Layer):
        supports_masking = True

        def call(self, inputs):
            return inputs * ops.cast(ops.shape(inputs)[-1], inputs.dtype)

    def build():
        ids = keras.Input((None,), dtype="int32")
        x = Own(name="own")(keras.layers.Embedding(16, 4, mask_zero=True)(ids))
        return keras.Model(ids, keras.layers.GlobalAveragePooling1D(name="pool")(x))

    found = [one for one in audit(build, precision="mixed_bfloat16").findings if one.layer.endswith("pool")]
    line = build.__code__.co_firstlineno + 3
    assert {one.location.line for one in found} == {line}

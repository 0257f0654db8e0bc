import inspect
import re

import msgspec
import pytest

from nqperf.engines.registry import ENGINES, EngineRow
from nqperf.engines.state import EngineState
from nqperf.engines.tensorflow.config import GRAPPLER_OPTIONS
from nqperf.errors import ConfigError, VariantError
from nqperf.perf.variants.table import VARIANTS, select_variants
from nqperf.perf.variants.tensorflow_rows import THESIS_GRAPPLER
from nqperf.perf.variants.variant import Effect, Variant
from nqperf.records.results import BASELINE
from tests.perf.machine.machines import ZEN_5

BASELINE_STATES = EngineState(
    engine="tensorflow",
    compute_dtype="float32",
    batch_size=4,
    traces=1,
    matmuls=51,
    low_precision_matmul_share=0.0,
    intra_op_threads=0,
    process_threads=9,
    own={
        "eager": False,
        "xla_compiled": False,
        "autoclustering": False,
        "clusters": 0,
        "rewritten_nodes": 67,
        "onednn_ops": 81,
        "amp_nodes": 0,
        "softmax_dtype": "float32",
        "kernel_dtype": "float32",
        "tf32": False,
        "tf32_rounds": None,
        "xla_tf32": None,
        "grappler": {},
        "inter_op_threads": 0,
    },
)


def changed(**states):
    """Return the baseline's states with some of them changed."""
    own = {name: states.pop(name) for name in list(states) if name in BASELINE_STATES.own}
    return msgspec.structs.replace(BASELINE_STATES, **states, own={**BASELINE_STATES.own, **own})


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != BASELINE])
def test_the_states_of_the_baseline_are_those_of_no_other_row(name):
    row = VARIANTS[name]
    states = changed(onednn_ops=0) if "onednn_off" in row.requires else BASELINE_STATES
    if name == "grappler":  # its options are close to the defaults; that they are reported as set tells it apart
        assert "options" in row.without_effect(states)
    assert row.without_effect(states)


@pytest.mark.parametrize("default", [{}, {"onednn_ops": 0}, {"rewritten_nodes": 0}, {"keeps_memory": True}])
def test_the_baselines_states_are_the_baselines_whatever_a_machine_does_by_default(default):
    assert VARIANTS[BASELINE].without_effect(changed(**default)) is None


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("grappler_off", {"rewritten_nodes": 0}),
        ("onednn_off", {"onednn_ops": 0}),
        ("onednn_on", {"onednn_ops": 81}),
        ("allocator", {"keeps_memory": True}),
        ("onednn_on_allocator", {"keeps_memory": True, "onednn_ops": 81}),
        ("xla_allocator", {"keeps_memory": True, "xla_compiled": True}),
        ("amp_bfloat16", {"amp_nodes": 4, "low_precision_matmul_share": 0.9}),
        ("mixed_float16_xla", {"xla_compiled": True, "low_precision_matmul_share": 0.9}),
        ("mixed_bfloat16_weights", {"kernel_dtype": "bfloat16", "low_precision_matmul_share": 0.9}),
        ("mixed_float16_weights", {"kernel_dtype": "float16", "low_precision_matmul_share": 0.9}),
        ("xla_tf32", {"xla_compiled": True, "xla_tf32": True, "tf32_rounds": True}),
    ],
)
def test_an_effect_is_seen_when_all_of_it_is_there(name, states):
    assert VARIANTS[name].without_effect(changed(**states)) is None
    for without in states:
        rest = {state: value for state, value in states.items() if state != without}
        if without == "onednn_ops":
            rest["onednn_ops"] = 0 if states["onednn_ops"] else 81
        assert VARIANTS[name].without_effect(changed(**rest))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tf32": True}, "TF32"),
        ({"xla_tf32": True}, "TF32"),
        ({"low_precision_matmul_share": 0.5}, "16 bits"),
        ({"low_precision_matmul_share": None}, "16 bits"),
        ({"clusters": 2}, "XLA"),
        ({"traces": 2}, "graph"),
    ],
)
def test_a_baseline_with_a_switch_on_is_none(change, said):
    assert said in VARIANTS[BASELINE].without_effect(changed(**change))


def test_selected_rows_come_in_the_tables_order_behind_the_baseline():
    assert [row.name for row in select_variants(["xla", " eager "])] == [BASELINE, "eager", "xla"]
    assert [row.name for row in select_variants()] == list(VARIANTS)


def test_an_unknown_variant_is_refused_with_the_nearest_or_all_known_ones():
    told = r"^unknown variant 'xla_graplper'; did you mean xla_grappler\? `nqperf variants` lists all$"
    with pytest.raises(VariantError, match=told):
        select_variants(["xla_graplper"])
    with pytest.raises(VariantError, match=r"^unknown variant 'xla_cluster'; did you mean xla_clusters\?"):
        select_variants(["xla_cluster"])
    with pytest.raises(VariantError, match=r"^unknown variant 'quick'; expected some of baseline"):
        select_variants(["quick"])


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("XLA", "did you mean xla, or xla_clusters, which is the thesis's?"),
        ("XLA and Grappler", "did you mean xla_grappler?"),
        ("mixed precision", "mixed_float16"),
    ],
)
def test_who_names_a_row_as_the_thesis_does_is_told_its_row(named, said):
    with pytest.raises(VariantError, match=re.escape(said)):
        select_variants([named])


@pytest.mark.parametrize(("named", "near"), [("float16", "mixed_float16"), ("bfloat16", "mixed_bfloat16")])
def test_who_names_a_type_is_told_its_plain_policy(named, near):
    with pytest.raises(VariantError, match=rf"did you mean {near}\?"):
        select_variants([named])


@pytest.mark.parametrize("names", [[], [BASELINE]])
def test_the_baseline_alone_is_no_comparison(names):
    with pytest.raises(VariantError, match="no variant beside baseline"):
        select_variants(names)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"settings": {"grappler": {"layout_optimiser": True}}},
            "unknown Grappler option layout_optimiser.*_optimizer",
        ),
        (
            {"settings": {"lxa": True}},
            "the engine tensorflow has no setting lxa; expected some of batch_size, buckets, in_flight, prec",
        ),
        ({"settings": {"xla": "yes"}}, r"engine tensorflow: Expected `bool`, got `str` - at `\$.xla`"),
        ({"settings": {"xla": True, "eager": True}}, "eager and xla are both on"),
        ({"settings": {"batch_size": 3}}, "variant mine sets batch_size"),
        (
            {"settings": {"buckets": (128,)}},
            "variant mine sets buckets, and the pairs of a run are batches of one length",
        ),
        ({"engine": "tensorflaw"}, "unknown engine 'tensorflaw'; expected one of .*did you mean tensorflow"),
    ],
)
def test_a_row_with_a_switch_that_is_none_is_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        Variant(**{"name": "mine", "description": "", "effects": (), **change})


def test_an_engine_that_is_not_installed_is_skipped_with_the_command_that_installs_it(monkeypatch):
    row = EngineRow(name="far", target=ENGINES["tensorflow"].target, needs=("numpy", "not_installed"), extra="far")
    monkeypatch.setitem(ENGINES, "far", row)
    reason = Variant(name="mine", description="", engine="far", effects=()).missing(ZEN_5)
    assert (
        reason
        == "the engine far needs the extra 'far' (not installed: not_installed): pip install 'path/to/nqperf[far]'"
    )


def test_an_effect_on_a_state_that_the_engine_lacks_is_said():
    effect = Effect(failure="", holds=lambda seen: seen.own["clusers"] > 0)
    with pytest.raises(
        VariantError, match=r"mine: an effect reads 'clusers', which tensorflow .*expected some of .*clus"
    ):
        Variant(name="mine", description="", effects=(effect,)).without_effect(BASELINE_STATES)


def test_states_are_recorded_one_by_one():
    record = changed(grappler={"remapping": True}).record()
    assert record["grappler.remapping"] is True
    assert (record["traces"], record["clusters"]) == (1, 0)
    assert all(isinstance(value, str | int | float | bool | None) for value in record.values())


def test_the_thesis_has_eleven_options():
    assert len(THESIS_GRAPPLER) == 11
    assert [name for name, value in THESIS_GRAPPLER.items() if not value] == ["disable_model_pruning"]


def test_the_known_grappler_options_are_tensorflows():
    # TensorFlow publishes no list; its source is the only place to see a new or a dropped one.
    from tensorflow.python.eager import context

    source = inspect.getsource(context.Context)
    assert set(re.findall(r'rewriter_(?:toggle|bool)\(\s*"(\w+)"', source)) == GRAPPLER_OPTIONS

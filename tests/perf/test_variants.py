import inspect
import re

import msgspec
import pytest

from nqperf.errors import VariantError
from nqperf.formats.results.results_json import BASELINE, Fingerprint
from nqperf.perf.switches import GRAPPLER_OPTIONS, EngineState, Switches
from nqperf.perf.variants import THESIS_GRAPPLER, VARIANTS, select_variants

ZEN = Fingerprint(system="Linux", machine="x86_64", cpu_model="EPYC", cpu_id="x", cores=2, isa=("avx512_bf16",))
OLD = msgspec.structs.replace(ZEN, isa=("avx2",))
ARM = msgspec.structs.replace(ZEN, machine="aarch64", isa=("bf16",))
V100 = msgspec.structs.replace(ZEN, gpus=("Tesla V100",), observed={"compute_capability": "7.0"})
H200 = msgspec.structs.replace(ZEN, gpus=("H200",), observed={"compute_capability": "9.0"})

CPU_ROWS = {
    *(BASELINE, "eager", "grappler_off", "grappler", "xla", "xla_grappler", "mixed_float16", "mixed_bfloat16"),
    *("amp_bfloat16", "mixed_float16_xla_grappler", "mixed_bfloat16_xla_grappler", "onednn_off"),
}

BASELINE_STATES = EngineState(
    eager=False,
    xla_compiled=False,
    autoclustering=False,
    clusters=0,
    fused_ops=44,
    onednn_ops=81,
    amp_nodes=0,
    matmuls=51,
    low_precision_matmul_share=0.0,
    compute_dtype="float32",
    softmax_dtype="float32",
    tf32=False,
    tf32_rounds=None,
    grappler={},
    traces=1,
    intra_op_threads=0,
    inter_op_threads=0,
    process_threads=9,
)


@pytest.mark.parametrize(
    ("fingerprint", "expected"),
    [
        (ZEN, CPU_ROWS),
        (OLD, {name for name in CPU_ROWS if "bfloat16" not in name}),
        (ARM, CPU_ROWS - {"amp_bfloat16", "onednn_off"}),
        (V100, {name for name in VARIANTS if "bfloat16" not in name} - {"onednn_off", "tf32"}),
        (H200, set(VARIANTS) - {"onednn_off", "amp_bfloat16"}),
    ],
    ids=["zen", "old", "arm", "v100", "h200"],
)
def test_a_device_runs_what_it_can_and_says_why_not_the_rest(fingerprint, expected):
    reasons = {name: variant.missing(fingerprint) for name, variant in VARIANTS.items()}
    assert {name for name, reason in reasons.items() if reason is None} == expected
    assert all(reason.strip() for reason in reasons.values() if reason is not None)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != BASELINE])
def test_the_states_of_the_baseline_are_those_of_no_other_row(name):
    if name == "grappler":  # its options are close to the defaults; that they are reported as set tells it apart
        assert "options" in VARIANTS[name].without_effect(BASELINE_STATES, BASELINE_STATES)
    assert VARIANTS[name].without_effect(BASELINE_STATES, BASELINE_STATES)


def test_the_baselines_states_are_the_baselines():
    assert VARIANTS[BASELINE].without_effect(BASELINE_STATES, BASELINE_STATES) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tf32": True}, "TF32"),
        ({"low_precision_matmul_share": 0.5}, "16 bits"),
        ({"low_precision_matmul_share": None}, "16 bits"),
        ({"clusters": 2}, "XLA"),
        ({"traces": 2}, "graph"),
        ({"fused_ops": 0}, "Grappler"),
    ],
)
def test_a_baseline_with_a_switch_on_is_none(change, said):
    states = msgspec.structs.replace(BASELINE_STATES, **change)
    assert said in VARIANTS[BASELINE].without_effect(states, BASELINE_STATES)


def test_selected_rows_come_in_the_tables_order_behind_the_baseline():
    assert [row.name for row in select_variants(["xla", " eager "])] == [BASELINE, "eager", "xla"]
    assert [row.name for row in select_variants()] == list(VARIANTS)


def test_an_unknown_variant_is_refused_with_the_known_ones():
    with pytest.raises(VariantError, match=r"unknown variant 'xla_graplper'.*baseline.*did you mean xla_grappler"):
        select_variants(["xla_graplper"])


@pytest.mark.parametrize("names", [[], [BASELINE]])
def test_the_baseline_alone_is_no_comparison(names):
    with pytest.raises(VariantError, match="no variant beside baseline"):
        select_variants(names)


def test_a_misspelt_grappler_option_is_refused():
    with pytest.raises(VariantError, match=r"unknown Grappler option layout_optimiser.*layout_optimizer"):
        Switches(grappler={"layout_optimiser": True})


def test_the_thesis_has_eleven_options():
    assert len(THESIS_GRAPPLER) == 11
    assert [name for name, value in THESIS_GRAPPLER.items() if not value] == ["disable_model_pruning"]


def test_the_known_grappler_options_are_tensorflows():
    # TensorFlow publishes no list; its source is the only place to see a new or a dropped one.
    from tensorflow.python.eager import context

    source = inspect.getsource(context.Context)
    assert set(re.findall(r'rewriter_(?:toggle|bool)\(\s*"(\w+)"', source)) == GRAPPLER_OPTIONS

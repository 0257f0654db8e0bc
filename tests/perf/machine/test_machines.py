"""For every machine of the table: the rows that run, those that are skipped and in which words, what doctor says."""

import dataclasses
import random
import subprocess
import sys
import tempfile

import msgspec
import pytest

from nqperf.engines import turns
from nqperf.engines.jax.probe import JaxProbe
from nqperf.engines.onnxruntime.probe import OnnxRuntimeProbe
from nqperf.engines.openvino.probe import OpenVinoProbe
from nqperf.engines.probe import Machine
from nqperf.engines.registry import ENGINES, EngineRow
from nqperf.engines.tensorflow.probe import TensorFlowProbe
from nqperf.engines.torch.probe import TorchProbe
from nqperf.errors import NqPerfError
from nqperf.perf.doctor import machine_checks, suite_checks
from nqperf.perf.machine import examination as machine_module
from nqperf.perf.machine import requirements
from nqperf.perf.machine.examination import look_at_machine, seen_by
from nqperf.perf.machine.probe import MARK, steps_of
from nqperf.perf.variants.table import VARIANTS
from nqperf.records.results import BASELINE
from tests.perf.machine.machines import MACHINES, ZEN_3, ZEN_5, like

TF32 = {"default", "tf32", "xla_tf32"}
OTHERS_ON_GPUS = {
    *("jax_bfloat16", "jax_bfloat16_attention", "jax_float16_attention", "jax_in_flight", "jax_bfloat16_in_flight"),
    *("onnxruntime_cuda", "onnxruntime_cuda_float16", "onnxruntime_tensorrt_float16"),
}
GPU_ROWS = {*OTHERS_ON_GPUS, "amp_float16", "mixed_float16_xla", "mixed_bfloat16_xla", "mixed_float16_weights", *TF32}
FLOAT16 = {"mixed_float16", "amp_float16", "mixed_float16_xla_grappler", "mixed_float16_xla", "mixed_float16_weights"}
BFLOAT16 = {
    *("mixed_bfloat16", "amp_bfloat16", "mixed_bfloat16_xla_grappler"),
    *("mixed_bfloat16_xla", "mixed_bfloat16_weights"),
}
ONEDNN_ON = {"onednn_on", "onednn_on_allocator"}
ALLOCATOR = {"allocator", "onednn_on_allocator", "xla_allocator"}
XLA = {
    *(
        "xla",
        "xla_clusters",
        "xla_grappler",
        "mixed_float16_xla_grappler",
        "mixed_bfloat16_xla_grappler",
        "xla_allocator",
    ),
    *("mixed_float16_xla", "mixed_bfloat16_xla", "xla_tf32"),
}
TORCH_FLOAT16 = {"torch_float16", "torch_float16_compile"}
TORCH_BFLOAT16 = {"torch_bfloat16", "torch_bfloat16_compile"}
TORCH_COMPILE = {"torch_compile", "torch_bfloat16_compile", "torch_float16_compile"}
TORCH = {"torch", *TORCH_FLOAT16, *TORCH_BFLOAT16, *TORCH_COMPILE}
OPENVINO = {"openvino_int8", "openvino_bfloat16", "openvino_int8_bfloat16"}
# What other engines than TensorFlow skip where the CPU has no units for it.
NARROW_OPENVINO = {*OPENVINO, *TORCH_BFLOAT16}
ENGINES_OF_THE_CPU = {
    *("onnxruntime", "onnxruntime_int8", "openvino"),
    *OPENVINO,
}
CPU_ONLY = {"onednn_off", *ONEDNN_ON, *ALLOCATOR, "amp_bfloat16", *ENGINES_OF_THE_CPU}
OFF_BY_DEFAULT = {*GPU_ROWS, *TORCH_FLOAT16, *BFLOAT16, "onednn_off"}
ON_BY_DEFAULT = {*GPU_ROWS, *TORCH_FLOAT16, *ONEDNN_ON}

# The rows that each machine skips; all others run.
SKIPPED = {
    "zen_5": ON_BY_DEFAULT,
    "zen_5_avx2": {*ON_BY_DEFAULT, *BFLOAT16, *NARROW_OPENVINO},
    "zen_5_off": OFF_BY_DEFAULT,
    "zen_4": ON_BY_DEFAULT,
    "zen_3": {*OFF_BY_DEFAULT, *NARROW_OPENVINO},
    "haswell": {*OFF_BY_DEFAULT, *NARROW_OPENVINO},
    "skylake_x": {*OFF_BY_DEFAULT, *NARROW_OPENVINO},
    "sapphire_rapids": ON_BY_DEFAULT - TORCH_FLOAT16,
    "no_compiler": (ON_BY_DEFAULT - TORCH_FLOAT16) | TORCH_COMPILE,
    "slow_float16": (ON_BY_DEFAULT - TORCH_FLOAT16) | {"mixed_float16_xla_grappler", "openvino_int8_bfloat16"},
    "graviton_2": {*OFF_BY_DEFAULT, *NARROW_OPENVINO, *ONEDNN_ON},
    "graviton_3": {*OFF_BY_DEFAULT, *NARROW_OPENVINO, *ONEDNN_ON},
    "one_core": ON_BY_DEFAULT,
    "cores_64": ON_BY_DEFAULT,
    "quota": ON_BY_DEFAULT,
    "no_proc": {*OFF_BY_DEFAULT, *NARROW_OPENVINO, *ALLOCATOR},
    "musl": {*OFF_BY_DEFAULT, *NARROW_OPENVINO, *ALLOCATOR},
    "jemalloc": {*ON_BY_DEFAULT, *ALLOCATOR},
    "keeping": {*ON_BY_DEFAULT, *ALLOCATOR},
    "mac": {*OFF_BY_DEFAULT, *NARROW_OPENVINO, *ONEDNN_ON, *ALLOCATOR},
    "no_xla": {*ON_BY_DEFAULT, *XLA},
    "no_grappler": {*OFF_BY_DEFAULT, *NARROW_OPENVINO, "grappler_off"},
    "no_float16": {*ON_BY_DEFAULT, *FLOAT16},
    "gpu_no_float16": {*CPU_ONLY, *BFLOAT16, *FLOAT16, *TF32, *TORCH_BFLOAT16, *TORCH_FLOAT16},
    "t4": {*CPU_ONLY, *BFLOAT16, *TF32, *TORCH_BFLOAT16},
    "v100": {*CPU_ONLY, *BFLOAT16, *TF32, *TORCH_BFLOAT16},
    "a100": CPU_ONLY,
    "gpu_no_xla": {*CPU_ONLY, *XLA},
    "h100": CPU_ONLY,
    "gpu_for_tensorflow": {*CPU_ONLY, *OTHERS_ON_GPUS, "jax", *TORCH},
}
# In which words.
REASONS = [
    ("zen_5", "onednn_on", "oneDNN is on already"),
    ("zen_5", "tf32", "needs a GPU"),
    (
        "zen_5_avx2",
        "mixed_bfloat16",
        "bfloat16 cannot be used here: the process was ended by SIGABRT: could not",
    ),
    ("zen_5_off", "mixed_bfloat16", "bfloat16 products are 0.89 to 0.93 times as fast as float32 ones here"),
    ("zen_5_off", "amp_bfloat16", "needs oneDNN's kernels, and TensorFlow does not use them here"),
    (
        "zen_3",
        "onednn_off",
        "needs oneDNN's kernels, and TensorFlow does not use them here, by default",
    ),
    ("zen_3", "mixed_bfloat16", "bfloat16 products are 0.78 to 0.82 times"),
    (
        "graviton_3",
        "onednn_on",
        "is for Linux on x86-64, whose oneDNN TensorFlow can turn on; this is Linux on a",
    ),
    ("mac", "onednn_on", "this is Darwin on arm64"),
    ("zen_3", "openvino_int8", "OpenVINO multiplies wider than in 8 bits: the CPU"),
    ("zen_5_avx2", "openvino_int8", "8 bits cannot be used here: could not create a primitive"),
    ("h100", "openvino", "is for machines that compute on the CPU"),
    ("mac", "allocator", "sets glibc's malloc, and libsystem_malloc.dylib serves here"),
    ("musl", "allocator", "sets glibc's malloc, and ld-musl-x86_64.so.1 serves here"),
    ("jemalloc", "xla_allocator", "sets glibc's malloc, and libjemalloc.so.2 serves here"),
    ("no_proc", "allocator", "sets glibc's malloc, and another one, which does not tell its name, serves here"),
    ("keeping", "allocator", "malloc keeps its memory here already"),
    ("no_xla", "xla", "XLA cannot be used here: XLA is not built in"),
    ("t4", "tf32", "matrix products on Tesla T4 do not round to TF32; expected Ampere or later"),
    ("v100", "mixed_bfloat16", "bfloat16 products are 0.29 to 0.31 times"),
    (
        "slow_float16",
        "openvino_int8_bfloat16",
        "OpenVINO multiplies wider than in 8 bits amid layers of bfloat16, though the CPU has amx_int8 and avx512_vnni",
    ),
    ("slow_float16", "openvino_int8_bfloat16", "; it widens kernels that rest in 8 bits to bfloat16"),
    ("slow_float16", "mixed_float16_xla_grappler", "one takes 640 times as long as the product alone here"),
    ("h100", "onednn_on", "is for machines that compute on the CPU"),
    ("h100", "allocator", "is for machines that compute on the CPU"),
    ("zen_5", "jax_bfloat16", "needs a GPU that tensorflow sees"),
    (
        "gpu_for_tensorflow",
        "jax",
        "JAX computes on the cpu here, and the baseline, in tensorflow, on the gpu",
    ),
    ("gpu_for_tensorflow", "torch", "PyTorch computes on the cpu here"),
    ("gpu_for_tensorflow", "onnxruntime_cuda", "ONNX Runtime cannot use its CUDAExecutionProvider here"),
    ("gpu_for_tensorflow", "onnxruntime_tensorrt_float16", "was built without TensorrtExecutionProvider: uninstall"),
]
# What doctor says: the machine, the check, its state, and words of it.
SAID = [
    ("zen_5", "oneDNN", "ok", "computes, with Intel AVX-512 with Intel DL Boost and bfloat16 support"),
    ("zen_5", "16 bits", "ok", "bfloat16 products gain, 1.78 to 1.86 times as fast as float32"),
    ("zen_5", "memory", "ok", "23.5 GiB; served by glibc 2.36, which gives large blocks back"),
    ("zen_5", "GPU", "note", "none"),
    ("zen_5_avx2", "16 bits", "note", "bfloat16 products do not work"),
    ("zen_5_avx2", "oneDNN", "ok", "Intel AVX2"),
    ("zen_3", "oneDNN", "note", "does not use them here"),
    ("zen_3", "16 bits", "note", "0.78 to 0.82 times"),
    ("graviton_3", "oneDNN", "note", "does not use them here"),
    ("quota", "threads", "note", "a control group allows the time of 1.5 cores"),
    ("cores_64", "threads", "ok", "64 cores"),
    ("one_core", "threads", "ok", "1 cores"),
    ("no_proc", "memory", "note", "of unknown size; served by an unknown malloc"),
    ("no_proc", "16 bits", "note", "unknown: no instructions known"),
    ("musl", "memory", "note", "allocator sets glibc's malloc"),
    ("no_xla", "XLA", "missing", "XLA is not built in"),
    ("v100", "TF32", "note", "do not round to TF32"),
    ("gpu_for_tensorflow", "JAX", "note", "JAX computes on the cpu here"),
    ("h100", "GPU", "ok", "NVIDIA H100 80GB HBM3; driver 550.54, CUDA 12.5"),
    ("h100", "TF32", "ok", "available; off for the baseline"),
    ("slow_float16", "float16", "note", "takes 640 times as long as it takes alone: oneDNN computes it in its ref"),
]


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """The table is of machines, whatever engines are installed on this one."""
    monkeypatch.setattr(EngineRow, "missing", lambda _row: None)


def skipped(machine):
    return {name for name, row in VARIANTS.items() if row.missing(machine)}


def test_every_machine_is_in_the_table():
    assert set(SKIPPED) == set(MACHINES)


@pytest.mark.parametrize("name", SKIPPED)
def test_a_machine_runs_what_it_can_and_no_more(name):
    assert skipped(MACHINES[name]) == SKIPPED[name]


@pytest.mark.parametrize(("name", "row", "words"), REASONS)
def test_what_is_skipped_is_told_why(name, row, words):
    assert words in VARIANTS[row].missing(MACHINES[name])


def test_a_row_that_was_named_is_refused_for_what_cannot_run_alone():
    row = VARIANTS["mixed_bfloat16"]
    assert [row.missing(MACHINES[name], named=True) for name in ("zen_5", "zen_5_off", "zen_3", "v100")] == [None] * 4
    assert "bfloat16 cannot be used here" in row.missing(MACHINES["zen_5_avx2"], named=True)
    assert "needs a GPU" in VARIANTS["tf32"].missing(MACHINES["zen_5"], named=True)


@pytest.mark.parametrize(("name", "check", "state", "words"), SAID)
def test_what_doctor_says(name, check, state, words):
    found = {one.name: one for one in machine_checks(MACHINES[name])}[check]
    assert (found.state, words in found.finding) == (state, True), found


def test_where_no_type_of_16_bits_gains_doctor_says_so():
    advice = {name: {one.name: one.advice for one in machine_checks(MACHINES[name])}["16 bits"] for name in MACHINES}
    told = {name for name, said in advice.items() if said.startswith("no type of 16 bits gains here")}
    states = {name: MACHINES[name].of("tensorflow").states for name in MACHINES}
    assert told == {
        name
        for name, seen in states.items()
        if not any(seen[kind][1] >= 1.15 for kind in ("bfloat16", "float16") if kind in seen)
    }
    unsure = {name for name, said in advice.items() if said.startswith("look again when nothing else runs")}
    assert unsure == {
        name
        for name, seen in states.items()
        if (kinds := [seen[kind] for kind in ("bfloat16", "float16") if kind in seen])
        and any(high >= 1.15 for _, high in kinds)
        and not any(low >= 1.15 for low, _ in kinds)
    }
    assert "zen_3" in told
    assert not {"zen_5", "v100"} & told


@pytest.mark.parametrize("name", MACHINES)
def test_doctor_agrees_with_the_rows_on_every_machine(name):
    checks = suite_checks(MACHINES[name])
    (all_rows,) = (check for check in checks if check.name == "variants")
    assert set(all_rows.finding.partition(": ")[2].split(", ")) == set(VARIANTS) - SKIPPED[name]
    told = [check.finding.partition(": ") for check in checks if check.name == "not here"]
    reasons = {row: reason for rows, _, reason in told for row in rows.split(", ")}
    assert reasons == {row: VARIANTS[row].missing(MACHINES[name]) for row in SKIPPED[name]}
    assert len(told) == len(set(reasons.values()))  # a reason is told once
    assert all("\n" not in check.finding + check.advice for check in machine_checks(MACHINES[name]))


def test_turning_onednn_on_is_advised_only_where_it_can_be():
    advice = {name: {one.name: one.advice for one in machine_checks(MACHINES[name])}["oneDNN"] for name in MACHINES}
    assert {name for name in MACHINES if advice[name]} == {
        name for name in MACHINES if "onednn_on" not in SKIPPED[name]
    }


PROBES = (TensorFlowProbe, OpenVinoProbe, TorchProbe, JaxProbe, OnnxRuntimeProbe)
RULES = {name: rules for rules in (requirements.RULES, *(probe.rules for probe in PROBES)) for name in rules}


def turned_round(rule):
    return lambda machine: None if rule(machine) else "turned round"


@pytest.mark.parametrize("requirement", RULES)
def test_each_rule_turned_round_makes_the_table_red(requirement, monkeypatch):
    """Plant the opposite of a rule: what it allowed is refused and what it refused is allowed."""
    for owner, name in (*((probe, "rules") for probe in PROBES), (requirements, "RULES")):
        rules = dict(getattr(owner, name))
        if requirement in rules:
            rules[requirement] = turned_round(rules[requirement])
            monkeypatch.setattr(owner, name, rules)
    assert any(skipped(machine) != SKIPPED[name] for name, machine in MACHINES.items())


@pytest.mark.parametrize(
    ("name", "requirement"), [(name, need) for name, row in VARIANTS.items() for need in row.requires]
)
def test_each_requirement_that_a_row_forgets_makes_the_table_red(name, requirement, monkeypatch):
    row = VARIANTS[name]
    forgetful = dataclasses.replace(row, requires=tuple(need for need in row.requires if need != requirement))
    monkeypatch.setitem(VARIANTS, name, forgetful)
    assert any(skipped(machine) != SKIPPED[known] for known, machine in MACHINES.items())


@pytest.mark.parametrize("requirement", [*requirements.RULES, *TensorFlowProbe.rules])
@pytest.mark.parametrize("name", [BASELINE, "eager", "grappler"])
def test_each_requirement_that_the_plainest_rows_wrongly_have_makes_the_table_red(name, requirement, monkeypatch):
    monkeypatch.setitem(VARIANTS, name, dataclasses.replace(VARIANTS[name], requires=(requirement,)))
    assert any(skipped(machine) != SKIPPED[known] for known, machine in MACHINES.items())


@pytest.mark.parametrize(
    ("state", "row"),
    [
        ("onednn", "onednn_off"),
        ("onednn", "onednn_on"),
        ("grappler", "grappler_off"),
        ("xla", "xla"),
        ("bfloat16", "mixed_bfloat16"),
        ("float16", "mixed_float16"),
        ("keeps_memory", "allocator"),
        ("openvino_int8", "openvino_int8"),
        ("openvino_bfloat16", "openvino_bfloat16"),
        ("openvino_int8_bfloat16", "openvino_int8_bfloat16"),
    ],
)
def test_what_was_not_seen_is_not_run_and_the_fault_is_told(state, row):
    step = {"onednn": "graph", "grappler": "graph", "keeps_memory": "memory"}.get(state, state)
    blind = like(ZEN_5, **{state: None}, faults={step: "the lamp was off"})
    assert "the lamp was off" in VARIANTS[row].missing(blind)


@pytest.mark.parametrize(
    ("low", "high", "runs"),
    [(0.3, 0.95, False), (1.0, 1.14, False), (0.9, 1.2, True), (0.5, 5.0, True), (1.14, 1.16, True), (1.5, 1.6, True)],
)
def test_a_type_is_left_out_only_where_it_is_sure_to_be_no_faster(low, high, runs):
    seen = like(ZEN_5, bfloat16=(low, high))
    assert all((VARIANTS[row].missing(seen) is None) == runs for row in BFLOAT16 - GPU_ROWS)


def rates(monkeypatch, slow, fast, outliers=0.0):
    """Measure planted seconds, each with 5 percent of noise, of which some outliers are three times as long."""
    noise, clock = random.Random(f"{slow} {fast} {outliers}"), [0.0]

    def work(seconds):
        longer = 3 if noise.random() < outliers else 1
        clock[0] += longer * seconds * noise.gauss(1, 0.05)

    monkeypatch.setattr(turns.time, "perf_counter", lambda: clock[0])
    return [turns.speedup_in_turns(lambda: work(slow), lambda: work(fast)) for _ in range(50)]


@pytest.mark.parametrize("outliers", [0.0, 0.05])
@pytest.mark.parametrize(("rate", "runs"), [(0.3, False), (0.8, False), (0.95, False), (1.5, True), (8.0, True)])
def test_noise_flips_no_rate_that_machines_have(monkeypatch, rate, runs, outliers):
    found = rates(monkeypatch, 0.03, 0.03 / rate, outliers)
    assert {VARIANTS["mixed_bfloat16"].missing(like(ZEN_5, bfloat16=one)) is None for one in found} == {runs}


def test_slow_products_are_measured_as_often_as_the_quartiles_need(monkeypatch):
    counts = []
    monkeypatch.setattr(turns.time, "perf_counter", lambda: 100.0 * len(counts) + 1e-3 * len(counts) ** 2)
    turns.speedup_in_turns(lambda: counts.append("slow"), lambda: counts.append("fast"))
    assert counts.count("slow") == counts.count("fast") == 12  # the first traces
    assert counts[:4] == ["fast", "slow", "slow", "fast"]


@pytest.mark.parametrize(("times", "rounds"), [(9, 12), (15, 3), (1000, 3)])
def test_products_without_a_kernel_are_soon_known(monkeypatch, times, rounds):
    clock, ran = [0.0], []

    def work(seconds):
        clock[0] += seconds
        ran.append(seconds)

    monkeypatch.setattr(turns.time, "perf_counter", lambda: clock[0])
    low, high = turns.speedup_in_turns(lambda: work(1.0), lambda: work(float(times)))
    assert (low, high) == pytest.approx((1 / times, 1 / times))
    assert ran.count(1.0) == ran.count(float(times)) == rounds


def test_the_baseline_itself_is_believed_before_a_small_layer():
    from tests.perf.variants.test_table import changed

    seen = seen_by(ZEN_5, changed(onednn_ops=0, rewritten_nodes=0, keeps_memory=True))
    states = seen.of("tensorflow").states
    assert (states["onednn"], states["grappler"], seen.keeps_memory) == (False, False, True)
    assert VARIANTS["onednn_off"].missing(seen)
    assert "changes no graph here" in VARIANTS["grappler_off"].missing(seen)
    assert seen_by(ZEN_3, changed(onednn_ops=3)).of("tensorflow").states["onednn"] is True


# This machine, looked at for real.


@pytest.fixture(scope="module")
def here():
    return look_at_machine()


@pytest.mark.slow
def test_this_machine_is_seen(here):
    states = here.of("tensorflow").states
    assert states["grappler"] is True
    assert here.keeps_memory is not None or sys.platform == "win32"
    assert 0 < states["float16"][0] <= states["float16"][1]
    assert here.fingerprint.tf32 is False
    assert here.fingerprint.states["onednn"] == ("on" if states["onednn"] else "off")
    assert msgspec.json.decode(msgspec.json.encode(here), type=Machine) == here
    assert skipped(here) < set(VARIANTS)


def test_engines_that_no_row_runs_in_are_not_looked_at(monkeypatch, tmp_path):
    quick = "steps['fingerprint'] = lambda: {'fingerprint': probe.take_fingerprint()}"
    found = fake(monkeypatch, tmp_path, quick, engines=("onnxruntime",))
    assert [*found.sights] == ["tensorflow", "onnxruntime"]


@pytest.mark.slow
def test_onednn_is_as_the_user_set_it(here, monkeypatch):
    on_x86 = here.fingerprint.system == "Linux" and here.fingerprint.machine == "x86_64"
    if here.fingerprint.gpus or not on_x86:
        pytest.skip("oneDNN cannot be turned on and off here")
    for value, rows in (("0", {"onednn_on"}), ("1", {"onednn_off"})):
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", value)
        seen = look_at_machine(engines=())
        assert seen.of("tensorflow").states["onednn"] is (value == "1")
        assert {"onednn_on", "onednn_off"} - skipped(seen) == rows


FAKE = """
import os, signal, sys, time
from nqperf.engines.registry import find_engine
from nqperf.perf.machine import probe
engine, *names = sys.argv[1:]
steps = {{**dict.fromkeys(names, dict), "memory": probe.steps_of(find_engine(engine))["memory"]}}
steps["tf32"] = lambda: os.kill(os.getpid(), signal.SIGABRT)
steps["xla"] = lambda: 1 / 0
{more}
probe.main(steps, names)
"""


def fake(monkeypatch, tmp_path, more="", engines=()):
    """Look at a machine on which one step kills its process and one raises, with TensorFlow and these `engines`."""
    script = tmp_path / "probe.py"
    script.write_text(FAKE.format(more=more))
    real = subprocess.run

    def run(command, **settings):
        return real([command[0], str(script), *command[4:]], **settings)

    monkeypatch.setattr(machine_module.subprocess, "run", run)
    machine_module._seen.cache_clear()
    try:
        return look_at_machine(engines=engines, timeout=60)
    finally:
        machine_module._seen.cache_clear()


def test_a_step_that_kills_its_process_is_told_and_those_behind_it_are_done(monkeypatch, tmp_path):
    if sys.platform == "win32":
        pytest.skip("needs POSIX signals")
    quick = "steps['fingerprint'] = lambda: {'fingerprint': probe.take_fingerprint()}"
    found = fake(monkeypatch, tmp_path, quick)
    assert found.of("tensorflow").faults == {"tf32": "the process was ended by SIGABRT", "xla": "division by zero"}
    assert found.malloc or found.keeps_memory is None
    assert [*found.sights] == ["tensorflow"]


def test_what_a_step_leaves_when_its_process_is_killed_goes(monkeypatch, tmp_path):
    """As AutoGraph leaves the code that it makes in the temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    leaves = "steps['memory'] = lambda: {'at': os.open(os.environ['TMPDIR'] + '/left', os.O_CREAT)}"
    fake(monkeypatch, tmp_path, f"{leaves}\nsteps['fingerprint'] = lambda: {{'fingerprint': probe.take_fingerprint()}}")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_machine_that_cannot_start_tensorflow_is_an_error_with_its_words(monkeypatch, tmp_path):
    broken = "steps['fingerprint'] = lambda: __import__('no_tensorflow_here')"
    with pytest.raises(NqPerfError, match=r"tensorflow cannot be looked at .*: No module named 'no_tensorflow_here'"):
        fake(monkeypatch, tmp_path, broken)


def test_the_steps_say_what_the_machine_holds():
    assert list(steps_of(ENGINES["tensorflow"]))[:3] == ["memory", "fingerprint", "graph"]
    assert MARK.endswith(" ")

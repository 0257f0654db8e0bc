import msgspec
import pytest

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.results.profiles_toml import PACKAGED
from nqperf.perf.variants.floors import SIZES, read_floors
from nqperf.perf.variants.table import VARIANTS
from nqperf.records.results import BASELINE, Fingerprint
from tests.perf.machine.machines import ONE_CORE, SAPPHIRE_RAPIDS, ZEN_3, ZEN_4, ZEN_5, ZEN_5_AVX2, ZEN_5_OFF
from tests.profiles import MINE, written

CPU = Fingerprint(
    system="Linux", machine="x86_64", cpu_model="AMD EPYC", cpu_id="AuthenticAMD-26-2", cores=2, isa=("avx512_bf16",)
)
V100 = msgspec.structs.replace(CPU, gpus=("Tesla V100-SXM2-16GB",))
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "batch_size": 32, "max_seq_length": 512}


@pytest.mark.parametrize(
    ("variant", "recorded_change"),
    [
        ("xla_clusters", -0.1183),
        ("xla_grappler", -0.15),
        ("mixed_float16", -0.631),
        ("mixed_float16_xla_grappler", -0.7424),
    ],
)
def test_the_thesis_is_promised_for_its_v100(variant, recorded_change):
    profile = read_floors().fitting(V100, LARGE)
    assert profile.name == "v100-thesis"
    assert profile.floors[variant] == pytest.approx(1 / (1 + recorded_change), abs=0.011)
    assert set(profile.floors) == {name for name, row in VARIANTS.items() if row.thesis_ratio is not None}
    assert profile.floors[variant] <= VARIANTS[variant].thesis_ratio


def test_an_own_profile_of_the_thesis_with_another_row_of_xla_is_still_read(tmp_path):
    packaged = PACKAGED.read_text().split("[[profile]]")[1].replace("xla_clusters =", "xla =")
    read = read_floors(written(tmp_path, f"schema_version = 1\n[[profile]]{packaged}"))
    read.check_names()
    assert read.fitting(V100, LARGE).floors["xla"] == 1.13


# Rows that are younger than the last calibration.
WITHOUT_FLOOR = {
    *("jax", "onnxruntime", "onnxruntime_int8", "mixed_bfloat16_weights", "xla_clusters"),
    *("torch", "torch_compile", "torch_bfloat16", "torch_bfloat16_compile"),
    *("openvino", "openvino_bfloat16", "openvino_int8", "openvino_int8_bfloat16"),
}


def test_two_zen_5_cores_are_promised_what_was_measured_there():
    mini = {"hidden_size": 384, "num_hidden_layers": 6, "batch_size": 4, "max_seq_length": 512}
    zen5 = ZEN_5.fingerprint
    profile = read_floors().fitting(zen5, mini)
    assert (
        set(profile.floors)
        == {name for name, row in VARIANTS.items() if name != BASELINE and not row.missing(ZEN_5)} - WITHOUT_FLOOR
    )
    assert profile.floors["mixed_bfloat16"] >= 1.5
    assert read_floors().fitting(zen5, LARGE) is None
    other = msgspec.structs.replace(zen5, cpu_model="AMD EPYC 9575F", cpu_id="AuthenticAMD-26-17")
    assert read_floors().fitting(other, mini) == profile
    # Another default of TensorFlow, or other instructions, are other speed-ups.
    for machine in (ZEN_5_AVX2, ZEN_5_OFF, ZEN_4, ZEN_3, SAPPHIRE_RAPIDS, ONE_CORE):
        assert read_floors().fitting(machine.fingerprint, mini) is None


@pytest.mark.parametrize(
    ("fingerprint", "workload"),
    [
        (CPU, LARGE),
        (msgspec.structs.replace(V100, gpus=V100.gpus * 2), LARGE),
        (msgspec.structs.replace(V100, gpus=("Tesla V100-SXM2-32GB",)), LARGE),
        (msgspec.structs.replace(V100, gpus=("NVIDIA H200",)), LARGE),
        (V100, {**LARGE, "batch_size": 8}),
        (V100, {**LARGE, "hidden_size": 384, "num_hidden_layers": 6}),
    ],
)
def test_nothing_is_promised_to_another_device_or_workload(fingerprint, workload):
    assert read_floors().fitting(fingerprint, workload) is None


def test_a_profile_of_ones_own(tmp_path):
    path = written(tmp_path, MINE)
    assert read_floors(path).fitting(CPU, LARGE).floors == {"mixed_bfloat16": 1.5}


def test_a_device_that_the_own_file_does_not_name_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"mine\.toml: no profile is for .* hidden_size 1024, .*it has mine"):
        read_floors(written(tmp_path, MINE)).fitting(V100, LARGE)


def test_the_packaged_profiles_name_every_size():
    for profile in read_floors().profiles:
        assert tuple(profile.workload) == SIZES


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "mixed_bfloat16 =",
            "mixed_bfloat =",
            "has floors for unknown variants mixed_bfloat; expected some of alloc",
        ),
        ("[profile.floors]", "[profile.workload]\nbatch = 4\n[profile.floors]", "is for unknown sizes batch; expected"),
    ],
)
def test_an_unknown_name_is_an_error_whatever_the_device(tmp_path, old, new, message):
    path = written(tmp_path, MINE.replace("AuthenticAMD", "Nobody").replace(old, new))
    with pytest.raises(ConfigError, match=rf"mine\.toml: profile mine {message}"):
        read_floors(path).check_names()


def test_a_file_that_is_no_profile_is_an_error(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        read_floors(tmp_path / "absent.toml")

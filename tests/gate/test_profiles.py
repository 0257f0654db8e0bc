import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.results.results_json import BASELINE, Data, Fingerprint, Model
from nqperf.gate.profiles import (
    Device,
    Profile,
    Provenance,
    Workload,
    profile_for,
    read_profiles,
    render_profile,
)
from nqperf.perf.variants import VARIANTS

CPU = Fingerprint(
    system="Linux", machine="x86_64", cpu_model="AMD EPYC", cpu_id="AuthenticAMD-26-2", cores=2, isa=("avx512_bf16",)
)
V100 = msgspec.structs.replace(CPU, gpus=("Tesla V100-SXM2-16GB",))
LARGE = Workload(hidden_size=1024, num_hidden_layers=24, batch_size=32, max_seq_length=512)

MINE = """schema_version = 1

[[profile]]
name = "mine"
[profile.device]
cpu_id = "AuthenticAMD-26-*"
cores = 2
isa = ["avx512_bf16"]
[profile.floors]
mixed_bfloat16 = 1.5
[profile.provenance]
command = "nqperf calibrate"
date = "2026-01-02"
figures = "1.71 (1.69-1.73)"
"""


def written(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("variant", "recorded_change"),
    [
        ("xla", -0.1183),
        ("xla_grappler", -0.15),
        ("mixed_float16", -0.631),
        ("mixed_float16_xla_grappler", -0.7424),
    ],
)
def test_the_thesis_is_promised_for_its_v100(variant, recorded_change):
    profile = profile_for(V100, LARGE, variants=VARIANTS)
    assert profile.name == "v100-thesis"
    assert profile.floors[variant] == pytest.approx(1 / (1 + recorded_change), abs=0.011)
    assert set(profile.floors) < set(VARIANTS)


def test_two_zen_5_cores_are_promised_what_was_measured_there():
    isa = ("avx2", "avx512_bf16", "avx512_vnni", "avx512f", "avx_vnni")
    mini = Workload(hidden_size=384, num_hidden_layers=6, batch_size=4, max_seq_length=512)
    zen5 = msgspec.structs.replace(CPU, isa=isa)
    profile = profile_for(zen5, mini, variants=VARIANTS)
    assert set(profile.floors) == {name for name, row in VARIANTS.items() if name != BASELINE and not row.missing(zen5)}
    assert profile.floors["mixed_bfloat16"] >= 1.5
    assert profile_for(zen5, LARGE, variants=VARIANTS) is None


@pytest.mark.parametrize(
    ("fingerprint", "workload"),
    [
        (CPU, LARGE),
        (msgspec.structs.replace(V100, gpus=V100.gpus * 2), LARGE),
        (msgspec.structs.replace(V100, gpus=("Tesla V100-SXM2-32GB",)), LARGE),
        (msgspec.structs.replace(V100, gpus=("NVIDIA H200",)), LARGE),
        (V100, msgspec.structs.replace(LARGE, batch_size=8)),
        (V100, msgspec.structs.replace(LARGE, hidden_size=384, num_hidden_layers=6)),
    ],
)
def test_nothing_is_promised_to_another_device_or_workload(fingerprint, workload):
    assert profile_for(fingerprint, workload, variants=VARIANTS) is None


def test_the_workload_of_a_run():
    model = Model(name="m", hidden_size=1024, num_hidden_layers=24)
    data = Data(name="d", examples=1, features=2, batch_size=32, max_seq_length=512)
    assert Workload.of(model, data) == LARGE


def test_a_profile_of_ones_own(tmp_path):
    path = written(tmp_path, MINE)
    assert profile_for(CPU, LARGE, variants=VARIANTS, path=path).floors == {"mixed_bfloat16": 1.5}


@pytest.mark.parametrize(
    "other",
    [
        {"cores": 4},
        {"isa": ()},
        {"cpu_id": "AuthenticAMD-25-17"},
        {"gpus": ("NVIDIA H200",)},  # its CPU fits, but it is not the CPU that computes
    ],
)
def test_asked_for_a_gate_another_device_is_an_error(tmp_path, other):
    path = written(tmp_path, MINE)
    with pytest.raises(ConfigError, match=r"no profile is for this device and workload .*it has mine"):
        profile_for(msgspec.structs.replace(CPU, **other), LARGE, variants=VARIANTS, path=path)


def test_an_unknown_variant_is_an_error(tmp_path):
    path = written(tmp_path, MINE.replace("mixed_bfloat16 =", "mixed_bfloat =").replace("AuthenticAMD", "Nobody"))
    with pytest.raises(ConfigError, match=r"mine\.toml: profile mine has floors for unknown variants mixed_bfloat;"):
        profile_for(CPU, LARGE, variants=VARIANTS, path=path)


def test_two_promises_for_one_device_are_an_error(tmp_path):
    second = MINE.partition("\n\n")[2].replace('"mine"', '"yours"').replace("cores = 2\n", "")
    with pytest.raises(ConfigError, match="profiles mine, yours all fit"):
        profile_for(CPU, LARGE, variants=VARIANTS, path=written(tmp_path, MINE + second))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema_version = 1", "schema_version = 2", "field schema_version: Invalid enum value 2"),
        ("schema_version = 1", "", "required field `schema_version`"),
        ('name = "mine"', "", r"field profile[0]: Object missing required field `name`"),
        ('name = "mine"', 'name = " "', "field profile[0]: the profile's name is empty"),
        ("[profile.device]", "[profile.machine]", "unknown field `machine`"),
        ('cpu_id = "AuthenticAMD-26-*"', "", "field profile[0].device: it names no device"),
        ('cpu_id = "AuthenticAMD-26-*"', 'gpu = "*"', "field profile[0].device: it names no device"),
        ('cpu_id = "AuthenticAMD-26-*"', 'cpu = ""', "field profile[0].device: it names no device"),
        ("cores = 2", "cores = 0", "field profile[0].device: gpu_count is 1, cores 0"),
        ("cores = 2", 'cores = "2"', "field profile[0].device.cores: Expected `int | null`, got `str`"),
        ("cores = 2", "core = 2", "field profile[0].device: Object contains unknown field `core`"),
        ("= 1.5", "= 0", "field profile[0]: profile mine, floor of mixed_bfloat16 is 0.0"),
        ("= 1.5", "= -1.5", "floor of mixed_bfloat16 is -1.5"),
        ("= 1.5", "= nan", "floor of mixed_bfloat16 is nan"),
        ("= 1.5", "= inf", "floor of mixed_bfloat16 is inf"),
        ("= 1.5", "= true", "Expected `float`, got `bool`"),
        ("= 1.5", '= "1.5"', "Expected `float`, got `str`"),
        ("mixed_bfloat16 = 1.5", "", "profile mine promises nothing"),
        ("mixed_bfloat16 =", "baseline =", "profile mine has a floor for baseline"),
        ('command = "nqperf calibrate"', "", "required field `command`"),
        ('command = "nqperf calibrate"', 'command = ""', "field profile[0].provenance: command is empty"),
        ("= 1.5", "= ", "line 10: is no TOML"),
        ('name = "mine"', 'name = "mine"\nname = "mine"', "line 5: is no TOML"),
    ],
)
def test_a_wrong_profile_is_refused_by_its_place(tmp_path, old, new, message):
    assert old in MINE
    with pytest.raises(FormatError, match=re.escape(message)):
        read_profiles(written(tmp_path, MINE.replace(old, new)))


def test_what_is_no_profile_at_all(tmp_path):
    with pytest.raises(FormatError, match="no such file; expected a device profile"):
        read_profiles(tmp_path / "absent.toml")
    with pytest.raises(FormatError, match="0 profiles"):
        read_profiles(written(tmp_path, "schema_version = 1\nprofile = []\n"))
    with pytest.raises(FormatError, match="names that stand twice: mine"):
        read_profiles(written(tmp_path, MINE + MINE.partition("\n\n")[2]))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="is no UTF-8 text"):
        read_profiles(tmp_path / "binary.toml")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.replace("*", " ").strip())
SIZES = st.one_of(st.none(), st.integers(1, 4096))
PROFILES = st.builds(
    Profile,
    name=TEXT,
    device=st.builds(Device, gpu=TEXT, gpu_count=st.integers(1, 8)),
    floors=st.dictionaries(TEXT.filter(lambda text: text != "baseline"), st.floats(0.01, 100.0), min_size=1),
    provenance=st.builds(Provenance, command=TEXT, date=TEXT, figures=TEXT, note=st.text("a\n\x7f\\\"'#", max_size=9)),
    workload=st.builds(Workload, hidden_size=SIZES, batch_size=SIZES),
)


@settings(deadline=None)
@given(PROFILES)
def test_a_rendered_profile_is_read_back(tmp_path_factory, profile):
    path = tmp_path_factory.mktemp("profile") / "p.toml"
    path.write_bytes(("schema_version = 1\n\n" + render_profile(profile)).encode())
    assert read_profiles(path) == (profile,)

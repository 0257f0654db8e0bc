import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import FormatError
from nqperf.formats.results.profiles_toml import read_profiles, write_profile
from nqperf.records.profiles import Device, Profile, Provenance
from tests.profiles import MINE, written


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema_version = 1", "schema_version = 2", "field schema_version: Invalid enum value 2"),
        ("schema_version = 1", "", "required field `schema_version`"),
        ('name = "mine"', "", r"field profile[0]: Object missing required field `name`"),
        ('name = "mine"', 'name = " "', "field profile[0]: the profile's name is empty"),
        ("[profile.device]", "[profile.machine]", "unknown field `machine`"),
        (
            'cpu_id = "AuthenticAMD-26-*"\ncores = 2\nisa = ["avx512_bf16"]',
            "cores = 2",
            "field profile[0].device: it names no device",
        ),
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
    for content, message in {b"\xff\xfe": "is not UTF-8 but UTF-16", b"\xff": "is not UTF-8"}.items():
        (tmp_path / "binary.toml").write_bytes(content)
        with pytest.raises(FormatError, match=message):
            read_profiles(tmp_path / "binary.toml")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.replace("*", " ").strip())
SIZES = st.one_of(st.integers(1, 4096), TEXT)
PROFILES = st.builds(
    Profile,
    name=TEXT,
    device=st.builds(Device, gpu=TEXT, gpu_count=st.integers(1, 8), states=st.dictionaries(TEXT, TEXT, max_size=2)),
    floors=st.dictionaries(TEXT.filter(lambda text: text != "baseline"), st.floats(0.01, 100.0), min_size=1),
    provenance=st.builds(Provenance, command=TEXT, date=TEXT, figures=TEXT, note=st.text("a\n\x7f\\\"'#", max_size=9)),
    workload=st.dictionaries(TEXT, SIZES),
)


@settings(deadline=None)
@given(PROFILES)
def test_a_written_profile_is_read_back(tmp_path_factory, profile):
    path = tmp_path_factory.mktemp("profile") / "p.toml"
    write_profile(path, profile)
    assert read_profiles(path) == (profile,)


def test_a_profile_is_written_whole_or_not_at_all(tmp_path):
    (profile,) = read_profiles(written(tmp_path, MINE))
    with pytest.raises(FormatError, match="absent"):
        write_profile(tmp_path / "absent" / "p.toml", profile)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.toml"]

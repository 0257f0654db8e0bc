import msgspec
import pytest

from nqperf.errors import ConfigError
from nqperf.records.profiles import Device, Profile, Provenance, check_names, profile_for
from nqperf.records.results import Fingerprint

CPU = Fingerprint(
    system="Linux", machine="x86_64", cpu_model="AMD EPYC", cpu_id="AuthenticAMD-26-2", cores=2, isa=("avx512_bf16",)
)
WORK = {"rows": 1000, "layout": "sparse"}
MINE = Profile(
    name="mine",
    device=Device(cpu_id="AuthenticAMD-26-*", cores=2, isa=("avx512_bf16",)),
    floors={"sorted": 1.5},
    provenance=Provenance(command="a command", date="2026-01-02", figures="1.71 (1.69-1.73)"),
)
OTHER_DEVICES = [
    {"cores": 4},
    {"isa": ()},
    {"cpu_id": "AuthenticAMD-25-17"},
    {"gpus": ("NVIDIA H200",)},  # its CPU fits, but it is not the CPU that computes
]


def choose(*profiles, fingerprint=CPU, workload=WORK, required=False):
    return profile_for(profiles, fingerprint, workload, origin="mine.toml", required=required)


def test_the_profile_of_this_device_is_found_among_others():
    elsewhere = msgspec.structs.replace(MINE, name="elsewhere", device=Device(gpu="*V100*"))
    assert choose(elsewhere, MINE) == MINE
    assert choose(elsewhere, MINE, fingerprint=msgspec.structs.replace(CPU, gpus=("Tesla V100",))) == elsewhere


@pytest.mark.parametrize("other", OTHER_DEVICES)
def test_nothing_is_promised_to_another_device(other):
    assert choose(MINE, fingerprint=msgspec.structs.replace(CPU, **other)) is None


@pytest.mark.parametrize("other", OTHER_DEVICES)
def test_asked_for_a_gate_another_device_is_an_error(other):
    with pytest.raises(
        ConfigError, match=r"mine\.toml: no profile is for .*rows 1000, layout sparse\); it has mine: measure"
    ):
        choose(MINE, fingerprint=msgspec.structs.replace(CPU, **other), required=True)


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [
        ({}, True),
        ({"rows": 1000}, True),
        ({"rows": 1000, "layout": "sparse"}, True),
        ({"rows": 999}, False),
        ({"rows": 1000, "layout": "dense"}, False),
        ({"rows": 1000, "columns": 3}, False),
        ({"rows": "1000"}, False),
    ],
)
def test_every_size_that_a_profile_names_must_fit(sizes, fits):
    profile = msgspec.structs.replace(MINE, workload=sizes)
    assert choose(profile) == (profile if fits else None)


def test_two_promises_for_one_device_are_an_error():
    yours = msgspec.structs.replace(MINE, name="yours", device=Device(cpu="AMD*"))
    with pytest.raises(ConfigError, match=r"mine\.toml: profiles mine, yours all fit cpu: AMD EPYC"):
        choose(MINE, yours)


def test_names_that_a_suite_does_not_have_are_errors():
    sized = msgspec.structs.replace(MINE, workload={"rows": 1})
    check_names([MINE, sized], variants=["sorted", "hashed"], sizes=["rows"], origin="mine.toml")
    with pytest.raises(ConfigError, match="mine has floors for unknown variants sorted; expected some of hashed"):
        check_names([sized], variants=["hashed"], sizes=["rows"], origin="mine.toml")
    with pytest.raises(ConfigError, match="mine is for unknown sizes rows; expected some of columns"):
        check_names([sized], variants=["sorted"], sizes=["columns"], origin="mine.toml")

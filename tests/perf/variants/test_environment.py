"""A row's environment holds what chooses how it computes; whatever could run or write something is refused by name."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, FormatError, VariantError
from nqperf.perf.variants.environment import FORMS, check_environment
from nqperf.perf.variants.own import read_own_variants
from nqperf.perf.variants.table import VARIANTS
from tests.rows import environment_file

RUNS_SOMETHING = {
    "warnings": {"PYTHONWARNINGS": "ignore::antigravity.x", "BROWSER": "/bin/sh -c 'touch ran' #%s"},
    "preload": {"LD_PRELOAD": "/there/any.so"},
    "audit": {"LD_AUDIT": "/there/any.so"},
    "library path": {"LD_LIBRARY_PATH": "/there"},
    "path": {"PATH": "/there"},
    "python path": {"PYTHONPATH": "/there/planted"},
    "python start": {"PYTHONSTARTUP": "/there/x.py"},
    "python breakpoint": {"PYTHONBREAKPOINT": "os.system"},
    "keras backend": {"KERAS_HOME": "/there/planted"},
    "gconv": {"GCONV_PATH": "/there"},
    "CUDA injection": {"CUDA_INJECTION64_PATH": "/there/any.so"},
    "OpenMP tool": {"OMP_TOOL_LIBRARIES": "/there/any.so"},
    "another loader": {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=1"},
    "XLA's dump": {"XLA_FLAGS": "--xla_dump_to=/there/dump"},
    "XLA's dump, second": {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_dump_to=/there/dump"},
    "flags from a file": {"TF_XLA_FLAGS": "/there/flags"},
    "a compiler": {"XLA_FLAGS": "--xla_gpu_cuda_data_dir=/there"},
    "a folder called 1": {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_dump_to=1"},
    "a compiler in a folder called 1": {"XLA_FLAGS": "--xla_gpu_cuda_data_dir=1"},
    "a compiler's flags": {"XLA_FLAGS": "--xla_gpu_asm_extra_flags=1"},
    "results in a file called 1": {"XLA_FLAGS": "--xla_gpu_load_autotune_results_from=1"},
    "a cache in a folder called 1": {"TF_XLA_FLAGS": "--tf_xla_persistent_cache_directory=1"},
    "a configuration in a file called 1": {"XLA_FLAGS": "--xla_gpu_target_config_filename=1"},
    "digits that are read as none": {"OMP_NUM_THREADS": "\u0663"},
    "longer than a process can have": {"TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_DENYLIST_ADD": "A" * 200_000},
    "a million threads": {"OMP_NUM_THREADS": "1000000"},
    "a million devices": {"XLA_FLAGS": "--xla_force_host_platform_device_count=1000000"},
    "a cache": {"TF_XLA_FLAGS": "--tf_xla_persistent_cache_directory=/there"},
    "a log": {"TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LOG_PATH": "/there"},
    "odd name": {"A=B": "c"},
    "nul": {"A": "b\0c"},
    "nul in a known one": {"OMP_NUM_THREADS": "1\0"},
    "newline": {"OMP_NUM_THREADS": "1\n"},
    "empty name": {"": "x"},
}


@pytest.mark.parametrize("environment", RUNS_SOMETHING.values(), ids=RUNS_SOMETHING)
def test_what_could_run_or_write_is_refused_when_the_file_is_read(environment, tmp_path):
    path = environment_file(tmp_path / "own.toml", environment)
    with pytest.raises((VariantError, FormatError)) as caught:
        read_own_variants(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert "\0" not in message


@pytest.mark.parametrize("environment", RUNS_SOMETHING.values(), ids=RUNS_SOMETHING)
def test_the_message_names_the_variable(environment):
    with pytest.raises(ConfigError) as caught:
        check_environment(environment)
    assert any(name[:40] in str(caught.value) for name in environment)


@pytest.mark.parametrize(
    "environment",
    [
        {"TF_ENABLE_ONEDNN_OPTS": "1", "OMP_NUM_THREADS": "2"},
        {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"},
        {"XLA_FLAGS": "--xla_cpu_enable_fast_math=false --xla_force_host_platform_device_count=1"},
        {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"},
        {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    ],
    ids=str,
)
def test_what_chooses_how_a_row_computes_is_allowed(environment, tmp_path):
    (variant,) = read_own_variants(environment_file(tmp_path / "own.toml", environment))
    assert variant.environment == environment


def test_the_tables_own_rows_keep_to_the_list():
    for row in VARIANTS.values():
        check_environment(row.environment)


def test_an_engine_allows_its_own_switches_in_plain_values():
    check_environment({"MINE": "fast,1"}, {"MINE"})
    with pytest.raises(ConfigError, match="MINE"):
        check_environment({"MINE": "/bin/sh"}, {"MINE"})
    with pytest.raises(ConfigError, match="MINE"):
        check_environment({"MINE": "fast"})


def test_a_misspelt_name_shows_the_near_one():
    with pytest.raises(ConfigError, match="did you mean OMP_NUM_THREADS"):
        check_environment({"OMP_NUM_THREAD": "1"})


@given(name=st.sampled_from(sorted(FORMS)), value=st.text(alphabet=string.printable + "\0\x1b\u2028", max_size=30))
def test_no_value_that_is_allowed_holds_a_path_a_command_or_a_control(name, value):
    try:
        check_environment({name: value})
    except ConfigError:
        return
    assert not set(value) & set("/\\;&|$`'\"<>()\0\n\r\t\x1b\u2028%*?!~")

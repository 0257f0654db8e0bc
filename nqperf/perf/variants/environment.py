"""Which variables a row may set before its process starts: those that choose how it computes, in a checked form.

Recipes and variants of one's own come from other people as files. A variable such as LD_PRELOAD, PYTHONPATH or BROWSER
would run what its writer likes, so a row may set what this table lists, the switches of its engine, and nothing else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

from nqperf.errors import ConfigError

_YES_OR_NO = ("0|1|true|false", "0 or 1, true or false")
_COUNT = (r"\d{1,15}", "a number")
# So many would be started: ten thousand sleep, a thousand times as many take the machine.
_THREADS = (r"\d{1,4}", "a number below 10000")
_OPERATIONS = (r"[A-Za-z0-9_,]*", "names of operations with commas between")
# An engine's own switch may be a word or a list of words; what could be a path or a command is none.
_PLAIN = (r"[A-Za-z0-9_.,:+=-]*", "plain words or numbers")


# A number is a path, too: a folder called 1 in the working directory. So a flag with one of these words is refused.
_PLACES = (
    r"\w*_(?:dump|dir|directory|file|filename|files|path|paths|cache|log|logs|from|to|extra|flags|library|data|results)"
)


def _flags(pattern: str) -> tuple[str, str]:
    """Return the form of several flags, each with a number, yes or no, or nothing as its value.

    So no flag takes a path: --xla_dump_to and its like are none of these. A count of devices has four digits at most.
    """
    flag = rf"--(?!{_PLACES}(?:[_= ]|$))(?!\w*_count=\d{{5}}){pattern}(?:=(?:0|1|true|false|-?\d{{1,15}}))?"
    return (
        rf"(?:{flag}(?: {flag})*)?",
        "flags that take a number, true or false, and name no place, with a space between",
    )


# The values that each variable may have: a regular expression, and the same in words.
FORMS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "NVIDIA_TF32_OVERRIDE",
            "TF_CUDNN_DETERMINISTIC",
            "TF_CUDNN_USE_AUTOTUNE",
            "TF_CUDNN_USE_FRONTEND",
            "TF_DETERMINISTIC_OPS",
            "TF_DISABLE_MKL",
            "TF_ENABLE_CUBLAS_TENSOR_OP_MATH_FP32",
            "TF_ENABLE_CUDNN_TENSOR_OP_MATH_FP32",
            "TF_ENABLE_ONEDNN_OPTS",
            "TF_FORCE_GPU_ALLOW_GROWTH",
            "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS",
            "TF_ONEDNN_USE_SYSTEM_ALLOCATOR",
            "XLA_PYTHON_CLIENT_PREALLOCATE",
        ),
        _YES_OR_NO,
    ),
    **dict.fromkeys(
        (
            "MALLOC_ARENA_MAX",
            "MALLOC_MMAP_MAX_",
            "MALLOC_MMAP_THRESHOLD_",
            "MALLOC_TOP_PAD_",
            "MALLOC_TRIM_THRESHOLD_",
            "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
        ),
        _COUNT,
    ),
    **dict.fromkeys(
        (
            "CUDA_DEVICE_MAX_CONNECTIONS",
            "MKL_NUM_THREADS",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "TF_GPU_THREAD_COUNT",
            "TF_NUM_INTEROP_THREADS",
            "TF_NUM_INTRAOP_THREADS",
        ),
        _THREADS,
    ),
    **{
        f"TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_{kind}LIST_{change}": _OPERATIONS
        for kind in ("ALLOW", "CLEAR", "DENY", "INFER")
        for change in ("ADD", "REMOVE")
    },
    "CUDA_MODULE_LOADING": ("LAZY|EAGER|DEFAULT", "LAZY, EAGER or DEFAULT"),
    "CUDA_VISIBLE_DEVICES": (r"[A-Za-z0-9,-]*", "numbers or names of devices with commas between"),
    "GLIBC_TUNABLES": (
        r"(?:glibc\.malloc\.\w+=\d{1,15}(?::glibc\.malloc\.\w+=\d{1,15})*)?",
        "glibc.malloc.NAME=NUMBER, several with colons between",
    ),
    "GOMP_CPU_AFFINITY": (r"[0-9,: -]+", "numbers of cores"),
    "KMP_AFFINITY": (r"[A-Za-z0-9_,=-]+", "words and numbers with commas between"),
    "KMP_BLOCKTIME": (r"\d{1,15}|infinite", "a number or infinite"),
    "OMP_PLACES": (r"threads|cores|sockets|[{}0-9,: ]+", "threads, cores, sockets or numbers of cores"),
    "OMP_PROC_BIND": ("true|false|close|spread|master|primary", "true, false, close, spread, master or primary"),
    "OMP_WAIT_POLICY": ("active|passive|ACTIVE|PASSIVE", "active or passive"),
    "ONEDNN_DEFAULT_FPMATH_MODE": (r"[A-Z0-9]+", "a name such as BF16"),
    "ONEDNN_MAX_CPU_ISA": (r"[A-Z0-9_]+", "a name such as AVX2"),
    "TF_GPU_ALLOCATOR": ("cuda_malloc_async", "cuda_malloc_async"),
    "TF_GPU_THREAD_MODE": ("global|gpu_private|gpu_shared", "global, gpu_private or gpu_shared"),
    "TF_XLA_FLAGS": _flags(r"tf_xla_\w+"),
    "XLA_FLAGS": _flags(r"xla_\w+"),
    "XLA_PYTHON_CLIENT_MEM_FRACTION": (r"0?\.\d{1,6}|1", "a fraction of 1"),
}
_SHOWN = 40
_LONGEST = 4096  # a process cannot be started with a hundred thousand letters in one


def check_environment(environment: Mapping[str, str], switches: Collection[str] = ()) -> None:
    """Raise unless a row may set these variables to these values.

    `environment` is what the row sets; `switches` are the variables that its engine calls its own.
    Raises: ConfigError naming the variable, and what may stand in its place.
    """
    for name, value in environment.items():
        form = FORMS.get(name) or (_PLAIN if name in switches else None)
        if form is None:
            near = difflib.get_close_matches(name, [*FORMS, *switches], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"environment sets {name[:_SHOWN]!r}; expected a switch of the engine, a count of threads or a setting "
                f"of memory: leave it out, or set it yourself before nqperf starts{hint}"
            )
        pattern, words = form
        if len(value) > _LONGEST or not re.fullmatch(pattern, value, re.ASCII):
            raise ConfigError(
                f"environment sets {name} to {value[:_SHOWN]!r}; expected {words}, and at most {_LONGEST} letters: "
                "change it"
            )

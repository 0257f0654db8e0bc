"""Machines: what they are and what TensorFlow was seen to do on them by default.

ZEN_5 (and as ZEN_5_AVX2 and ZEN_5_OFF with ONEDNN_MAX_CPU_ISA=AVX2 and TF_ENABLE_ONEDNN_OPTS=0) was recorded by
`look_at_machine` on two cores of a virtual machine. The others are written from documentation: TensorFlow turns oneDNN
on by default on x86-64 Linux with AVX512-VNNI, AVX512-BF16, AVX-VNNI or AMX; bfloat16 units are in Zen 4 and later,
Cooper Lake, Sapphire Rapids and later, Graviton 3 and later, and in GPUs from Ampere on, as those of TF32.
"""

import msgspec

from nqperf.engines.probe import Machine, Sight
from nqperf.records.results import Fingerprint

_AVX512 = ("avx2", "avx512_vnni", "avx512f")


def near(speedup):
    """Return the interval of a speed-up that was measured on a quiet machine."""
    return 0.98 * speedup, 1.02 * speedup


def cpu(model, cpu_id, isa, **changes):
    """Return the fingerprint of a machine without a GPU."""
    plain = {"system": "Linux", "machine": "x86_64", "cores": 2, "observed": {"memory": "7.8 GiB"}}
    return Fingerprint(**{**plain, "cpu_model": model, "cpu_id": cpu_id, "isa": isa, **changes})


ZEN_5 = Machine(
    fingerprint=cpu(
        "AMD EPYC",
        "AuthenticAMD-26-2",
        ("avx2", "avx512_bf16", "avx512_vnni", "avx512f", "avx_vnni"),
        states={"onednn": "on", "onednn_isa": "Intel AVX-512 with Intel DL Boost and bfloat16 support"},
        observed={"memory": "23.5 GiB", "malloc": "glibc 2.36"},
    ),
    engine="tensorflow",
    malloc="glibc 2.36",
    keeps_memory=False,
    sights={
        "tensorflow": Sight(
            states={
                "onednn": True,
                "onednn_isa": "Intel AVX-512 with Intel DL Boost and bfloat16 support",
                "grappler": True,
                "xla": True,
                "tf32": False,
                "float16": near(0.86),
                "float16_fusion_cost": 1.1,
                "bfloat16": near(1.82),
                "bfloat16_softmax": True,
            }
        ),
        "openvino": Sight(states=dict.fromkeys(("openvino_int8", "openvino_bfloat16", "openvino_int8_bfloat16"), True)),
        "jax": Sight(states={"jax_device": "cpu"}),
        "onnxruntime": Sight(states={"onnxruntime_cuda": False, "onnxruntime_tensorrt": False}),
        "torch": Sight(
            states={
                "torch_device": "cpu",
                "torch_compiler": True,
                "torch_bfloat16": near(1.8),
                "torch_float16": near(0.9),
            }
        ),
    },
)


def like(machine, fingerprint=None, faults=None, **states):
    """Return a machine that does what another does, but for some states; None for one that was not seen."""
    own = {name: states.pop(name) for name in ("malloc", "keeps_memory") if name in states}
    faults = dict(faults or {})
    machine_faults = {name: faults.pop(name) for name in ("memory",) if name in faults}

    def engine_of(name):
        others = ("openvino", "torch", "jax", "onnxruntime")
        return next((engine for engine in others if name.startswith(engine)), "tensorflow")

    def of(engine, found):
        return {name: value for name, value in found.items() if engine_of(name) == engine}

    sights = {}
    for engine, sight in machine.sights.items():
        seen = {**sight.states, **of(engine, states)}
        sights[engine] = Sight(
            states={name: value for name, value in seen.items() if value is not None}, faults=of(engine, faults)
        )
    return msgspec.structs.replace(
        machine, fingerprint=fingerprint or machine.fingerprint, sights=sights, faults=machine_faults, **own
    )


ABORTED = "the process was ended by SIGABRT: could not create a primitive descriptor for the matmul primitive"
ZEN_5_AVX2 = like(
    ZEN_5,
    msgspec.structs.replace(ZEN_5.fingerprint, states={"onednn": "on", "onednn_isa": "Intel AVX2"}),
    onednn_isa="Intel AVX2",
    bfloat16=None,
    bfloat16_softmax=None,
    openvino_int8=None,
    openvino_bfloat16=None,
    openvino_int8_bfloat16=None,
    torch_bfloat16=None,
    faults={
        "bfloat16": ABORTED,
        "torch_bfloat16": "no kernel",
        "softmax": "Graph execution error:",
        **dict.fromkeys(
            ("openvino_int8", "openvino_bfloat16", "openvino_int8_bfloat16"), "could not create a primitive"
        ),
    },
)
ZEN_5_OFF = like(
    ZEN_5,
    msgspec.structs.replace(ZEN_5.fingerprint, states={"onednn": "off"}),
    onednn=False,
    bfloat16=near(0.91),
    bfloat16_softmax=False,
)
ZEN_4 = like(ZEN_5, cpu("AMD EPYC 9R14", "AuthenticAMD-25-17", (*_AVX512, "avx512_bf16")))
ZEN_3 = like(
    ZEN_5,
    cpu("AMD EPYC 7763 64-Core Processor", "AuthenticAMD-25-1", ("avx2",)),
    onednn=False,
    onednn_isa="Intel AVX2",
    bfloat16=near(0.8),
    bfloat16_softmax=False,
    openvino_int8=False,
    openvino_bfloat16=False,
    openvino_int8_bfloat16=False,
    torch_bfloat16=near(0.7),
)
HASWELL = like(ZEN_3, cpu("Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz", "GenuineIntel-6-63", ("avx2",)))
SKYLAKE_X = like(
    ZEN_3,
    cpu("Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz", "GenuineIntel-6-85", ("avx2", "avx512f")),
    onednn_isa="Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions",
)
SAPPHIRE_RAPIDS = like(
    ZEN_5,
    cpu(
        "Intel(R) Xeon(R) Platinum 8488C",
        "GenuineIntel-6-143",
        (*_AVX512, "amx_bf16", "amx_int8", "avx512_bf16", "avx512_fp16", "avx_vnni"),
    ),
    onednn_isa="Intel AVX-512 with float16, Intel DL Boost and bfloat16 support and Intel AMX with bfloat16 support",
    float16=near(1.6),
    bfloat16=near(8.0),
    torch_float16=near(1.6),
    torch_bfloat16=near(8.0),
)
# As SAPPHIRE_RAPIDS, with the kernels of the oneDNN in TensorFlow 2.21: measured on two cores of a virtual machine.
SLOW_FLOAT16 = like(SAPPHIRE_RAPIDS, float16_fusion_cost=640.0, openvino_int8_bfloat16=False)
GRAVITON_2 = like(
    ZEN_3,
    cpu("0x41-0xd0c-0x3", "0x41-0xd0c-0x3", ("asimddp", "asimdhp"), machine="aarch64"),
    onednn_isa=None,
)
GRAVITON_3 = like(
    GRAVITON_2,
    cpu("0x41-0xd40-0x1", "0x41-0xd40-0x1", ("asimddp", "asimdhp", "bf16", "i8mm", "sve"), machine="aarch64"),
)
ONE_CORE = like(ZEN_5, msgspec.structs.replace(ZEN_5.fingerprint, cores=1))
CORES_64 = like(ZEN_4, msgspec.structs.replace(ZEN_4.fingerprint, cores=64))
QUOTA = like(
    ZEN_5,
    msgspec.structs.replace(ZEN_5.fingerprint, observed={**ZEN_5.fingerprint.observed, "cpu_quota": "1.5"}),
)
# No /proc: nothing is known of the processor, the memory or the page faults.
NO_PROC = like(ZEN_3, cpu("unknown", "x86_64", (), observed={}), malloc=None, keeps_memory=None)
MUSL = like(ZEN_3, malloc="ld-musl-x86_64.so.1", keeps_memory=False)
JEMALLOC = like(ZEN_5, malloc="libjemalloc.so.2", keeps_memory=True)
KEEPING = like(ZEN_5, keeps_memory=True)
MAC = like(
    GRAVITON_3,
    cpu("Apple M2", "arm64", (), system="Darwin", machine="arm64"),
    malloc="libsystem_malloc.dylib",
)
NO_XLA = like(ZEN_4, xla=None, faults={"xla": "XLA is not built in"})
# A TensorFlow without Grappler, or whose oneDNN has no kernel for a type that the CPU is said to have.
NO_GRAPPLER = like(ZEN_3, grappler=False)
NO_FLOAT16 = like(ZEN_4, float16=None, faults={"float16": ABORTED})


def gpu(name, capability, **changes):
    """Return a machine that computes on a GPU, with a strong CPU beside it."""
    known = {"compute_capability": capability, "memory": "62.0 GiB"}
    fingerprint = msgspec.structs.replace(
        SAPPHIRE_RAPIDS.fingerprint, gpus=(name,), driver="550.54", cuda="12.5", observed=known
    )
    states = {"onednn": False, "float16": near(3.0), "torch_float16": near(3.0), "bfloat16_softmax": False}
    states["torch_bfloat16"] = changes.get("bfloat16")
    states |= {"torch_device": "gpu", "jax_device": "gpu", "onnxruntime_cuda": True, "onnxruntime_tensorrt": True}
    return like(SAPPHIRE_RAPIDS, fingerprint, **{**states, **changes})


T4 = gpu("Tesla T4", "7.5", tf32=False, bfloat16=near(0.4))
V100 = gpu("Tesla V100-SXM2-16GB", "7.0", tf32=False, bfloat16=near(0.3))
A100 = gpu("NVIDIA A100-SXM4-40GB", "8.0", tf32=True, bfloat16=near(12.0))
GPU_NO_FLOAT16 = gpu(
    "Tesla M60",
    "5.2",
    tf32=False,
    bfloat16=near(0.4),
    float16=None,
    torch_float16=None,
    faults={"float16": "no kernel"},
)
H100 = gpu("NVIDIA H100 80GB HBM3", "9.0", tf32=True, bfloat16=near(12.0))
# JAX and PyTorch without CUDA, and an ONNX Runtime whose CUDA libraries cannot be loaded.
GPU_FOR_TENSORFLOW = gpu(
    "NVIDIA H100 80GB HBM3",
    "9.0",
    tf32=True,
    bfloat16=near(12.0),
    torch_device="cpu",
    jax_device="cpu",
    onnxruntime_cuda=None,
    onnxruntime_tensorrt=False,
    faults={"onnxruntime_cuda": "ONNX Runtime cannot use its CUDAExecutionProvider here"},
)
NO_COMPILER = like(SAPPHIRE_RAPIDS, torch_compiler=None, faults={"torch_compiler": "Failed to find C++ compiler"})
GPU_NO_XLA = like(H100, xla=None, faults={"xla": "libdevice is not found"})

MACHINES = {name.lower(): value for name, value in list(globals().items()) if isinstance(value, Machine)}

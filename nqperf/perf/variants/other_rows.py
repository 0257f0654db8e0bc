"""The rows of the table that other engines run: the same weights in other libraries."""

from __future__ import annotations

from nqperf.engines.effects import Effect
from nqperf.engines.registry import find_engine
from nqperf.perf.variants.variant import Variant


def _seen(*effects: str, engine: str) -> tuple[Effect, ...]:
    """Return what a row's switches must be seen to do, by the names that its engine has for it."""
    return find_engine(engine).effects_of(*effects)


OTHER_ROWS = (
    Variant(
        name="onnxruntime",
        description="ONNX Runtime on the same weights",
        engine="onnxruntime",
        requires=("cpu",),
        effects=_seen("wide", "threads", engine="onnxruntime"),
    ),
    Variant(
        name="onnxruntime_int8",
        description="ONNX Runtime with products in 8 bits, the heads and two feed-forward outputs in float32",
        engine="onnxruntime",
        settings={"precision": "int8"},
        tolerance="eight_bit",
        requires=("cpu",),
        effects=_seen("int8", "threads", engine="onnxruntime"),
    ),
    # The graph has the form that each provider's fused kernels are for; the provider that really ran is looked at.
    Variant(
        name="onnxruntime_cuda",
        description="ONNX Runtime's CUDA kernels on the same weights",
        engine="onnxruntime",
        settings={"provider": "cuda"},
        requires=("onnxruntime_cuda",),
        effects=_seen("wide", "provider", engine="onnxruntime"),
    ),
    Variant(
        name="onnxruntime_cuda_float16",
        description="onnxruntime_cuda with products in float16",
        engine="onnxruntime",
        settings={"provider": "cuda", "precision": "mixed_float16"},
        tolerance="sixteen_bit",
        requires=("onnxruntime_cuda",),
        effects=_seen("narrow", "provider", engine="onnxruntime"),
    ),
    # TensorRT tells nothing of its products; its switch and the provider are all that is seen.
    Variant(
        name="onnxruntime_tensorrt_float16",
        description="ONNX Runtime with TensorRT, which may compute in float16",
        engine="onnxruntime",
        settings={"provider": "tensorrt", "precision": "mixed_float16"},
        tolerance="sixteen_bit",
        requires=("onnxruntime_tensorrt",),
        effects=_seen("provider", engine="onnxruntime"),
    ),
    # No row of bfloat16: on a CPU, XLA widens such products to float32, also where the CPU has units for them.
    Variant(
        name="jax",
        description="the same network on JAX, compiled by XLA",
        engine="jax",
        requires=("jax_device",),
        effects=_seen("compiled", "wide", "threads", engine="jax"),
    ),
    Variant(
        name="jax_bfloat16",
        description="jax with products in bfloat16",
        engine="jax",
        settings={"precision": "mixed_bfloat16"},
        tolerance="sixteen_bit",
        requires=("jax_gpu",),
        effects=_seen("compiled", "narrow", engine="jax"),
    ),
    Variant(
        name="jax_bfloat16_attention",
        description="jax_bfloat16 with cuDNN's fused attention",
        engine="jax",
        settings={"precision": "mixed_bfloat16", "attention": "cudnn"},
        tolerance="sixteen_bit",
        requires=("jax_gpu",),
        effects=_seen("compiled", "narrow", "fused_attention", engine="jax"),
    ),
    Variant(
        name="jax_float16_attention",
        description="jax with products in float16 and cuDNN's fused attention",
        engine="jax",
        settings={"precision": "mixed_float16", "attention": "cudnn"},
        tolerance="sixteen_bit",
        requires=("jax_gpu",),
        effects=_seen("compiled", "narrow", "fused_attention", engine="jax"),
    ),
    # The next batch is handed over before the last one's outputs are fetched; only an engine that tells whether a batch
    # is still computed can show that it was so, and TensorFlow tells nobody.
    Variant(
        name="jax_in_flight",
        description="jax with two batches at once on the GPU",
        engine="jax",
        settings={"in_flight": 2},
        requires=("jax_gpu",),
        effects=_seen("compiled", "wide", "in_flight", engine="jax"),
    ),
    Variant(
        name="jax_bfloat16_in_flight",
        description="jax_bfloat16 with two batches at once on the GPU",
        engine="jax",
        settings={"precision": "mixed_bfloat16", "in_flight": 2},
        tolerance="sixteen_bit",
        requires=("jax_gpu",),
        effects=_seen("compiled", "narrow", "in_flight", engine="jax"),
    ),
    Variant(
        name="openvino",
        description="OpenVINO on the same weights",
        engine="openvino",
        requires=("cpu",),
        effects=_seen("wide", "threads", engine="openvino"),
    ),
    Variant(
        name="openvino_bfloat16",
        description="OpenVINO with products in bfloat16",
        engine="openvino",
        settings={"precision": "mixed_bfloat16"},
        tolerance="sixteen_bit",
        requires=("openvino_bfloat16",),
        effects=_seen("narrow", "threads", engine="openvino"),
    ),
    Variant(
        name="openvino_int8",
        description="OpenVINO with products in 8 bits, the heads in float32",
        engine="openvino",
        settings={"precision": "int8"},
        tolerance="eight_bit",
        requires=("openvino_int8",),
        effects=_seen("int8", "threads", engine="openvino"),
    ),
    Variant(
        name="openvino_int8_bfloat16",
        description="openvino_int8 with all but the products in bfloat16",
        engine="openvino",
        settings={"precision": "int8_bfloat16"},
        tolerance="eight_bit",
        requires=("openvino_int8_bfloat16",),
        effects=_seen("int8", "threads", "bfloat16_layers", engine="openvino"),
    ),
    Variant(
        name="torch",
        description="the same network in PyTorch",
        engine="torch",
        requires=("torch_device",),
        effects=_seen("as_called", "wide", "no_tf32", "threads", engine="torch"),
    ),
    Variant(
        name="torch_compile",
        description="torch, compiled as a whole by PyTorch's compiler",
        engine="torch",
        settings={"compiled": True},
        requires=("torch_device", "torch_compiler"),
        effects=_seen("compiled", "wide", "no_tf32", "threads", engine="torch"),
    ),
    Variant(
        name="torch_bfloat16",
        description="torch with products in bfloat16",
        engine="torch",
        settings={"precision": "mixed_bfloat16"},
        tolerance="sixteen_bit",
        requires=("torch_device", "torch_bfloat16"),
        effects=_seen("as_called", "narrow", "threads", engine="torch"),
    ),
    Variant(
        name="torch_bfloat16_compile",
        description="torch_bfloat16, compiled as a whole by PyTorch's compiler",
        engine="torch",
        settings={"precision": "mixed_bfloat16", "compiled": True},
        tolerance="sixteen_bit",
        requires=("torch_device", "torch_bfloat16", "torch_compiler"),
        effects=_seen("compiled", "narrow", "threads", engine="torch"),
    ),
    Variant(
        name="torch_float16",
        description="torch with products in float16",
        engine="torch",
        settings={"precision": "mixed_float16"},
        tolerance="sixteen_bit",
        requires=("torch_device", "torch_float16"),
        effects=_seen("as_called", "narrow", "threads", engine="torch"),
    ),
    Variant(
        name="torch_float16_compile",
        description="torch_float16, compiled as a whole by PyTorch's compiler",
        engine="torch",
        settings={"precision": "mixed_float16", "compiled": True},
        tolerance="sixteen_bit",
        requires=("torch_device", "torch_float16", "torch_compiler"),
        effects=_seen("compiled", "narrow", "threads", engine="torch"),
    ),
)

# ruff: noqa: SIM905  # wrapped text reads better than 150 quoted lines
"""Grappler's auto_mixed_precision lists: which ops belong in 16 bits, which may follow, which must not.

Source: TensorFlow, tensorflow/core/grappler/optimizers/auto_mixed_precision_lists.h (the lists for CUDA), with the
newer op versions that Keras and TensorFlow 2.2x emit beside the ones named there (BatchMatMulV3, Conv).
"""

from __future__ import annotations

# Safe in 16 bits and what speed depends on.
ALLOW = frozenset(
    """
    BatchMatMul BatchMatMulV2 BatchMatMulV3 BlockLSTM BlockLSTMV2 BlockLSTMGrad BlockLSTMGradV2 Conv Conv2D
    Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilter Conv3DBackpropFilterV2 Conv3DBackpropInput
    Conv3DBackpropInputV2 CudnnRNN CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3 CudnnRNNV2 CudnnRNNV3
    DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Einsum
    FusedConv2DBiasActivation GRUBlockCell GRUBlockCellGrad LSTMBlockCell LSTMBlockCellGrad MatMul
    """.split()
)

# Safe in 16 bits unless something upstream is on the deny list.
INFER = frozenset(
    """
    Add AddN AddV2 AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BiasAdd BiasAddGrad BiasAddV1 Elu EluGrad Erf Erfc
    FloorDiv FusedBatchNormV2 FusedBatchNormGradV2 FusedBatchNormV3 FusedBatchNormGradV3 _FusedBatchNormEx Inv
    LeakyRelu LeakyReluGrad Log Log1p LogSoftmax Mul Prod RealDiv Reciprocal Selu SeluGrad Sigmoid SigmoidGrad Softmax
    Softplus SoftplusGrad Softsign SoftsignGrad Sqrt Sub Tanh TanhGrad
    """.split()
)

# Dangerous in 16 bits, and so is what they feed.
DENY = frozenset(
    """
    Exp Expm1 L2Loss Mean Pow SaveV2 SoftmaxCrossEntropyWithLogits SparseSoftmaxCrossEntropyWithLogits Sum
    """.split()
)

# No numerically significant effect: they take the dtype of their neighbours.
CLEAR = frozenset(
    """
    Abs ArgMax ArgMin BatchToSpace BatchToSpaceND BroadcastTo Ceil CheckNumerics ClipByValue Concat ConcatV2
    DepthToSpace DynamicPartition DynamicStitch EnsureShape Enter Equal Exit ExpandDims Fill Floor Gather GatherNd
    GatherV2 Greater GreaterEqual Identity IdentityN IsFinite IsInf IsNan Less LessEqual Max MaxPool MaxPool3D
    MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradV2 MaxPoolV2 Maximum
    Merge Min Minimum MirrorPad MirrorPadGrad Neg NextIteration NotEqual OneHot OnesLike Pack Pad PadV2
    PreventGradient Rank Relu Relu6 Relu6Grad ReluGrad Reshape ResizeNearestNeighbor ResizeNearestNeighborGrad Reverse
    ReverseSequence ReverseV2 Round Select SelectV2 Shape ShapeN Sign Size Slice Snapshot SpaceToBatch SpaceToBatchND
    SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice StridedSliceGrad Switch TensorListConcat
    TensorListConcatV2 TensorListFromTensor TensorListGather TensorListGetItem TensorListPopBack TensorListPushBack
    TensorListScatter TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit
    TensorListStack Tile TopK TopKV2 Transpose Where ZerosLike
    """.split()
)

# Of the clear list, those whose output holds the values of their first input and nothing else: what a cast can be
# followed through.
MOVES = CLEAR & frozenset(
    """
    BroadcastTo CheckNumerics EnsureShape ExpandDims Gather GatherNd GatherV2 Identity PreventGradient Reshape Reverse
    ReverseV2 Slice Snapshot Squeeze StopGradient StridedSlice Tile Transpose
    """.split()
)

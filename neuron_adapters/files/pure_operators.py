"""The operators that a graph out of a file may hold (SPEC F1): they compute their outputs from their inputs, touch
nothing else and remember nothing.

An operator that is missing here is refused, whatever TensorFlow says about it: ``ReadFile``, ``ImmutableConst`` (maps a
file), ``EncodeProto`` (reads a descriptor file) and ``DebugIdentity`` (sends to URLs) are not marked as stateful.
Besides whatever touches files, the network, the environment, the process, Python, variables, tables, queues or
datasets, these are left out:

- ``UnicodeTranscode`` and its like, ``StringLower``, ``StringUpper``: the library behind them opens converters and
  locales by name.
- ``InplaceUpdate`` and its like: they write to the memory of their input, which may be a weight or the caller's array.
- Parsers of image, sound, record and archive formats, and ``ParseTensor``, which makes a handle of a string. The
  hardware takes no strings, so no compiled graph needs them.
- ``RandomUniform`` and its like: a compiled model answers the same each time.
- What only a GPU, a TPU or XLA runs.

TensorFlow marks a few of those below as stateful so that it keeps them in the graph: ``Assert``, ``CheckNumerics``,
``While`` and others, which have no other effect.
"""

from __future__ import annotations

PURE_OPERATORS = frozenset({
    # what holds, passes on or checks values
    "Assert", "Bitcast", "Cast", "CheckNumerics", "CheckNumericsV2", "Const", "EnsureShape", "FakeParam",
    "GuaranteeConst", "HostConst", "Identity", "IdentityN", "NoOp", "Placeholder", "PlaceholderV2",
    "PlaceholderWithDefault", "PreventGradient", "Snapshot", "StopGradient", "ToBool",
    # control flow; the functions that it calls are checked too
    "Case", "ControlTrigger", "Enter", "Exit", "For", "If", "LoopCond", "Merge", "NextIteration", "PartitionedCall",
    "StatefulPartitionedCall", "StatelessCase", "StatelessIf", "StatelessWhile", "Switch", "While",
    # arithmetic, comparison, logic
    "Abs", "AccumulateNV2", "Acos", "Acosh", "Add", "AddN", "AddV2", "Angle", "ApproximateEqual", "Asin", "Asinh",
    "Atan", "Atan2", "Atanh", "BesselI0", "BesselI0e", "BesselI1", "BesselI1e", "BesselJ0", "BesselJ1", "BesselK0",
    "BesselK0e", "BesselK1", "BesselK1e", "BesselY0", "BesselY1", "Betainc", "BitwiseAnd", "BitwiseOr",
    "BitwiseXor", "Ceil", "ClipByValue", "Complex", "ComplexAbs", "Conj", "Cos", "Cosh", "Cross", "Dawsn",
    "Digamma", "Div", "DivNoNan", "Equal", "Erf", "Erfc", "Erfinv", "Exp", "Expint", "Expm1", "Floor", "FloorDiv",
    "FloorMod", "FresnelCos", "FresnelSin", "Greater", "GreaterEqual", "Igamma", "IgammaGradA", "Igammac", "Imag",
    "Inv", "InvGrad", "Invert", "IsFinite", "IsInf", "IsNan", "LeftShift", "Less", "LessEqual", "Lgamma", "Log",
    "Log1p", "LogicalAnd", "LogicalNot", "LogicalOr", "Maximum", "Minimum", "Mod", "Mul", "MulNoNan", "Ndtri",
    "Neg", "NextAfter", "NotEqual", "Polygamma", "PopulationCount", "Pow", "RandomGammaGrad", "Real", "RealDiv",
    "Reciprocal", "ReciprocalGrad", "RightShift", "Rint", "Round", "Rsqrt", "RsqrtGrad", "Select", "SelectV2",
    "Sigmoid", "SigmoidGrad", "Sign", "Sin", "Sinh", "Spence", "Sqrt", "SqrtGrad", "Square", "SquaredDifference",
    "Sub", "Tan", "Tanh", "TanhGrad", "TruncateDiv", "TruncateMod", "Xdivy", "Xlog1py", "Xlogy", "Zeta",
    "_UnaryOpsComposition",
    # reductions, scans, segments, counts
    "All", "Any", "ArgMax", "ArgMin", "Bincount", "Bucketize", "Cumprod", "Cumsum", "CumulativeLogsumexp",
    "DenseBincount", "DenseCountSparseOutput", "EuclideanNorm", "HistogramFixedWidth", "LowerBound", "Max", "Mean",
    "Min", "Prod", "RaggedBincount", "RaggedCountSparseOutput", "SegmentMax", "SegmentMean", "SegmentMin",
    "SegmentProd", "SegmentSum", "SparseBincount", "SparseCountSparseOutput", "Sum", "UnsortedSegmentMax",
    "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum", "UpperBound",
    # linear algebra
    "BandedTriangularSolve", "BatchCholesky", "BatchCholeskyGrad", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3",
    "BatchMatrixBandPart", "BatchMatrixDeterminant", "BatchMatrixDiag", "BatchMatrixDiagPart", "BatchMatrixInverse",
    "BatchMatrixSetDiag", "BatchMatrixSolve", "BatchMatrixSolveLs", "BatchMatrixTriangularSolve",
    "BatchSelfAdjointEig", "BatchSelfAdjointEigV2", "BatchSvd", "Cholesky", "CholeskyGrad", "Diag", "DiagPart",
    "Eig", "Einsum", "L2Loss", "LogMatrixDeterminant", "Lu", "MatMul", "MatrixBandPart", "MatrixDeterminant",
    "MatrixDiag", "MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3", "MatrixDiagV2", "MatrixDiagV3",
    "MatrixExponential", "MatrixInverse", "MatrixLogarithm", "MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3",
    "MatrixSolve", "MatrixSolveLs", "MatrixSquareRoot", "MatrixTriangularSolve", "Qr", "SelfAdjointEig",
    "SelfAdjointEigV2", "SparseMatMul", "Svd", "TridiagonalMatMul", "TridiagonalSolve",
    # shapes and arrays
    "ApproxTopK", "BatchToSpace", "BatchToSpaceND", "BroadcastArgs", "BroadcastGradientArgs", "BroadcastTo",
    "Concat", "ConcatOffset", "ConcatV2", "ConjugateTranspose", "DataFormatDimMap", "DataFormatVecPermute",
    "DepthToSpace", "DynamicPartition", "DynamicStitch", "ExpandDims", "Fill", "Gather", "GatherNd", "GatherV2",
    "InvertPermutation", "IsotonicRegression", "LinSpace", "ListDiff", "MirrorPad", "MirrorPadGrad",
    "NearestNeighbors", "NthElement", "OneHot", "OnesLike", "Pack", "Pad", "PadV2", "ParallelConcat",
    "ParallelDynamicStitch", "Range", "Rank", "Reshape", "Reverse", "ReverseSequence", "ReverseV2", "Roll",
    "ScatterNd", "ScatterNdNonAliasingAdd", "Shape", "ShapeN", "Size", "Slice", "SpaceToBatch", "SpaceToBatchND",
    "SpaceToDepth", "Split", "SplitV", "Squeeze", "StridedSlice", "StridedSliceGrad", "TensorScatterAdd",
    "TensorScatterMax", "TensorScatterMin", "TensorScatterSub", "TensorScatterUpdate", "TensorStridedSliceUpdate",
    "Tile", "TileGrad", "TopK", "TopKV2", "Transpose", "Unique", "UniqueV2", "UniqueWithCounts",
    "UniqueWithCountsV2", "Unpack", "UnravelIndex", "Where", "ZerosLike",
    # tensor lists, which loops collect their results in
    "EmptyTensorList", "TensorListConcat", "TensorListConcatLists", "TensorListConcatV2", "TensorListElementShape",
    "TensorListFromTensor", "TensorListGather", "TensorListGetItem", "TensorListLength", "TensorListPopBack",
    "TensorListPushBack", "TensorListPushBackBatch", "TensorListReserve", "TensorListResize", "TensorListScatter",
    "TensorListScatterIntoExistingList", "TensorListScatterV2", "TensorListSetItem", "TensorListSplit",
    "TensorListStack",
    # neural networks
    "AvgPool", "AvgPool3D", "AvgPool3DGrad", "AvgPoolGrad", "BatchNormWithGlobalNormalization",
    "BatchNormWithGlobalNormalizationGrad", "BiasAdd", "BiasAddGrad", "BiasAddV1", "BlockLSTM", "BlockLSTMGrad",
    "BlockLSTMGradV2", "BlockLSTMV2", "CTCBeamSearchDecoder", "CTCGreedyDecoder", "CTCLoss",
    "ComputeAccidentalHits", "Conv", "Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput", "Conv3D",
    "Conv3DBackpropFilter", "Conv3DBackpropFilterV2", "Conv3DBackpropInput", "Conv3DBackpropInputV2",
    "DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNativeBackpropInput",
    "Dilation2D", "Dilation2DBackpropFilter", "Dilation2DBackpropInput", "EditDistance", "Elu", "EluGrad",
    "FractionalAvgPool", "FractionalAvgPoolGrad", "FractionalMaxPool", "FractionalMaxPoolGrad", "FusedBatchNorm",
    "FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3", "FusedBatchNormV2", "FusedBatchNormV3",
    "FusedPadConv2D", "FusedResizeAndPadConv2D", "GRUBlockCell", "GRUBlockCellGrad", "InTopK", "InTopKV2", "LRN",
    "LRNGrad", "LSTMBlockCell", "LSTMBlockCellGrad", "LeakyRelu", "LeakyReluGrad", "LogSoftmax", "MaxPool",
    "MaxPool3D", "MaxPool3DGrad", "MaxPool3DGradGrad", "MaxPoolGrad", "MaxPoolGradGrad", "MaxPoolGradGradV2",
    "MaxPoolGradV2", "MaxPoolGradWithArgmax", "MaxPoolV2", "MaxPoolWithArgmax", "Relu", "Relu6", "Relu6Grad",
    "ReluGrad", "Selu", "SeluGrad", "Softmax", "SoftmaxCrossEntropyWithLogits", "Softplus", "SoftplusGrad",
    "Softsign", "SoftsignGrad", "SparseSoftmaxCrossEntropyWithLogits", "_FusedBatchNormEx", "_FusedConv2D",
    "_FusedConv3D", "_FusedDepthwiseConv2dNative", "_FusedMatMul",
    # images
    "AdjustContrast", "AdjustContrastv2", "AdjustHue", "AdjustSaturation", "CombinedNonMaxSuppression",
    "CropAndResize", "CropAndResizeGradBoxes", "CropAndResizeGradImage", "DrawBoundingBoxes", "DrawBoundingBoxesV2",
    "ExtractGlimpse", "ExtractGlimpseV2", "ExtractImagePatches", "ExtractVolumePatches", "HSVToRGB",
    "ImageProjectiveTransformV2", "ImageProjectiveTransformV3", "NonMaxSuppression", "NonMaxSuppressionV2",
    "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5", "NonMaxSuppressionWithOverlaps",
    "RGBToHSV", "ResizeArea", "ResizeBicubic", "ResizeBicubicGrad", "ResizeBilinear", "ResizeBilinearGrad",
    "ResizeNearestNeighbor", "ResizeNearestNeighborGrad", "ScaleAndTranslate", "ScaleAndTranslateGrad",
    # sound and spectra
    "AudioMicrofrontend", "AudioSpectrogram", "FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D", "IRFFT",
    "IRFFT2D", "IRFFT3D", "Mfcc", "RFFT", "RFFT2D", "RFFT3D",
    # quantisation
    "Dequantize", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxArgsGradient", "FakeQuantWithMinMaxVars",
    "FakeQuantWithMinMaxVarsGradient", "FakeQuantWithMinMaxVarsPerChannel",
    "FakeQuantWithMinMaxVarsPerChannelGradient", "QuantizeAndDequantize", "QuantizeAndDequantizeV2",
    "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4", "QuantizeAndDequantizeV4Grad",
    "QuantizeDownAndShrinkRange", "QuantizeV2", "QuantizedAdd", "QuantizedAvgPool",
    "QuantizedBatchNormWithGlobalNormalization", "QuantizedBiasAdd", "QuantizedConcat", "QuantizedConcatV2",
    "QuantizedConv2D", "QuantizedConv2DAndRelu", "QuantizedConv2DAndReluAndRequantize",
    "QuantizedConv2DAndRequantize", "QuantizedConv2DPerChannel", "QuantizedConv2DWithBias",
    "QuantizedConv2DWithBiasAndRelu", "QuantizedConv2DWithBiasAndReluAndRequantize",
    "QuantizedConv2DWithBiasAndRequantize", "QuantizedConv2DWithBiasSignedSumAndReluAndRequantize",
    "QuantizedConv2DWithBiasSumAndRelu", "QuantizedConv2DWithBiasSumAndReluAndRequantize",
    "QuantizedDepthwiseConv2D", "QuantizedDepthwiseConv2DWithBias", "QuantizedDepthwiseConv2DWithBiasAndRelu",
    "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize", "QuantizedInstanceNorm", "QuantizedMatMul",
    "QuantizedMatMulWithBias", "QuantizedMatMulWithBiasAndDequantize", "QuantizedMatMulWithBiasAndRelu",
    "QuantizedMatMulWithBiasAndReluAndRequantize", "QuantizedMatMulWithBiasAndRequantize", "QuantizedMaxPool",
    "QuantizedMul", "QuantizedRelu", "QuantizedRelu6", "QuantizedReshape", "QuantizedResizeBilinear",
    "RequantizationRange", "RequantizationRangePerChannel", "Requantize", "RequantizePerChannel",
    "UniformDequantize", "UniformQuantize", "UniformQuantizedAdd", "UniformQuantizedClipByValue",
    "UniformQuantizedConvolution", "UniformQuantizedConvolutionHybrid", "UniformQuantizedDot",
    "UniformQuantizedDotHybrid", "UniformRequantize",
    # sparse and ragged tensors, sets
    "DenseToDenseSetOperation", "DenseToSparseSetOperation", "RaggedCross", "RaggedFillEmptyRows",
    "RaggedFillEmptyRowsGrad", "RaggedGather", "RaggedRange", "RaggedTensorFromVariant", "RaggedTensorToSparse",
    "RaggedTensorToTensor", "RaggedTensorToVariant", "RaggedTensorToVariantGradient", "SetSize", "SparseAdd",
    "SparseAddGrad", "SparseConcat", "SparseCross", "SparseCrossHashed", "SparseCrossV2", "SparseDenseCwiseAdd",
    "SparseDenseCwiseDiv", "SparseDenseCwiseMul", "SparseFillEmptyRows", "SparseFillEmptyRowsGrad",
    "SparseReduceMax", "SparseReduceMaxSparse", "SparseReduceSum", "SparseReduceSumSparse", "SparseReorder",
    "SparseReshape", "SparseSegmentMean", "SparseSegmentMeanGrad", "SparseSegmentMeanGradV2",
    "SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtN", "SparseSegmentSqrtNGrad", "SparseSegmentSqrtNGradV2",
    "SparseSegmentSqrtNWithNumSegments", "SparseSegmentSum", "SparseSegmentSumGrad", "SparseSegmentSumGradV2",
    "SparseSegmentSumWithNumSegments", "SparseSlice", "SparseSliceGrad", "SparseSoftmax", "SparseSparseMaximum",
    "SparseSparseMinimum", "SparseSplit", "SparseTensorDenseAdd", "SparseTensorDenseMatMul", "SparseToDense",
    "SparseToSparseSetOperation",
    # random numbers that depend on the seed among the inputs alone
    "RandomIndexShuffle", "SobolSample", "StatelessMultinomial", "StatelessParameterizedTruncatedNormal",
    "StatelessRandomBinomial", "StatelessRandomGammaV2", "StatelessRandomGammaV3", "StatelessRandomGetAlg",
    "StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg", "StatelessRandomNormal",
    "StatelessRandomNormalV2", "StatelessRandomPoisson", "StatelessRandomUniform", "StatelessRandomUniformFullInt",
    "StatelessRandomUniformFullIntV2", "StatelessRandomUniformInt", "StatelessRandomUniformIntV2",
    "StatelessRandomUniformV2", "StatelessSampleDistortedBoundingBox", "StatelessShuffle",
    "StatelessTruncatedNormal", "StatelessTruncatedNormalV2",
    # strings, such as the message of an Assert
    "AsString", "DecodeBase64", "DecodePaddedRaw", "DecodeRaw", "EncodeBase64", "Fingerprint", "ReduceJoin",
    "RegexFullMatch", "RegexReplace", "StaticRegexFullMatch", "StaticRegexReplace", "StringFormat", "StringJoin",
    "StringLength", "StringNGrams", "StringSplit", "StringSplitV2", "StringStrip", "StringToHashBucket",
    "StringToHashBucketFast", "StringToHashBucketStrong", "StringToNumber", "Substr", "UnsortedSegmentJoin",
})  # fmt: skip

"""Small ONNX models of one operator each. Both interpreters import this: onnx has the answers, and so has MXNet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper, shape_inference

_RNG = np.random.RandomState(5)


def floats(*shape: int, positive: bool = False) -> np.ndarray:
    numbers = _RNG.standard_normal(shape).astype("float32")
    return np.abs(numbers) + np.float32(0.1) if positive else numbers


class Constant(NamedTuple):
    """An input that the file holds."""

    array: np.ndarray


def ints(*numbers: int) -> Constant:
    return Constant(np.array(numbers, "int64"))


def weights(*shape: int, positive: bool = False) -> Constant:
    return Constant(floats(*shape, positive=positive))


class Case(NamedTuple):
    name: str
    model: Any
    feed: dict[str, np.ndarray]


def model_of(
    nodes: list[Any], inputs: dict[str, Any], outputs: list[str], held: dict[str, np.ndarray], opset: int = 17
):
    """``inputs``: arrays, or shapes whose sizes may be names."""
    infos = []
    for name, array in inputs.items():
        shape = array.shape if isinstance(array, np.ndarray) else array
        dtype = array.dtype if isinstance(array, np.ndarray) else np.float32
        infos.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape))
    graph = helper.make_graph(
        nodes,
        "graph",
        infos,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    return shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    )


def case(op: str, *arguments: Any, opset: int = 17, outputs: int = 1, label: str = "", **attributes: Any) -> Case:
    names, inputs, held = [], {}, {}
    for place, argument in enumerate(arguments):
        name = f"x{place}"
        if argument is None:
            name = ""
        elif isinstance(argument, Constant):
            held[name] = argument.array
        else:
            inputs[name] = argument
        names.append(name)
    results = [f"y{place}" for place in range(outputs)]
    node = helper.make_node(op, names, results, name="node", **attributes)
    return Case(label or op, model_of([node], inputs, results, held, opset), inputs)


_X = floats(2, 6, 5, 7)
_SMALL = np.array([[-2.5, -1.5, -0.5, 0.5], [1.5, 2.5, 0.2, -0.7]], "float32")
_BOOLS = np.array([[True, False], [False, False]]), np.array([[True, True], [False, True]])
_UNIT = np.tanh(floats(3, 4)).astype("float32")
_INDEX = np.array([[2, -1], [0, -3]], "int64")

CASES: list[Case] = [
    *(case(op, floats(3, 4)) for op in ("Abs", "Neg", "Exp", "Floor", "Ceil", "Sign", "Sin", "Cos", "Tan", "Atan", "Sinh",
                                        "Cosh", "Asinh", "Tanh", "Sigmoid", "Relu", "Erf", "Softplus", "Softsign",
                                        "Identity", "Reciprocal", "HardSwish", "Mish"
                                       ) if op != "Mish"),
    *(case(op, floats(3, 4, positive=True)) for op in ("Log", "Sqrt")),
    *(case(op, _UNIT) for op in ("Asin", "Acos", "Atanh")),
    case("Acosh", floats(3, 4, positive=True) + np.float32(1)),
    case("Mish", floats(3, 4), opset=18),
    case("Round", _SMALL),
    case("Not", _BOOLS[0]),
    *(case(op, floats(2, 3, 4), floats(3, 1)) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean")),
    case("Sum", floats(2, 3), floats(2, 3), floats(1, 3), label="Sum-of-three"),
    case("Pow", floats(2, 3, positive=True), weights(3)),
    case("Pow", floats(2, 3), Constant(np.array(2.0, "float32")), label="Pow-scalar"),
    case("Mod", floats(3, 4), floats(3, 4), fmod=1),
    case("Mod", np.array([3, -3, 1, np.inf, np.nan], "float32"), np.array([np.inf, np.inf, 0, 2, 1], "float32"), fmod=1,
         label="Mod-ends"),
    case("Mul", floats(2, 3), Constant(np.array([1.5], "float32")), label="Mul-number"),
    case("Sub", Constant(np.float32(2)), floats(2, 3), label="Sub-number"),
    case("Div", Constant(np.float32(2)), floats(2, 3), label="Div-number"),
    case("Add", floats(2, 3), Constant(np.float32(-np.inf)), label="Add-infinity"),
    case("Mod", np.array([7, -7, 7, -7], "int32"), np.array([3, 3, -3, -3], "int32"), label="Mod-int"),
    case("Div", np.array([7, -7, 7, -7], "int32"), np.array([3, 3, -3, -3], "int32"), label="Div-int"),
    *(case(op, _SMALL, np.abs(_SMALL)) for op in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")),
    *(case(op, *_BOOLS) for op in ("And", "Or", "Xor")),
    case("Where", np.array([[True], [False]]), floats(2, 3), floats(3)),
    case("Cast", _SMALL, to=TensorProto.INT32),
    case("Cast", _SMALL, to=TensorProto.BOOL, label="Cast-bool"),
    case("Clip", floats(3, 4), Constant(np.float32(-0.5)), Constant(np.float32(0.5))),
    case("Clip", floats(3, 4), None, Constant(np.float32(0.5)), label="Clip-max"),
    case("Clip", floats(3, 4), opset=6, min=-0.3, label="Clip-of-version-6"),
    case("IsNaN", np.array([1, np.nan, np.inf], "float32")),
    case("IsInf", np.array([1, np.nan, np.inf, -np.inf], "float32")),
    case("IsInf", np.array([1, np.nan, np.inf, -np.inf], "float32"), detect_negative=0, label="IsInf-positive"),
    case("LeakyRelu", floats(3, 4), alpha=0.1),
    case("Elu", floats(3, 4), alpha=0.7),
    case("Celu", floats(3, 4), alpha=0.7),
    case("Selu", floats(3, 4)),
    case("Selu", floats(3, 4), alpha=1.5, gamma=2.0, label="Selu-own"),
    case("PRelu", _X, weights(6, 1, 1)),
    case("PRelu", _X, weights(5, 1), label="PRelu-of-rows"),
    case("HardSigmoid", floats(3, 4)),
    case("ThresholdedRelu", floats(3, 4), alpha=0.4),
    case("Gelu", floats(3, 4), opset=20),
    case("Gelu", floats(3, 4), opset=20, approximate="tanh", label="Gelu-tanh"),
    case("Dropout", floats(3, 4)),
    # -- layers -----------------------------------------------------------------------------------------------------
    case("Conv", _X, weights(4, 6, 3, 3), weights(4), kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1]),
    case("Conv", _X, weights(4, 6, 3, 3), pads=[0, 1, 2, 0], label="Conv-uneven"),
    case("Conv", _X, weights(6, 1, 3, 2), group=6, dilations=[1, 2], label="Conv-depthwise"),
    case("Conv", _X, weights(4, 6, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2], label="Conv-same-upper"),
    case("Conv", _X, weights(4, 6, 2, 2), auto_pad="SAME_LOWER", strides=[2, 2], label="Conv-same-lower"),
    case("Conv", floats(2, 3, 9), weights(4, 3, 3), weights(4), pads=[2, 1], label="Conv-1d"),
    case("Conv", floats(1, 2, 4, 5, 6), weights(3, 2, 2, 3, 2), label="Conv-3d"),
    case("ConvTranspose", _X, weights(6, 4, 3, 3), weights(4), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    case("ConvTranspose", _X, weights(6, 2, 3, 3), group=2, strides=[2, 2], pads=[1, 0, 0, 2], label="ConvTranspose-uneven"),
    case("ConvTranspose", _X, weights(6, 4, 3, 3), strides=[2, 2], output_shape=[10, 14], label="ConvTranspose-shape"),
    case("BatchNormalization", _X, weights(6), weights(6), weights(6), weights(6, positive=True), epsilon=1e-3),
    case("InstanceNormalization", _X, weights(6), weights(6)),
    case("LayerNormalization", floats(2, 3, 8), weights(8), weights(8)),
    case("LayerNormalization", floats(2, 3, 8), weights(3, 8), axis=1, epsilon=1e-3, label="LayerNormalization-of-two"),
    case("GroupNormalization", _X, weights(6), weights(6), num_groups=3, opset=21),
    case("LRN", _X, size=3, alpha=2e-4, beta=0.7, bias=1.5),
    case("LpNormalization", floats(3, 4), axis=1),
    case("LpNormalization", np.array([[0, 0], [3, 4]], "float32"), axis=1, label="LpNormalization-zeros"),
    case("LpNormalization", floats(3, 4), axis=0, p=1, label="LpNormalization-1"),
    case("MeanVarianceNormalization", _X),
    case("Softmax", floats(2, 3, 4)),
    case("Softmax", floats(2, 3, 4), axis=1, label="Softmax-1"),
    case("Softmax", floats(2, 3, 4), opset=11, label="Softmax-of-version-11"),
    case("LogSoftmax", floats(2, 3, 4), axis=1, opset=11, label="LogSoftmax-of-version-11"),
    case("LogSoftmax", floats(2, 3, 4)),
    case("Hardmax", floats(2, 3, 4), axis=1),
    case("Gemm", floats(3, 4), weights(5, 4), weights(5), transB=1),
    case("Gemm", floats(4, 3), weights(4, 5), weights(3, 1), transA=1, alpha=0.5, beta=2.0, label="Gemm-scaled"),
    case("Gemm", floats(3, 4), weights(4, 5), label="Gemm-plain"),
    case("MatMul", floats(3, 4), weights(4, 5)),
    case("MatMul", floats(2, 3, 4), weights(4, 5), label="MatMul-3-2"),
    case("MatMul", floats(2, 3, 4), floats(2, 4, 5), label="MatMul-3-3"),
    case("MatMul", floats(2, 3, 4, 5), floats(2, 3, 5, 6), label="MatMul-4-4"),
    case("MatMul", floats(2, 1, 4, 5), floats(3, 5, 6), label="MatMul-broadcast"),
    case("MatMul", floats(4), floats(2, 4, 5), label="MatMul-1-3"),
    case("MatMul", floats(2, 3, 4), floats(4), label="MatMul-3-1"),
    case("Einsum", floats(2, 3, 4), floats(2, 5, 4), equation="bij,bkj->bki"),
    case("NegativeLogLikelihoodLoss", floats(3, 4), np.array([0, 3, 1], "int64"), reduction="none", label="defined"),
    case("Trilu", floats(2, 4, 5), ints(1), upper=0),
    # -- pooling ----------------------------------------------------------------------------------------------------
    case("MaxPool", _X, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
    case("MaxPool", _X, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], label="MaxPool-uneven"),
    case("MaxPool", _X, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, label="MaxPool-ceil"),
    case("AveragePool", _X, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", _X, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1, label="AveragePool-counted"),
    case("AveragePool", _X, kernel_shape=[2, 2], pads=[0, 0, 1, 1], label="AveragePool-uneven"),
    case("AveragePool", floats(2, 3, 9), kernel_shape=[3], strides=[2], label="AveragePool-1d"),
    case("LpPool", _X, kernel_shape=[2, 2], p=2, opset=18),
    case("GlobalAveragePool", _X),
    case("GlobalMaxPool", _X),
    case("GlobalLpPool", _X),
    case("RoiAlign", floats(2, 3, 8, 8), np.array([[0, 0, 7, 7], [1, 2, 5, 6]], "float32"), ints(0, 1), output_height=2,
         output_width=2, sampling_ratio=2, spatial_scale=0.5),
    # -- recurrent layers -------------------------------------------------------------------------------------------
    case("LSTM", floats(4, 2, 3), weights(1, 20, 3), weights(1, 20, 5), weights(1, 40), hidden_size=5, outputs=3),
    case("LSTM", floats(4, 2, 3), weights(2, 20, 3), weights(2, 20, 5), weights(2, 40), None, floats(2, 2, 5),
         floats(2, 2, 5), hidden_size=5, direction="bidirectional", outputs=3, label="LSTM-both-ways"),
    case("LSTM", floats(4, 2, 3), weights(1, 20, 3), weights(1, 20, 5), hidden_size=5, direction="reverse", outputs=3,
         label="LSTM-backwards"),
    case("GRU", floats(4, 2, 3), weights(1, 15, 3), weights(1, 15, 5), weights(1, 30), hidden_size=5,
         linear_before_reset=1, outputs=2),
    case("RNN", floats(4, 2, 3), weights(1, 5, 3), weights(1, 5, 5), weights(1, 10), hidden_size=5, outputs=2),
    # -- shapes -----------------------------------------------------------------------------------------------------
    case("Reshape", floats(2, 3, 4), ints(0, -1)),
    case("Flatten", floats(2, 3, 4)),
    case("Flatten", floats(2, 3, 4), axis=2, label="Flatten-2"),
    case("Flatten", floats(2, 3, 4), axis=0, label="Flatten-0"),
    case("Transpose", floats(2, 3, 4)),
    case("Transpose", floats(2, 3, 4), perm=[1, 0, 2], label="Transpose-said"),
    case("Squeeze", floats(1, 3, 1, 4), ints(0, -2)),
    case("Squeeze", floats(1, 3, 1, 4), opset=11, axes=[2], label="Squeeze-of-version-11"),
    case("Squeeze", floats(1, 3, 1, 4), label="Squeeze-all"),
    case("Unsqueeze", floats(3, 4), ints(0, -1)),
    case("Unsqueeze", floats(3, 4), opset=11, axes=[0, 2], label="Unsqueeze-of-version-11"),
    case("Concat", floats(2, 3), floats(2, 4), weights(2, 1), axis=-1),
    case("Split", floats(2, 7), ints(2, 5), axis=1, outputs=2),
    case("Split", floats(6, 2), opset=11, outputs=3, label="Split-even"),
    case("Split", floats(7, 2), opset=18, num_outputs=3, outputs=3, label="Split-rest"),
    case("Slice", _X, ints(1, -3), ints(5, 2**62), ints(1, 3)),
    case("Slice", _X, ints(-1, 0), ints(-(2**62), 5), ints(3, 1), ints(-1, 2), label="Slice-backwards"),
    case("Slice", _X, opset=9, starts=[0, 1], ends=[2, 100], axes=[2, 3], label="Slice-of-version-9"),
    case("Pad", _X, ints(0, 0, 1, 2, 0, 0, 0, 1), Constant(np.float32(1.5))),
    case("Pad", _X, ints(0, 0, 1, 2, 0, 0, 2, 1), mode="reflect", label="Pad-reflect"),
    case("Pad", floats(2, 3, 6), ints(0, 0, 1, 0, 0, 2), mode="edge", label="Pad-1d"),
    case("Pad", floats(4, 6), ints(1, -1, 0, 2), label="Pad-less"),
    case("Pad", _X, opset=9, pads=[0, 0, 0, 1, 0, 0, 1, 0], label="Pad-of-version-9"),
    case("Expand", floats(3, 1), ints(2, 3, 4)),
    case("Tile", floats(2, 3), ints(2, 3)),
    case("Gather", floats(5, 4), np.array([[0, 3], [4, 1]], "int64")),
    case("Gather", floats(5, 4), _INDEX, axis=1, label="Gather-negative"),
    case("Gather", floats(5, 4), ints(1, -1), axis=1, label="Gather-held"),
    case("Gather", floats(5, 4), Constant(np.array(-2, "int64")), axis=0, label="Gather-one"),
    case("GatherElements", floats(3, 4), np.array([[1], [3], [0]], "int64"), axis=1),
    case("GatherElements", floats(3, 4), np.array([[1, -1], [3, 2], [0, -4]], "int64"), axis=1, label="GatherElements-two"),
    case("GatherElements", floats(2, 5, 3), np.array([[[4, 0, -1]], [[1, 2, 3]]], "int64"), axis=1,
         label="GatherElements-middle"),
    case("GatherND", floats(3, 4, 2), np.array([[0, 1], [2, -1]], "int64")),
    case("DepthToSpace", floats(1, 8, 2, 3), blocksize=2),
    case("DepthToSpace", floats(1, 8, 2, 3), blocksize=2, mode="CRD", label="DepthToSpace-CRD"),
    case("SpaceToDepth", floats(1, 2, 4, 6), blocksize=2),
    case("OneHot", np.array([0, -1, 2], "int64"), Constant(np.array(4, "int64")), weights(2)),
    case("CumSum", floats(3, 4), Constant(np.array(1, "int64")), exclusive=1, reverse=1),
    # -- reductions -------------------------------------------------------------------------------------------------
    *(case(op, floats(2, 3, 4, positive=True), axes=[1], keepdims=0)
      for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
                 "ReduceLogSumExp", "ReduceSumSquare")),
    case("ReduceSum", floats(2, 3, 4), ints(0, -1)),
    case("ReduceMean", floats(2, 3, 4), ints(2), opset=18, label="ReduceMean-of-version-18"),
    case("ReduceMax", floats(2, 3, 4), keepdims=0, label="ReduceMax-all"),
    case("ArgMax", floats(2, 3, 4), axis=1),
    case("ArgMin", floats(2, 3, 4), axis=-1, keepdims=0),
    case("ArgMax", np.array([[1, 3, 3, 0]], "float32"), axis=1, select_last_index=1, label="ArgMax-last"),
    case("TopK", floats(3, 6), ints(2), axis=-1, outputs=2),
    # -- sizes of pictures ------------------------------------------------------------------------------------------
    case("Resize", _X, None, Constant(np.array([1, 1, 2, 2], "float32")), mode="nearest"),
    case("Resize", _X, None, Constant(np.array([1, 1, 2, 2], "float32")), mode="linear", label="Resize-linear"),
    case("Resize", _X, None, None, ints(2, 6, 8, 10), mode="linear", coordinate_transformation_mode="align_corners",
         label="Resize-corners"),
    case("Resize", _X, None, None, ints(2, 6, 3, 10), mode="nearest", coordinate_transformation_mode="asymmetric",
         nearest_mode="floor", label="Resize-floor"),
    case("Resize", _X, None, Constant(np.array([1, 1, 1.5, 2], "float32")), mode="cubic", label="Resize-cubic"),
    # -- few whole numbers ------------------------------------------------------------------------------------------
    case("QuantizeLinear", _SMALL, Constant(np.float32(0.2)), Constant(np.uint8(128))),
    case("QuantizeLinear", _X, weights(6, positive=True), Constant(np.zeros(6, "int8")), axis=1, label="QuantizeLinear-axis"),
    case("DequantizeLinear", np.array([[0, 200], [255, 7]], "uint8"), Constant(np.float32(0.2)), Constant(np.uint8(128))),
    case("Upsample", _X, Constant(np.array([1, 1, 2, 3], "float32")), opset=9),
]  # fmt: skip


def _network(name: str, nodes: list[tuple[Any, ...]], inputs: dict[str, Any], outputs: list[str], held: dict[str, Any],
             feed: dict[str, Any], opset: int = 17) -> Case:  # fmt: skip
    """``nodes``: operator, inputs and outputs as text, attributes."""
    node_protos = [
        helper.make_node(op, taken.split(), results.split(), name=f"{op.lower()}_{number}", **(more[0] if more else {}))
        for number, (op, taken, results, *more) in enumerate(nodes)
    ]
    return Case(name, model_of(node_protos, inputs, outputs, held, opset), feed)


def _picture_network() -> Case:
    """A residual block, a grouped convolution, and a head, of any batch."""
    held = {
        "stem.weight": floats(8, 3, 3, 3) * 0.3, "stem.bias": floats(8),
        "bn.weight": floats(8), "bn.bias": floats(8), "bn.running_mean": floats(8), "bn.running_var": floats(8, positive=True),
        "one.weight": floats(8, 8, 3, 3) * 0.2, "deep.weight": floats(8, 1, 3, 3) * 0.5,
        "fc.weight": floats(5, 8), "fc.bias": floats(5),
    }  # fmt: skip
    nodes = [
        ("Conv", "data stem.weight stem.bias", "a", {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2]}),
        # MXNet takes 1e-3 where the file says none.
        ("BatchNormalization", "a bn.weight bn.bias bn.running_mean bn.running_var", "b", {"epsilon": 1e-5}),
        ("Relu", "b", "c"),
        ("MaxPool", "c", "d", {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2]}),
        ("Conv", "d one.weight", "e", {"kernel_shape": [3, 3], "pads": [1] * 4}),
        ("Add", "e d", "f"),
        ("Relu", "f", "g"),
        ("Conv", "g deep.weight", "h", {"kernel_shape": [3, 3], "pads": [1] * 4, "group": 8}),
        ("Clip", "h", "i", {"min": 0.0, "max": 6.0}),
        ("GlobalAveragePool", "i", "j"),
        ("Flatten", "j", "k"),
        ("Gemm", "k fc.weight fc.bias", "l", {"transB": 1}),
        ("Softmax", "l", "m", {"axis": 1}),
    ]
    return _network(
        "pictures", nodes, {"data": ("batch", 3, 24, 24)}, ["m"], held, {"data": floats(2, 3, 24, 24)}, opset=10
    )


def _attention_network() -> Case:
    """An encoder as PyTorch exports it: its shapes are computed by nodes, batch and length are open."""
    width, heads = 8, 2
    held = {
        "order": np.arange(16)[None], "ax1": np.array([1], "int64"), "words": floats(11, width), "places": floats(16, width), "ln.weight": floats(width), "ln.bias": floats(width),
        "query": floats(width, width), "key": floats(width, width), "value": floats(width, width), "out": floats(width, width),
        "b": floats(width), "zero": np.array(0, "int64"), "one": np.array(1, "int64"), "ax0": np.array([0], "int64"),
        "ax12": np.array([1, 2], "int64"), "heads": np.array([heads], "int64"), "size": np.array([width // heads], "int64"),
        "all": np.array([width], "int64"), "scale": np.array(2.0, "float32"), "low": np.array(-1e9, "float32"),
        "float1": np.array(1.0, "float32"),
    }  # fmt: skip
    nodes: list[tuple[Any, ...]] = [
        ("Shape", "ids", "shape"),
        ("Gather", "shape zero", "batch", {"axis": 0}),
        ("Gather", "shape one", "length", {"axis": 0}),
        ("Unsqueeze", "length ax0", "length1"),
        ("Range", "zero length one", "range"),
        ("Slice", "order ax0 length1 ax1", "ordered"),  # as older exporters number the words
        ("Gather", "places ordered", "more"),
        ("Gather", "places range", "placed"),
        ("Add", "placed more", "place"),
        ("Gather", "words ids", "word"),
        ("Add", "word place", "sum"),
        ("LayerNormalization", "sum ln.weight ln.bias", "x", {"axis": -1}),
        ("Unsqueeze", "batch ax0", "batch1"),
        ("Concat", "batch1 length1 heads size", "split", {"axis": 0}),
        ("Concat", "batch1 length1 all", "joined", {"axis": 0}),
        ("Cast", "mask", "maskf", {"to": TensorProto.FLOAT}),
        ("Unsqueeze", "maskf ax12", "mask4"),
        ("Sub", "float1 mask4", "away"),
        ("Mul", "away low", "bias"),
    ]
    for name, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
        nodes += [
            ("MatMul", f"x {name}", f"{name}0"),
            ("Add", f"{name}0 b", f"{name}1"),
            ("Reshape", f"{name}1 split", f"{name}2"),
            ("Transpose", f"{name}2", f"{name}3", {"perm": order}),
        ]
    nodes += [
        ("MatMul", "query3 key3", "raw"),
        ("Div", "raw scale", "scaled"),
        ("Add", "scaled bias", "scores"),
        ("Softmax", "scores", "shares", {"axis": -1}),
        ("MatMul", "shares value3", "mixed"),
        ("Transpose", "mixed", "back", {"perm": [0, 2, 1, 3]}),
        ("Reshape", "back joined", "flat"),
        ("MatMul", "flat out", "projected"),
        ("Add", "projected x", "result"),
    ]
    feed = {
        "ids": np.array([[1, 2, 3, 4], [5, 10, 0, 0]], "int64"),
        "mask": np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "int64"),
    }
    case = _network("attention", nodes, {**feed}, ["result"], held, feed)
    for value in case.model.graph.input:
        for size, name in zip(value.type.tensor_type.shape.dim, ("batch", "length")):
            size.dim_param = name
    del case.model.graph.value_info[:]
    case.model.graph.output[0].type.tensor_type.ClearField("shape")
    return case


NETWORKS = [_picture_network(), _attention_network()]

#: What MXNet's own importer can, and what public models are made of.
MXNETS = [
    "Add", "Mul", "LeakyRelu", "Elu", "Clip-of-version-6", "Conv", "BatchNormalization",
    "LRN", "Gemm", "MatMul", "MaxPool", "MaxPool-uneven", "AveragePool-counted", "GlobalAveragePool", "Softmax",
    "Reshape", "Flatten", "Transpose-said", "Concat", "Gather", "ReduceMean", "Split-even", "pictures",
]  # fmt: skip

"""The dtypes of a graph's values, inferred forwards and backwards from those that are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neuron_adapters.mxnet._errors import invalid
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._rules import Dtypes, one_dtype

if TYPE_CHECKING:
    from neuron_adapters.mxnet._inference import Step

_MOST_ROUNDS = 8

#: Operators that MXNet refuses where a dtype is not known when they are reached, though it may follow later: of the
#: first input, of the second one, of any of the inputs, of all of them.
_FIRST = {
    "BatchNorm_v1", "CTCLoss", "Convolution_v1", "Dropout", "Embedding", "GridGenerator", "LRN", "MakeLoss",
    "Pooling_v1", "RNN", "SVMOutput", "SequenceLast", "SequenceMask", "SequenceReverse", "SwapAxis", "UpSampling",
    "_contrib_DeformableConvolution", "_contrib_ModulatedDeformableConvolution", "_contrib_SparseEmbedding",
    "_contrib_SyncBatchNorm", "_contrib_quantize_v2", "_split_v2", "multi_sum_sq", "one_hot",
    "swapaxes",
}  # fmt: skip
_SECOND = {"choose_element_0index", "pick", "take"}
_EACH = {"ROIPooling", "_contrib_PSROIPooling", "_contrib_ROIAlign", "_contrib_RROIAlign"}
_SOME = {"BilinearSampler", "SpatialTransformer"}
#: Of these the data, or the output, decides for all inputs; no other input does.
_BY_DATA = {
    "BatchNorm", "Convolution", "Deconvolution", "LinearRegressionOutput", "LogisticRegressionOutput",
    "MAERegressionOutput", "Softmax", "SoftmaxOutput", "_contrib_BatchNormWithReLU",
}  # fmt: skip
#: From the output of these nothing follows.
_FORWARD = {"Pooling", "_contrib_quantized_pooling", "log_softmax", "softmax", "softmin"}
#: All inputs of these have the dtype of the first one.
_UNIFORM = {
    "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput", "SVMOutput", "Softmax",
    "SoftmaxOutput", "multi_sum_sq",
}  # fmt: skip
#: MXNet infers their dtypes whatever they are, but computes them only where the first input is of floating point.
_FLOATS = {
    "Activation", "BilinearSampler", "Convolution", "Convolution_v1", "Deconvolution", "Dropout", "FullyConnected",
    "GroupNorm", "L2Normalization", "LayerNorm", "LeakyReLU", "LinearRegressionOutput", "LogisticRegressionOutput",
    "MAERegressionOutput", "MakeLoss", "Pad", "Pooling", "Pooling_v1", "ROIPooling", "SVMOutput", "Softmax",
    "SoftmaxOutput", "SpatialTransformer", "UpSampling", "_contrib_AdaptiveAvgPooling2D",
    "_contrib_BilinearResize2D", "_contrib_DeformableConvolution", "_contrib_ModulatedDeformableConvolution",
    "_contrib_PSROIPooling", "_contrib_ROIAlign", "_contrib_RROIAlign", "_contrib_bipartite_matching",
    "_contrib_box_decode", "_contrib_box_encode", "_contrib_box_iou", "_contrib_box_nms", "batch_dot", "dot",
    "hard_sigmoid", "log_softmax", "multi_sum_sq", "pad", "softmax", "softmax_cross_entropy", "softmin",
}  # fmt: skip


def infer_dtypes(steps: Sequence[Step], dtypes: Dtypes, default: str | None) -> None:
    """Fill in the dtypes of all values, by number, from those that are known. ``default``: of variables of which
    nothing else decides; None leaves them, and what follows from them, unknown, and refuses what MXNet does."""
    strict = default is None
    asked: dict[int, Dtypes] = {}
    for step in steps:
        if step.operator.held is not None:
            asked[id(step)] = list(map(dtypes.__getitem__, step.ins))
        _infer_step(step, dtypes, None, strict=strict)
    if None in dtypes:
        _both_ways(steps, dtypes, asked, strict=strict)
    if default is not None and None in dtypes:
        for step in steps:
            if any(dtypes[number] is None for number in (*step.ins, *step.outs)):
                _infer_step(step, dtypes, default, strict=False)


def _both_ways(steps: Sequence[Step], dtypes: Dtypes, asked: dict[int, Dtypes], *, strict: bool) -> None:
    """Step forwards and backwards until nothing follows any more. ``asked``: what operators that hold graphs, which
    may hold others, were asked with. They are asked again only where there is something new to tell them."""
    for _ in range(_MOST_ROUNDS):
        steps = [step for step in steps if any(dtypes[number] is None for number in (*step.ins, *step.outs))]
        before = dtypes.count(None)
        for step in (*reversed(steps), *steps):
            if step.operator.held is not None:
                known = [dtypes[number] for number in step.ins]
                if asked.get(id(step)) == known:
                    continue
                asked[id(step)] = known
            _infer_step(step, dtypes, None, strict=strict)
        if dtypes.count(None) == before:
            break


def _infer_step(step: Step, dtypes: Dtypes, default: str | None, *, strict: bool) -> None:
    known, outs = list(map(dtypes.__getitem__, step.ins)), list(map(dtypes.__getitem__, step.outs))
    attrs, op = step.node.attrs, step.node.op
    if strict and op in _BY_DATA and known[0] is None:
        known[0] = outs[0]
        if known[0] is None:
            return
    try:
        if strict:
            _require(op, known)
            if op in _UNIFORM:
                known = one_dtype(Attributes({}), known, 0)[0]
        elif op in _FLOATS and known[0] is not None and not known[0].startswith("float"):
            raise ValueError(f"it computes with floating-point numbers, got {known[0]}; add a Cast")
        ins, inferred = step.operator.dtypes(attrs, known, () if op in _FORWARD else outs)
        if inferred and inferred[0] is None and default is not None:
            # All that it takes are variables of which nothing is known: MXNet's default decides.
            ins, inferred = step.operator.dtypes(attrs, [dtype or default for dtype in known], outs)
    except (ValueError, ArithmeticError) as error:
        raise invalid(step.node, str(error)) from error
    for number, before, dtype in zip(step.ins, known, ins):
        if dtype is not None:
            if strict and before not in (None, dtype):
                raise invalid(step.node, f"its inputs must be {_words(ins)}, got {_words(known)}")
            dtypes[number] = dtype
    for number, dtype in zip(step.outs, inferred):
        dtypes[number] = dtypes[number] or dtype


def _require(op: str, known: Dtypes) -> None:
    """Raise ValueError where MXNet needs a dtype that is not known."""
    if op in _FIRST:
        missing = known[0] is None
    elif op in _SECOND:
        missing = known[1] is None
    else:
        missing = (op in _EACH and None in known) or (op in _SOME and not any(known))
    if missing:
        raise ValueError("the dtypes of its inputs do not follow from what is given")


def _words(dtypes: Dtypes) -> str:
    return ", ".join(dtype or "unknown" for dtype in dtypes)

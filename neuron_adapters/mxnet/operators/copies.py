"""Operators that copy their input, as it is or as another dtype."""

from __future__ import annotations

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shapes, numbered, to_dtype, unify
from neuron_adapters.mxnet.operators.elementwise import truncated


@operator("_copy", "BlockGrad", "MakeLoss", "_CrossDeviceCopy", "_contrib_gradientmultiplier", "cast_storage",
          "_sparse_cast_storage")  # fmt: skip
def _copy(_to: Builder, _at: Attributes, x: Tensor) -> Value:
    return x


operator("make_loss", outputs=("loss",))(_copy)


@operator("Dropout")
def _dropout(_to: Builder, at: Attributes, x: Tensor) -> Value:
    """Copy: at inference Dropout drops nothing."""
    if at.choice("mode", ("training", "always"), "training") == "always":
        raise ValueError("attribute mode must be training, got 'always': chance at inference is not supported")
    return x


def _identity_like(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(unify(ins[0], ins[1]), outs[0])
    return [shape, shape], [shape]


@operator("_identity_with_attr_like_rhs", inputs=("lhs", "rhs"), shapes=_identity_like)
def _identity_with_attr_like_rhs(_to: Builder, _at: Attributes, lhs: Tensor, _rhs: Tensor) -> Value:
    return lhs


@operator("Cast", "amp_cast", dtypes=to_dtype())
def _cast(to: Builder, _at: Attributes, x: Tensor) -> Value:
    dtype = to.outputs[0].dtype
    if x.dtype.startswith("float") and not dtype.startswith(("float", "bool")):
        # A conversion cuts the fraction off; some engines round.
        return to.cast(truncated(to, x), dtype)
    return to.cast(x, dtype)


def _widest(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    order = ("float16", "float32", "float64")
    known = [order.index(dtype) for dtype in ins if dtype in order]
    if not known:
        return ins, [None] * count
    chosen = order[min(known) if at.flag("cast_narrow", default=False) else max(known)]
    return ins, [chosen] * count


def _pairwise(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shapes = [unify(taken, copied) for taken, copied in zip(ins, outs)]
    return shapes, list(shapes)


@operator("amp_multicast", inputs=lambda at: numbered("data_", at.count("num_outputs")),
          outputs=lambda at: numbered("output", at.count("num_outputs")), shapes=_pairwise, dtypes=_widest,
          variadic="num_outputs")  # fmt: skip
def _amp_multicast(to: Builder, _at: Attributes, *tensors: Tensor) -> list[Value]:
    return [to.cast(tensor, to.outputs[0].dtype) for tensor in tensors]

"""Elements chosen by numbers."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.symbol import Symbol


@converts("Gather")
def _gather(call: Call) -> Symbol:
    axis, index = call.axis(), call.known(1)
    x, rank = call.tensor(0), len(call.shape(0))
    if index is not None and index.ndim == 0:
        place = int(index)
        part = sym.slice_axis(x, axis=axis, begin=place, end=None if place == -1 else place + 1)
        return (
            sym.reshape(part, shape=(-1,), name=call.name)
            if rank == 1
            else sym.squeeze(part, axis=(axis,), name=call.name)
        )
    if index is not None:
        if np.any(index < 0):
            index = np.where(index < 0, index + call.size(axis), index)
            return sym.take(x, call.parameter(index, "indices"), axis=axis, mode="clip", name=call.name)
        return sym.take(x, call.tensor(1), axis=axis, mode="clip", name=call.name)
    # A negative index counts from the end, which is what wrapping makes of it.
    taken = sym.take(x, call.tensor(1), axis=axis, mode="wrap", name=call.name)
    if len(call.shape(1)):
        return taken
    return sym.squeeze(taken, axis=(axis,)) if rank > 1 else taken


@converts("GatherElements")
def _gather_elements(call: Call) -> Symbol:
    """One long row is gathered from: a place in it is that of the row before, and the place in the row."""
    axis, shape, indices = call.axis(), call.shape(0), call.shape(1)
    rank, width = len(shape), call.size(axis)
    for place in range(rank):
        if place != axis and shape[place] is not indices[place] and shape[place] != indices[place]:
            call.refuse("indices of another shape than the data have no counterpart in MXNet: export with Gather.")
    order = [place for place in range(rank) if place != axis] + [axis]
    index = sym.cast(sym.transpose(call.tensor(1), axes=tuple(order)), dtype="int64")
    data = sym.transpose(call.tensor(0), axes=tuple(order))
    rows = sym.reshape(index, shape=(-1, call.size(axis, 1))) if rank != 2 else index
    before = sym._contrib_arange_like(sym.cast(rows, dtype="float32"), axis=0)
    before = sym._mul_scalar(sym.cast(sym.expand_dims(before, axis=1), dtype="int64"), scalar=width)
    # A negative index counts from the end.
    inside = sym.broadcast_add(rows, sym._mul_scalar(sym._lesser_scalar(rows, scalar=0), scalar=width))
    taken = sym.take(sym.reshape(data, shape=(-1,)), sym.broadcast_add(inside, before), axis=0, mode="clip")
    back = tuple(order.index(place) for place in range(rank))
    return sym.transpose(sym.reshape_like(taken, index), axes=back, name=call.name)


@converts("GatherND")
def _gather_places(call: Call) -> Symbol:
    if call.attribute("batch_dims", 0):
        call.refuse("batch_dims has no counterpart in MXNet: export with Gather.")
    rank = len(call.shape(1))
    index = call.tensor(1)
    known = call.known(1)
    if known is None or np.any(known < 0):
        width = call.size(rank - 1, 1) if known is None else known.shape[-1]
        sizes = np.array([call.size(axis) for axis in range(width)], call.dtype(1))
        if known is None:  # a negative index counts from the end
            below = sym._lesser_scalar(index, scalar=0)
            index = sym.broadcast_add(index, sym.broadcast_mul(below, call.parameter(sizes, "sizes")))
        else:
            index = call.parameter(np.where(known < 0, known + sizes, known), "indices")
    order = (rank - 1, *range(rank - 1))
    return sym.gather_nd(call.tensor(0), sym.transpose(index, axes=order), name=call.name)

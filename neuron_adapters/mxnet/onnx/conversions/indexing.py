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
    """MXNet picks one element a row: its rows are those of the other axes."""
    axis, rank = call.axis(), len(call.shape(0))
    if call.shape(1)[axis] != 1 or rank < 2:
        call.refuse("indices of more than one element along its axis have no counterpart in MXNet: export with Gather.")
    for place in range(rank):
        if (
            place != axis
            and call.shape(0)[place] is not call.shape(1)[place]
            and call.shape(0)[place] != call.shape(1)[place]
        ):
            call.refuse("indices of another shape than the data have no counterpart in MXNet: export with Gather.")
    index = sym.squeeze(call.tensor(1), axis=(axis,))
    return sym.pick(call.tensor(0), index, axis=axis, keepdims=True, mode="wrap", name=call.name)


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

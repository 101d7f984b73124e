"""Operators that move elements to other places, or give an array another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call, lifted
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx._sizes import Dims, Size
from neuron_adapters.mxnet.onnx.conversions._padding import padded
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.symbol import Symbol

#: ONNX's "to the end" is any large number.
_END = 2**31 - 1


@converts("Constant", "Shape", "Size")
def _unsaid(call: Call) -> Symbol:
    """What of these is not computed while the model is read."""
    if call.op == "Constant" or call.graph.shape(call.inputs[0]) is not None:
        return call.refuse("it cannot be converted.")
    return (sym.shape_array if call.op == "Shape" else sym.size_array)(call.tensor(0), name=call.name)


@converts("Reshape")
def _reshape(call: Call) -> Symbol:
    """MXNet's 0 and -1 are ONNX's. A size that is not known yet is one of them: copied, or computed."""
    wanted: list[Any]
    if call.has_attribute("shape"):
        wanted = list(call.attribute("shape"))
    else:
        sizes = call.sizes(1)
        wanted = list(call.constant(1, "shape")) if sizes is None else list(sizes.reshape(-1))
    if call.attribute("allowzero", 0) and any(not isinstance(size, Size) and size == 0 for size in wanted):
        call.refuse("allowzero with an empty axis has no counterpart in MXNet, which has no empty arrays.")
    shape = call.graph.shape(call.inputs[0]) or ()
    codes = []
    for place, size in enumerate(wanted):
        if isinstance(size, Size):
            codes.append(0 if place < len(shape) and shape[place] is size else -1)
        else:
            codes.append(int(size))
    if codes.count(-1) > 1 and all(size.source if isinstance(size, Size) else size > 0 for size in wanted):
        # Only the shape of the zeros is used.
        like = enlarged(call, call.parameter(np.zeros(1, np.float32), "like"), (1,), wanted)
        return sym.reshape_like(call.tensor(0), like, name=call.name)
    if codes.count(-1) > 1:
        call.refuse(
            f"its shape {tuple(wanted)} has several sizes that are not known: export the model with fixed shapes."
        )
    return sym.reshape(call.tensor(0), shape=tuple(codes) or (-1,), name=call.name)


@converts("Flatten")
def _flatten(call: Call) -> Symbol:
    axis, x = call.attribute("axis", 1), call.tensor(0)
    if axis == 1:
        return sym.Flatten(x, name=call.name)
    shape = call.shape()
    axis = axis % len(shape) if axis != len(shape) else axis
    if axis == 0:
        return sym.reshape(x, shape=(1, -1), name=call.name)
    front, rest = call.numbers(shape[:axis]), call.numbers(shape[axis:])
    if rest is None and front is None:
        call.refuse("both sides of its axis have sizes that are not known: export the model with fixed shapes.")
    codes = (-1, int(np.prod(rest))) if rest is not None else (int(np.prod(front or [1])), -1)
    return sym.reshape(x, shape=codes, name=call.name)


@converts("Transpose")
def _transpose(call: Call) -> Symbol:
    order = call.integers("perm")
    return sym.transpose(call.tensor(0), axes=tuple(order) if order else (), name=call.name)


@converts("Squeeze")
def _squeeze(call: Call) -> Symbol:
    shape, axes = call.shape(), call.integers("axes", 1)
    if axes is None:
        if call.numbers(shape) is None:
            call.refuse("its axes are those of size 1, which are not known: export the model with fixed shapes.")
        axes = [axis for axis, size in enumerate(shape) if size == 1]
    places = tuple(sorted(call.at(axis, len(shape)) for axis in axes))
    if not places:
        return sym.identity(call.tensor(0), name=call.name)
    if len(places) == len(shape):
        return sym.reshape(call.tensor(0), shape=(-1,), name=call.name)
    return sym.squeeze(call.tensor(0), axis=places, name=call.name)


@converts("Unsqueeze")
def _unsqueeze(call: Call) -> Symbol:
    x, shape = call.tensor(0), call.shape()
    axes = call.integers("axes", 1) or []
    rank = len(shape) + len(axes)
    places = sorted(call.at(axis, rank) for axis in axes)
    if not shape:
        return sym.reshape(x, shape=(1,) * rank, name=call.name)
    for number, place in enumerate(places):
        x = sym.expand_dims(x, axis=place, name=call.name if number == len(places) - 1 else None)
    return x


@converts("Concat")
def _concat(call: Call) -> Symbol:
    return sym.concat(*call.tensors(), dim=call.attribute("axis", 1), name=call.name)


@converts("Split")
def _split(call: Call) -> list[Symbol]:
    axis, count, x = call.axis(), len(call.outputs), call.tensor(0)
    sizes = call.integers("split", 1)
    if sizes is None:
        size = call.shape()[axis]
        if isinstance(size, Size) or size % count == 0:
            sizes = [1] * count
        else:  # the last one is smaller
            step = -(-size // count)
            sizes = [step] * (count - 1) + [size - step * (count - 1)]
    if count == 1:
        return [sym.identity(x, name=call.name)]
    if len(set(sizes)) == 1:
        return list(sym.split(x, num_outputs=count, axis=axis, name=call.name))
    ends = np.cumsum(sizes)
    return [sym.slice_axis(x, axis=axis, begin=int(end - size), end=int(end)) for size, end in zip(sizes, ends)]


@converts("Slice")
def _slice(call: Call) -> Symbol:
    starts, ends = call.integers("starts", 1), _ends(call)
    if starts is None:
        call.refuse("it needs starts.")
    axes = call.integers("axes", 3) or list(range(len(starts)))
    steps = call.integers("steps", 4) or [1] * len(starts)
    shape = call.shape()
    places = [call.at(axis, len(shape)) for axis in axes]
    x = call.tensor(0)
    for number, (axis, start, end, step) in enumerate(zip(places, starts, ends, steps)):
        name = call.name if number == len(places) - 1 else None
        if isinstance(end, Size) and end is not shape[axis] and end.source and (start, step) == (0, 1):
            x = _like_source(call, x, axis, end, name)
            continue
        begin, last = _bounds(call, shape[axis], start, end, step)
        if step == 1:
            x = sym.slice_axis(x, axis=axis, begin=begin or 0, end=last, name=name)
            continue
        empty: list[Any] = [None] * axis
        x = sym.slice(x, begin=(*empty, begin), end=(*empty, last), step=(*empty, step), name=name)
    return x


def _like_source(call: Call, x: Symbol, axis: int, size: Size, name: str | None) -> Symbol:
    """Keep as many elements of an axis as an input of the model has along its own."""
    source, place = size.source or ("", 0)
    like, rank = call.graph.variables[source], len(call.graph.shape(source) or ())
    for _ in range(axis + 1 - rank):
        like = sym.expand_dims(like, axis=-1)
    like = like if axis == place else sym.swapaxes(like, dim1=axis, dim2=place)
    return sym.slice_like(x, like, axes=(axis,), name=name)


def _ends(call: Call) -> list[Any]:
    if call.has_attribute("ends"):
        return list(call.attribute("ends"))
    sizes = call.sizes(2)
    return list(call.constant(2, "ends")) if sizes is None else list(sizes.reshape(-1))


def _bounds(call: Call, size: int | Size, start: int, end: Any, step: int) -> tuple[int | None, int | None]:
    """Return begin and end as MXNet takes them: None is "to the border"."""
    if isinstance(size, int):
        if isinstance(end, Size):
            call.refuse("its end is a size that is not known: export the model with fixed shapes.")
        begin, last, _ = slice(start, int(end), step).indices(size)
        if len(range(begin, last, step)) == 0:
            call.refuse(f"it selects nothing from an axis of {size}, and MXNet has no empty arrays.")
        return begin, None if last < 0 else last
    whole = end is size or (not isinstance(end, Size) and end >= _END)
    if isinstance(end, Size) and not whole:
        return call.refuse("its end is a size that is not known: export the model with fixed shapes.")
    if step > 0:
        return start, None if whole else int(end)
    if (start != -1 and start < _END) or end > -_END:
        call.refuse("it goes backwards over a part of an axis whose size is not known: export with fixed shapes.")
    return None, None


@converts("Pad")
def _pad(call: Call) -> Symbol:
    rank, mode = len(call.shape()), call.attribute("mode", "constant")
    both = call.integers("pads", 1) or call.integers("paddings") or []
    axes = call.integers("axes", 3)
    axes = list(range(rank)) if axes is None else [call.at(axis, rank) for axis in axes]
    if mode not in ("constant", "edge", "reflect"):
        call.refuse(f"mode={mode!r} has no counterpart in MXNet, which has constant, edge and reflect.")
    before, behind = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], behind[axis] = both[place], both[place + len(axes)]
    x = call.tensor(0)
    value = float(call.scalar(2, "value")) if call.has_input(2) else call.number("value", 0.0)
    for axis in range(rank):  # less than nothing is cut off
        if before[axis] < 0 or behind[axis] < 0:
            x = sym.slice_axis(x, axis=axis, begin=max(-before[axis], 0), end=min(behind[axis], 0) or None)
    fronts, backs = [max(size, 0) for size in before], [max(size, 0) for size in behind]
    if not any(fronts + backs):
        return sym.identity(x, name=call.name)
    return padded(x, fronts, backs, mode, value, call.name)


@converts("Expand")
def _expand(call: Call) -> Symbol:
    sizes = call.sizes(1)
    wanted = tuple(call.constant(1, "shape")) if sizes is None else tuple(sizes.reshape(-1))
    return enlarged(call, call.tensor(0), call.held_shape(), wanted)


def enlarged(call: Call, x: Symbol, shape: Dims, wanted: Sequence[Any]) -> Symbol:
    """Broadcast to ``wanted``, in which 1 leaves an axis as it is."""
    rank = max(len(shape), len(wanted))
    x, shape = lifted(x, len(shape), rank), (1,) * (rank - len(shape)) + shape
    targets = (*(1,) * (rank - len(wanted)), *wanted)
    codes, open_axes = [0] * rank, []
    for axis, (own, target) in enumerate(zip(shape, targets)):
        if isinstance(target, Size):
            if target is not own:
                open_axes.append((axis, target))
        elif isinstance(own, int) and own == 1 and target != 1:
            codes[axis] = int(target)
    if any(codes):
        x = sym.broadcast_to(x, shape=tuple(codes), name=None if open_axes else call.name)
    for axis, target in open_axes:
        if target.source is None:
            call.refuse(f"the size of axis {axis} of its output is not known: export the model with fixed shapes.")
        source, place = target.source
        x = sym.broadcast_like(x, call.graph.variables[source], lhs_axes=(axis,), rhs_axes=(place,))
    return x if any(codes) or open_axes else sym.identity(x, name=call.name)


@converts("ConstantOfShape")
def _filled(call: Call) -> Symbol:
    sizes = call.sizes(0)
    wanted = list(call.constant(0, "shape")) if sizes is None else list(sizes.reshape(-1))
    value = call.graph.model.constant(call.attribute("value")).reshape(-1) if call.has_attribute("value") else None
    value = np.zeros(1, np.float32) if value is None else value
    return enlarged(call, call.parameter(value, "value"), (1,), wanted)


@converts("Range")
def _range(call: Call) -> Symbol:
    limit = call.sizes(1)
    start, step = call.scalar(0, "start"), call.scalar(2, "delta")
    if limit is None or limit.size != 1:
        call.refuse("its limit is computed from the inputs: export the model with fixed shapes.")
    last = limit.reshape(-1)[0]
    dtype = call.dtype(0)
    if not isinstance(last, Size):
        return sym._arange(start=start, stop=last.item(), step=step, dtype=dtype, name=call.name)
    if last.source is None:
        call.refuse("its limit is a size that is not known: export the model with fixed shapes.")
    source, axis = last.source
    numbers = sym._contrib_arange_like(sym.cast(call.graph.variables[source], dtype="float32"), axis=axis)
    if start:
        call.refuse(
            "it begins at another number than 0 and ends at a size that is not known: export with fixed shapes."
        )
    return sym.cast(numbers * step if step != 1 else numbers, dtype=dtype, name=call.name)


@converts("Tile")
def _tile(call: Call) -> Symbol:
    return sym.tile(call.tensor(0), reps=tuple(call.integers("repeats", 1) or ()), name=call.name)


@converts("DepthToSpace")
def _depth_to_space(call: Call) -> Symbol:
    x, block = call.tensor(0), call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "DCR":
        return sym.depth_to_space(x, block_size=block, name=call.name)
    x = sym.reshape(x, shape=(0, -4, -1, block * block, 0, 0))
    x = sym.reshape(x, shape=(0, 0, -4, block, block, 0, 0))
    return sym.reshape(sym.transpose(x, axes=(0, 1, 4, 2, 5, 3)), shape=(0, 0, -3, -3), name=call.name)


@converts("SpaceToDepth")
def _space_to_depth(call: Call) -> Symbol:
    call.only("mode", "DCR", why="export the model with mode=DCR")
    return sym.space_to_depth(call.tensor(0), block_size=call.attribute("blocksize"), name=call.name)

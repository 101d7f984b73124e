"""Moves values to other places: repeats, reverses, pads and cuts."""

from __future__ import annotations

from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, axis_of, counted_axis, of_dtype, rank_at_least, single_dtype


def _tiles(at: Attributes, rank: int) -> list[int]:
    repeats = list(at.integers("reps", ()))
    return [1] * (rank - len(repeats)) + repeats


def _tiled(at: Attributes, data: Shape) -> Shape:
    repeats = _tiles(at, len(data))
    return tuple(a * b for a, b in zip((1,) * (len(repeats) - len(data)) + data, repeats))


@operator("tile", shape=_tiled)
def _tile(to: Builder, at: Attributes, data: Tensor) -> Value:
    repeats = _tiles(at, len(data.shape))
    padded = to.reshape(data, [1] * (len(repeats) - len(data.shape)) + list(data.shape))
    return to.Tile(padded, to.constant(repeats))


def _repeated(at: Attributes, data: Shape) -> Shape:
    axis, count = at.maybe_integer("axis"), at.integer("repeats")
    if axis is None:
        return (prod(data) * count,)
    place = axis_of(axis, len(data))
    return (*data[:place], data[place] * count, *data[place + 1 :])


@operator("repeat", shape=_repeated)
def _repeat(to: Builder, at: Attributes, data: Tensor) -> Value:
    axis, count = at.maybe_integer("axis"), at.integer("repeats")
    value = to.reshape(data, [-1]) if axis is None else data
    place = 0 if axis is None else axis_of(axis, len(data.shape))
    size = prod(data.shape) if axis is None else data.shape[place]
    return to.Gather(value, to.constant(np.repeat(np.arange(size), count)), axis=place)


@operator("reverse", shape=lambda _at, data: data)
def _reverse(to: Builder, at: Attributes, data: Tensor) -> Value:
    value: Value = data
    for axis in at.integers("axis"):
        value = to.slice(value, counted_axis(axis, len(data.shape)), -1, step=-1)
    return value


def _deep(at: Attributes, data: Shape) -> Shape:
    block = _block(at, data)
    if data[2] % block or data[3] % block:
        raise ValueError(f"attribute block_size ({block}) must divide height and width of {data}")
    return (data[0], data[1] * block**2, data[2] // block, data[3] // block)


@operator("space_to_depth", shape=_deep)
def _space_to_depth(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.SpaceToDepth(data, blocksize=at.integer("block_size"))


def _wide(at: Attributes, data: Shape) -> Shape:
    block = _block(at, data)
    if data[1] % block**2:
        raise ValueError(f"attribute block_size ({block}), squared, must divide the channels of {data}")
    return (data[0], data[1] // block**2, data[2] * block, data[3] * block)


@operator("depth_to_space", shape=_wide)
def _depth_to_space(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.DepthToSpace(data, blocksize=at.integer("block_size"), mode="DCR")


def _block(at: Attributes, data: Shape) -> int:
    rank_at_least(4, data)
    block = at.integer("block_size")
    if block < 1:
        raise ValueError(f"attribute block_size must be at least 1, got {block}")
    return block


def _padding(at: Attributes, rank: int) -> tuple[list[int], list[int]]:
    widths = at.integers("pad_width")
    if len(widths) != 2 * rank:
        raise ValueError(f"attribute pad_width must have {2 * rank} numbers for {rank} axes, got {widths}")
    return list(widths[::2]), list(widths[1::2])


def _padded(at: Attributes, data: Shape) -> Shape:
    if at.text("mode") == "reflect" and any(
        size and max(widths) >= size for size, *widths in zip(data, *_padding(at, len(data)))
    ):
        raise ValueError(f"attribute pad_width must be below the sizes of {data} to reflect them")
    return tuple(size + before + behind for size, before, behind in zip(data, *_padding(at, len(data))))


@operator("Pad", shape=_padded)
def _pad(to: Builder, at: Attributes, data: Tensor) -> Value:
    before, after = _padding(at, len(data.shape))
    mode = at.choice("mode", ("constant", "edge", "reflect"))
    fill = at.number("constant_value", 0.0) if mode == "constant" else None
    return to.Pad(data, to.constant(before + after), fill, mode=mode)


@operator("shape_array", shapes=lambda _at, ins, outs: (ins, outs if ins[0] is None else [(len(ins[0]),)]),
          dtypes=of_dtype("int64"))  # fmt: skip
def _shape_array(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.constant(data.shape)


@operator("size_array", shapes=lambda _at, ins, _outs: (ins, [(1,)]), dtypes=of_dtype("int64"))
def _size_array(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.constant([prod(data.shape)])


def _diagonal(at: Attributes, data: Shape) -> Shape:
    k = at.integer("k", 0)
    if len(data) == 1:
        return (data[0] + abs(k),) * 2
    first, second = (
        axis_of(at.integer(name, default), len(data), name) for name, default in (("axis1", 0), ("axis2", 1))
    )
    size = min(data[first] + min(k, 0), data[second] - max(k, 0))
    if size < (0 if at.exact else 1):
        raise ValueError(f"attribute k ({k}) lies outside {data}")
    return (*(length for axis, length in enumerate(data) if axis not in (first, second)), size)


@operator("diag", shape=_diagonal)
def _diag(to: Builder, at: Attributes, data: Tensor) -> Value:
    k = at.integer("k", 0)
    rank = len(data.shape)
    if rank == 1:
        ones = np.eye(to.outputs[0].shape[0], k=k)
        rows = to.Pad(data, to.constant([max(-k, 0), max(k, 0)]), 0.0)
        return to.Mul(to.constant(ones, data.dtype), to.unsqueeze(rows, 1))
    first, second = axis_of(at.integer("axis1", 0), rank), axis_of(at.integer("axis2", 1), rank)
    order = [axis for axis in range(rank) if axis not in (first, second)] + [first, second]
    flat = to.reshape(to.transpose(data, order), [*to.outputs[0].shape[:-1], -1])
    start = (max(-k, 0)) * data.shape[second] + max(k, 0)
    places = start + np.arange(to.outputs[0].shape[-1]) * (data.shape[second] + 1)
    return to.Gather(flat, to.constant(places), axis=rank - 2)


def _cropped(at: Attributes, *shapes: Shape) -> Shape:
    data = shapes[0]
    rank_at_least(4, data)
    height, width = shapes[1][2:] if len(shapes) > 1 else at.integers("h_w", (0, 0))
    top, left = _corner(at, data, height, width)
    if top + height > data[2] or left + width > data[3]:
        raise ValueError(f"the part of {height} x {width} from {top}, {left} must lie within {data}")
    return (*data[:2], height, width)


def _corner(at: Attributes, data: Shape, height: int, width: int) -> Shape:
    if at.flag("center_crop", default=False):
        return (data[2] - height) // 2, (data[3] - width) // 2
    return at.integers("offset", (0, 0))


def _crop_inputs(at: Attributes) -> list[str]:
    return ["data", "crop_like"] if at.integer("num_args", 1) == 2 else ["data"]


@operator("Crop", inputs=_crop_inputs, shape=_cropped, dtypes=single_dtype, variadic="num_args")
def _crop(to: Builder, at: Attributes, data: Tensor, _like: Tensor | None = None) -> Value:
    height, width = to.outputs[0].shape[2:]
    top, left = _corner(at, data.shape, height, width)
    return to.slice(to.slice(data, 2, top, top + height), 3, left, left + width)

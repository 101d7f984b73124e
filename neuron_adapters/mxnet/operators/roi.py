"""Sampling: resizing, adaptive pooling, regions of interest, and grids of points."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet._resampling import weights_for
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, rank_at_least


def _weighted(to: Builder, data: Tensor, rows: Array, columns: Array) -> Value:
    """Resample height and width with matrices: a row holds the weight of each old element in a new one."""
    mixed = to.MatMul(data, to.constant(columns.T, data.dtype))
    return to.MatMul(to.constant(rows, data.dtype), mixed)


def _adaptive_shape(at: Attributes, data: Shape) -> Shape:
    rank_at_least(4, data)
    size = at.integers("output_size", ()) or (1,)
    return (*data[:2], *(size * 2 if len(size) == 1 else size))


@operator("_contrib_AdaptiveAvgPooling2D", shape=_adaptive_shape)
def _adaptive_average(to: Builder, _at: Attributes, data: Tensor) -> Value:
    new = to.outputs[0].shape[2:]
    if new == (1, 1):
        return to.reduce("ReduceMean", data, [2, 3])
    return _weighted(to, data, *(_averages(old, new_size) for old, new_size in zip(data.shape[2:], new)))


def _averages(old: int, new: int) -> Array:
    weights = np.zeros((new, old))
    for place in range(new):
        start, end = place * old // new, -(-(place + 1) * old // new)
        weights[place, start:end] = 1.0 / (end - start)
    return weights


def _resized(at: Attributes, *shapes: Shape) -> Shape:
    data = shapes[0]
    rank_at_least(4, data)
    mode = at.choice("mode", _MODES, "size")
    if mode == "like":
        return (*data[:2], *shapes[1][2:])
    weights = []
    for name, size in zip(("height", "width"), data[2:]):
        scale = at.number(f"scale_{name}", 0.0)
        if mode == "size":
            # The scale of the height decides for both.
            weights.append(int(at.number(f"scale_{name}") * size) if at.has("scale_height") else at.integer(name, 1))
        elif mode == "odd_scale":
            weights.append(int(size * scale) if size % 2 == 0 else int((size - 1) * scale) + 1)
        else:
            even, step = "even" in mode, 1 if mode.endswith("up") else -1
            weights.append(size if (size % 2 == 0) == even else size + step)
    return (*data[:2], *weights)


_MODES = ("size", "like", "odd_scale", "to_even_down", "to_even_up", "to_odd_down", "to_odd_up")


@operator("_contrib_BilinearResize2D",
          inputs=lambda at: ["data", "like"] if at.has("mode") and at.choice("mode", _MODES) == "like" else ["data"],
          shape=_resized)  # fmt: skip
def _bilinear_resize(to: Builder, at: Attributes, data: Tensor, _like: Tensor | None = None) -> Value:
    corners = at.flag("align_corners", default=True)
    new = to.outputs[0].shape[2:]
    return _weighted(to, data, *(_between(old, new_size, corners) for old, new_size in zip(data.shape[2:], new)))


def _between(old: int, new: int, corners: bool) -> Array:
    """Compute the weights of linear interpolation between the two neighbours of each new element."""
    if corners:
        at = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        at = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0.0)
    below = np.minimum(at.astype(int), old - 1)
    above = np.minimum(below + 1, old - 1)
    weights = np.zeros((new, old))
    np.add.at(weights, (np.arange(new), below), 1.0 - (at - below))
    np.add.at(weights, (np.arange(new), above), at - below)
    return weights


def _picture_size(at: Attributes, data: Shape) -> Shape:
    """Read width and height; of one number, both, or the shorter with ``keep_ratio``."""
    if len(data) not in (3, 4):
        raise ValueError(f"data must be an image (height, width, channels) or a batch of them, got {data}")
    sizes, (height, width, channels) = at.integers("size"), data[-3:]
    if len(sizes) not in (1, 2) or min(sizes) < 1:
        raise ValueError(f"attribute size must be a width and a height, or one number, got {sizes}")
    new = sizes[0], sizes[-1]
    if len(sizes) == 1 and at.flag("keep_ratio", default=False):
        new = (sizes[0], height * sizes[0] // width) if height > width else (width * sizes[0] // height, sizes[0])
    return (*data[:-3], new[1], new[0], channels)


@operator("_image_resize", shape=_picture_size)
def _resize_picture(to: Builder, at: Attributes, data: Tensor) -> Value:
    """Resize pictures whose channels are last, as OpenCV does; whole numbers are rounded."""
    interp = int(at.choice("interp", ("0", "1", "2", "3", "4"), "1"))
    rank = len(data.shape)
    front = [*range(rank - 3), rank - 1, rank - 3, rank - 2]
    planes = to.transpose(to.cast(data, "float32"), front)
    moved = Tensor(planes.name, "float32", tuple(data.shape[axis] for axis in front))
    resized = _weighted(to, moved, *weights_for(moved.shape[-2:], to.outputs[0].shape[-3:-1], interp))
    back = to.transpose(resized, [*range(rank - 3), rank - 2, rank - 1, rank - 3])
    if data.dtype.startswith("float"):
        return to.cast(back, data.dtype)
    info = np.iinfo(data.dtype)
    return to.cast(to.Clip(to.Round(back), float(info.min), float(info.max)), data.dtype)


def _pooled(at: Attributes, data: Shape, rois: Shape) -> Shape:
    rank_at_least(4, data)
    size = at.integers("pooled_size")
    if not 1 <= len(size) <= 2 or min(size) < 1:
        raise ValueError(f"attribute pooled_size must be one or two numbers from 1, got {size}")
    return (rois[0], data[1], *(size * 2 if len(size) == 1 else size))


@operator("_contrib_ROIAlign", inputs=("data", "rois"), shape=_pooled)
def _roi_align(to: Builder, at: Attributes, data: Tensor, rois: Tensor) -> Value:
    at.only("position_sensitive", "False", "position-sensitive regions are not supported")
    height, width = to.outputs[0].shape[2:]
    aligned = at.flag("aligned", default=False)
    batch = to.cast(to.at(rois, 1, 0), "int64")
    pooled = to.RoiAlign(
        data,
        to.slice(rois, 1, 1, 5),
        to.Max(batch, 0),
        mode="avg",
        output_height=height,
        output_width=width,
        sampling_ratio=max(0, at.integer("sample_ratio", -1)),
        spatial_scale=at.number("spatial_scale"),
        coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel",
    )
    return _zeros_where(to, to.Less(batch, 0), pooled)


@operator("ROIPooling", inputs=("data", "rois"), shape=_pooled)
def _roi_pooling(to: Builder, at: Attributes, data: Tensor, rois: Tensor) -> Value:
    # Numbers between -1 and 0 are cut to 0, which is a batch.
    batch = to.slice(rois, 1, 0, 1)
    outside = to.Or(to.LessOrEqual(batch, -1.0), to.GreaterOrEqual(batch, float(data.shape[0])))
    regions = to.Concat(to.Where(outside, to.constant(0.0, rois.dtype), batch), to.slice(rois, 1, 1, 5), axis=1)
    pooled = to.MaxRoiPool(
        data, regions, pooled_shape=list(to.outputs[0].shape[2:]), spatial_scale=at.number("spatial_scale")
    )
    return _zeros_where(to, outside, pooled)


def _zeros_where(to: Builder, outside: Value, pooled: Value) -> Value:
    """Replace the rows of regions that are in no picture: detectors fill up their list of regions with such, of batch
    -1."""
    return to.Where(to.reshape(outside, [-1, 1, 1, 1]), to.constant(0.0, pooled.dtype), pooled)


def _rotated(at: Attributes, data: Shape, rois: Shape) -> Shape:
    if len(rois) != 2 or rois[1] != 6 or len(at.integers("pooled_size")) != 2:
        raise ValueError(f"rois must be (number, 6), and pooled_size two numbers, got {rois}")
    return _pooled(at, data, rois)


@operator("_contrib_RROIAlign", inputs=("data", "rois"), shape=_rotated)
def _rotated_align(_to: Builder, _at: Attributes, _data: Tensor, _rois: Tensor) -> Value:
    raise BeyondOnnxError("_contrib_RROIAlign samples regions that are turned")


def _sampled(_at: Attributes, data: Shape, grid: Shape) -> Shape:
    if len(data) != 4 or len(grid) != 4 or grid[1] != 2 or grid[0] != data[0]:
        raise ValueError(f"data must be (batch, channels, height, width) and grid (batch, 2, ...), got {data}, {grid}")
    return (*data[:2], *grid[2:])


@operator("BilinearSampler", inputs=("data", "grid"), shape=_sampled)
def _bilinear_sampler(to: Builder, _at: Attributes, data: Tensor, grid: Tensor) -> Value:
    return _sample(to, data, grid)


def _sample(to: Builder, data: Value, grid: Value) -> Value:
    """Sample the data at the points of a grid (batch, x and y from -1 to 1, height, width); 0 outside."""
    points = to.transpose(grid, [0, 2, 3, 1])
    return to.GridSample(data, points, mode="bilinear", padding_mode="zeros", align_corners=1)


def _grid_shape(at: Attributes, data: Shape) -> Shape:
    if at.choice("transform_type", ("affine", "warp")) == "warp":
        return data
    return (data[0], 2, *_target(at))


def _target(at: Attributes) -> Shape:
    size = at.integers("target_shape", (0, 0))
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"attribute target_shape must be height and width, got {size}")
    return size


@operator("GridGenerator", shape=_grid_shape)
def _grid_generator(to: Builder, at: Attributes, data: Tensor) -> Value:
    if at.choice("transform_type", ("affine", "warp")) == "affine":
        return _affine(to, data, _target(at))
    height, width = data.shape[2:]
    moved = to.Add(data, to.constant(np.stack(np.meshgrid(np.arange(width), np.arange(height))), data.dtype))
    half = np.array([(width - 1) / 2, (height - 1) / 2]).reshape(1, 2, 1, 1)
    return to.Sub(to.Mul(moved, to.constant(1.0 / half, data.dtype)), 1.0)


def _affine(to: Builder, data: Tensor, target: Shape) -> Value:
    """Transform a grid of the size ``target`` by the affine matrix, six numbers, in each row."""
    height, width = target
    with np.errstate(invalid="ignore"):  # a single point is nowhere between -1 and 1
        across, down = np.meshgrid(*(np.arange(size) * 2 / np.float64(size - 1) - 1 for size in (width, height)))
    points = np.stack([across, down, np.ones(target)]).reshape(3, -1)
    sampled = to.MatMul(to.reshape(data, [-1, 2, 3]), to.constant(points, data.dtype))
    return to.reshape(sampled, [data.shape[0], 2, height, width])


@operator("SpatialTransformer", inputs=("data", "loc"), shape=lambda at, data, _loc: (*data[:2], *_target(at)))
def _spatial_transformer(to: Builder, at: Attributes, data: Tensor, loc: Tensor) -> Value:
    return _sample(to, data, _affine(to, loc, _target(at)))

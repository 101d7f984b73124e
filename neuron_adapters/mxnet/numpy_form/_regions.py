"""ONNX operators on NumPy arrays that sample points and regions, and that suppress boxes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuron_adapters.mxnet.numpy_form._onnx import Array, function


@function("GridSample")
def _grid_sample(x: Array, grid: Array, **_how: Any) -> Array:
    """Bilinear, the ends of -1 to 1 in the middle of the outermost points, 0 outside."""
    height, width = x.shape[2:]
    across, down = (grid[..., 0] + 1) * ((width - 1) / 2), (grid[..., 1] + 1) * ((height - 1) / 2)
    left, top = np.floor(across), np.floor(down)
    result = np.zeros((*x.shape[:2], *grid.shape[1:3]), x.dtype)
    rows = np.arange(len(x))[:, None, None]
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        at = np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)
        weight = (1 - np.abs(across - column)) * (1 - np.abs(down - row))
        sampled = np.moveaxis(x[rows, :, at[0], at[1]], -1, 1)
        result += (np.where(inside[:, None], sampled, 0) * weight[:, None]).astype(x.dtype)
    return result


@function("NonMaxSuppression")
def _suppress(boxes: Array, scores: Array, most: Array, overlap: Array, least: Array) -> Array:
    """Triples of batch, class and box: the boxes of a higher score than ``least``, the best first, that overlap none
    before them."""
    chosen: list[tuple[int, int, int]] = []
    for batch, group in np.ndindex(*scores.shape[:2]):
        row, corners = scores[batch, group], boxes[batch]
        kept: list[int] = []
        order = np.argsort(-row, kind="stable")
        order = order[row[order] > least[0]]
        while len(order) and len(kept) < most[0]:
            best, order = order[0], order[1:]
            kept.append(int(best))
            order = order[~(_overlaps(corners[best], corners[order]) > overlap[0])]  # NaN suppresses nothing
        chosen += [(batch, group, place) for place in kept]
    return np.array(chosen, np.int64).reshape(-1, 3)


def _overlaps(box: Array, others: Array) -> Array:
    """The part that a box and each of ``others`` share of both together; 0 where there is nothing of them."""
    shared = np.maximum(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0).prod(1)
    both = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - shared
    return np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)


def resampled(x: Array, weights: Array, axis: int) -> Array:
    """Mix the points along an axis by a row of weights for each new one. What has no weight does not matter."""
    parts = []
    for row in weights:
        (places,) = np.nonzero(row)
        parts.append(np.tensordot(row[places], np.take(x, places, axis), (0, axis)))
    return np.stack(parts, axis)


def rounded(number: Any) -> int:
    """Halves away from zero, as C rounds."""
    return int(np.trunc(number + np.copysign(0.5, number)))


@function("RoiAlign")
def _roi_align(
    x: Array,
    rois: Array,
    batches: Array,
    *,
    output_height: int,
    output_width: int,
    sampling_ratio: int,
    spatial_scale: float,
    coordinate_transformation_mode: str,
    **_how: Any,
) -> Array:
    """The mean of points in each bin of a region, each bilinear between the four points of the picture round it."""
    kind, counts = x.dtype.type, (output_height, output_width)
    aligned = coordinate_transformation_mode == "half_pixel"
    result = np.zeros((len(rois), x.shape[1], *counts), x.dtype)
    pictures = x.reshape(*x.shape[:2], -1)
    for number, region in enumerate(rois.astype(x.dtype) * kind(spatial_scale) - kind(0.5 if aligned else 0)):
        starts, sizes = region[1::-1], region[:1:-1] - region[1::-1]
        axes = [
            _points(start, size if aligned else max(size, kind(1)), bins, sampling_ratio)
            for start, size, bins in zip(starts, sizes, counts)
        ]
        inside = np.logical_and.outer(*((at >= -1) & (at <= length) for at, length in zip(axes, x.shape[2:])))
        total = np.zeros((x.shape[1], *inside.shape), x.dtype)
        for row, high in _neighbours(axes[0], x.shape[2]):
            for column, wide in _neighbours(axes[1], x.shape[3]):
                places = np.where(inside, np.add.outer(row * x.shape[3], column), 0)
                total += np.where(inside, np.multiply.outer(high, wide), kind(0)) * pictures[batches[number]][:, places]
        if total.size:
            grid = total.reshape(len(total), counts[0], -1, counts[1], len(axes[1]) // counts[1])
            result[number] = grid.mean((2, 4))
    return result


def _points(start: Any, size: Any, bins: int, ratio: int) -> Array:
    """Where the points of all bins of a region are along an axis, ``ratio`` in each; 0 stands for one a point."""
    kind = type(start)
    count = ratio if ratio > 0 else max(0, math.ceil(size / bins))
    step, offsets = size / kind(bins), np.arange(count).astype(kind) + kind(0.5)
    at: Array = start + np.arange(bins).astype(kind)[:, None] * step + offsets * step / kind(count)
    return at.reshape(-1)


def _neighbours(at: Array, length: int) -> list[tuple[Array, Array]]:
    """The two points of a picture round each place along an axis, with their weights."""
    at = np.clip(at, 0, length - 1)
    low = at.astype(int)
    return [(low, 1 - (at - low)), (np.minimum(low + 1, length - 1), at - low)]

"""Labels for anchors, and regions that are turned, on NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.numpy_form._mxnet import indexes, operator
from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor

_LEARNT, _BACKGROUND, _IGNORED = 1, 0, -1


@operator("_contrib_MultiBoxTarget")
def _targets(at: Attributes, outs: list[Tensor], anchors: Array, labels: Array, scores: Array) -> Sequence[Array]:
    if not all(np.isfinite(array).all() for array in (anchors, labels, scores)):
        raise MXNetError("it compares boxes and scores of which some are NaN or infinite")
    boxes, count = anchors[0], anchors.shape[1]
    variances = np.array(at.numbers("variances", (0.1, 0.1, 0.2, 0.2)), np.float32)
    moves, masks = np.zeros((2, len(labels), count, 4), anchors.dtype)
    classes = np.full(outs[2].shape, at.number("ignore_label", -1.0), anchors.dtype)
    for batch, row in enumerate(labels):
        ends = np.flatnonzero(row[:, 0] == -1)
        objects = row[: ends[0]] if ends.size else row
        if ends.size and (row[ends[0], :5] != -1).any():
            raise MXNetError("a label whose class is -1 must have corners of -1")
        if not len(objects):
            continue
        kinds, matches = _matched(at, _overlaps(boxes, objects[:, 1:5]), scores[batch])
        learnt = kinds == _LEARNT
        classes[batch, learnt] = objects[matches[learnt], 0] + 1
        classes[batch, kinds == _BACKGROUND] = 0
        masks[batch, learnt] = 1
        moves[batch, learnt] = _moves(boxes[learnt], objects[matches[learnt], 1:5], variances)
    return [moves.reshape(outs[0].shape), masks.reshape(outs[1].shape), classes]


def _overlaps(boxes: Array, others: Array) -> Array:
    """Intersection over union of each box with each other."""
    first, second = boxes[:, None], others[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.maximum(sides, 0).prod(-1)
    areas = (first[..., 2:] - first[..., :2]).prod(-1) + (second[..., 2:] - second[..., :2]).prod(-1)
    whole = areas - shared
    return np.where(whole == 0, 0, shared / np.where(whole == 0, 1, whole))


def _matched(at: Attributes, overlaps: Array, scores: Array) -> tuple[Array, Array]:
    """Return what each anchor is, and its object. Each object takes its best anchor first; then each other anchor
    takes its best object, if they overlap enough."""
    kinds = np.full(len(overlaps), _IGNORED)
    matches = overlaps.argmax(1)
    left = overlaps.copy()
    for _ in range(overlaps.shape[1]):
        anchor, other = np.unravel_index(left.argmax(), left.shape)
        if not left[anchor, other] > np.float32(1e-6):
            break
        kinds[anchor], matches[anchor] = _LEARNT, other
        left[anchor], left[:, other] = -1, -1
    threshold = np.float32(at.number("overlap_threshold", 0.5))
    if threshold > 0:
        kinds[overlaps.max(1) > threshold] = _LEARNT
    ratio = np.float32(at.number("negative_mining_ratio", -1.0))
    free = kinds != _LEARNT
    if not ratio > 0:
        kinds[free] = _BACKGROUND
        return kinds, matches
    limit = np.float32(at.number("negative_mining_thresh", 0.5))
    if not limit > 0:
        raise MXNetError("attribute negative_mining_thresh must be greater than 0 where negatives are mined")
    wanted = min(int(np.float32((~free).sum()) * ratio), int(free.sum()))
    (candidates,) = np.nonzero(free & (overlaps.max(1) < limit))
    if len(candidates) < wanted:
        raise MXNetError(f"{wanted} negative anchors are wanted, and {len(candidates)} overlap little enough")
    powers = np.exp(scores - scores.max(0))
    unlikely = (powers[0] / powers.sum(0))[candidates]
    kinds[candidates[np.argsort(unlikely, kind="stable")[:wanted]]] = _BACKGROUND
    return kinds, matches


def _moves(boxes: Array, objects: Array, variances: Array) -> Array:
    """How each box is moved and stretched to its object, in units of the variances."""
    sides, others = boxes[:, 2:] - boxes[:, :2], objects[:, 2:] - objects[:, :2]
    shift = (objects[:, :2] + objects[:, 2:]) / 2 - (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([shift / sides, np.log(others / sides)], 1) / variances


@operator("_contrib_RROIAlign")
def _rotated_align(at: Attributes, outs: list[Tensor], data: Array, rois: Array) -> Sequence[Array]:
    """Each bin of a region is the mean of points in it, which lie between four numbers each."""
    if not np.isfinite(rois).all():
        raise MXNetError("a region has a number that is NaN or infinite")
    batches = indexes(np.trunc(rois[:, 0]), len(data))
    kind, ratio, count = data.dtype.type, at.integer("sampling_ratio", -1), outs[0].shape[2:]
    scaled = rois[:, 1:5] * np.float32(at.number("spatial_scale"))
    angles = (rois[:, 5] * math.pi / 180).astype(data.dtype)
    result = np.empty(outs[0].shape, data.dtype)
    for number, ((across, down, wide, tall), angle) in enumerate(zip(scaled, angles)):
        points = []
        for size, bins in zip((max(tall, kind(1)), max(wide, kind(1))), count):
            step = kind(size / bins)
            each = ratio if ratio > 0 else math.ceil(step)
            inner = (np.arange(each) + np.float32(0.5)).astype(data.dtype) * step / kind(each)
            points.append((-size / 2 + np.arange(bins)[:, None] * step + inner).astype(data.dtype))
        rows, columns = points[0][:, None, :, None], points[1][None, :, None, :]
        x = columns * np.cos(angle) + rows * np.sin(angle) + across
        y = rows * np.cos(angle) - columns * np.sin(angle) + down
        result[number] = _between(data[batches[number]], y, x).mean((-2, -1))
    return [result]


def _between(picture: Array, y: Array, x: Array) -> Array:
    """The picture (channels, height, width) at points, by linear interpolation; 0 beyond one step outside."""
    height, width = picture.shape[1:]
    outside = (y < -1) | (y > height) | (x < -1) | (x > width)
    total: Array = 0
    places = []
    for at, size in ((y, height), (x, width)):
        low = np.clip(at.astype(int), 0, size - 1)
        part = np.where(low >= size - 1, 0, np.maximum(at, 0) - low)
        places.append(((low, 1 - part), (np.minimum(low + 1, size - 1), part)))
    for row, share in places[0]:
        for column, other in places[1]:
            total = total + picture[:, row, column] * (share * other)
    return np.where(outside, picture[:, 0, 0].reshape(-1, *[1] * outside.ndim) * 0, total)

"""Pictures made larger and smaller: each axis is a weighted sum of its old places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.symbol import Symbol

Array = np.ndarray[Any, Any]


@converts("Upsample")
def _upsample(call: Call) -> Symbol:
    scales = call.attribute("scales") or [float(scale) for scale in call.constant(1, "scales").reshape(-1)]
    mode = call.attribute("mode", "nearest")
    # Its places were those of "asymmetric", cut down to whole ones.
    return _resized(call, list(scales), None, mode, "asymmetric", "floor")


@converts("Resize")
def _resize(call: Call) -> Symbol:
    if call.attribute("antialias", 0) or call.attribute("exclude_outside", 0):
        call.refuse("antialias and exclude_outside have no counterpart in MXNet: export the layer without.")
    call.only("keep_aspect_ratio_policy", "stretch", why="say the sizes")
    mode = call.attribute("mode", "nearest")
    first = 1 if call.opset < 11 else 2
    scales, sizes = call.known(first), call.known(3)
    rank = len(call.shape())
    axes = [call.at(axis, rank) for axis in call.integers("axes") or range(rank)]
    wide, wanted = [1.0] * rank, list(call.shape())
    if call.has_input(3):
        if sizes is None:
            call.refuse("its sizes are computed from the inputs: export the model with fixed shapes.")
        for axis, size in zip(axes, sizes.tolist()):
            wanted[axis] = int(size)
    elif scales is None:
        call.refuse("its scales are computed from the inputs: export the model with fixed shapes.")
    else:
        for axis, scale in zip(axes, scales.reshape(-1).tolist()):
            wide[axis] = float(scale)
    default = "asymmetric" if call.opset < 11 else "half_pixel"
    places = call.attribute("coordinate_transformation_mode", default)
    nearest = call.attribute("nearest_mode", "floor" if call.opset < 11 else "round_prefer_floor")
    return _resized(call, wide, wanted if call.has_input(3) else None, mode, places, nearest)


def _resized(call: Call, scales: list[float], sizes: list[Any] | None, mode: str, places: str, nearest: str) -> Symbol:
    x, rank = call.tensor(0), len(call.shape())
    changed = []
    for axis in range(rank):
        if sizes is None and scales[axis] != 1:
            old = call.size(axis)
            changed.append((axis, old, int(np.floor(old * scales[axis])), scales[axis]))
        elif sizes is not None and sizes[axis] is not call.shape()[axis] and sizes[axis] != call.shape()[axis]:
            old = call.size(axis)
            changed.append((axis, old, int(sizes[axis]), sizes[axis] / old))
    if mode == "nearest":
        return _nearest(call, x, rank, changed, places, nearest)
    if mode not in ("linear", "cubic", "bilinear"):
        call.refuse(f"mode={mode!r} has no counterpart in MXNet.")
    a = call.number("cubic_coeff_a", -0.75)
    for axis, old, new, scale in changed:
        at = _coordinates(call, old, new, scale, places)
        weights = _weights(at, old, _cubic(a) if mode == "cubic" else _linear, 2 if mode == "cubic" else 1)
        x = _along(x, rank, axis, call.parameter(weights.T.astype(call.dtype(0)), f"weights{axis}"))
    return sym.identity(x, name=call.name)


def _nearest(call: Call, x: Symbol, rank: int, changed: list[Any], places: str, nearest: str) -> Symbol:
    rows = {}
    for axis, old, new, scale in changed:
        at = _coordinates(call, old, new, scale, places)
        rounds: dict[str, Callable[[Array], Array]] = {
            "floor": np.floor,
            "ceil": np.ceil,
            "round_prefer_floor": lambda at: np.ceil(at - 0.5),
            "round_prefer_ceil": lambda at: np.floor(at + 0.5),
        }
        if nearest not in rounds:
            call.refuse(f"nearest_mode={nearest!r} is not one of {', '.join(rounds)}.")
        rows[axis] = np.clip(rounds[nearest](at), 0, old - 1).astype(np.int64)
    times = {len(row) // old if len(row) % old == 0 else 0 for (_axis, old, *_), row in zip(changed, rows.values())}
    if rank == 4 and sorted(rows) == [2, 3] and len(times) == 1 and 0 not in times:
        (times_each,) = times
        if all(
            np.array_equal(row, np.repeat(np.arange(old), times_each))
            for (_a, old, *_), row in zip(changed, rows.values())
        ):
            return sym.UpSampling(x, scale=times_each, sample_type="nearest", num_args=1, name=call.name)
    for axis, row in rows.items():
        x = sym.take(x, call.parameter(row, f"rows{axis}"), axis=axis)
    return sym.identity(x, name=call.name)


def _coordinates(call: Call, old: int, new: int, scale: float, places: str) -> Array:
    """Return the place in the old axis of each element of the new one."""
    at = np.arange(new, dtype=np.float64)
    if places in ("half_pixel", "half_pixel_symmetric"):
        # The symmetric one keeps the middle in the middle where the size was rounded.
        shift = old / 2 * (1 - new / (old * scale)) if places == "half_pixel_symmetric" else 0.0
        return shift + (at + 0.5) / scale - 0.5
    if places == "pytorch_half_pixel":
        return (at + 0.5) / scale - 0.5 if new > 1 else np.zeros(new)
    if places == "align_corners":
        if abs(old * scale - new) > 1e-3:  # ONNX's reference and ONNX Runtime do not agree on it
            call.refuse("align_corners with a scale that gives no whole size has several meanings: say the sizes.")
        return at * (old - 1) / (new - 1) if new > 1 else np.zeros(new)
    if places == "asymmetric":
        return at / scale
    return call.refuse(
        f"coordinate_transformation_mode={places!r} has no counterpart in MXNet: export with half_pixel."
    )


def _linear(distance: float) -> float:
    return max(0.0, 1.0 - abs(distance))


def _cubic(a: float) -> Callable[[float], float]:
    def kernel(distance: float) -> float:
        x = abs(distance)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    return kernel


def _weights(at: Array, old: int, kernel: Callable[[float], float], reach: int) -> Array:
    """Return a row for each new place: the weight of each old one. Places outside count as the outermost."""
    weights = np.zeros((len(at), old))
    for row, place in enumerate(at):
        first = int(np.floor(place)) - reach + 1
        for point in range(first, first + 2 * reach):
            weights[row, min(max(point, 0), old - 1)] += kernel(place - point)
    return weights


def _along(x: Symbol, rank: int, axis: int, weights: Symbol) -> Symbol:
    """Multiply one axis with a matrix."""
    if axis == rank - 1:
        return sym.dot(x, weights)
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    return sym.transpose(sym.dot(sym.transpose(x, axes=tuple(order)), weights), axes=tuple(order))

"""How much of each pixel is in each pixel of a resized picture, as OpenCV has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def _lanczos(x: float) -> float:
    if x == 0:
        return 1.0
    turn = math.pi * x
    return 4 * math.sin(turn) * math.sin(turn / 4) / turn**2 if abs(x) < 4 else 0.0


#: By the number that MXNet has for it: how far a point's influence goes, and how it fades.
KERNELS: dict[int, tuple[int, Callable[[float], float]]] = {
    0: (0, lambda _x: 1.0),
    1: (1, lambda x: max(0.0, 1 - abs(x))),
    2: (2, _cubic),
    4: (4, _lanczos),
}


def weights_for(before: Sequence[int], after: Sequence[int], interp: int) -> list[Any]:
    """Return the weights for heights and widths ``before`` and ``after``. OpenCV takes the mean of an area only where
    both shrink."""
    area = all(old >= new for old, new in zip(before, after))
    return [_weights(old, new, interp, area=area) for old, new in zip(before, after)]


def _weights(before: int, after: int, interp: int, *, area: bool) -> Any:
    """Return a row for each pixel of the result: the weight of each pixel of the source in it."""
    weights = np.zeros((after, before), np.float32)
    scale = before / after
    if interp == 3 and area:
        for row in range(after):
            for point in range(int(row * scale), min(before, math.ceil((row + 1) * scale))):
                weights[row, point] = min(point + 1, (row + 1) * scale) - max(point, row * scale)
        return weights / weights.sum(axis=1, keepdims=True)
    if interp == 3:
        # What OpenCV makes of an area smaller than a point.
        for row in range(after):
            point = int(row * scale)
            share = max(0.0, (row + 1) - (point + 1) / scale) % 1
            weights[row, point] += 1 - share
            weights[row, min(point + 1, before - 1)] += share
        return weights
    reach, kernel = KERNELS[interp]
    for row in range(after):
        if reach == 0:
            weights[row, min(before - 1, int(row * scale))] = 1
            continue
        centre = (row + 0.5) * scale - 0.5
        first = math.floor(centre) - reach + 1
        for point in range(first, first + 2 * reach):
            weights[row, min(max(point, 0), before - 1)] += kernel(centre - point)
    return weights / weights.sum(axis=1, keepdims=True)

"""Shapes as ``reshape`` takes them, with MXNet's codes below zero, and axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuron_adapters.mxnet.base import MXNetValueError

Shape = tuple[int, ...]


def reshaped(shape: Sequence[int], asked: Sequence[int], reverse: bool = False) -> Shape:
    """The shape that ``asked`` makes of ``shape``.

    0 keeps a dimension, -1 is what is left over, -2 keeps all that follow, -3 joins two, and -4 splits one into the
    two that come after it. ``reverse`` reads both from the right. Raises MXNetValueError where it cannot be.
    """
    sizes, codes = list(shape), list(asked)
    if reverse:
        sizes, codes = sizes[::-1], codes[::-1]
    reshaped: list[int] = []
    at = step = 0
    while step < len(codes):
        code = codes[step]
        step += 1
        if code >= -1:
            if code == 0 and at >= len(sizes):
                raise _impossible(shape, asked)
            reshaped.append(sizes[at] if code == 0 else code)
            at += 1
        elif code == -2:
            reshaped += sizes[at:]
            at = len(sizes)
        elif code == -3 and at + 1 < len(sizes):
            reshaped.append(sizes[at] * sizes[at + 1])
            at += 2
        elif code == -4 and at < len(sizes) and step + 1 < len(codes):
            reshaped += _split(sizes[at], codes[step], codes[step + 1])
            at, step = at + 1, step + 2
        else:
            raise _impossible(shape, asked)
    result = tuple(_fill(reshaped[::-1] if reverse else reshaped, math.prod(shape)))
    if math.prod(result) != math.prod(shape) or min(result, default=0) < 0:
        raise _impossible(shape, asked)
    return result


def axes_of(axis: int | Sequence[int] | None, dimensions: int, exclude: bool = False) -> tuple[int, ...]:
    """The axes that ``axis`` names, from 0; None, and none at all, name all of them. ``exclude``: all others."""
    if axis is None or axis == ():
        named = tuple(range(dimensions))
    else:
        named = tuple(
            number + dimensions if number < 0 else number for number in ((axis,) if isinstance(axis, int) else axis)
        )
    if any(not 0 <= number < dimensions for number in named):
        raise MXNetValueError(f"axis must be from {-dimensions} to {dimensions - 1}, got {axis!r}.")
    return tuple(number for number in range(dimensions) if number not in named) if exclude else named


def _split(length: int, first: int, second: int) -> list[int]:
    if first == -1 and second > 0:
        first = length // second
    elif second == -1 and first > 0:
        second = length // first
    if first * second != length:
        raise MXNetValueError(f"-4 cannot split {length} into {first} and {second}.")
    return [first, second]


def _fill(sizes: list[int], size: int) -> list[int]:
    if sizes.count(-1) > 1:
        raise MXNetValueError(f"only one -1 can be worked out, got {tuple(sizes)}.")
    if -1 in sizes:
        known = math.prod(length for length in sizes if length != -1)
        sizes[sizes.index(-1)] = size // known if known else 0
    return sizes


def _impossible(shape: Sequence[int], asked: Sequence[int]) -> MXNetValueError:
    return MXNetValueError(f"an array of shape {tuple(shape)} cannot be reshaped to {tuple(asked)}.")

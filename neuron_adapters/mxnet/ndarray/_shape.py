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
    given, codes = list(shape), list(asked)
    if reverse:
        given, codes = given[::-1], codes[::-1]
    made: list[int] = []
    at = step = 0
    while step < len(codes):
        code = codes[step]
        step += 1
        if code >= -1:
            if code == 0 and at >= len(given):
                raise _impossible(shape, asked)
            made.append(given[at] if code == 0 else code)
            at += 1
        elif code == -2:
            made += given[at:]
            at = len(given)
        elif code == -3 and at + 1 < len(given):
            made.append(given[at] * given[at + 1])
            at += 2
        elif code == -4 and at < len(given) and step + 1 < len(codes):
            made += _split(given[at], codes[step], codes[step + 1])
            at, step = at + 1, step + 2
        else:
            raise _impossible(shape, asked)
    result = tuple(_fill(made[::-1] if reverse else made, math.prod(shape)))
    if math.prod(result) != math.prod(shape) or min(result, default=0) < 0:
        raise _impossible(shape, asked)
    return result


def axes_of(axis: int | Sequence[int] | None, dimensions: int, exclude: bool = False) -> tuple[int, ...]:
    """The axes that ``axis`` names, from 0; None, and none at all, name all of them. ``exclude``: all others."""
    if axis is None or axis == ():
        named = tuple(range(dimensions))
    else:
        named = tuple(one + dimensions if one < 0 else one for one in ((axis,) if isinstance(axis, int) else axis))
    if any(not 0 <= one < dimensions for one in named):
        raise MXNetValueError(f"axis must be from {-dimensions} to {dimensions - 1}, got {axis!r}.")
    return tuple(one for one in range(dimensions) if one not in named) if exclude else named


def _split(length: int, first: int, second: int) -> list[int]:
    if first == -1 and second > 0:
        first = length // second
    elif second == -1 and first > 0:
        second = length // first
    if first * second != length:
        raise MXNetValueError(f"-4 cannot split {length} into {first} and {second}.")
    return [first, second]


def _fill(made: list[int], size: int) -> list[int]:
    if made.count(-1) > 1:
        raise MXNetValueError(f"only one -1 can be worked out, got {tuple(made)}.")
    if -1 in made:
        known = math.prod(one for one in made if one != -1)
        made[made.index(-1)] = size // known if known else 0
    return made


def _impossible(shape: Sequence[int], asked: Sequence[int]) -> MXNetValueError:
    return MXNetValueError(f"an array of shape {tuple(shape)} cannot be reshaped to {tuple(asked)}.")

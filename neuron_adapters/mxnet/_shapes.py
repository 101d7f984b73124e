"""Shapes as ``reshape`` takes them, with MXNet's codes, and axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from neuron_adapters.mxnet.base import MXNetValueError


def axes_of(axis: int | Sequence[int] | None, dimensions: int, exclude: bool = False) -> tuple[int, ...]:
    """Count the axes that ``axis`` names from the front; None, and none at all, name all of them. ``exclude``: all
    others."""
    if axis is None or axis == ():
        named = tuple(range(dimensions))
    else:
        named = tuple(
            number + dimensions if number < 0 else number for number in ((axis,) if isinstance(axis, int) else axis)
        )
    if any(not 0 <= number < dimensions for number in named):
        raise MXNetValueError(f"axis must be from {-dimensions} to {dimensions - 1}, got {axis!r}.")
    return tuple(number for number in range(dimensions) if number not in named) if exclude else named


def reshaped(sizes: Sequence[int], codes: Sequence[int], reverse: bool = False) -> tuple[int, ...]:
    """The shape that MXNet's codes make of ``sizes``: 0 keeps a size, -1 is computed, -2 keeps all that follow, -3
    joins two, -4 splits a size into the two numbers after it. ``reverse`` reads both from the right. Sizes that are not
    known are 0 and stay so. Raises MXNetValueError where there is no such shape."""
    if reverse:
        return reshaped(sizes[::-1], codes[::-1])[::-1]
    shape: list[int] = []
    axis = 0
    unknown = None
    remaining = iter(codes)
    for code in remaining:
        if code == -1:
            if unknown is not None:
                raise MXNetValueError(f"shape must have at most one -1, got {tuple(codes)}")
            unknown = len(shape)
        if code == -4:
            parts = [next(remaining, None), next(remaining, None)]
            shape += _split(_take(sizes, axis, codes), parts, codes)
            axis += 1
        else:
            taken, new = _decoded(code, sizes, axis, codes)
            shape += new
            axis += taken
    if unknown is not None:
        known = prod(shape)
        total = prod(sizes)
        if 0 in (known, total):
            shape[unknown] = 0
            return tuple(shape)
        shape[unknown] = total // known
    if 0 not in (*shape, *sizes) and prod(shape) != prod(sizes):
        raise MXNetValueError(f"shape {tuple(codes)} cannot hold the {prod(sizes)} values of {tuple(sizes)}")
    return tuple(shape)


def _decoded(code: int, sizes: Sequence[int], axis: int, codes: Sequence[int]) -> tuple[int, Sequence[int]]:
    """Return how many axes from ``axis`` a code stands for, and the sizes that it makes of them; -1 is 1 for now."""
    if code > 0:
        return 1, (code,)
    if code == 0:
        return 1, (_take(sizes, axis, codes),)
    if code == -1:
        return 1, (1,)
    if code == -2:
        return len(sizes) - axis, sizes[axis:]
    if code == -3:
        return 2, (_take(sizes, axis, codes) * _take(sizes, axis + 1, codes),)
    raise MXNetValueError(f"shape must have sizes or codes from 0 to -4, got {tuple(codes)}")


def _split(size: int, parts: Sequence[int | None], codes: Sequence[int]) -> tuple[int, int]:
    """Return the two sizes that ``parts`` split ``size`` into; either of them may be -1."""
    first, second = parts
    if first is None or second is None:
        raise MXNetValueError(f"shape must have two numbers after -4, got {tuple(codes)}")
    first = size // second if first == -1 and second else first
    second = size // first if second == -1 and first else second
    if size and size != first * second:
        raise MXNetValueError(f"shape splits a size of {size} into {first} and {second}")
    return first, second


def _take(sizes: Sequence[int], place: int, codes: Sequence[int]) -> int:
    if place >= len(sizes):
        raise MXNetValueError(f"shape {tuple(codes)} asks for more axes than {tuple(sizes)} has")
    return sizes[place]

"""Padding before and behind the axes of windows, which ONNX says by numbers or by a word."""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx._sizes import Size
from neuron_adapters.mxnet.symbol import Symbol


def ones(call: Call, name: str, rank: int) -> tuple[int, ...]:
    """Return an attribute with a number an axis of the window, 1 where it is not said."""
    return tuple(call.integers(name) or (1,) * rank)


def pads(
    call: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what is padded before and behind each axis."""
    rank, word = len(kernel), call.attribute("auto_pad", "NOTSET")
    if word == "VALID":
        return (0,) * rank, (0,) * rank
    if word == "NOTSET":
        both = call.integers("pads") or [0] * (2 * rank)
        if len(both) != 2 * rank:
            call.refuse(f"pads must have {2 * rank} numbers, got {both}.")
        return tuple(both[:rank]), tuple(both[rank:])
    before, behind = [], []
    for axis, (window, stride, dilation) in enumerate(zip(kernel, strides, dilations)):
        reach = (window - 1) * dilation + 1
        size = call.shape(0)[axis + 2]
        if isinstance(size, Size) and stride != 1:
            call.refuse(f"auto_pad={word} depends on the size of axis {axis + 2}: export the model with fixed shapes.")
        total = reach - 1 if isinstance(size, Size) else max((-(-size // stride) - 1) * stride + reach - size, 0)
        front = total // 2 if word == "SAME_UPPER" else total - total // 2
        before.append(front)
        behind.append(total - front)
    return tuple(before), tuple(behind)


def padded(
    x: Symbol,
    before: Sequence[int],
    behind: Sequence[int],
    mode: str = "constant",
    value: float = 0.0,
    name: str | None = None,
) -> Symbol:
    """Pad all axes. MXNet pads the last two or three of four or five axes: fewer get some in between."""
    rank = len(before)
    extra = max(4 - rank, 0)
    spaces = [0] * extra
    # (N, C, L) becomes (N, C, 1, L); what has less axes gets them in front.
    place = 2 if rank == 3 else 0
    for _ in range(extra):
        x = sym.expand_dims(x, axis=place)
    fronts = [*before[:place], *spaces, *before[place:]]
    backs = [*behind[:place], *spaces, *behind[place:]]
    width = tuple(number for pair in zip(fronts, backs) for number in pair)
    x = sym.Pad(x, mode=mode, pad_width=width, constant_value=value, name=None if extra else name)
    if not extra:
        return x
    return sym.squeeze(x, axis=tuple(range(place, place + extra)), name=name)

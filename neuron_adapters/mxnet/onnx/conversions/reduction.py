"""Sums, extremes and orders along axes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx.conversions._registry import CONVERSIONS, converts
from neuron_adapters.mxnet.symbol import Symbol

#: What is computed of each number first, what reduces, and what is computed of the result.
_KINDS = {
    "ReduceL1": ("abs", "sum", ""),
    "ReduceL2": ("square", "sum", "sqrt"),
    "ReduceLogSum": ("", "sum", "log"),
    "ReduceMax": ("", "max", ""),
    "ReduceMean": ("", "mean", ""),
    "ReduceMin": ("", "min", ""),
    "ReduceProd": ("", "prod", ""),
    "ReduceSum": ("", "sum", ""),
    "ReduceSumSquare": ("square", "sum", ""),
}


def _reduced(kind: tuple[str, str, str], call: Call) -> Symbol:
    before, reduce, after = kind
    how = _how(call)
    x = call.tensor(0)
    if how is None:
        return sym.identity(x, name=call.name)
    if before:
        x = sym(before)(x)
    if not after:
        return sym(reduce)(x, name=call.name, **how)
    return sym(after)(sym(reduce)(x, **how), name=call.name)


def _how(call: Call) -> dict[str, Any] | None:
    """Return the axes, and whether they are kept; None where nothing is reduced."""
    axes = call.integers("axes", 1)
    if not axes and call.attribute("noop_with_empty_axes", 0):
        return None
    rank = len(call.held_shape())
    places = tuple(sorted(call.at(axis, rank) for axis in axes)) if axes else tuple(range(rank))
    return {"axis": places, "keepdims": bool(call.attribute("keepdims", 1))}


for _name, _kind in _KINDS.items():
    CONVERSIONS[_name] = functools.partial(_reduced, _kind)


@converts("ReduceLogSumExp")
def _log_sum_exp(call: Call) -> Symbol:
    how, x = _how(call), call.tensor(0)
    if how is None:
        return sym.identity(x, name=call.name)
    largest = sym.max(x, axis=how["axis"], keepdims=True)
    total = sym.log(sym.sum(sym.exp(sym.broadcast_sub(x, largest)), axis=how["axis"], keepdims=True))
    return sym.sum(sym.broadcast_add(total, largest), name=call.name, **how)


def _place_of(operator: str, call: Call) -> Symbol:
    """MXNet's places are float32."""
    axis, keeps = call.axis(), bool(call.attribute("keepdims", 1))
    x = call.tensor(0)
    if call.attribute("select_last_index", 0):
        x = sym.reverse(x, axis=axis)
        places = call.size(axis) - 1 - sym(operator)(x, axis=axis, keepdims=keeps)
    else:
        places = sym(operator)(x, axis=axis, keepdims=keeps)
    return sym.cast(places, dtype="int64", name=call.name)


CONVERSIONS["ArgMax"] = functools.partial(_place_of, "argmax")
CONVERSIONS["ArgMin"] = functools.partial(_place_of, "argmin")


@converts("TopK")
def _top(call: Call) -> list[Symbol]:
    numbers = call.integers("k", 1)
    if not numbers:
        call.refuse("it needs k.")
    top = sym.topk(
        call.tensor(0),
        k=numbers[0],
        axis=call.axis(default=-1),
        ret_typ="both",
        is_ascend=not call.attribute("largest", 1),
        dtype="int64",
        name=call.name,
    )
    return [top[0], top[1]]


@converts("CumSum")
def _running_sum(call: Call) -> Symbol:
    axis = call.at(int(call.scalar(1, "axis")), len(call.shape()))
    x, backwards = call.tensor(0), bool(call.attribute("reverse", 0))
    turned = sym.reverse(x, axis=axis) if backwards else x
    total = sym.cumsum(turned, axis=axis)
    if call.attribute("exclusive", 0):
        total = sym.elemwise_sub(total, turned)
    return sym.reverse(total, axis=axis, name=call.name) if backwards else sym.identity(total, name=call.name)


@converts("OneHot")
def _one_hot(call: Call) -> Symbol:
    """A negative index counts from the end; one beyond is nowhere."""
    depth = int(call.scalar(1, "depth"))
    off, on = (float(value) for value in call.constant(2, "values").reshape(-1))
    rank = len(call.shape())
    axis = call.at(int(call.attribute("axis", -1)), rank + 1)
    index = sym.cast(call.tensor(0), dtype="float32")
    index = index + sym._lesser_scalar(index, scalar=0.0) * float(depth)
    hot = sym.one_hot(index, depth=depth, on_value=on, off_value=off, dtype=call.dtype(2))
    order = [*range(rank)]
    order.insert(axis, rank)
    return sym.identity(hot, name=call.name) if axis == rank else sym.transpose(hot, axes=tuple(order), name=call.name)


@converts("Einsum")
def _einsum(call: Call) -> Symbol:
    """A product of two whose axes are all of the batch, of one side, or summed."""
    equation = str(call.attribute("equation", "")).replace(" ", "")
    parts, _, result = equation.partition("->")
    sides = parts.split(",")
    letters = [*"".join(sides), *result]
    simple = all(len(set(side)) == len(side) for side in (*sides, result))
    if len(sides) != 2 or not result or not simple or not all(letter.isalpha() for letter in letters):
        call.refuse(f"the equation {equation!r} is not a product of two: export the model with MatMul.")
    left, right = sides
    batch = [letter for letter in left if letter in right and letter in result]
    summed = [letter for letter in left if letter in right and letter not in result]
    rows = [letter for letter in left if letter not in right]
    columns = [letter for letter in right if letter not in left]
    if any(letter not in result for letter in rows + columns):
        call.refuse(f"the equation {equation!r} sums an axis of one side: export the model with MatMul.")
    sizes = {letter: size for place, side in enumerate(sides) for letter, size in zip(side, call.shape(place))}
    numbers = {letter: size for letter, size in sizes.items() if isinstance(size, int)}
    if set(numbers) != set(sizes):
        call.refuse("its sizes must be numbers: export the model with fixed shapes.")

    def flat(place: int, side: str, groups: list[list[str]]) -> Symbol:
        order = [side.index(letter) for group in groups for letter in group]
        shape = tuple(int(np.prod([numbers[letter] for letter in group])) for group in groups)
        return sym.reshape(sym.transpose(call.tensor(place), axes=tuple(order)), shape=shape)

    product = sym.batch_dot(flat(0, left, [batch, rows, summed]), flat(1, right, [batch, summed, columns]))
    named = [*batch, *rows, *columns]
    product = sym.reshape(product, shape=tuple(numbers[letter] for letter in named))
    return sym.transpose(product, axes=tuple(named.index(letter) for letter in result), name=call.name)

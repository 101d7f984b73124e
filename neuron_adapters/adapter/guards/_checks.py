"""The checks that a guarded graph carries, and the alarm in which they come together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class Checks:
    """Checks of values of a graph, each of which is made once."""

    def __init__(self, quiet: float) -> None:
        """``quiet``: the alarm up to which all is well."""
        self._quiet = quiet
        self._totals: dict[tuple[str, int], tuple[Any, float]] = {}
        self._ranges: dict[tuple[str, int], tuple[Any, float, float]] = {}
        self._rows: dict[tuple[str, int, int], Any] = {}
        self._apart: dict[tuple[str, int], Any] = {}
        self._normal: dict[tuple[str, int], Any] = {}
        self._kept: list[tuple[Any, int]] = []
        self._varied: dict[tuple[Any, ...], tuple[Any, tuple[int, ...]]] = {}
        self._copies: list[Any] = []

    def total(self, port: Any, most: float) -> None:
        """Check that magnitudes add up to ``most`` at most: what is not finite shows in any sum."""
        _port, before = self._totals.get(port.key, (port, most))
        self._totals[port.key] = port, min(before, most)

    def within(self, port: Any, lo: float, hi: float) -> None:
        """Check that all numbers are in [``lo``, ``hi``]."""
        _port, least, most = self._ranges.get(port.key, (port, lo, hi))
        self._ranges[port.key] = port, max(least, lo), min(most, hi)

    def rows(self, port: Any, axis: int) -> None:
        """Check that no row along ``axis`` is minus infinity, or false, all along."""
        self._rows[(*port.key, axis)] = port

    def apart(self, port: Any) -> None:
        """Check that no number is near zero: its size would be that of the rounding errors of numbers as large as the
        graph's inputs."""
        self._apart[port.key] = port

    def varied(self, port: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
        """Check that numbers differ along ``axes`` by more than a small part of their size."""
        self._varied[(*port.key, axes)] = port, shape

    def normal(self, port: Any) -> None:
        """Check that no number is so small that some kernels take it for zero, and others do not."""
        self._normal[port.key] = port

    def keep_inside(self, reader: Any, count: int) -> None:
        """Clamp the indexes that the input ``reader`` of an operator takes to ``count`` rows: an operator that fails
        would hide the alarm."""
        self._kept.append((reader, count))

    def copy(self, result: Any) -> None:
        """Let ``result`` have memory of its own, since it hands an input on."""
        self._copies.append(result)

    def needed(self) -> bool:
        """Whether there is something to check, or to change."""
        checks = self._totals, self._ranges, self._rows, self._apart, self._normal, self._kept, self._varied
        return any(checks) or bool(self._copies)

    def attach(self, model: Any, *, iteration: bool = False) -> Any:
        """The model with the alarm as its last output. ``iteration``: it is the graph of an iteration: its inputs stay
        as they are, and its alarm has one dimension, along which those of all iterations are joined."""
        import openvino  # optional
        from openvino import opset13 as ov

        for result in self._copies:
            _own_memory(ov, result)
        words = {} if iteration else _split_words(ov, model)
        for reader, count in self._kept:
            source = reader.get_source_output()
            reader.replace_source_output(ov.clamp(source, 0, max(0, count - 1)).output(0))
        amounts, conditions = [], []
        for port, most in self._totals.values():
            amounts.append(_total(ov, port, self._quiet / most))
        for port, lo, hi in self._ranges.values():
            conditions += _within(ov, port, words.get(port.node.get_name()), lo, hi)
        conditions += [_normal(ov, port) for port in self._normal.values()]
        conditions += [_varied(ov, port, shape, axes) for (*_key, axes), (port, shape) in self._varied.items()]
        for (_name, _index, axis), port in self._rows.items():
            conditions.append(_some_in_each_row(ov, port, axis))
        if self._apart:
            least = ov.multiply(_mean_size(ov, model), ov.constant(np.float32(_NEAR)))
            conditions += [_apart(ov, port, least) for port in self._apart.values()]
        if conditions:
            parts = [
                ov.reduce_logical_and(condition, _all_axes(ov, condition), keep_dims=False) for condition in conditions
            ]
            ok = parts[0]
            for part in parts[1:]:
                ok = ov.logical_and(ok, part)
            amounts.append(ov.select(ok, ov.constant(np.float32(0)), ov.constant(np.float32(4 * self._quiet))))
        alarm = amounts[0] if amounts else ov.constant(np.float32(0))
        for amount in amounts[1:]:
            alarm = ov.add(alarm, amount)
        if iteration:
            alarm = ov.reshape(alarm, ov.constant(np.array([1])), special_zero=False)
        parameters = [
            words[parameter.get_name()].parameter if parameter.get_name() in words else parameter
            for parameter in model.get_parameters()
        ]
        return openvino.Model([*model.get_results(), ov.result(alarm)], parameters, "model")


#: How near to zero a computed number may come to be divided by, the graph's inputs being of size 1.
_NEAR = 2.0**-16


def _mean_size(ov: Any, model: Any) -> Any:
    """1, and the mean magnitudes of all float inputs."""
    total = ov.constant(np.float32(1))
    for parameter in model.get_parameters():
        if parameter.output(0).get_element_type().get_type_name() in {"f16", "bf16", "f32"}:
            size = ov.reduce_l1(ov.convert(parameter, "f32"), _all_axes(ov, parameter), keep_dims=False)
            count = max(1, int(np.prod(list(parameter.output(0).get_shape()))))
            total = ov.add(total, ov.multiply(size, ov.constant(np.float32(1 / count))))
    return total


def _apart(ov: Any, port: Any, least: Any) -> Any:
    size = ov.abs(ov.convert(port.output, "f32"))
    return ov.greater_equal(size, least)


def _all_axes(ov: Any, node: Any) -> Any:
    return ov.constant(np.arange(len(node.output(0).get_shape()), dtype=np.int64))


def _total(ov: Any, port: Any, factor: float) -> Any:
    value = port.output if port.type == "f32" else ov.convert(port.output, "f32").output(0)
    if port.shape:
        total = ov.reduce_l1(value, ov.constant(np.arange(len(port.shape), dtype=np.int64)), keep_dims=False)
    else:
        total = ov.abs(value)  # without dimensions a reduction hands the number on, and its sign
    return total if factor == 1 else ov.multiply(total, ov.constant(np.float32(factor)))


class _Words:
    """An input of int64 as pairs of int32: its low words, and whether the high ones are only their sign."""

    def __init__(self, ov: Any, parameter: Any) -> None:
        shape = list(parameter.output(0).get_shape())
        self.parameter = ov.parameter([*shape, 2], np.int32, name=parameter.get_friendly_name())
        axis = ov.constant(np.int32(-1))
        self.low = ov.gather(self.parameter, ov.constant(np.int32(0)), axis)
        self.high = ov.gather(self.parameter, ov.constant(np.int32(1)), axis)
        parameter.output(0).replace(ov.convert(self.low, "i64").output(0))


def _split_words(ov: Any, model: Any) -> dict[str, _Words]:
    """The words of all inputs of int64 by their names. The engine itself would cut them to 32 bits, unseen."""
    return {
        parameter.get_name(): _Words(ov, parameter)
        for parameter in model.get_parameters()
        if parameter.output(0).get_element_type().get_type_name() == "i64"
    }


def _within(ov: Any, port: Any, words: _Words | None, lo: float, hi: float) -> list[Any]:
    """Conditions that are true where the numbers of ``port`` are in [``lo``, ``hi``]."""
    value = port.output if words is None else words.low
    if port.type in {"f16", "bf16", "f32"}:
        largest = float(np.finfo(np.float32).max)
        value = ov.convert(value, "f32")
        least, most = (ov.constant(np.float32(min(max(limit, -largest), largest))) for limit in (lo, hi))
    else:
        kind = "i32" if words is not None else port.output.get_element_type()
        least, most = (ov.convert(ov.constant(np.int32(limit)), kind) for limit in (lo, hi))
    inside = ov.logical_and(ov.greater_equal(value, least), ov.less_equal(value, most))
    if words is None:
        return [inside]
    if lo >= 0:
        return [inside, ov.equal(words.high, ov.constant(np.int32(0)))]
    sign = ov.negative(ov.convert(ov.less(words.low, ov.constant(np.int32(0))), "i32"))
    return [inside, ov.equal(words.high, sign)]


#: By how much numbers that are normalised must differ, their size being 1; and how many of them are looked at.
_SPREAD, _SAMPLES = 2.0**-6, 64


def _varied(ov: Any, port: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    kept = len(shape) - len(axes)
    count = math.prod(shape[kept:])
    value = port.output
    if sorted(axis % len(shape) for axis in axes) == list(range(kept, len(shape))) and count > _SAMPLES:
        # Numbers of which some, here and there, differ are not all equal.
        value = ov.reshape(value, ov.constant(np.array([*shape[:kept], count])), special_zero=False).output(0)
        start, stop, step = (ov.constant(np.array([number])) for number in (0, count, count // _SAMPLES))
        value, axes = ov.slice(value, start, stop, step, ov.constant(np.array([kept]))).output(0), (kept,)
    elif shape != port.shape:
        value = ov.reshape(value, ov.constant(np.array(shape)), special_zero=False).output(0)
    value = ov.convert(value, "f32")
    most = ov.reduce_max(value, ov.constant(np.array(axes)), keep_dims=False)
    least = ov.reduce_min(value, ov.constant(np.array(axes)), keep_dims=False)
    size = ov.maximum(ov.abs(most), ov.abs(least))
    return ov.greater_equal(ov.subtract(most, least), ov.multiply(size, ov.constant(np.float32(_SPREAD))))


def _normal(ov: Any, port: Any) -> Any:
    value = ov.convert(port.output, "f32")
    large = ov.greater_equal(ov.abs(value), ov.constant(np.finfo(np.float32).tiny))
    return ov.logical_or(large, ov.equal(value, ov.constant(np.float32(0))))


def _some_in_each_row(ov: Any, port: Any, axis: int) -> Any:
    axes = ov.constant(np.array([axis], dtype=np.int64))
    if port.type == "boolean":
        return ov.reduce_logical_or(port.output, axes, keep_dims=False)
    largest = ov.convert(ov.reduce_max(port.output, axes, keep_dims=False), "f32")
    return ov.greater(largest, ov.constant(np.float32(-3.3e38)))


def _own_memory(ov: Any, result: Any) -> None:
    """Put an operator before ``result`` that changes no number. Without it the engine gives input and output the same
    memory, and the input is lost."""
    source = result.input_value(0)
    kind = source.get_element_type()
    if kind.get_type_name() == "boolean":
        copied = ov.logical_or(source, ov.constant(np.zeros((), bool)))
    else:
        name = kind.get_type_name()
        least = {"f32": np.finfo("f4").min, "f16": -65504.0, "bf16": -3.38e38, "u8": 0, "i8": -128, "i16": -32768}
        number = ov.constant(np.array(least.get(name, -(2**31)), "f4" if "f" in name else "i8"))
        copied = ov.maximum(source, ov.convert(number, kind))
    result.input(0).replace_source_output(copied.output(0))

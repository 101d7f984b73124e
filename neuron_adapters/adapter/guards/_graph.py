"""Follows intervals through a graph of the engine's, and adds the checks that they call for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuron_adapters.adapter.guards._checks import Checks
from neuron_adapters.adapter.guards._folding import fold
from neuron_adapters.adapter.guards._values import LARGEST, MOST_INT, RANGES, Value, of_constant
from neuron_adapters.adapter.guards.rules import RULES, TAKE_MASKS
from neuron_rt import CompileError

#: The alarm up to which a call is the engine's. NaN is not.
QUIET = float(1 << 20)

#: The mean magnitude that the numbers of an input may have; larger ones are for the framework, since rounding errors
#: grow with them. A small input may have as much as ``QUIET`` in all.
_MOST_MEAN = 4096.0
#: What the numbers of a value between two operators may have in all, where a check is needed there.
_MOST_INSIDE = float(1 << 40)

#: Operators that give each number of their input on, and no other: a check before them is as good as one behind.
_PASSING = {"Convert", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def guard(model: Any, *, bf16: bool = False) -> Any:
    """Add the alarm to ``model``, an openvino.Model of fixed shapes, as its last output: float32 of no dimension.

    ``model`` itself is changed; go on with what is returned.

    An input of int64 becomes one of int32 with a last dimension of 2, its low and high words, which is the same memory.
    ``bf16``: the engine computes in bfloat16. Raises CompileError with the operator for which no check would do.
    """
    fold(model)
    _refuse_roundings(model)
    examination = Examination(bf16)
    for node in model.get_ordered_ops():
        examination.visit(node)
    return examination.checks.attach(model)


def _refuse_roundings(model: Any) -> None:
    """Refuse a model that returns float32 and rounds to half precision on its way: the engine leaves that out. Results
    of half precision may differ by what half precision can hold."""
    if not any(source_of(node, 0).type == "f32" for node in model.get_results()):
        return
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convert" and Port(node, 0).type in {"f16", "bf16"}:
            source = source_of(node, 0)
            if source.type == "f32" and source.node.get_type_name() != "Constant":
                raise CompileError("it rounds float32 to half precision in between, which the engine leaves out")


@dataclass(frozen=True)
class Port:
    """Output ``index`` of a node."""

    node: Any
    index: int

    @property
    def key(self) -> tuple[str, int]:
        return self.node.get_name(), self.index

    @property
    def output(self) -> Any:
        return self.node.output(self.index)

    @property
    def type(self) -> str:
        return str(self.output.get_element_type().get_type_name())

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.output.get_shape())


def source_of(node: Any, index: int) -> Port:
    """The port that input ``index`` of ``node`` reads."""
    output = node.input_value(index)
    return Port(output.get_node(), output.get_index())


def _terms(port: Port, factor: int) -> list[tuple[int, Port | None]]:
    """The terms of a sum of integers, each with its factor; None for a constant, with the distance of its values."""
    node, kind = port.node, port.node.get_type_name()
    if kind in {*_PASSING, "Broadcast"}:
        return _terms(source_of(node, 0), factor)
    if kind == "Constant":
        values = np.unique(node.get_data())
        return [(factor * int(np.diff(values).min()) if values.size > 1 else 0, None)]
    if kind == "Add":
        return [*_terms(source_of(node, 0), factor), *_terms(source_of(node, 1), factor)]
    if kind == "Multiply":
        for index in range(2):
            number = source_of(node, index).node
            if number.get_type_name() == "Constant" and number.get_data().size == 1 and number.get_data().item() > 0:
                return _terms(source_of(node, 1 - index), factor * int(number.get_data().item()))
    return [(factor, port)]


def _places(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the places of a picture or a sound; of two or more, channels may come last."""
    if len(shape) < 4:
        return (len(shape) - 1,)
    channels_last = shape[-1] <= 4 < shape[1]
    return tuple(range(1, len(shape) - 1)) if channels_last else tuple(range(2, len(shape)))


class Examination:
    """What is known of all values of a graph."""

    def __init__(self, bf16: bool) -> None:
        self.values: dict[tuple[str, int], Value] = {}
        self.inputs: list[Port] = []
        self.checks = Checks(QUIET)
        self.bf16 = bf16

    def visit(self, node: Any) -> None:
        """Find what is known of the outputs of ``node``."""
        kind = node.get_type_name()
        if kind == "Parameter":
            self.inputs.append(Port(node, 0))
            self.values[node.get_name(), 0] = self._parameter(Port(node, 0))
        elif kind == "Constant":
            self.values[node.get_name(), 0] = self._constant(node)
        elif kind == "Result":
            self._result(node)
        else:
            for index, value in enumerate(self._operator(Operator(self, node))):
                self.values[node.get_name(), index] = value

    def _parameter(self, port: Port) -> Value:
        if port.type == "f64":
            raise CompileError("it takes float64, which the engine does not compute with")
        if port.type not in RANGES:
            raise CompileError(f"it takes {port.type}, which the engine does not compute with")
        value = Value(*RANGES[port.type], exact=port.type != "bf16" and not (self.bf16 and port.type in LARGEST))
        if not port.output.get_target_inputs():
            return value
        if port.type == "f16":
            return self.check(port, *RANGES["f16"])
        if port.type in LARGEST:
            return self.check_size(port, max(QUIET, _MOST_MEAN * math.prod(port.shape)))
        return self.check(port, -MOST_INT, MOST_INT) if port.type in {"i32", "i64", "u32", "u64"} else value

    def _constant(self, node: Any) -> Value:
        port = Port(node, 0)
        if port.type == "string":
            raise CompileError("it has a text as a constant")
        if port.type not in LARGEST:
            if port.type == "f64":
                array = node.get_data()
                return Value(float(array.min(initial=0)), float(array.max(initial=0)))
            value = of_constant(node.get_data(), math.inf)
            assert value is not None
            return value
        largest = LARGEST["bf16"] if self.bf16 else LARGEST[port.type]
        value = of_constant(node.get_data(), largest)
        if value is None:
            raise CompileError("a weight is NaN or infinite")
        return value.inexact() if self.bf16 else value

    def _result(self, node: Any) -> None:
        port = source_of(node, 0)
        value = self.values[port.key]
        if value.masked:
            raise CompileError("it returns infinity")
        if port.type not in LARGEST and not value.exact:
            raise CompileError("it returns integers that are computed from rounded numbers")
        origin = self._origin(port)
        if origin.node.get_type_name() == "Parameter":
            self.checks.copy(node)

    def _operator(self, op: Operator) -> list[Value]:
        if op.type not in RULES:
            raise CompileError(f"the engine's {op.type} is not known to answer as the framework's does")
        if op.type not in TAKE_MASKS and any(value.masked for value in op.ins):
            raise CompileError(f"{op.type} computes with infinity")
        if op.takes_long_integer():
            raise CompileError(f"{op.type} takes a constant of more than 32 bits")
        results = op.results()
        if self._possible(op, results):
            return results
        for index, value in enumerate(op.ins):
            if op.is_float(index) and op.constant(index) is None and value.size > _MOST_INSIDE:
                op.ins[index] = self.check_size(source_of(op.node, index), _MOST_INSIDE)
        results = op.results()
        return results if self._possible(op, results) else self.checked(op, results)

    def _possible(self, op: Operator, results: Sequence[Value]) -> bool:
        return all(value.fits(*RANGES.get(op.out_type(index), (0, 0))) for index, value in enumerate(results))

    def checked(self, op: Operator, results: Sequence[Value]) -> list[Value]:
        """The results of an operator that may leave what its type holds: with checks of them."""
        checked = []
        for index, value in enumerate(results):
            port = Port(op.node, index)
            if port.type not in LARGEST:
                raise CompileError(f"{op.type} may compute {port.type} beyond its limits, or beyond {MOST_INT}")
            self.values[port.key] = value
            if port.type == "f16" or op.takes_mask():
                # Attention masks come as the largest number: a sum of them would be infinite.
                checked.append(self.check(port, -LARGEST[port.type], LARGEST[port.type]))
            else:
                checked.append(self.check_size(port, _MOST_INSIDE))
        return checked

    def _origin(self, port: Port) -> Port:
        """Where the numbers of ``port`` come from unchanged."""
        while port.node.get_type_name() in _PASSING:
            source = source_of(port.node, 0)
            if port.node.get_type_name() == "Convert" and (port.type in LARGEST) != (source.type in LARGEST):
                break
            port = source
        return port

    # -- checks -----------------------------------------------------------------------------------------------------

    def check(self, port: Port, lo: float, hi: float) -> Value:
        """Check that all numbers of ``port`` are in [``lo``, ``hi``]."""
        origin = self._origin(port) if port.key in self.values else port
        if origin.type in LARGEST:
            origin = port
        self.checks.within(origin, lo, hi)
        while True:  # what lies between has the same numbers
            value = self.values.get(port.key) or Value(*RANGES[port.type], exact=True)
            self.values[port.key] = value.clipped(lo, hi)
            if port.key == origin.key:
                return self.values[port.key]
            port = source_of(port.node, 0)

    def check_size(self, port: Port, most: float) -> Value:
        """Check that the magnitudes of all numbers of ``port`` add up to ``most`` at most."""
        self.checks.total(port, most)
        value = self.values.get(port.key) or Value(-most, most, exact=port.type != "bf16" and not self.bf16)
        self.values[port.key] = value.clipped(-most, most)
        return self.values[port.key]

    def check_varied_inputs(self) -> None:
        """Check that the numbers of each input differ along its places."""
        for port in self.inputs:
            if len(port.shape) > 1 and port.type in LARGEST and port.output.get_target_inputs():
                self.checks.varied(port, port.shape, _places(port.shape))


class Operator:
    """See ``neuron_adapters.adapter.guards.rules.Op``."""

    def __init__(self, examination: Examination, node: Any) -> None:
        self.node = node
        self.type: str = node.get_type_name()
        self._examination = examination
        self._sources = [source_of(node, index) for index in range(node.get_input_size())]
        self.ins = [examination.values[source.key] for source in self._sources]
        self._attributes: dict[str, Any] | None = None

    def results(self) -> list[Value]:
        """What its rule says of its outputs."""
        values = RULES[self.type](self)
        count = self.node.get_output_size()
        results = values[:count] if isinstance(values, list) else [values] * count
        inexact = self._examination.bf16
        return [
            value.inexact() if inexact and self.out_type(index) in LARGEST else value
            for index, value in enumerate(results)
        ]

    def is_float(self, index: int = 0) -> bool:
        return self._sources[index].type in LARGEST

    def shape(self, index: int = 0) -> tuple[int, ...]:
        return self._sources[index].shape

    def out_shape(self, index: int = 0) -> tuple[int, ...]:
        return Port(self.node, index).shape

    def out_type(self, index: int = 0) -> str:
        return Port(self.node, index).type

    def used(self, index: int) -> bool:
        return index < self.node.get_output_size() and bool(self.node.output(index).get_target_inputs())

    def attribute(self, name: str, default: Any = None) -> Any:
        if self._attributes is None:
            self._attributes = dict(self.node.get_attributes())
        return self._attributes.get(name, default)

    def constant(self, index: int) -> Any:
        node = self._sources[index].node
        return node.get_data() if node.get_type_name() == "Constant" else None

    def takes_long_integer(self) -> bool:
        """Whether it computes with a constant integer that the engine would cut to 32 bits. As a bound of a slice, such
        a number means the end."""
        operands = self.ins[:1] if self.type in {"Slice", "StridedSlice"} else self.ins
        return any(value.size >= 1 << 31 and not self.is_float(index) for index, value in enumerate(operands))

    def takes_mask(self) -> bool:
        """Whether it takes a constant so large that it must stand for minus infinity."""
        return any(value.size > 1e30 and self.constant(index) is not None for index, value in enumerate(self.ins))

    def bound(self, index: int, lo: float, hi: float) -> Value:
        if not self.ins[index].fits(lo, hi):
            if self.constant(index) is not None:
                raise CompileError(f"{self.type} takes a constant outside of {lo} to {hi}")
            self.ins[index] = self._examination.check(self._sources[index], lo, hi)
        return self.ins[index]

    def keep_inside(self, index: int, count: int) -> None:
        self._examination.checks.keep_inside(self.node.input(index), count)

    def parts(self, index: int, count: int) -> None:
        """Where indexes of several dimensions are added up to those of the rows of all, each has to stay in its own
        dimension: x[1, -1] is not x[0, 4], though both would be row 4."""
        terms = sorted(_terms(self._sources[index], 1), key=lambda term: -term[0])
        if self._merged(count) and (len(terms) < 2 or not all(factor for factor, _term in terms)):
            raise CompileError(f"{self.type} reads several dimensions by an index whose parts are not known")
        if len(terms) < 2:
            return
        for factor, term in terms:
            if term is not None:
                self._examination.check(term, 0, max(1, count // max(1, factor)) - 1)
            if factor:
                count = factor

    def _merged(self, count: int) -> bool:
        """Whether the rows are those of several dimensions."""
        node = self._sources[0].node
        return node.get_type_name() == "Reshape" and source_of(node, 0).shape[:1] != (count,)

    def apart(self, index: int) -> None:
        self._examination.checks.apart(self._sources[index])

    def normal(self, index: int) -> None:
        if self.is_float(index) and self.constant(index) is None:
            self._examination.checks.normal(self._sources[index])

    def varied(self, index: int, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
        self._examination.checks.varied(self._sources[index], shape, axes)

    def varied_inputs(self) -> None:
        self._examination.check_varied_inputs()

    def some_in_each_row(self, index: int, axis: int) -> None:
        self._examination.checks.rows(self._sources[index], axis)

"""Guards for graphs of MXNet's, of which no framework computes what an engine cannot (SPEC K3).

The common examination (``adapter.guards``) refuses operators for which no check would do. Here the engine computes them
all the same, where finite numbers in and out show that it computes as MXNet does: MXNet orders equal scores in any way
too. What no check can show, float64 and integers of more than 24 bits in an operator that multiplies them, is left to
NumPy.

Weights are inputs of the graph that is examined, and constants when it runs. So what the examination takes for granted
of them is kept in ``Limits``, which hold for all weights of an ordinary size, and are compared at each load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuron_adapters.adapter.guards._graph import QUIET, Examination, Operator, Port, source_of
from neuron_adapters.adapter.guards._values import LARGEST, MOST_INT, RANGES, Value, symmetric, union
from neuron_adapters.adapter.guards.rules import RULES, TAKE_MASKS
from neuron_adapters.mxnet._inference import Inferred
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_rt import CompileError

Array = np.ndarray[Any, Any]

#: The mean magnitude that the numbers of an input may have: MXNet's indexes are float32, too.
_MOST_MEAN = float(1 << 24)
#: What the numbers of a value between two operators may have in all, where a check is needed there.
MOST_INSIDE = float(1 << 40)
_PRODUCTS = {"Convolution", "ConvolutionBackpropData", "MatMul"}
#: Operators that may give integers without a rule: they choose among them, or count places.
_CHOOSE = {
    "Convert", "GatherElements", "GatherND", "Gather", "NonMaxSuppression", "NonZero", "ROIPooling",
    "ScatterElementsUpdate", "ScatterNDUpdate", "ScatterUpdate", "Select", "TopK",
}  # fmt: skip


#: Operators of MXNet's that jump, and that the engine computes by a formula: near a jump its last bit decides. No check
#: shows that.
_JUMPING = {
    "_mod", "_mod_scalar", "_npi_mod", "_npi_mod_scalar", "_npi_rmod_scalar", "_rmod_scalar", "broadcast_mod", "gamma",
    "gammaln",
}  # fmt: skip


_COMPARE = {"Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual"}
_JUMP = {"Ceiling", "Convert", "ConvertLike", "Floor", "Round", *_COMPARE}
#: Operators that leave a quotient as near to a jump as it was.
_KEEP_QUOTIENTS = {
    "Abs", "Add", "Clamp", "Concat", "Identity", "Maximum", "Minimum", "Multiply", "Negative", "Relu", "Reshape",
    "Select", "Slice", "Squeeze", "StridedSlice", "Subtract", "Transpose", "Unsqueeze",
}  # fmt: skip


class BeyondEngineError(CompileError):
    """No check shows whether the engine computes a graph as MXNet does."""


@dataclass(frozen=True)
class Limits:
    """What the numbers of a weight are taken to keep to: an interval, and how much magnitudes add up to at one place on
    ``axis``."""

    least: float
    most: float
    total: float
    axis: int = 0

    @classmethod
    def of(cls, array: Array, axis: int) -> Limits:
        """Limits that hold for ``array``, and for others of its kind."""
        if array.dtype.kind != "f":  # integers are within their type
            return cls(-math.inf, math.inf, math.inf, axis)
        (exact,) = measured([array], [axis])
        if not math.isfinite(exact.total):
            return cls(-math.inf, math.inf, math.inf, axis)
        count = array.size // max(1, array.shape[axis]) if array.ndim > 1 else array.size
        most = _rounded_up(max(abs(exact.least), abs(exact.most)) or 4.0)
        least = -most if exact.least < 0 or array.ndim > 1 else exact.least / 4  # a variance is not negative
        return cls(least, most, 2 * exact.total or 16 + 4 * math.sqrt(count), axis)  # zeros wait for their numbers


def measured(arrays: Sequence[Array], axes: Sequence[int]) -> list[Limits]:
    """What holds for each array. It is part of each bind: in one call for all, and larger arrays are read once."""
    measured = []
    for array, axis in zip(arrays, axes):
        if array.dtype.kind != "f":
            measured.append(Limits(0, 0, 0))
            continue
        if array.ndim < 2 or not array.size:
            least, most = float(array.min(initial=math.inf)), float(array.max(initial=-math.inf))
            measured.append(Limits(least, most, float(np.abs(array).sum(dtype="f8"))))
            continue
        flat = array.reshape(*array.shape[:2], -1)
        flat = flat if array.dtype != np.float16 else flat.astype("f4")
        squares = np.einsum("ijk,ijk->i" if axis == 0 else "ijk,ijk->j", flat, flat)
        largest = math.sqrt(float(squares.max()))  # NaN where one of the numbers is
        measured.append(Limits(-largest, largest, largest * math.sqrt(array.size // array.shape[axis])))
    return measured


def _rounded_up(number: float) -> float:
    return float(2.0 ** math.ceil(math.log2(number) + 1))


def require_checkable(inferred: Inferred) -> None:
    """Raise BeyondEngineError for an operator that the engine computes wrongly where no check shows it."""
    for step in inferred.wiring.steps:
        name = step.operator.name
        if any(inferred.value_dtypes[number] == "float64" for number in (*step.ins, *step.outs)):
            raise BeyondEngineError(f"{name} computes float64, which the engine does not compute with")
        if name in _JUMPING and inferred.value_dtypes[step.outs[0]].startswith("float"):
            raise BeyondEngineError(f"it computes {name}, which jumps where the engine is not exact")
        if step.operator.held is not None:  # a loop, a branch: what it holds is computed, too
            tensors = [
                Tensor(str(number), inferred.value_dtypes[number], inferred.value_shapes[number] or ())
                for number in step.ins
            ]
            for graph in step.operator.held.graphs(tensors):
                require_checkable(graph)


def guard(model: Any, *, held: Mapping[str, Array], tables: Collection[str]) -> tuple[Any, dict[str, Limits]]:
    """``adapter.guards.guard`` for a graph of MXNet's: the openvino.Model with the alarm as one more output, and the
    limits of its weights.

    ``held``: the weights, which are inputs of ``model``, by their friendly names. ``tables``: inputs of which rows are
    gathered, and nothing else done. Raises BeyondEngineError where no check would do.
    """
    axes = _axes(model)
    limits = {name: Limits.of(array, axes.get(name, 0)) for name, array in held.items()}
    examination = Tolerant(limits, tables)
    for node in model.get_ordered_ops():
        examination.visit(node)
    guarded = examination.checks.attach(model)
    guarded.outputs[-1].get_tensor().set_names({"alarm"})  # else its name counts the operators of this process
    return guarded, limits


def _distance(sources: Sequence[Port], *, compared: bool) -> Port:
    """How far numbers are from a jump, less what rounding may do: negative where that is not sure. 0 is exact."""
    from openvino import opset13 as ov  # optional

    number = ov.convert(sources[0].output, "f32")
    jump = ov.convert(sources[1].output, "f32") if compared else ov.round(number, "half_to_even")
    slack = ov.multiply(ov.abs(number), ov.constant(np.float32(1e-6)))
    return Port(ov.subtract(ov.abs(ov.subtract(number, jump)), slack), 0)


def _axes(model: Any) -> dict[str, int]:
    """The axis of each weight on which an operator has a result for each place."""
    axes = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() in _PRODUCTS:
            axes[node.input_value(1).get_node().get_friendly_name()] = _axis_of(node)
        elif node.get_type_name() == "Loop":
            body = node.get_function()
            inner = _axes(body)
            for each in node.get_input_descriptions():
                name = body.get_parameters()[each.body_parameter_index].get_friendly_name()
                if name in inner:
                    axes[node.input_value(each.input_index).get_node().get_friendly_name()] = inner[name]
    return axes


def _axis_of(node: Any) -> int:
    if node.get_type_name() == "MatMul":
        return 0 if dict(node.get_attributes())["transpose_b"] else 1
    return 0 if node.get_type_name() == "Convolution" else 1


class Tolerant(Examination):
    """What is known of all values of a graph whose operators are computed by the engine or by NumPy."""

    def __init__(self, limits: Mapping[str, Limits], tables: Collection[str]) -> None:
        super().__init__(bf16=False)
        self.limits = limits
        self.tables = tables
        self.quotients: set[tuple[str, int]] = set()
        """Values that a division gave."""

    def visit(self, node: Any) -> None:
        """See the base. All values count as exact: what is decided by computed numbers is so in MXNet, too."""
        super().visit(node)
        self._follow_quotients(node)
        for index in range(node.get_output_size()):
            key = node.get_name(), index
            if key in self.values:
                self.values[key] = replace(self.values[key], exact=True)

    def _follow_quotients(self, node: Any) -> None:
        """Check that no quotient is so near to where an operator jumps that its last bit decides: the engine
        multiplies by a reciprocal, so x / x may be less than 1."""
        kind = node.get_type_name()
        sources = [source_of(node, index) for index in range(node.get_input_size())]
        divided = any(source.key in self.quotients for source in sources)
        if (kind == "Divide" and sources[0].type in LARGEST) or (divided and kind in _KEEP_QUOTIENTS):
            self.quotients.add((node.get_name(), 0))
        elif divided and kind in _JUMP and sources[0].type in LARGEST:
            port = Port(node, 0)
            if kind not in {"Convert", "ConvertLike"} or port.type not in LARGEST:
                self.checks.within(_distance(sources, compared=kind in _COMPARE), 0, LARGEST["f32"])

    def limits_of(self, port: Port) -> Limits | None:
        """Those of the weight that ``port`` is."""
        return self.limits.get(port.node.get_friendly_name()) if port.node.get_type_name() == "Parameter" else None

    def _parameter(self, port: Port) -> Value:
        limits = self.limits_of(port)
        if limits is not None and port.type in LARGEST:
            return Value(limits.least, limits.most, exact=True, undefined=limits.most == math.inf)
        if port.type not in RANGES:
            raise BeyondEngineError(f"it takes {port.type}, which the engine does not compute with")
        if port.node.get_friendly_name() in self.tables and port.type in LARGEST:
            return Value(*RANGES[port.type], exact=True, undefined=True)
        if port.type in LARGEST and port.type != "f16" and port.output.get_target_inputs():
            return self.check_size(port, max(QUIET, _MOST_MEAN * math.prod(port.shape)))
        return super()._parameter(port)

    def _constant(self, node: Any) -> Value:
        try:
            return super()._constant(node)
        except CompileError:
            return Value(-math.inf, math.inf, undefined=True)

    def _result(self, node: Any) -> None:
        port = source_of(node, 0)
        value = self.values[port.key]
        if port.type in LARGEST and (value.masked or value.undefined):
            self.check_size(port, MOST_INSIDE)
        if self._origin(port).node.get_type_name() == "Parameter":
            self.checks.copy(node)

    def _operator(self, op: Operator) -> list[Value]:
        if any(port.get_partial_shape().is_dynamic for port in op.node.outputs()) and op.type != "NonMaxSuppression":
            return [Value(0, 1)] * op.node.get_output_size()  # whether a row holds a box that was chosen, or none
        own = _OWN.get(op.type)
        if own is not None:
            results = own(self, op)
            if results is not None:
                return results
        if op.type in RULES and (op.type in TAKE_MASKS or not any(value.masked for value in op.ins)):
            try:
                return super()._operator(op)
            except BeyondEngineError:
                raise
            except CompileError:
                pass
        return self._without_rule(op)

    def _without_rule(self, op: Operator) -> list[Value]:
        """Values of an operator of which nothing is known, but that finite numbers come out of it."""
        for index in range(len(op.ins)):
            self.finite(op, index)
        results = []
        integers = any(not op.is_float(index) for index in range(len(op.ins)))
        for index in range(op.node.get_output_size()):
            port = Port(op.node, index)
            if port.type not in RANGES:
                raise BeyondEngineError(f"{op.type} computes {port.type}, which the engine does not compute with")
            if port.type in LARGEST:
                results.append(self.check_size(port, MOST_INSIDE) if port.output.get_target_inputs() else symmetric(0))
            elif port.type == "boolean":
                results.append(Value(0, 1))
            elif op.type in _CHOOSE or not integers:
                results.append(Value(*RANGES[port.type]))
            else:
                raise BeyondEngineError(f"{op.type} may compute integers beyond {MOST_INT}")
        return results

    def finite(self, op: Operator, index: int) -> None:
        """Check input ``index`` of an operator where it may be NaN or infinite."""
        value = op.ins[index]
        if op.is_float(index) and op.constant(index) is None and not value.size <= MOST_INSIDE:
            op.ins[index] = self.check_size(source_of(op.node, index), MOST_INSIDE)


# -- operators with rules of their own -------------------------------------------------------------------------------

_Own = Callable[[Tolerant, Operator], "list[Value] | None"]
_OWN: dict[str, _Own] = {}


def add_rule(*types: str) -> Callable[[_Own], _Own]:
    """Register what is known of the results of operators; None where it is what is known of them anywhere."""

    def add(function: _Own) -> _Own:
        _OWN.update(dict.fromkeys(types, function))
        return function

    return add


@add_rule(*_PRODUCTS)
def _product(examination: Tolerant, op: Operator) -> list[Value] | None:
    """Sums of products with a weight."""
    limits = examination.limits_of(source_of(op.node, 1))
    if limits is None or not op.is_float():
        return None
    if limits.axis != _axis_of(op.node) or (op.type == "MatMul" and len(op.shape(1)) != 2):
        return None
    total = limits.total
    result = symmetric(op.ins[0].size * total)
    if result.fits(*RANGES[op.out_type()]):
        return [result]
    examination.finite(op, 0)
    result = symmetric(op.ins[0].size * total)
    return [result] if result.fits(*RANGES[op.out_type()]) else examination.checked(op, [result])


@add_rule("TopK")
def _top(examination: Tolerant, op: Operator) -> list[Value] | None:
    """Equal numbers come in any order in MXNet, too. Numbers of any size have an order, such as the lowest one, which
    stands for rows that do not count."""
    if not op.ins[0].fits(*RANGES[op.out_type()]):
        examination.finite(op, 0)
    return [op.ins[0], Value(0, op.shape()[op.attribute("axis")] - 1)]


@add_rule("NonMaxSuppression")
def _suppression(examination: Tolerant, op: Operator) -> list[Value]:
    """Places that the engine chose, or -1 behind them, which its own ScatterNDUpdate leaves out. It turns boxes round
    whose second corner comes first, which MXNet does not."""
    from openvino import opset13 as ov  # optional

    boxes, axis = op.node.input_value(0), ov.constant(np.int64(2))
    low, high = (ov.gather(boxes, ov.constant(np.array(places, "i8")), axis) for places in ([0, 1], [2, 3]))
    examination.checks.within(Port(ov.subtract(high, low), 0), 0, RANGES["f32"][1])
    examination.finite(op, 0)
    examination.finite(op, 1)
    return [Value(0, 0), *[Value(0, 1)] * (op.node.get_output_size() - 1)]


@add_rule("Gather")
def _gather(examination: Tolerant, op: Operator) -> list[Value] | None:
    """A row of a table shows whether it is finite; the whole table need not be looked at."""
    source = source_of(op.node, 0)
    if source.node.get_type_name() != "Parameter" or source.node.get_friendly_name() not in examination.tables:
        return None
    axis = int(op.constant(2).item())
    if op.constant(1) is None or op.ins[1].lo < 0:
        op.bound(1, 0, op.shape(0)[axis] - 1)
    return [examination.check_size(Port(op.node, 0), MOST_INSIDE)]


@add_rule("GatherND", "ScatterNDUpdate")
def _at_coordinates(examination: Tolerant, op: Operator) -> list[Value] | None:
    """Indexes are checked one coordinate at a time."""
    from openvino import opset13 as ov  # optional

    if op.constant(1) is None and not op.ins[1].fits(0, min(op.shape(0)) - 1):
        first = op.attribute("batch_dims", 0)
        sizes = op.shape(0)[first : first + op.shape(1)[-1]]
        indexes = op.node.input_value(1)
        for place, size in enumerate(sizes):
            column = ov.gather(indexes, ov.constant(np.int64(place)), ov.constant(np.int64(-1)))
            examination.checks.within(Port(column, 0), 0, size - 1)
        _clear(op, 1, np.zeros(len(sizes)), np.array(sizes) - 1)
    return [op.ins[0] if op.type == "GatherND" else union(op.ins[0], op.ins[2])]


@add_rule("ROIAlign")
def _region(_examination: Tolerant, op: Operator) -> list[Value] | None:
    op.bound(2, 0, op.shape(0)[0] - 1)
    _clear(op, 2, np.zeros(()), np.array(op.shape(0)[0] - 1))
    return None


@add_rule("GatherElements", "ScatterElementsUpdate")
def _elements(_examination: Tolerant, op: Operator) -> list[Value] | None:
    scattered = op.type == "ScatterElementsUpdate"
    size = op.shape(0)[int(op.constant(3).item()) if scattered else op.attribute("axis")]
    if op.constant(1) is None and not op.ins[1].fits(0, size - 1):
        op.bound(1, 0, size - 1)
        _clear(op, 1, np.zeros(()), np.array(size - 1))
    return [union(op.ins[0], op.ins[2])] if scattered else None


@add_rule("ROIPooling")
def _pooled_region(examination: Tolerant, op: Operator) -> list[Value] | None:
    from openvino import opset13 as ov  # optional

    column = ov.gather(op.node.input_value(1), ov.constant(np.int64(0)), ov.constant(np.int64(1)))
    examination.checks.within(Port(column, 0), 0, op.shape(0)[0] - 1)
    most = float(np.finfo(np.float32).max)
    _clear(op, 1, np.array([0, *[-most] * 4]), np.array([op.shape(0)[0] - 1, *[most] * 4]))
    return None


def _clear(op: Operator, index: int, least: Array, most: Array) -> None:
    """Let an operator take 0 for what is outside: the engine would read and write beyond its memory, before the alarm
    is heard."""
    from openvino import opset13 as ov  # optional

    source = op.node.input_value(index)
    kind = source.get_element_type()
    lo, hi, zero = (ov.convert(ov.constant(limit.astype(np.float32)), kind) for limit in (least, most, np.zeros(())))
    inside = ov.logical_and(ov.greater_equal(source, lo), ov.less_equal(source, hi))
    op.node.input(index).replace_source_output(ov.select(inside, source, zero).output(0))


@add_rule("Divide")
def _divide(_examination: Tolerant, op: Operator) -> list[Value] | None:
    """Of integers: those that are not negative, by those that are not zero."""
    if op.is_float():
        return None
    dividend, divisor = op.bound(0, 0, MOST_INT), op.bound(1, 1, MOST_INT)
    return [Value(0, dividend.hi // max(1, divisor.lo))]


@add_rule("Mod", "FloorMod")
def _modulo(_examination: Tolerant, op: Operator) -> list[Value] | None:
    if op.is_float():
        return None
    if op.type == "Mod":
        op.bound(0, 0, MOST_INT)
    divisor = op.bound(1, 1, MOST_INT)
    return [Value(0, divisor.hi - 1)]


@add_rule("ReduceMean", "AvgPool")
def _mean(_examination: Tolerant, op: Operator) -> list[Value] | None:
    if not op.is_float():
        raise BeyondEngineError(f"{op.type} of integers is not MXNet's")
    return None


@add_rule("Convert")
def _convert(_examination: Tolerant, op: Operator) -> list[Value] | None:
    """Integers from numbers of any sign are those that are cut off."""
    if op.out_type() not in RANGES:
        raise BeyondEngineError(f"it computes {op.out_type()}, which the engine does not compute with")
    if op.out_type() == "boolean" or op.out_type() in LARGEST:
        return None
    lo, hi = RANGES[op.out_type()]
    value = op.bound(0, lo, hi)
    return [Value(math.trunc(value.lo), math.trunc(value.hi))]


def arrays_of(memory: Mapping[str, memoryview], specs: Mapping[str, tuple[Sequence[int], str]]) -> dict[str, Array]:
    """The weights in ``memory`` as arrays, of shapes and dtypes in ``specs``."""
    arrays = {}
    for name, view in memory.items():
        shape, dtype = specs[name]
        arrays[name] = np.frombuffer(view, np.dtype(dtype)).reshape(shape)
    return arrays

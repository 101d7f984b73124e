"""Converts the nodes of an ONNX model one after the other to a graph of MXNet's operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.files.printable import printable
from neuron_adapters.mxnet import symbol as sym
from neuron_adapters.mxnet.base import FormatError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.onnx import _sizes, _types
from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._errors import ConversionError
from neuron_adapters.mxnet.onnx._files import DTYPES
from neuron_adapters.mxnet.onnx._model import Model, is_small
from neuron_adapters.mxnet.onnx._sizes import Dims, Size, array_of_sizes, is_known
from neuron_adapters.mxnet.onnx.conversions import CONVERSIONS
from neuron_adapters.mxnet.symbol import Symbol

Array = np.ndarray[Any, Any]

#: Operators whose result is not the same each time, or that hold graphs: never computed while a model is read.
_COMPUTED_LATE = {
    "Bernoulli", "If", "Loop", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    "Scan",
}  # fmt: skip
#: Operators that only say what is known.
_SAID = {"Constant", "Shape", "Size"}


class Graph:
    """``known``: the values that are numbers, or sizes. ``parameters``: the arrays that the graph took so far.
    ``variables``: the inputs. ``read``: names of the values that nodes or the outputs read."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.known: dict[str, Array] = dict(model.arrays)
        self.parameters: dict[str, Array] = {}
        self._reads = Counter([*(name for node in model.nodes for name in node.input), *model.outputs])
        self.read = set(self._reads)
        self._symbols: dict[str, Symbol] = {}
        self.variables: dict[str, Symbol] = {}
        for name in model.inputs:
            variable = self.variables[name] = self._symbols[name] = sym.var(name)
            dtype = self.dtype(name)
            if dtype not in ("float32", ""):
                # Scripts feed float32 whatever the file says: what the model computes with has its own dtype.
                self._symbols[name] = sym.cast(variable, dtype="float32" if dtype == "bool" else dtype)

    def convert(self) -> Symbol:
        """Convert all nodes; return the outputs. Raises ConversionError, and FormatError for a damaged file."""
        for node in self.model.nodes:
            call = Call(self, node)
            try:
                self._convert(call, node)
            except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
                if isinstance(error, (FormatError, ConversionError)):
                    raise
                call.refuse(f"its attributes or inputs do not fit together: {error}")
        outputs = [self._output(name) for name in self.model.outputs]
        return outputs[0] if len(outputs) == 1 else sym.Group(outputs)

    def _convert(self, call: Call, node: Any) -> None:
        computed = self._computed(call, node)
        if computed is not None:
            self.known.update(zip(call.outputs, computed))
            return
        results = CONVERSIONS[call.op](call)
        _types.infer(self.model, call, node, self.known)
        listed: Sequence[Symbol | None] = [results] if isinstance(results, Symbol) else list(results)
        for place, name in enumerate(call.outputs):
            if place < len(listed) and listed[place] is not None:
                self._symbols[name] = listed[place]  # type: ignore[assignment]
            elif call.used(place):
                call.refuse(f"its output {place} has no counterpart in MXNet.")

    # -- values -------------------------------------------------------------------------------------------------

    def shape(self, name: str) -> Dims | None:
        """Return the shape of a value; None where its rank is not known."""
        if name in self.known:
            return tuple(self.known[name].shape)
        kind = self.model.types.get(name)
        return None if kind is None else kind.shape

    def dtype(self, name: str) -> str:
        """Return ONNX's dtype of a value, "" where it is not known."""
        if name in self.known and is_known(self.known[name]):
            return str(self.known[name].dtype.name)
        kind = self.model.types.get(name)
        return "int64" if name in self.known else "" if kind is None else kind.dtype

    def symbol(self, name: str) -> Symbol:
        """Return a value as a symbol: a parameter where it is numbers."""
        if name not in self._symbols:
            array = self.known[name]
            if not is_known(array):
                self._symbols[name] = self._sizes_of(name, array)
                return self._symbols[name]
            self._symbols[name] = self.parameter(name, array)
        return self._symbols[name]

    def _sizes_of(self, name: str, array: Array) -> Symbol:
        """Return sizes as a symbol: those of inputs of the model are read from them when the graph runs."""
        parts = []
        for size in array.reshape(-1):
            if not isinstance(size, Size):
                parts.append(self.parameter(f"{name}_size", np.array([size], np.int64)))
            elif size.source is not None:
                source, axis = size.source
                shape = sym.shape_array(self.variables[source])
                parts.append(sym.slice_axis(shape, axis=0, begin=axis, end=axis + 1))
            else:
                raise ConversionError(
                    f"the value {printable(name, 200)} is a size that is known only when the graph is bound, and MXNet "
                    "has no such values: export the model with fixed shapes.",
                    node=name,
                    operator="Shape",
                )
        whole = parts[0] if len(parts) == 1 else sym.concat(*parts, dim=0)
        return sym.reshape(whole, shape=array.shape) if array.ndim > 1 else whole

    def state(self, name: str) -> Symbol:
        """Return a constant as an auxiliary state. Those are of one node: what others read as well is copied."""
        return self.symbol(name) if self._reads[name] == 1 else self.parameter(f"{name}_state", self.known[name])

    def parameter(self, name: str, array: Array) -> Symbol:
        """Create a variable with these numbers."""
        own, count = name, 0
        while own in self.parameters or own in self.variables:
            count += 1
            own = f"{name}_{count}"
        held = array.astype("float32") if array.dtype == bool else array
        self.parameters[own] = np.ascontiguousarray(held).reshape(held.shape or (1,))
        return sym.var(own, shape=self.parameters[own].shape, dtype=_hint(held))

    def _output(self, name: str) -> Symbol:
        kind = self.model.types.get(name)
        output = self.symbol(name)
        return sym.cast(output, dtype="bool") if kind is not None and kind.dtype == "bool" else output

    def split(self, outputs: Symbol) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return the parameters that the graph takes: arguments and auxiliary states."""
        arrays = {name: NDArray(array) for name, array in self.parameters.items()}
        return (
            {name: arrays[name] for name in outputs.list_arguments() if name in arrays},
            {name: arrays[name] for name in outputs.list_auxiliary_states() if name in arrays},
        )

    # -- what is computed while the model is read ---------------------------------------------------------------

    def _computed(self, call: Call, node: Any) -> list[Array] | None:
        """Return the outputs of a node that follow without the data, None where they do not."""
        if call.op in _SAID:
            said = self._said(call)
            return None if said is None else [said]
        if call.op == "CastLike" and call.known(0) is not None and self.dtype(call.inputs[1]):
            return [call.constant(0, "input").astype(self.dtype(call.inputs[1]))]
        names = [name for name in call.inputs if name]
        if call.op in _COMPUTED_LATE or not names or any(name not in self.known for name in names):
            return None
        arrays = [self.known.get(name) for name in call.inputs]
        if not all(array is None or is_known(array) for array in arrays):
            attributes = {
                key: call.attribute(key) for key in ("axis", "axes", "starts", "ends") if call.has_attribute(key)
            }
            result = _sizes.compute(call.op, attributes, arrays)
            return None if result is None else [result]
        numbers = [array for array in arrays if array is not None]
        if not all(is_small(self.shape(name), numbers) for name in call.outputs if name):
            return None
        return _evaluated(call, node, dict(zip(names, numbers)))

    def _said(self, call: Call) -> Array | None:
        if call.op == "Constant":
            return _constant(call)
        shape = self.shape(call.inputs[0])
        if shape is None:
            return None
        if call.op == "Shape":
            return array_of_sizes(shape[call.attribute("start", 0) : call.attribute("end", None)])
        size = np.asarray(1)
        for part in shape:
            size = np.asarray(_sizes.compute("Mul", {}, [size, array_of_sizes([part]).reshape(())]))
        return size


def _hint(array: Array) -> str | None:
    """Return the dtype that the variable says, where it is none that follows by itself."""
    return None if array.dtype == np.float32 else array.dtype.name


def _constant(call: Call) -> Array:
    if call.has_attribute("value"):
        return call.graph.model.constant(call.attribute("value"))
    for name, dtype in (("value_float", "float32"), ("value_int", "int64")):
        if call.has_attribute(name):
            return np.asarray(call.attribute(name), dtype)
    for name, dtype in (("value_floats", "float32"), ("value_ints", "int64")):
        if call.has_attribute(name):
            return np.asarray(call.attribute(name), dtype).reshape(-1)
    return call.refuse("it is text or a sparse tensor, which MXNet lacks.")


def _evaluated(call: Call, node: Any, feed: dict[str, Array]) -> list[Array] | None:
    """Compute a node with ONNX's own reference; None where that has no answer, which leaves it to the graph."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    numbers = {name: number for number, name in DTYPES.items()}
    inputs = [
        helper.make_tensor_value_info(name, numbers[array.dtype.name], array.shape) for name, array in feed.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in call.outputs if name]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", call.opset)])
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feed)
    except Exception:  # noqa: BLE001 - whatever it lacks, the graph's own operators may have
        return None
    arrays = [np.asarray(result) for result in results]
    return arrays if all(array.dtype.name in numbers for array in arrays) else None

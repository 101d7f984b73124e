"""A node of an ONNX model as its conversion sees it: inputs as symbols or numbers, attributes, shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from neuron_adapters.files.printable import printable
from neuron_adapters.mxnet.onnx._errors import ConversionError
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx._sizes import Dim, Dims, Size, is_known
from neuron_adapters.mxnet.symbol import Symbol

if TYPE_CHECKING:
    from neuron_adapters.mxnet.onnx._graph import Graph

Array = np.ndarray[Any, Any]


class Call:
    """One node. ONNX's booleans are 0 and 1 of float32 here, and its numbers without axes arrays of one number, since
    MXNet's operators have neither."""

    def __init__(self, graph: Graph, node: Any) -> None:
        from onnx import helper

        self.graph = graph
        self.op: str = node.op_type
        self.opset = graph.model.opset
        self.inputs = list(node.input)
        self.outputs = list(node.output)
        self.name: str | None = node.name or None
        self._attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}

    def refuse(self, why: str) -> NoReturn:
        """Raise the error that names the node and its operator. ``why``: what cannot be, and what to do."""
        shown = printable(self.name or (self.outputs or ["?"])[0], 200)
        raise ConversionError(f"{self.op} {shown}: {why}", node=shown, operator=self.op)

    # -- attributes ---------------------------------------------------------------------------------------------

    def has_attribute(self, name: str) -> bool:
        """Whether the file says it."""
        return name in self._attributes

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute; text as str."""
        value = self._attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def number(self, name: str, default: float) -> float:
        """Return a number as people write it: the file has float32, whose 0.1 is 0.10000000149."""
        return float(str(np.float32(self._attributes.get(name, default))))

    def only(self, name: str, *accepted: Any, why: str) -> None:
        """Refuse any other value of an attribute; the first accepted one is the default."""
        if self.attribute(name, accepted[0]) not in accepted:
            self.refuse(f"{name}={self.attribute(name)!r} has no counterpart in MXNet: {why}.")

    # -- inputs -------------------------------------------------------------------------------------------------

    def has_input(self, place: int) -> bool:
        """Whether it has this input."""
        return place < len(self.inputs) and self.inputs[place] != ""

    def used(self, place: int) -> bool:
        """Whether it has this output, and something reads it."""
        return place < len(self.outputs) and self.outputs[place] in self.graph.read

    def sizes(self, place: int) -> Array | None:
        """Return an input as numbers and sizes; None where it depends on the data or is not given."""
        return self.graph.known.get(self.inputs[place]) if self.has_input(place) else None

    def known(self, place: int) -> Array | None:
        """Return an input as numbers; None where it depends on the data, or is not given."""
        array = self.sizes(place)
        return array if array is not None and is_known(array) else None

    def constant(self, place: int, what: str) -> Array:
        """Return an input that must be numbers."""
        array = self.known(place)
        if array is None:
            self.refuse(
                f"what it takes as {what} is computed from the inputs, and MXNet needs it while the graph is made: "
                "export the model with fixed shapes."
            )
        return array

    def integers(self, name: str, place: int | None = None) -> list[int] | None:
        """Return whole numbers that newer versions have as an input and older ones as an attribute."""
        if name in self._attributes:
            value = self._attributes[name]
            return [value] if isinstance(value, int) else [int(number) for number in value]
        if place is None or not self.has_input(place):
            return None
        return [int(number) for number in self.constant(place, name).reshape(-1)]

    def scalar(self, place: int, what: str) -> Any:
        """Return an input that must be one number."""
        array = self.constant(place, what)
        if array.size != 1:
            self.refuse(f"its {what} must be one number, got the shape {array.shape}.")
        return array.reshape(-1)[0].item()

    def tensor(self, place: int) -> Symbol:
        """Return an input as a symbol; numbers become a parameter."""
        return self.graph.symbol(self.inputs[place])

    def tensors(self) -> list[Symbol]:
        """Return all inputs as symbols."""
        return [self.tensor(place) for place in range(len(self.inputs))]

    def parameter(self, array: Array, what: str) -> Symbol:
        """Return new numbers as a parameter of the node."""
        return self.graph.parameter(f"{self.name or self.outputs[0]}_{what}", array)

    # -- types --------------------------------------------------------------------------------------------------

    def dtype(self, place: int) -> str:
        """Return the dtype of an input as its symbol has it: float32 for a boolean, and where it is not known."""
        dtype = self.graph.dtype(self.inputs[place])
        return "float32" if dtype in ("bool", "") else dtype

    def shape(self, place: int = 0) -> Dims:
        """Return the shape of an input. Refuses one whose rank does not follow."""
        shape = self.graph.shape(self.inputs[place])
        if shape is None:
            self.refuse("the number of axes of its input does not follow: export the model with shapes.")
        return shape

    def held_shape(self, place: int = 0) -> Dims:
        """Return the shape that the symbol has: (1,) for a number without axes."""
        return self.shape(place) or (1,)

    def axis(self, place: int = 0, default: int = 0, name: str = "axis") -> int:
        """Return the attribute ``axis``, counted from the front."""
        return self.at(int(self.attribute(name, default)), len(self.held_shape(place)))

    def at(self, axis: int, rank: int) -> int:
        """Count an axis from the front."""
        if not -rank <= axis < max(rank, 1):
            self.refuse(f"axis {axis} is not one of its {rank} axes.")
        return axis % max(rank, 1)

    def size(self, axis: int, place: int = 0) -> int:
        """Return a size that must be a number."""
        size = self.shape(place)[axis]
        if isinstance(size, Size):
            self.refuse(f"the size of axis {axis} of its input must be a number: export the model with fixed shapes.")
        return size

    def numbers(self, sizes: Sequence[Dim]) -> list[int] | None:
        """Return sizes that are all numbers; None where one is not."""
        return [size for size in sizes if isinstance(size, int)] if all(isinstance(s, int) for s in sizes) else None


def lifted(x: Symbol, rank: int, wanted: int) -> Symbol:
    """Give ``x`` axes of size 1 in front until it has ``wanted``."""
    for _ in range(wanted - rank):
        x = sym.expand_dims(x, axis=0)
    return x

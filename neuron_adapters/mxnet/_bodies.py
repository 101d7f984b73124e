"""Graphs that a node holds: the body of a loop, the branches of a condition, the operators that another one fuses."""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.mxnet._errors import BeyondOnnxError, invalid
from neuron_adapters.mxnet._graph import Entry, walk
from neuron_adapters.mxnet._inference import Inferred, Wiring
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._rules import Dtypes, MaybeShape, Shapes


class Body:
    """One graph in a node. Its ``variables``, in MXNet's order, stand for values outside."""

    def __init__(self, heads: Sequence[Entry]) -> None:
        self.heads = list(heads)
        self.nodes = [node for node in walk(heads) if node.op != "null"]
        self.variables = [node for node in walk(heads) if node.op == "null"]
        self._wiring: Wiring | None = None

    @property
    def wiring(self) -> Wiring:
        """Its values. Raises UnsupportedOperatorError and InvalidGraphError as Wiring does."""
        if self._wiring is None:
            self._wiring = Wiring(self.heads)
        return self._wiring

    def shapes(self, ins: Sequence[MaybeShape], outs: Sequence[MaybeShape] = ()) -> tuple[Shapes, Shapes]:
        """Infer the shapes of variables and outputs from those that are known."""
        known: Shapes = [None] * len(self.wiring.owners)
        for number, shape in (*zip(self.wiring.outputs, outs), *zip(self._numbers, ins)):
            known[number] = known[number] if shape is None else shape
        self.wiring.infer_shapes(known)
        return [known[number] for number in self._numbers], [known[number] for number in self.wiring.outputs]

    def dtypes(self, ins: Dtypes) -> tuple[Dtypes, Dtypes]:
        """Infer the dtypes of variables and outputs from those of the variables, as far as they follow."""
        known: Dtypes = [None] * len(self.wiring.owners)
        for number, dtype in zip(self._numbers, ins):
            known[number] = dtype
        self.wiring.infer_dtypes(known, default=None)
        return [known[number] for number in self._numbers], [known[number] for number in self.wiring.outputs]

    def inferred(self, tensors: Sequence[Tensor]) -> Inferred:
        """Infer everything from tensors for the variables. Raises InvalidGraphError where a shape stays unknown."""
        shapes: Shapes = [None] * len(self.wiring.owners)
        dtypes: Dtypes = [None] * len(self.wiring.owners)
        for number, tensor in zip(self._numbers, tensors):
            shapes[number], dtypes[number] = tensor.shape, tensor.dtype
        self.wiring.infer_dtypes(dtypes)
        self.wiring.infer_shapes(shapes)
        inferred = Inferred(self.wiring, shapes, [dtype or "float32" for dtype in dtypes])
        inferred.require_complete()
        return inferred

    def translate(self, to: Builder, inferred: Inferred, ins: Sequence[Value]) -> list[Value]:
        """Add the operators to ``to``, with ``ins`` in place of the variables; return the outputs."""
        outputs = to.outputs
        values = dict(zip(self._numbers, ins))
        translate_steps(to, inferred, values)
        to.turn_back(outputs)
        return [values[number] for number in self.wiring.outputs]

    @property
    def _numbers(self) -> list[int]:
        return [number for _node, number in self.wiring.variables]


def translate_steps(to: Builder, inferred: Inferred, values: dict[int, Value]) -> None:
    """Add all operators of a graph to ``to``, in order. ``values``: those of the variables by number; all others are
    added. Raises InvalidGraphError where an operator cannot be translated."""
    shapes, dtypes = inferred.value_shapes, inferred.value_dtypes
    for step in inferred.wiring.steps:
        tensors = [Tensor(values[number].name, dtypes[number], shapes[number] or ()) for number in step.ins]
        to.turn(step.node.name, [Tensor("", dtypes[number], shapes[number] or ()) for number in step.outs])
        try:
            translated = step.operator.translate(to, step.node.attrs, *tensors)
        except BeyondOnnxError:
            raise
        except (ValueError, ArithmeticError) as error:
            raise invalid(step.node, str(error)) from error
        for number, value in zip(step.outs, translated):
            values[number] = to.cast(value, dtypes[number])

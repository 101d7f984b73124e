"""``_sg_mkldnn_conv`` and ``_sg_mkldnn_fully_connected``: a layer with what follows it, as MKL-DNN fuses them.

The node holds the float operators. A quantized one computes them from what its inputs stand for, and quantizes the
result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet._graph import Node
from neuron_adapters.mxnet.operators import find
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import Operator, operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shapes, unify
from neuron_adapters.mxnet.operators.quantized import (
    LEVELS,
    PRODUCT_LEVELS,
    calibrated,
    floats,
    integers,
    inverse,
    magnitude,
)

if TYPE_CHECKING:
    from neuron_adapters.mxnet._bodies import Body
    from neuron_adapters.mxnet._graph import Entry
    from neuron_adapters.mxnet._inference import Inferred

_LAYERS = {"_sg_mkldnn_conv": "Convolution", "_sg_mkldnn_fully_connected": "FullyConnected"}
#: What comes out of these is not negative, so a quantized node gives uint8.
_POSITIVE = {"clip", "square", "sqrt", "exp", "abs"}
_POSITIVE_ACTIVATIONS = {"relu", "sigmoid", "softrelu"}


class Fused:
    """The operators that one node holds. ``names``: its inputs."""

    at: Attributes
    body: Body
    quantized: bool
    floats: bool
    layer: str
    names: list[str]
    auxiliary: frozenset[str]

    def __init__(self, node: Node) -> None:
        from neuron_adapters.mxnet._bodies import Body

        self.at = Attributes(node.attrs)
        if len(node.subgraphs) != 1:
            raise ValueError(f"it must hold one graph, got {len(node.subgraphs)}")
        self.body = Body(node.subgraphs[0])
        self.quantized = self.at.flag("quantized", default=False)
        self.floats = self.at.flag("enable_float_output", default=False)
        self._nodes = self.body.nodes
        node_operators = [(each, find(each.op)) for each in self._nodes]
        self._known = [(each, known) for each, known in node_operators if known is not None]
        self.layer = _LAYERS[node.op]
        if len(self.body.heads) != 1 or [each.op for each in self._nodes].count(self.layer) != 1:
            raise ValueError(f"it must hold one {self.layer} and have one output")
        self.names = self._base_names()
        #: Of which inputs numbers are quantized, with the place of the range of each.
        self.ranges: dict[str, int] = {}
        if self.quantized:
            self.names += self._range_names()
        self.auxiliary = self._states()

    def _base_names(self) -> list[str]:
        names: dict[int, str] = {}
        for node, known in self._known:
            for entry, name in zip(node.inputs, known.inputs(node.attrs)):
                names[id(entry.node)] = "sum" if name in ("lhs", "rhs") else name
        return [names.get(id(node), "data") for node in self.body.variables]

    def _range_names(self) -> list[str]:
        wanted = ["data"]
        if self.layer == "Convolution":
            wanted += ["sum"] if self.at.flag("with_sum", default=False) else []
        elif not self.at.flag("channel_wise_quantize", default=False):
            wanted = self.names[:]
        for place, name in enumerate(wanted):
            self.ranges[name] = len(self.names) + 2 * place
        return [f"{end}_{name}" for name in wanted for end in ("min", "max")]

    def _states(self) -> frozenset[str]:
        states = {name for node, known in self._known for name in known.states(node.attrs)}
        return frozenset(states & set(self.names))

    def outputs(self) -> list[str]:
        """Name the outputs."""
        if not self.quantized or self.floats:
            return ["output"]
        ends = ("output_min", "output_max") if self.layer == "Convolution" else ("min_output", "max_output")
        return ["output", *ends]

    def output_dtype(self) -> str:
        """Return the type of what a quantized node gives."""
        if self.floats:
            return "float32"
        if calibrated(self.at) is None:
            return "int32"
        last = self._nodes[-1]
        kind = last.attrs.get("act_type", "leaky" if last.op == "LeakyReLU" else "")
        positive = last.op in _POSITIVE or (last.op == "Activation" and kind in _POSITIVE_ACTIVATIONS)
        if last.op == "LeakyReLU" and kind == "leaky":
            positive = self.layer == "FullyConnected" or Attributes(last.attrs).number("slope", 0.25) == 0
        return "uint8" if positive else "int8"

    def shapes(self, _at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        """Infer shapes by the operators that it holds."""
        count = len(self.body.variables)
        inner, outputs = self.body.shapes(ins[:count], outs[:1])
        ranges = [unify(shape, (1,), "range") for shape in ins[count:]]
        return [*inner, *ranges], [*outputs, *[(1,)] * (len(outs) - 1)]

    def dtypes(self, _at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
        """Infer dtypes: weights of a convolution are float32, also where its data are not."""
        if not self.quantized:
            return self.body.dtypes(ins)
        kept: Dtypes = [dtype if name in self.ranges else "float32" for name, dtype in zip(self.names, ins)]
        if self.layer == "FullyConnected":
            kept = [
                "int8" if name in self.ranges and name != "data" else dtype for name, dtype in zip(self.names, kept)
            ]
        outs: Dtypes = [self.output_dtype(), "float32", "float32"]
        return kept, outs[:count]

    def graphs(self, tensors: Sequence[Tensor]) -> list[Inferred]:
        """Infer the operators from tensors for the node's inputs: of a quantized node they compute in float32."""
        inner = tensors[: len(self.body.variables)]
        if self.quantized:
            inner = [Tensor(each.name, "float32", each.shape) for each in inner]
        return [self.body.inferred(inner)]

    def translate(self, to: Builder, _at: Attributes, *tensors: Tensor) -> list[Value]:
        """Compute the operators in float32, and quantize what they give."""
        if not self.quantized:
            return self.body.translate(to, self.graphs(tensors)[0], tensors)
        out, values = to.outputs, []
        for name, tensor in zip(self.names[: len(self.body.variables)], tensors):
            place = self.ranges.get(name)
            value = tensor if place is None else floats(to, tensor, tensors[place], tensors[place + 1])
            values.append(Tensor(value.name, "float32", tensor.shape))
        (result,) = self.body.translate(to, self.graphs(tensors)[0], values)
        dtype, limits = out[0].dtype, calibrated(self.at)
        if dtype == "float32":
            return [result]
        if limits is not None:
            most = max(abs(limits[0]), abs(limits[1]), 1e-30)
            ends = [to.constant([end], "float32") for end in limits]
            return [integers(to, to.Mul(result, LEVELS[dtype] / most), dtype), *ends]
        largest = self._unknown_range(to, result)
        scale = to.Mul(inverse(to, largest), float((1 << 24) - 1))
        # Whole numbers of 24 bits: what comes next divides by the range, and float32 counts that far. MXNet quantizes
        # by other levels than those that it tells the range by.
        told = math.prod(LEVELS[each] / PRODUCT_LEVELS[each] for each in (tensors[0].dtype, "int8"))
        wide = to.Mul(largest, told * LEVELS["int32"] / float((1 << 24) - 1))
        return [to.cast(to.Round(to.Mul(result, scale)), "int32"), to.Neg(wide), wide]

    def _unknown_range(self, to: Builder, result: Value) -> Value:
        flat = to.reshape(result, [-1])
        low, high = (to.reduce(f"Reduce{kind}", flat, [0]) for kind in ("Min", "Max"))
        return magnitude(to, low, high)

    def named_inputs(self, inputs: Sequence[Entry]) -> list[tuple[Node, Entry, str]]:
        """List what the operators take of the node's inputs."""
        return [(self._nodes[0], entry, name) for entry, name in zip(inputs, self.names)]


def _fuse(general: Operator, node: Node) -> Operator:
    held = Fused(node)
    return dataclasses.replace(
        general, translation=held.translate, shape_rule=held.shapes, dtype_rule=held.dtypes, held=held,
        input_names=tuple(held.names), output_names=tuple(held.outputs()), auxiliary=tuple(held.auxiliary),
    )  # fmt: skip


def _without_graph(*_arguments: Any) -> Any:
    raise ValueError("it works in graphs only, where its node holds another graph")


for _name in _LAYERS:
    operator(_name, inputs=_without_graph, outputs=_without_graph, shapes=_without_graph, dtypes=_without_graph,
             holding=_fuse)(_without_graph)  # fmt: skip

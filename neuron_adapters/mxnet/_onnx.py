"""Translates a graph of MXNet's, whose shapes and dtypes are inferred, to an ONNX model of fixed shapes.

``onnx`` is slow to import, so that happens when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet._bodies import translate_steps
from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet._graph import output_names
from neuron_adapters.mxnet._inference import Inferred
from neuron_adapters.mxnet.operators._builder import NUMBERS, Builder, Drawn, OnnxNode, Subgraph, Tensor, Value

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]

#: The set of operators that the models use, and the file format that came with it.
OPSET = 18
IR_VERSION = 8


def translate(inferred: Inferred, constants: Mapping[str, Array]) -> onnx.ModelProto:
    """Translate as ``translate_with_draws`` does. Raises BeyondOnnxError where the graph draws random numbers."""
    model, draws = translate_with_draws(inferred, constants)
    if draws:
        raise BeyondOnnxError(
            f"{next(iter(draws)).rpartition('/')[0]} draws random numbers, for which ONNX has no form"
        )
    return model


def translate_with_draws(
    inferred: Inferred, constants: Mapping[str, Array], *, loops: bool = False
) -> tuple[onnx.ModelProto, dict[str, Drawn]]:
    """An ONNX model of fixed shapes. Variables named in ``constants`` are its initializers, the others its inputs, in
    the order of ``walk``; its outputs have the names that ``list_outputs()`` says. An input that nothing reads
    (a label, the gamma of a BatchNorm that fixes it) stays an input here, which not every reader of ONNX keeps. What is
    drawn at random is an input, too: the draws are returned by name. ``loops``: whether a long loop becomes a ``Loop``.

    Raises InvalidGraphError where a shape is not known, a value is too large, or an operator cannot be translated.
    """
    inferred.require_complete()
    inferred.require_possible()
    to = Builder(loops=loops)
    values = {number: Value(node.name, inferred.value_dtypes[number]) for node, number in inferred.wiring.variables}
    translate_steps(to, inferred, values)
    return _model(inferred, to, values, constants), to.draws


def _model(
    inferred: Inferred, to: Builder, values: Mapping[int, Value], constants: Mapping[str, Array]
) -> onnx.ModelProto:
    from onnx import helper

    wiring, shapes, dtypes = inferred.wiring, inferred.value_shapes, inferred.value_dtypes
    names = {node.name for node, _number in wiring.variables}
    held = {name: array for name, array in constants.items() if name in names}
    nodes, outputs = _named(inferred, to.nodes, values)

    def tensor(name: str, number: int) -> Tensor:
        return Tensor(name, dtypes[number], shapes[number] or ())

    graph = Subgraph(
        nodes,
        {**held, **to.constants},
        [
            *(tensor(node.name, number) for node, number in wiring.variables if node.name not in held),
            *(Tensor(name, drawn.dtype, drawn.shape) for name, drawn in to.draws.items()),
        ],
        [tensor(name, number) for name, number in zip(outputs, wiring.outputs)],
    )
    model = helper.make_model(
        _graph(graph, "model"),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="neuron_adapters.mx",
    )
    return model  # noqa: RET504 - mypy knows the name's type, not the function's


def _graph(graph: Subgraph, name: str) -> onnx.GraphProto:
    from onnx import helper, numpy_helper

    def node(node: OnnxNode) -> onnx.NodeProto:
        attributes = {
            key: _graph(value, key) if isinstance(value, Subgraph) else value for key, value in node.attributes.items()
        }
        return helper.make_node(node.op, node.inputs, node.outputs, **attributes)

    ins, outs = (
        [helper.make_tensor_value_info(each.name, NUMBERS[each.dtype], list(each.shape)) for each in tensors]
        for tensors in (graph.inputs, graph.outputs)
    )
    constants = [numpy_helper.from_array(array, constant) for constant, array in graph.constants.items()]
    return helper.make_graph([*map(node, graph.nodes)], name, ins, outs, constants)


def _named(
    inferred: Inferred, nodes: Sequence[OnnxNode], values: Mapping[int, Value]
) -> tuple[list[OnnxNode], list[str]]:
    """Rename the heads' values as ``list_outputs()`` names them; return the nodes and those names."""
    wiring = inferred.wiring
    produced = {name for node in nodes for name in node.outputs}
    taken = {node.name for node, _number in wiring.variables}
    renamed: dict[str, str] = {}
    names: list[str] = []
    copies: list[OnnxNode] = []
    for (node, index), number in zip(wiring.heads, wiring.outputs):
        suffix = "" if node.op == "null" else f"_{output_names(node)[index]}"
        name = plain = node.name + suffix
        # A variable may be an output, and two nodes may have one name; ONNX wants each value once.
        while name in taken:
            name = f"{plain}#{len(names)}"
        taken.add(name)
        names.append(name)
        value = values[number].name
        if value in produced and value not in renamed:
            renamed[value] = name
        else:
            copies.append(OnnxNode("Identity", [value], [name], {}))
    return [node.renamed(renamed) for node in [*nodes, *copies]], names

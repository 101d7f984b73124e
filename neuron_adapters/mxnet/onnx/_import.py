"""ONNX files as MXNet's graphs: ``import_model``, ``import_to_gluon``, ``get_model_metadata``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from neuron_adapters.files.printable import printable
from neuron_adapters.mxnet.base import FormatError
from neuron_adapters.mxnet.gluon import SymbolBlock
from neuron_adapters.mxnet.gluon.parameter import Contexts
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.onnx._errors import ConversionError
from neuron_adapters.mxnet.onnx._files import read
from neuron_adapters.mxnet.onnx._graph import Graph
from neuron_adapters.mxnet.onnx._model import Model
from neuron_adapters.mxnet.onnx.conversions import CONVERSIONS
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["get_model_metadata", "import_model", "import_to_gluon"]

Params = dict[str, NDArray]


def import_model(model_file: str | os.PathLike[str]) -> tuple[Symbol, Params, Params]:
    """Read an ONNX file as a graph of MXNet's operators, its arguments and its auxiliary states, by ONNX's names.

    Nodes and parameters keep their names. The graph is as any other: it can be bound, sliced, saved, compiled.

    Raises ConversionError, a NotImplementedError, which names the nodes that MXNet's operators cannot express,
    FormatError for a damaged file, MissingError for a missing one; all are MXNetErrors.
    """
    graph, outputs = _converted(model_file)
    return (outputs, *graph.split(outputs))


def import_to_gluon(model_file: str | os.PathLike[str], ctx: Contexts) -> SymbolBlock:
    """Read an ONNX file as a block that runs on ``ctx``, a context or a list of them. Raises as ``import_model``."""
    graph, outputs = _converted(model_file)
    arguments, states = graph.split(outputs)
    block = SymbolBlock(outputs, list(graph.variables.values()))
    for name, array in {**arguments, **states}.items():
        block.params[name].become(array, ctx)
    return block


def _converted(path: str | os.PathLike[str]) -> tuple[Graph, Symbol]:
    try:
        graph = Graph(Model(path, CONVERSIONS, _require_convertible))
        return graph, graph.convert()
    except UnicodeDecodeError as error:  # protobuf says so when a name is read
        raise FormatError(f"{os.fspath(path)} is damaged: a name in it is not text.") from error


def get_model_metadata(model_file: str | os.PathLike[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the file says of its inputs and outputs: under "input_tensor_data" name, shape and ONNX's number of
    the dtype of each input that is no parameter, under "output_tensor_data" name and shape. A size that is not fixed is
    0. Raises FormatError and MissingError."""
    graph = read(model_file).graph
    held = {tensor.name for tensor in graph.initializer}

    def shape(value: Any) -> tuple[int, ...]:
        return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)

    inputs = [value for value in graph.input if value.name not in held]
    return {
        "input_tensor_data": [(value.name, shape(value), value.type.tensor_type.elem_type) for value in inputs],
        "output_tensor_data": [(value.name, shape(value)) for value in graph.output],
    }


def _require_convertible(path: str, nodes: Iterable[Any]) -> None:
    """Raise ConversionError that names all operators which have no conversion, each with its nodes."""
    unknown: dict[str, list[str]] = {}
    for node in nodes:
        if node.op_type not in CONVERSIONS or node.domain not in ("", "ai.onnx"):
            operator = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
            unknown.setdefault(operator, []).append(node.name or (list(node.output) or ["?"])[0])
    if unknown:
        listed = "; ".join(
            f"{printable(operator, 80)} ({', '.join(printable(name, 80) for name in names[:5])}"
            f"{f' and {len(names) - 5} more' if len(names) > 5 else ''})"
            for operator, names in sorted(unknown.items())
        )
        operator, names = min(unknown.items())
        raise ConversionError(
            f"{path}: MXNet has no operators for {listed}. Export the model without them, or run the file with another "
            "engine.",
            node=names[0],
            operator=operator,
        )

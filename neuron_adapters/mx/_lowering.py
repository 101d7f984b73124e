"""From a graph of MXNet's to the engine: translated to ONNX, read by OpenVINO, and put as text round the weights.

The weights never pass through ONNX: for the translation they are inputs, and become constants in the text, which names
them. So nothing of their content is copied or looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuron_adapters.files import openvino_ir
from neuron_adapters.files.openvino_ir import Lowered
from neuron_adapters.mx import _onnx
from neuron_adapters.mx._graph import Entry, walk
from neuron_adapters.mx._operators import find
from neuron_adapters.mx._subgraphs import inline
from neuron_rt import CompileError

Array = np.ndarray[Any, Any]
Spec = tuple[tuple[int, ...], np.dtype[Any]]

#: Names of operators' inputs that are weights: what a network learns, and nobody feeds.
_WEIGHTS = {
    "weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "running_mean", "running_var", "parameters",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A lowered graph. ``inputs``: the variables it is given at each call, in the engine's order. ``held``: the
    variables that are its constants, in the order in which the text numbers them. ``outputs``: shapes and dtypes."""

    lowered: Lowered
    inputs: tuple[str, ...]
    held: tuple[str, ...]
    outputs: tuple[Spec, ...]


def weights(heads: Sequence[Entry]) -> set[str]:
    """Names of the variables that are weights wherever they are used."""
    found: set[str] = set()
    fed: set[str] = set()
    for node in walk(inline(heads)):
        operator = find(node.op)
        names = operator.inputs(node.attrs) if operator is not None else ()
        for entry, name in zip(node.inputs, names):
            if entry.node.op == "null":
                # A table that is only looked up in needs no packing, and is read where it is.
                held = name in _WEIGHTS and node.op != "Embedding"
                (found if held else fed).add(entry.node.name)
    return found - fed - {entry.node.name for entry in heads}


def labels(heads: Sequence[Entry]) -> set[str]:
    """Names of the variables that are labels, from which nothing is computed at inference."""
    found: set[str] = set()
    for node in walk(inline(heads)):
        operator = find(node.op)
        names = operator.inputs(node.attrs) if operator is not None else ()
        found.update(entry.node.name for entry, name in zip(node.inputs, names) if name == "label")
    return found


def lower(heads: Sequence[Entry], specs: Mapping[str, Spec], held: Mapping[str, memoryview]) -> Plan:
    """Lower a graph. ``specs``: shape and dtype of every variable. ``held``: the memory of those that are constants.

    Raises UnsupportedOperatorError and InvalidGraphError, and CompileError where the engine cannot read the result.
    """
    heads = inline(heads)
    shapes = {name: shape for name, (shape, _dtype) in specs.items()}
    dtypes = {name: dtype.name for name, (_shape, dtype) in specs.items()}
    model = _onnx.translate(heads, shapes, dtypes, {})
    outputs = tuple(
        (tuple(size.dim_value for size in one.type.tensor_type.shape.dim), _dtype_of(one)) for one in model.graph.output
    )
    converted, names = _converted(model)
    constants = [name for name in names if name in held]
    numbers = {name: number for number, name in enumerate(constants)}
    lowered = openvino_ir.lower(converted, [held[name] for name in constants], numbers)
    return Plan(lowered, tuple(name for name in names if name not in held), tuple(constants), outputs)


def _converted(model: Any) -> tuple[Any, list[str]]:
    """An openvino.Model, and the names of its inputs in order. Labels are no inputs: nothing is computed from them."""
    import openvino

    wanted = [one.name for one in model.graph.input]
    try:
        read = openvino.Core().read_model(model.SerializeToString())
        inputs = {next(iter(one.output(0).get_names())): one for one in read.get_parameters()}
        for name, one in inputs.items():
            one.set_friendly_name(name)
        names = [name for name in wanted if name in inputs]
        made = openvino.Model(read.get_results(), [inputs[name] for name in names], "model")
        made.validate_nodes_and_infer_types()
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CompileError(f"openvino cannot read the translated graph: {reason[-1][:300]}") from error
    return made, names


def _dtype_of(value: Any) -> np.dtype[Any]:
    import onnx

    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))

"""From a graph of MXNet's to the engine: translated to ONNX, read by OpenVINO, and put as text round the weights.

The weights never pass through ONNX: for the translation they are inputs, and become constants in the text, which names
them. So nothing of their content is copied or looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuron_adapters.files import openvino_ir
from neuron_adapters.mxnet import _onnx
from neuron_adapters.mxnet._backend import Plan, Spec
from neuron_adapters.mxnet._graph import Entry
from neuron_adapters.mxnet._subgraphs import inline
from neuron_rt import CompileError


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

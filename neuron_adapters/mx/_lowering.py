"""Lowers a graph of MXNet's: it is translated to ONNX, read by OpenVINO, and becomes text that names its weights.

The weights never pass through ONNX: for the translation they are inputs, and become constants in the text, which names
them. So nothing of their content is copied or looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuron_adapters.files import openvino_ir
from neuron_adapters.mxnet import _onnx
from neuron_adapters.mxnet._backend import Plan
from neuron_adapters.mxnet._inference import Inferred
from neuron_rt import CompileError


def lower(inferred: Inferred, held: Mapping[str, memoryview]) -> Plan:
    """Lower a graph whose shapes and dtypes are inferred. ``held``: the memory of the variables that are constants.

    Raises InvalidGraphError, and CompileError where the engine cannot read the result.
    """
    model = _onnx.translate(inferred, {})
    outputs = tuple((shape or (), np.dtype(dtype)) for shape, dtype in inferred.outputs)
    converted, names = _converted(model)
    constants = [name for name in names if name in held]
    numbers = {name: number for number, name in enumerate(constants)}
    lowered = openvino_ir.lower(converted, [held[name] for name in constants], numbers)
    return Plan(lowered, tuple(name for name in names if name not in held), tuple(constants), outputs)


def _converted(model: Any) -> tuple[Any, list[str]]:
    """Convert to an openvino.Model; also return the names of its inputs in order, without labels, from which nothing is
    computed."""
    import openvino

    wanted = [entry.name for entry in model.graph.input]
    try:
        read = openvino.Core().read_model(model.SerializeToString())
        inputs = {next(iter(parameter.output(0).get_names())): parameter for parameter in read.get_parameters()}
        for name, parameter in inputs.items():
            parameter.set_friendly_name(name)
        names = [name for name in wanted if name in inputs]
        reordered = openvino.Model(read.get_results(), [inputs[name] for name in names], "model")
        reordered.validate_nodes_and_infer_types()
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CompileError(f"openvino cannot read the translated graph: {reason[-1][:300]}") from error
    return reordered, names

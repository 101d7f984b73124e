"""From a graph of MXNet's to the engine: translated to ONNX, read by OpenVINO, and put as text round the weights.

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
    """Lower a graph whose values are known. ``held``: the memory of the variables that are constants.

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

"""Lowers a graph of MXNet's: it is translated to ONNX, read by OpenVINO, and becomes text that names its weights.

The weights never pass through ONNX: for the translation they are inputs, and become constants in the text, which names
them. So nothing of their content is copied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from neuron_adapters.adapter.guards._folding import fold
from neuron_adapters.files import openvino_ir
from neuron_adapters.mx import _loops  # noqa: F401 - it registers what is known of loops
from neuron_adapters.mx._guards import arrays_of, guard, measured, require_checkable
from neuron_adapters.mxnet import _onnx
from neuron_adapters.mxnet._backend import Plan
from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet._inference import Inferred
from neuron_rt import CompileError


def lower(inferred: Inferred, held: Mapping[str, memoryview], tables: Collection[str] = ()) -> Plan:
    """Lower a graph whose shapes and dtypes are inferred. ``held``: the memory of the variables that are constants.
    ``tables``: variables of which rows are gathered.

    Where the engine cannot read the result, or no check shows that it computes as MXNet does, NumPy computes. Raises
    InvalidGraphError.
    """
    plan = _lower(inferred, held, tables, loops=True)
    if plan.lowered is None and any(step.operator.held is not None for step in inferred.wiring.steps):
        unrolled = _lower(inferred, held, tables, loops=False)
        return plan if unrolled.lowered is None else unrolled
    return plan


def _lower(inferred: Inferred, held: Mapping[str, memoryview], tables: Collection[str], *, loops: bool) -> Plan:
    outputs = tuple((shape or (), np.dtype(dtype)) for shape, dtype in inferred.outputs)
    if inferred.has_empty():
        return Plan(None, (), (), outputs, inferred, why="a value has no elements")
    try:
        model, draws = _onnx.translate_with_draws(inferred, {}, loops=loops)
    except BeyondOnnxError as error:
        return Plan(None, (), (), outputs, inferred, why=str(error))
    try:
        converted, names = _converted(model)
    except CompileError as error:
        return Plan(None, (), (), outputs, inferred, why=str(error))
    constants = [name for name in names if name in held]
    inputs = tuple(name for name in names if name not in held)
    shapes, dtypes = inferred.shapes, inferred.dtypes
    weights = arrays_of(
        {name: held[name] for name in constants}, {name: (shapes[name] or (), dtypes[name]) for name in constants}
    )
    try:
        require_checkable(inferred)
        fold(converted)
        guarded, limits = guard(converted, held=weights, tables=tables)
    except CompileError as error:  # BeyondEngineError, too
        return Plan(None, inputs, tuple(constants), outputs, inferred, why=str(error), draws=draws)
    numbers = {name: number for number, name in enumerate(constants)}
    lowered = openvino_ir.lower(guarded, [held[name] for name in constants], numbers)
    return Plan(
        lowered, inputs, tuple(constants), outputs, inferred, tuple(limits[name] for name in constants), draws=draws
    )


def _exclude_thresholds(model: Any) -> None:
    """ONNX suppresses boxes that overlap by more than a threshold, and OpenVINO those that overlap by just as much,
    too: let its thresholds be the next larger numbers."""
    from openvino import opset13 as ov  # optional

    for node in model.get_ops():
        if node.get_type_name() == "NonMaxSuppression":
            threshold = np.float32(node.input_value(3).get_node().get_data())
            # Numbers below the smallest normal one may count as 0.
            above = np.maximum(np.nextafter(threshold, np.float32(2)), np.finfo(np.float32).tiny)
            node.input(3).replace_source_output(ov.constant(above.astype(np.float32)).output(0))


def fits(plan: Plan, weights: Sequence[np.ndarray[Any, Any]]) -> bool:
    """Whether the weights of ``plan`` keep to what its guards take for granted of them."""
    for limit, exact in zip(plan.limits, measured(weights, [limit.axis for limit in plan.limits])):
        if not (limit.least <= exact.least and exact.most <= limit.most and exact.total <= limit.total):
            return False
    return True


def _converted(model: Any) -> tuple[Any, list[str]]:
    """Convert to an openvino.Model; also return the names of its inputs in order, without labels, from which nothing is
    computed."""
    import openvino

    wanted = [entry.name for entry in model.graph.input]
    try:
        read = openvino.Core().read_model(model.SerializeToString())
        _exclude_thresholds(read)
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

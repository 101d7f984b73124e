"""Computes the parts of a graph that depend on no input, such as the shapes in a graph of fixed shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

#: Bytes up to which a float result is computed beforehand. Larger ones are weights in another order, which a file would
#: have to store twice.
_MOST = 64 << 10


def fold(model: Any) -> None:
    """Replace operators on constants by their results, in ``model`` itself and in the graphs of its loops."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Loop":
            fold(node.get_function())
    while _fold_once(model):
        model.validate_nodes_and_infer_types()


def _fold_once(model: Any) -> bool:
    from openvino import opset13 as ov  # optional

    changed = False
    for node in model.get_ordered_ops():
        results = _results(node)
        for port, result in zip(node.outputs(), results):
            port.replace(ov.constant(result).output(0))
            changed = True
    return changed


def _results(node: Any) -> list[Any]:
    """What ``node`` gives, where that can be computed now and should be; nothing else."""
    kind = node.get_type_name()
    if kind in {"Parameter", "Constant", "Result", "Loop"} or not any(
        port.get_target_inputs() for port in node.outputs()
    ):
        return []
    if kind == "ShapeOf":
        shape = node.input_value(0).get_partial_shape()
        if shape.is_dynamic:
            return []
        return [np.array(list(shape.to_shape()), node.output(0).get_element_type().to_dtype())]
    sources = [value.get_node() for value in node.input_values()]
    if not all(source.get_type_name() == "Constant" for source in sources) or not _worth(node):
        return []
    results = [_tensor(port.get_element_type(), list(port.get_shape())) for port in node.outputs()]
    inputs = [_tensor(source.output(0).get_element_type(), source.get_data()) for source in sources]
    return [result.data for result in results] if node.evaluate(results, inputs) else []


def _worth(node: Any) -> bool:
    for port in node.outputs():
        kind = port.get_element_type()
        name = kind.get_type_name()
        if port.get_partial_shape().is_dynamic or name in {"string", "f16", "bf16"}:
            return False
        if name.startswith("f") and math.prod(port.get_shape()) * kind.size > _MOST:
            return False
    return True


def _tensor(kind: Any, content: Any) -> Any:
    """A tensor of ``kind``: of the shape ``content``, or with the numbers of an array."""
    import openvino  # optional

    if isinstance(content, list):
        return openvino.Tensor(kind, content)
    tensor = openvino.Tensor(kind, list(content.shape))
    tensor.data[...] = content
    return tensor

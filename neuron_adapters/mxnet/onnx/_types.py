"""Shapes that follow from one node, where the inference over the whole file left them open.

The inference of ONNX does not follow all shapes that nodes compute. What was computed while the model is read is known
here: the numbers, and which sizes are which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet.onnx._files import DTYPES
from neuron_adapters.mxnet.onnx._model import SMALL, Model, Type
from neuron_adapters.mxnet.onnx._sizes import Dim, Dims, Size, is_known

if TYPE_CHECKING:
    import onnx

    from neuron_adapters.mxnet.onnx._call import Call

Array = np.ndarray[Any, Any]

_NUMBERS = {name: number for number, name in DTYPES.items()}


def infer(model: Model, call: Call, node: Any, known: Mapping[str, Array]) -> None:
    """Add the types of the outputs of ``node`` that are not known to ``model.types``."""
    shaped = _said_shape(call)
    open_outputs = [name for name in call.outputs if name and _shape(model, name) is None]
    if shaped is not None:
        model.types[call.outputs[0]] = Type(
            model.types.get(call.outputs[0], Type("", None)).dtype or _dtype(call), shaped
        )
    elif open_outputs:
        for name, kind in _by_onnx(model, call, node, known).items():
            if name in open_outputs and kind.shape is not None:
                model.types[name] = kind


def _shape(model: Model, name: str) -> Dims | None:
    kind = model.types.get(name)
    return None if kind is None else kind.shape


def _dtype(call: Call) -> str:
    if call.op == "ConstantOfShape":
        value = call.attribute("value")
        return "float32" if value is None else DTYPES.get(value.data_type, "")
    return call.graph.dtype(call.inputs[0])


def _said_shape(call: Call) -> Dims | None:
    """Return the shape that an input says, where it is known by now."""
    place = {"Reshape": 1, "ConstantOfShape": 0}.get(call.op)
    sizes = None if place is None else call.sizes(place)
    if sizes is None:
        return None
    wanted: list[Dim] = [size if isinstance(size, Size) else int(size) for size in sizes.reshape(-1)]
    if call.op == "ConstantOfShape":
        return tuple(wanted)
    shape = call.graph.shape(call.inputs[0])
    if shape is None and any(not isinstance(size, Size) and size <= 0 for size in wanted):
        return None
    shape = shape or ()
    copied = [
        shape[at] if not isinstance(size, Size) and size == 0 and at < len(shape) else size
        for at, size in enumerate(wanted)
    ]
    return tuple(_rest(shape, copied) if not isinstance(size, Size) and size == -1 else size for size in copied)


def _rest(shape: Dims, wanted: Sequence[Dim]) -> Dim:
    """Return the size that -1 stands for: what is left when sizes on both sides cancel out."""
    left, right = list(shape), [size for size in wanted if isinstance(size, Size) or size != -1]
    for size in list(right):
        if isinstance(size, Size) and any(other is size for other in left):
            left.pop(next(at for at, other in enumerate(left) if other is size))
            right.pop(next(at for at, other in enumerate(right) if other is size))
    numbers = math.prod(size for size in left if isinstance(size, int))
    divisor = math.prod(size for size in right if isinstance(size, int))
    open_sizes = [size for size in left if isinstance(size, Size)]
    if any(isinstance(size, Size) for size in right) or not divisor:
        return Size()
    if not open_sizes:
        return numbers // divisor
    return open_sizes[0] if len(open_sizes) == 1 and numbers == divisor else Size()


def _by_onnx(model: Model, call: Call, node: Any, known: Mapping[str, Array]) -> dict[str, Type]:
    """Ask the operator's own rule of ONNX."""
    from onnx import defs, helper, numpy_helper, shape_inference

    names: dict[str, Size] = {}
    types: dict[str, onnx.TypeProto] = {}
    for name in call.inputs:
        shape, dtype = call.graph.shape(name) if name else None, call.graph.dtype(name) if name else ""
        if name and dtype:
            sizes = None if shape is None else [_name(size, names) for size in shape]
            types[name] = helper.make_tensor_type_proto(_NUMBERS[dtype], sizes)
    data = {
        name: numpy_helper.from_array(known[name], name)
        for name in call.inputs
        if name in known and is_known(known[name]) and known[name].size <= SMALL
    }
    opsets = [helper.make_opsetid("", model.opset)]
    try:
        schema = defs.get_schema(call.op, model.opset)
        results = shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets)
    except Exception:  # noqa: BLE001 - it is C++; what it does not know stays open
        return {}
    return {name: _type(kind.tensor_type, names) for name, kind in results.items()}


def _name(size: Dim, names: dict[str, Size]) -> int | str:
    if not isinstance(size, Size):
        return size
    name = f"size{id(size)}"
    names[name] = size
    return name


def _type(tensor: Any, names: Mapping[str, Size]) -> Type:
    if not tensor.HasField("shape"):
        return Type(DTYPES.get(tensor.elem_type, ""), None)
    return Type(
        DTYPES.get(tensor.elem_type, ""),
        tuple(
            size.dim_value if size.HasField("dim_value") else names.get(size.dim_param) or Size()
            for size in tensor.shape.dim
        ),
    )

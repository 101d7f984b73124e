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
    """Add what follows of the outputs of ``node`` to ``model.types``."""
    said = _said_shape(call)
    if said is not None:
        _add(model, call.outputs[0], Type(_dtype(call), said))
    elif any(name and _is_open(model.types.get(name)) for name in call.outputs):
        for name, kind in _by_onnx(model, call, node, known).items():
            _add(model, name, kind)


def _is_open(kind: Type | None) -> bool:
    return kind is None or kind.shape is None or any(map(_is_nameless, kind.shape))


def _is_nameless(size: Dim) -> bool:
    """Whether it is a size of which no input of the model is known to have it."""
    return isinstance(size, Size) and size.source is None


def _add(model: Model, name: str, kind: Type) -> None:
    old = model.types.get(name)
    if old is None or old.shape is None:
        model.types[name] = Type((old.dtype if old is not None else "") or kind.dtype, kind.shape)
    elif kind.shape is not None and len(kind.shape) == len(old.shape):
        sizes = tuple(new if _is_nameless(size) else size for size, new in zip(old.shape, kind.shape))
        model.types[name] = Type(old.dtype or kind.dtype, sizes)


def _dtype(call: Call) -> str:
    if call.op == "ConstantOfShape":
        value = call.attribute("value")
        return "float32" if value is None else DTYPES.get(value.data_type, "")
    return call.graph.dtype(call.inputs[0])


def _said_shape(call: Call) -> Dims | None:
    """Return the shape that an input says, where it is known by now."""
    if call.op == "Slice":
        return _sliced(call)
    if call.op == "Range":
        return _counted(call)
    place = {"Reshape": 1, "ConstantOfShape": 0, "Expand": 1}.get(call.op)
    sizes = None if place is None else call.sizes(place)
    if sizes is None:
        return None
    wanted: list[Dim] = [size if isinstance(size, Size) else int(size) for size in sizes.reshape(-1)]
    if call.op == "ConstantOfShape":
        return tuple(wanted)
    shape = call.graph.shape(call.inputs[0])
    if call.op == "Expand":
        return None if shape is None else _expanded(shape, wanted)
    if shape is None and any(not isinstance(size, Size) and size <= 0 for size in wanted):
        return None
    shape = shape or ()
    copied = [
        shape[at] if not isinstance(size, Size) and size == 0 and at < len(shape) else size
        for at, size in enumerate(wanted)
    ]
    return tuple(_rest(shape, copied) if not isinstance(size, Size) and size == -1 else size for size in copied)


def _expanded(shape: Dims, wanted: Sequence[Dim]) -> Dims:
    rank = max(len(shape), len(wanted))
    own = [*(1,) * (rank - len(shape)), *shape]
    target = [*(1,) * (rank - len(wanted)), *wanted]
    return tuple(size if isinstance(new, int) and new == 1 else new for size, new in zip(own, target))


def _counted(call: Call) -> Dims | None:
    """Return the shape of a range from 0 to a size."""
    start, limit, step = call.known(0), call.sizes(1), call.known(2)
    if start is None or limit is None or step is None or start.item() != 0 or step.item() != 1:
        return None
    size = limit.reshape(-1)[0]
    return (size if isinstance(size, Size) else int(size),)


def _sliced(call: Call) -> Dims | None:
    """Return the shape of a slice from the beginning to a size."""
    shape, sizes = call.graph.shape(call.inputs[0]), call.sizes(2)
    starts, axes, steps = call.known(1), call.known(3), call.known(4)
    if shape is None or sizes is None or starts is None or np.any(starts):
        return None
    if call.has_input(4) and (steps is None or np.any(steps != 1)):
        return None
    dims = list(shape)
    for axis, size in zip(range(len(sizes)) if axes is None else axes.tolist(), sizes):
        if not isinstance(size, Size):
            return None
        dims[axis] = size
    return tuple(dims)


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

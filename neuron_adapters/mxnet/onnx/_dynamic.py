"""ONNX models whose inputs have sizes that vary, made of models of fixed shapes.

Translations are made for one shape, and write sizes into them: into the shapes that Reshape takes, above all. The same
graph is translated again with other sizes; what differs between the models is what depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetError

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]
Sizes = Mapping[str, Sequence[int]]
#: The names of the sizes that vary, by input and axis. Sizes of one name are always equal.
Names = Mapping[str, Mapping[int, str]]
Translate = Callable[[Sizes], "onnx.ModelProto"]

#: How much larger the sizes of the other models are: odd and even, since strides halve sizes.
_STEPS = (1, 2, 7, 20)


def generalised(translate: Translate, shapes: Sizes, names: Names) -> onnx.ModelProto:
    """Return the model of inputs of ``shapes`` with the sizes in ``names`` left open.

    Raises MXNetError that names the first node which is another one for other sizes.
    """
    models = [translate(_changed(shapes, names, step)) for step in (0, *_STEPS)]
    model = models[0]
    if any(_outline(other) != _outline(model) for other in models):
        raise _refused("the graph itself")
    constants, inferred = list(map(_constants, models)), list(map(_shapes_of, models))
    for place, node in enumerate(model.graph.node):
        inputs = [other.graph.node[place].input for other in models]
        for argument in range(len(node.input)):
            arrays = [table.get(names_of[argument]) for table, names_of in zip(constants, inputs)]
            known = [array for array in arrays if array is not None]
            if len(known) < len(models) or _equal(known):
                continue
            if node.op_type != "Reshape" or len({array.shape for array in known}) > 1:
                raise _refused(f"{node.op_type} {node.output[0]}")
            data = [table.get(names_of[0]) for table, names_of in zip(inferred, inputs)]
            codes = _codes([array.tolist() for array in known], data)
            if codes is None:
                raise _refused(f"{node.op_type} {node.output[0]}")
            _replace(model, place, argument, np.array(codes, np.int64))
    _open(model.graph.input, names)
    _open_outputs(models)
    return model


def variable_sizes(translate: Translate, shapes: Sizes) -> Names:
    """Name all sizes that may vary: equal sizes of the same axis of several inputs together."""
    groups = sorted({(axis, size) for shape in shapes.values() for axis, size in enumerate(shape)})
    chosen: dict[str, dict[int, str]] = {name: {} for name in shapes}
    for group in groups:
        named = {
            name: {axis: f"size_{axis}_{size}" for axis, size in enumerate(shape) if (axis, size) == group}
            for name, shape in shapes.items()
        }
        try:
            generalised(translate, shapes, named)
        except MXNetError:
            continue
        for name, axes in named.items():
            chosen[name].update(axes)
    return chosen


def _changed(shapes: Sizes, names: Names, step: int) -> Sizes:
    """Return the shapes with larger sizes: each name by a factor of its own, so that no two stay equal."""
    order = list(dict.fromkeys(name for axes in names.values() for name in axes.values()))
    return {
        name: [
            size + step * (order.index(names[name][axis]) + 1) if axis in names.get(name, {}) else size
            for axis, size in enumerate(shape)
        ]
        for name, shape in shapes.items()
    }


def _equal(arrays: Sequence[Array]) -> bool:
    return all(array.shape == arrays[0].shape and np.array_equal(array, arrays[0]) for array in arrays)


def _outline(model: onnx.ModelProto) -> list[tuple[Any, ...]]:
    return [
        (node.op_type, len(node.input), [entry.SerializeToString() for entry in node.attribute])
        for node in model.graph.node
    ]


def _constants(model: onnx.ModelProto) -> dict[str, Array]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _shapes_of(model: onnx.ModelProto) -> dict[str, list[int]]:
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }


def _codes(shapes: Sequence[Sequence[int]], data: Sequence[Sequence[int] | None]) -> list[int] | None:
    """Return the shape that Reshape takes for all sizes: a size that varies is copied (0), or computed (-1)."""
    codes = []
    for place, sizes in enumerate(zip(*shapes)):
        if len(set(sizes)) == 1:
            codes.append(sizes[0])
        elif all(shape is not None and place < len(shape) and shape[place] == size for shape, size in zip(data, sizes)):
            codes.append(0)
        else:
            codes.append(-1)
    return codes if codes.count(-1) <= 1 else None


def _replace(model: onnx.ModelProto, place: int, argument: int, array: Array) -> None:
    from onnx import numpy_helper

    node = model.graph.node[place]
    name = f"{node.input[argument]}/{place}"
    model.graph.initializer.append(numpy_helper.from_array(array, name))
    node.input[argument] = name


def _open(values: Any, names: Names) -> None:
    for value in values:
        for axis, name in names.get(value.name, {}).items():
            size = value.type.tensor_type.shape.dim[axis]
            size.Clear()
            size.dim_param = name


def _open_outputs(models: Sequence[onnx.ModelProto]) -> None:
    """Open the sizes of the outputs that vary; those of an input have its name."""
    for values in zip(*(model.graph.output for model in models)):
        every = [[size.dim_value for size in value.type.tensor_type.shape.dim] for value in values]
        varying = [axis for axis, sizes in enumerate(zip(*every)) if len(set(sizes)) > 1]
        _open([values[0]], {values[0].name: {axis: f"{values[0].name}_{axis}" for axis in varying}})


def _refused(where: str) -> MXNetError:
    return MXNetError(
        f"export_model(dynamic=True): {where} is another one for other sizes. Fix those sizes in dynamic_input_shapes, "
        "or export a model for each."
    )

"""An ONNX model as it is converted: its nodes, its constants, and the dtype and shape of each value."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neuron_adapters.files.printable import one_line
from neuron_adapters.mxnet.base import FormatError, MXNetError, reading
from neuron_adapters.mxnet.onnx._files import DTYPES, array_of, import_onnx, read
from neuron_adapters.mxnet.onnx._sizes import Dims, Size

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]

#: Numbers of a tensor that may matter to the inference of shapes: more of them are weights.
SMALL = 1024
#: Numbers that a node without data may compute while the model is read; more are left to the graph (SPEC F2).
_MOST = 1 << 16

_DOMAINS = ("", "ai.onnx")


class Type(NamedTuple):
    """A dtype by NumPy's name, "" where it is not known, and a shape, None where its rank is not known."""

    dtype: str
    shape: Dims | None


class Model:
    """A file that was read and checked.

    ``inputs``: the names of those that are no constants. ``outputs``: their names. ``nodes``: in order. ``arrays``: its
    constants. ``types``: of the values whose dtype and shape follow. ``opset``: the version of ONNX's operators.
    """

    def __init__(
        self, path: str | os.PathLike[str], convertible: Container[str], require: Callable[[str, Iterable[Any]], None]
    ) -> None:
        """``convertible``: names of operators; others are replaced by their definitions in terms of simpler ones, where
        they have one. ``require``: raises the error for all nodes that cannot be converted, before any other check.

        Raises what ``read`` and ``require`` raise, and FormatError."""
        self.path = os.fspath(path)
        with reading(self.path):
            model = _inlined(read(path), convertible)
        self.opset = max((entry.version for entry in model.opset_import if entry.domain in _DOMAINS), default=1)
        graph = model.graph
        require(self.path, graph.node)
        folder = os.path.dirname(self.path) or "."
        if graph.sparse_initializer:
            raise MXNetError(f"{self.path} has sparse tensors: convert them to dense ones.")
        self.arrays = {tensor.name: array_of(tensor, folder, self.path) for tensor in graph.initializer}
        bare = _checked(self._without_weights(model), self.path)
        self.nodes = list(graph.node)
        self.inputs = [entry.name for entry in graph.input if entry.name not in self.arrays]
        self.outputs = [entry.name for entry in graph.output]
        self._sizes: dict[str, Size] = {}
        self.types: dict[str, Type] = {
            name: Type(array.dtype.name, tuple(array.shape)) for name, array in self.arrays.items()
        }
        for place, values in enumerate((graph.input, bare.graph.input, bare.graph.value_info, bare.graph.output)):
            for value in values:
                if value.name not in self.types:
                    self.types[value.name] = self._type_of(value, is_input=not place and value.name in self.inputs)

    def constant(self, tensor: onnx.TensorProto) -> Array:
        """Return the numbers of a tensor inside a node."""
        return array_of(tensor, os.path.dirname(self.path) or ".", self.path)

    def _type_of(self, value: onnx.ValueInfoProto, *, is_input: bool) -> Type:
        tensor = value.type.tensor_type
        dtype = DTYPES.get(tensor.elem_type, "")
        if not tensor.HasField("shape"):
            return Type(dtype, None)
        sizes: list[int | Size] = []
        for axis, size in enumerate(tensor.shape.dim):
            source = (value.name, axis) if is_input else None
            if size.HasField("dim_value") and size.dim_value > 0:
                sizes.append(size.dim_value)
            elif size.dim_param:
                sizes.append(self._sizes.setdefault(size.dim_param, Size(size.dim_param, source)))
            else:
                sizes.append(0 if size.HasField("dim_value") and not is_input else Size("?", source))
        return Type(dtype, tuple(sizes))

    def _without_weights(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Return the model with inputs in place of large constants: what is checked and inferred from."""
        from onnx import ModelProto, helper, numpy_helper

        bare = ModelProto(ir_version=model.ir_version)
        bare.opset_import.extend(model.opset_import)
        graph = bare.graph
        graph.name = model.graph.name or "graph"
        graph.node.extend(model.graph.node)
        graph.input.extend(model.graph.input)
        graph.output.extend(model.graph.output)
        graph.value_info.extend(model.graph.value_info)
        listed = {entry.name for entry in graph.input}
        for tensor in model.graph.initializer:
            array = self.arrays[tensor.name]
            if array.size <= SMALL:
                graph.initializer.append(numpy_helper.from_array(array, tensor.name))
            if tensor.name not in listed and (array.size > SMALL or model.ir_version < 4):
                graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        return bare


def _inlined(model: onnx.ModelProto, convertible: Container[str]) -> onnx.ModelProto:
    """Put the bodies of the model's own functions in place of their calls, and the definitions of operators that are
    not convertible in place of their nodes."""
    from onnx import inliner

    if model.functions:
        try:
            model = inliner.inline_local_functions(model)
        except Exception as error:
            raise FormatError(f"its functions cannot be put in place: {_first_line(error)}") from error
    versions = {entry.domain: entry.version for entry in model.opset_import}
    unknown = {node.op_type for node in model.graph.node if node.op_type not in convertible}
    defined = [("", op) for op in sorted(unknown) if _is_defined(op, versions.get("", 1))]
    if defined:
        # Where that fails, the error that names these operators is the clearer one.
        with contextlib.suppress(Exception):
            return inliner.inline_selected_functions(model, defined, inline_schema_functions=True)
    return model


def _is_defined(op: str, version: int) -> bool:
    from onnx import defs

    if not defs.has(op, version):
        return False
    schema = defs.get_schema(op, version)
    return bool(getattr(schema, "has_function", False) or getattr(schema, "has_context_dependent_function", False))


def _checked(bare: onnx.ModelProto, path: str) -> onnx.ModelProto:
    """Check the model; return it with the dtypes and shapes that follow. Raises FormatError."""
    library = import_onnx()
    copy = library.ModelProto()
    copy.CopyFrom(bare)
    for value in (*copy.graph.input, *copy.graph.output):
        if not value.type.tensor_type.HasField("shape"):  # which follows, or is not needed
            value.type.tensor_type.shape.dim.add()
        if not value.type.tensor_type.elem_type:
            value.type.tensor_type.elem_type = library.TensorProto.FLOAT
    try:
        library.checker.check_model(copy)
    except library.checker.ValidationError as error:
        raise FormatError(f"{path} is damaged, or is not valid ONNX: {_first_line(error)}") from error
    with contextlib.suppress(Exception):  # it is C++, and raises what it likes
        return _inferred(bare)
    # What the file says of its values contradicts its operators, which decide.
    del bare.graph.value_info[:]
    for output in bare.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        return _inferred(bare)
    except Exception as error:
        raise FormatError(f"{path} is damaged: its shapes contradict: {_first_line(error)}") from error


def _inferred(bare: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import shape_inference

    return shape_inference.infer_shapes(bare, data_prop=True)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(lines[0] if lines else type(error).__name__, 300)


def is_small(shape: Dims | None, arrays: list[Array]) -> bool:
    """Whether a node's output may be computed while the model is read: it has a known and modest size."""
    if shape is None or not all(isinstance(size, int) for size in shape):
        return False
    return math.prod(shape) <= max(_MOST, 4 * sum(array.size for array in arrays))  # type: ignore[arg-type]

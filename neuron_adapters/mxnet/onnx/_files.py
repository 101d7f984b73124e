"""Reads ONNX files. They are untrusted: sizes, and the names of other files, are checked before use (SPEC F1 to F3)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.files.printable import printable
from neuron_adapters.mxnet.base import FormatError, MXNetError, reading
from neuron_adapters.mxnet.operators._builder import NUMBERS

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]

#: Dtypes by ONNX's numbers: those that MXNet has too.
DTYPES = {number: name for name, number in NUMBERS.items()}


def read(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Parse the file. The data of tensors in other files is not read yet.

    Raises MissingError or UnreadableError, which are OSErrors, and FormatError for a file that is not an ONNX model.
    """
    library = import_onnx()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model: onnx.ModelProto = library.ModelProto()
    with reading(path):
        with open(path, "rb") as file:
            data = file.read()
        try:
            model.ParseFromString(data)
        except DecodeError:
            raise FormatError(f"{os.fspath(path)} is damaged, or is not an ONNX file.") from None
        if not model.ir_version or not model.graph.output:
            raise FormatError(f"{os.fspath(path)} is not an ONNX file: it has no version or no graph with outputs.")
        if not all(isinstance(name, str) for name in _names(model.graph)):  # protobuf leaves bytes that are no text
            raise FormatError(f"{os.fspath(path)} is damaged: a name in it is not text.")
    return model


def _names(graph: onnx.GraphProto) -> Iterator[Any]:
    for node in graph.node:
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
        yield from (size.dim_param for size in value.type.tensor_type.shape.dim)
    for tensor in graph.initializer:
        yield tensor.name
        yield from (text for entry in tensor.external_data for text in (entry.key, entry.value))


def import_onnx() -> Any:
    """Import onnx. Raises ImportError that says what to install."""
    try:
        import onnx
    except ImportError:
        raise ImportError("mx.onnx reads and writes files with onnx: pip install 'neuron-adapters[mx]'") from None
    return onnx


def array_of(tensor: onnx.TensorProto, folder: str, path: str) -> Array:
    """Return the numbers of ``tensor``; those of another file are read from below ``folder`` only.

    Raises FormatError where they do not fit its shape, or lie in a file elsewhere, MXNetError for a dtype that MXNet
    lacks.
    """
    from onnx import TensorProto, numpy_helper

    shown = printable(tensor.name, 80)
    if tensor.data_type not in DTYPES:
        kinds = dict(zip(TensorProto.DataType.values(), TensorProto.DataType.keys()))
        kind = kinds.get(tensor.data_type, str(tensor.data_type))
        raise MXNetError(
            f"{path}: the tensor {shown!r} has the dtype {kind}, which MXNet lacks: convert the model to float32."
        )
    if any(size < 0 for size in tensor.dims):
        raise FormatError(f"{path} is damaged: the tensor {shown!r} has the shape {tuple(tensor.dims)}.")
    if tensor.data_location == TensorProto.EXTERNAL:
        return _external(tensor, folder, path)
    try:
        array = np.array(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(
            f"{path} is damaged: the tensor {shown!r} has other numbers than its shape: {error}"
        ) from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _external(tensor: onnx.TensorProto, folder: str, path: str) -> Array:
    """Read numbers that lie in a file of their own, beside the model or in a folder below."""
    shown = printable(tensor.name, 80)
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    place = _below(folder, location)
    if place is None:
        raise FormatError(
            f"{path}: the tensor {shown!r} names the file {printable(location, 200)!r}, which is not in the model's "
            "folder: save the model with all its data in its own folder."
        )
    dtype = np.dtype(DTYPES[tensor.data_type]).newbyteorder("<")
    wanted = dtype.itemsize
    for size in tensor.dims:
        wanted *= size
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", str(wanted)))
    except ValueError:
        offset, length = -1, -1
    if not os.path.isfile(place):
        raise FormatError(f"{path}: the file {printable(location, 200)!r} of the tensor {shown!r} is missing.")
    whole = os.path.getsize(place)
    if offset < 0 or length != wanted or offset + length > whole:
        raise FormatError(
            f"{path} is damaged: the tensor {shown!r} has {wanted} bytes, and says {length} from {offset} of the "
            f"{whole} of {printable(location, 200)!r}."
        )
    with open(place, "rb") as file:
        file.seek(offset)
        data = file.read(length)
    return np.frombuffer(data, dtype).reshape(tuple(tensor.dims)).astype(DTYPES[tensor.data_type])


def _below(folder: str, location: str) -> str | None:
    """Return the path of a file below ``folder``; None for any other, links that lead elsewhere included."""
    if not location or "\0" in location or os.path.isabs(location):
        return None
    root, place = os.path.realpath(folder), os.path.realpath(os.path.join(folder, location))
    return place if os.path.commonpath([root, place]) == root else None

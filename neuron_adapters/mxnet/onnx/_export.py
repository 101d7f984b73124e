"""``export_model``: a graph and its weights as an ONNX file, with the arguments of MXNet 1.9.1."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.onnx._dynamic import generalised, variable_sizes
from neuron_adapters.mxnet.onnx._files import import_onnx
from neuron_adapters.mxnet.onnx_export import translated
from neuron_adapters.mxnet.operators import names
from neuron_adapters.mxnet.symbol import Symbol

if TYPE_CHECKING:
    import onnx

__all__ = ["export_model", "get_operator_support"]

Array = np.ndarray[Any, Any]
Shapes = Sequence[Sequence[int]]

_log = logging.getLogger("neuron_adapters")


def get_operator_support(opset_version: int | None = None) -> list[str]:  # noqa: ARG001 - all files are of one version
    """List MXNet's operators that can be exported."""
    return names()


def export_model(
    sym: str | os.PathLike[str] | Symbol,
    params: str | os.PathLike[str] | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    in_shapes: Shapes | None = None,
    in_types: Any = np.float32,
    onnx_file_path: str = "model.onnx",
    verbose: bool = False,
    dynamic: bool = False,
    dynamic_input_shapes: Sequence[Sequence[Any]] | None = None,
    run_shape_inference: bool = False,
    input_type: Any = None,
    input_shape: Shapes | None = None,
) -> str:
    """Write an ONNX file of opset 18 and return its path. Compiled graphs are written as their originals.

    ``sym``, ``params``: a graph and its parameters, by name or as a list of arguments and auxiliary states; or the
    files of both. ``in_shapes``, ``in_types``: of the inputs, in the order of the graph; labels are left out, and an
    input that only its shape is taken of stays.
    ``dynamic``: sizes that ``dynamic_input_shapes`` has as None or a name may vary, without it all sizes that can.
    ``input_type``, ``input_shape``: older names.

    Raises ValueError for arguments that do not fit together, UnsupportedOperatorError and InvalidGraphError,
    MXNetErrors, for a graph that cannot be translated, or not with sizes that vary.
    """
    import_onnx()
    shapes = [tuple(shape) for shape in (in_shapes if input_shape is None else input_shape) or ()]
    kinds = in_types if input_type is None else input_type
    types = list(kinds) if isinstance(kinds, (list, tuple)) else [kinds] * len(shapes)
    if len(types) != len(shapes):
        raise MXNetValueError(
            f"in_types and in_shapes have a dtype and a shape for each input, got {types} and {shapes}."
        )
    if not dynamic and dynamic_input_shapes is not None:
        raise MXNetValueError("dynamic_input_shapes is said, so dynamic must be True.")
    graph, arrays = _loaded(sym, params)
    inputs = _inputs(graph, arrays, shapes)
    dtypes = dict(zip(inputs, (np.dtype(dtype).name for dtype in types)))
    known = dict(zip(inputs, shapes))

    def translate(sizes: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
        return _translated(graph, arrays, sizes, dtypes)

    if dynamic and dynamic_input_shapes is None:
        model = generalised(translate, known, variable_sizes(translate, known))
    elif dynamic:
        model = generalised(translate, known, _names(known, dynamic_input_shapes or ()))
    else:
        model = translate(known)
    if run_shape_inference:
        from onnx import shape_inference

        model = shape_inference.infer_shapes(model)
    with open(onnx_file_path, "wb") as file:
        file.write(model.SerializeToString())
    if verbose:
        _log.info("%s: %d nodes", onnx_file_path, len(model.graph.node))
    return onnx_file_path


def _loaded(sym: Any, params: Any) -> tuple[Symbol, dict[str, Array]]:
    """Return the graph and its parameters as NumPy's arrays. Raises ValueError, as MXNet does, for anything else."""
    paths = (str, os.PathLike)
    if isinstance(sym, paths) and isinstance(params, paths):
        loaded = ndarray.load(params)
        if loaded and not isinstance(loaded, dict):
            raise MXNetValueError(f"{os.fspath(params)} holds arrays without names, so no parameters.")
        sym, params = symbol.load(sym), loaded or {}  # without any array a file has no names either
    if isinstance(sym, Symbol) and isinstance(params, (list, tuple)) and len(params) == 2:
        params = {**params[0], **params[1]}
    if not isinstance(sym, Symbol) or not isinstance(params, Mapping):
        raise MXNetValueError(
            "Input sym and params should either be files or objects: two paths, or a Symbol with a dict or a list of "
            f"two, got {type(sym).__name__} and {type(params).__name__}."
        )
    return sym, {key.removeprefix("arg:").removeprefix("aux:"): np.asarray(array) for key, array in params.items()}


def _inputs(graph: Symbol, arrays: Mapping[str, Array], shapes: Sequence[Any]) -> list[str]:
    """Name the inputs that the shapes are for. The label of the last layer is none of them."""
    label = f"{graph.get_internals()[len(graph.get_internals()) - 1].name}_label"
    inputs = [name for name in graph.list_inputs() if name not in arrays and name != label]
    if len(inputs) != len(shapes):
        raise MXNetValueError(
            f"in_shapes has {len(shapes)} shapes, and the graph has {len(inputs)} inputs without parameters: "
            f"{', '.join(inputs) or 'none'}."
        )
    return inputs


def _translated(
    graph: Symbol, arrays: Mapping[str, Array], shapes: Mapping[str, Sequence[int]], dtypes: Mapping[str, str]
) -> onnx.ModelProto:
    model = translated(graph, arrays, shapes, dtypes, "export_model()", kept=shapes)
    _rename(model, [_short(output.name) for output in model.graph.output])
    return model


def _short(name: str) -> str:
    """Return the name that MXNet's exporter gives an output."""
    for ending, short in (("_state_output", "1"), ("_statecell_output", "2"), ("_output", "")):
        if name.endswith(ending):
            return name[: -len(ending)] + short
    return re.sub(r"_output([0-9])$", r"\1", name)


def _rename(model: onnx.ModelProto, wanted: Sequence[str]) -> None:
    """Give the outputs MXNet's names, where no other value has them."""
    graph = model.graph
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {value.name for value in (*graph.input, *graph.output)} | {tensor.name for tensor in graph.initializer}
    renamed = {}
    for output, name in zip(graph.output, wanted):
        if name not in taken:
            taken.add(name)
            renamed[output.name] = name
            output.name = name
    for node in graph.node:
        for names_of in (node.input, node.output):
            for place, name in enumerate(names_of):
                if name in renamed:
                    names_of[place] = renamed[name]


def _names(shapes: Mapping[str, tuple[int, ...]], wanted: Sequence[Sequence[Any]]) -> dict[str, dict[int, str]]:
    """Name the sizes that may vary. Those without a name are one where they are equal along the same axis."""
    if [len(shape) for shape in wanted] != [len(shape) for shape in shapes.values()]:
        raise MXNetValueError(
            f"dynamic_input_shapes has a size for each of in_shapes, {list(shapes.values())}, got {list(wanted)}."
        )
    names: dict[str, dict[int, str]] = {}
    for (name, shape), asked in zip(shapes.items(), wanted):
        names[name] = {}
        for axis, (size, new) in enumerate(zip(shape, asked)):
            if new is None or isinstance(new, str):
                names[name][axis] = new or f"size_{axis}_{size}"
            elif new != size:
                raise MXNetValueError(f"dynamic_input_shapes fixes a size of {name} to {new}, and in_shapes to {size}.")
    return names

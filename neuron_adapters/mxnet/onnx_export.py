"""``to_onnx``: a graph and its weights as an ONNX file, for everything else that runs those."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet import _onnx
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol

if TYPE_CHECKING:
    import onnx

__all__ = ["to_onnx"]

#: Bytes that one file of this format can hold.
_MOST = 2**31 - 1


def to_onnx(
    sym: Symbol,
    params: Mapping[str, NDArray | np.ndarray[Any, Any]],
    shapes: Mapping[str, Sequence[int]],
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """The ONNX model of ``sym``, checked, and written to ``path`` where there is one. Compiled graphs, too.

    ``params``: arguments and auxiliary states by name, with or without ``arg:`` and ``aux:``; they become initializers.
    ``shapes``: of the inputs; they are fixed. Inputs that nothing reads, labels, are left out.

    Raises UnsupportedOperatorError and InvalidGraphError for what cannot be translated, MXNetError for weights that are
    missing or no such file can hold.
    """
    arrays = {key.removeprefix("arg:").removeprefix("aux:"): np.asarray(array) for key, array in params.items()}
    model = translated(sym, arrays, shapes, {}, "to_onnx()")
    if path is not None:
        with open(path, "wb") as file:
            file.write(model.SerializeToString())
    return model


def translated(
    sym: Symbol,
    arrays: Mapping[str, np.ndarray[Any, Any]],
    shapes: Mapping[str, Sequence[int]],
    dtypes: Mapping[str, str],
    called: str,
    kept: Collection[str] = (),
) -> onnx.ModelProto:
    """The checked model. ``arrays``: parameters by name. ``shapes``, ``dtypes``: of the inputs. ``called``: by whom.
    ``kept``: inputs that stay where nothing reads them."""
    from onnx import checker

    if sum(array.nbytes for array in arrays.values()) > _MOST:
        raise MXNetError(f"{called}: the weights take 2 GiB or more, which no single ONNX file can hold.")
    inputs = set(sym.list_inputs())
    known = {name: tuple(shape) for name, shape in shapes.items()} | {
        name: array.shape for name, array in arrays.items()
    }
    kinds = {**dtypes, **{name: array.dtype.name for name, array in arrays.items() if name in inputs}}
    inferred = sym._analysis().wiring.infer(known, kinds)
    model = _onnx.translate(inferred, arrays)
    read = {name for node in model.graph.node for name in node.input} | {output.name for output in model.graph.output}
    read.update(kept)
    unread = [entry for entry in model.graph.input if entry.name not in read]
    for entry in unread:
        model.graph.input.remove(entry)
    missing = sorted({entry.name for entry in model.graph.input} - set(shapes))
    if missing:
        raise MXNetError(f"{called}: {', '.join(missing)} is neither among params nor among shapes.")
    checker.check_model(model, full_check=True)
    return model

"""``bind`` takes the arrays of an executor, ``simple_bind`` makes them (SPEC P3)."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.files.mxnet_params import DTYPES
from neuron_adapters.mxnet._alignment import aligned
from neuron_adapters.mxnet._backend import backend
from neuron_adapters.mxnet._errors import InvalidGraphError, UnsupportedOperatorError
from neuron_adapters.mxnet._subgraphs import inputs_of
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context, current_context
from neuron_adapters.mxnet.executor import Executor
from neuron_adapters.mxnet.ndarray import NDArray, array
from neuron_adapters.mxnet.util import is_np_shape

if TYPE_CHECKING:
    from neuron_adapters.mxnet._analysis import Graph
    from neuron_adapters.mxnet._inference import Inferred
    from neuron_adapters.mxnet.symbol import Symbol

Arrays = Sequence[NDArray] | Mapping[str, NDArray]


def bind(
    symbol: Symbol,
    ctx: Context,
    args: Arrays,
    args_grad: Any,
    grad_req: str | Sequence[str] | Mapping[str, str],
    aux_states: Arrays | None,
) -> Executor:
    """Create an executor over these arrays (``Symbol.bind``). Inputs of a compiled graph may be left out: they are
    zeros until ``forward`` gets some.

    Raises ValueError where an array is missing or has another shape, MXNetError where gradients are asked for, and
    whatever placement raises. Then nothing is placed.
    """
    context = _context(ctx)
    if args_grad:
        raise MXNetError("args_grad asks for gradients, and this package infers only: leave it out.")
    _refuse_gradients(grad_req, context)
    graph = symbol._analysis()
    if isinstance(args, Mapping) and graph.compiled:
        zeros = {name: NDArray(aligned(*spec), context) for name, spec in unsaid(symbol, args).items()}
        args = {**zeros, **args}
    arguments = _listed(args, graph.arguments, "args")
    states = _listed(aux_states if aux_states is not None else [], graph.auxiliary_states, "aux_states")
    by_name, states_by_name = dict(zip(graph.arguments, arguments)), dict(zip(graph.auxiliary_states, states))
    inferred = _inferred(graph, by_name, states_by_name)
    if graph.compiled:
        backend().verify(graph.heads, {**by_name, **states_by_name})
    asked = _asked(grad_req, graph.arguments)
    return Executor(symbol, context, arguments, states, inferred=inferred, gradients=asked)


def simple_bind(
    symbol: Symbol,
    ctx: Context,
    grad_req: str | Sequence[str] | Mapping[str, str],
    type_dict: Mapping[str, Any] | None,
    shapes: Mapping[str, Any],
    group2ctx: Mapping[str, Context] | None = None,
) -> Executor:
    """Create an executor over new arrays of zeros, of the shapes that follow from ``shapes`` (``Symbol.simple_bind``).

    Raises RuntimeError, as MXNet does, where they do not follow.
    """
    context = _context(ctx)
    _refuse_gradients(grad_req, context)
    names = set(symbol.list_inputs())
    shapes = {name: shape for name, shape in shapes.items() if name in names}  # MXNet takes others, too
    type_dict = {name: dtype for name, dtype in (type_dict or {}).items() if name in names}
    try:
        argument_shapes, _outputs, aux = symbol.infer_shape(**shapes)
        if argument_shapes is None:
            raise MXNetValueError(f"the shapes of {', '.join(_unknown(symbol, shapes))} cannot be told: name them")
    except UnsupportedOperatorError:
        raise
    except MXNetError as error:
        raise MXNetError(f"simple_bind error. Arguments: {shapes}. {error}") from error
    types, _out_types, aux_types = symbol._full_types(type_dict or {})
    labels = _labels(symbol, group2ctx or {})
    arrays = [
        [
            NDArray(aligned(shape, np.dtype(kind)), labels.get(name, context))
            for name, shape, kind in zip(own, known or [], kinds)
        ]
        for own, known, kinds in (
            (symbol.list_arguments(), argument_shapes, types),
            (symbol.list_auxiliary_states(), aux, aux_types),
        )
    ]
    return Executor(symbol, context, *arrays, gradients=_asked(grad_req, symbol.list_arguments()))


def _labels(symbol: Symbol, group2ctx: Mapping[str, Context]) -> dict[str, Context]:
    """The contexts of the inputs by their ``ctx_group``. Raises MXNetError for a group that is not in ``group2ctx``."""
    if not group2ctx:
        return {}
    attributes = symbol.attr_dict()
    groups = {name: own["__ctx_group__"] for name, own in attributes.items() if "__ctx_group__" in own}
    if unknown := sorted({*groups.values()} - {*group2ctx}):
        raise MXNetError(
            f"group2ctx has {', '.join(group2ctx)}, and the graph {', '.join(unknown)}, too: say its context."
        )
    return {name: group2ctx[group] for name, group in groups.items()}


def _unknown(symbol: Symbol, shapes: Mapping[str, Any]) -> list[str]:
    argument_shapes = symbol._partial_shapes((), shapes)[0]
    return [name for name, shape in zip(symbol.list_arguments(), argument_shapes or []) if not shape or 0 in shape]


def _context(ctx: Any) -> Context:
    context = current_context() if ctx is None else ctx
    if not isinstance(context, Context):
        raise TypeError("Context type error")
    context.require_memory()
    return context


def gradient_of(grad_req: Any) -> str | None:
    """Return the first entry of ``grad_req``, which is one for all arguments or one for each, that asks for a
    gradient."""
    return next((req for req in _requests(grad_req) if req != "null"), None)


def _requests(grad_req: Any) -> Collection[Any]:
    """All entries of ``grad_req``. Raises ValueError for one that MXNet does not have."""
    entries = grad_req.values() if isinstance(grad_req, Mapping) else grad_req or ()
    requests: Collection[Any] = [grad_req] if isinstance(grad_req, str) else entries
    for request in requests:
        if request not in ("null", "write", "add"):
            raise MXNetValueError(f"grad_req must be in ('null', 'write', 'add'), got {request!r}")
    return requests


def _asked(grad_req: Any, names: Sequence[str]) -> Collection[str]:
    """Those of the arguments ``names`` whose gradients ``grad_req`` asks for."""
    if isinstance(grad_req, str):
        return () if grad_req == "null" else names
    asked = grad_req.items() if isinstance(grad_req, Mapping) else zip(names, grad_req or ())
    return [name for name, request in asked if request != "null"]


def _refuse_gradients(grad_req: Any, context: Context) -> None:
    """Raise MXNetError where gradients are asked for on NeuronCores. On a CPU the default of MXNet's signature, which
    few change, asks for them too: there backward() raises."""
    wrong = None if grad_req == "null" else gradient_of(grad_req)
    if wrong is not None and context.device_type == "neuron":
        raise MXNetError(f"grad_req={wrong!r} on {context}: NeuronCores infer only. Pass grad_req='null'.")


def _listed(arrays: Any, names: list[str], what: str) -> list[NDArray]:
    """Return the arrays in the order of ``names``."""
    if isinstance(arrays, Mapping):
        missing = next((name for name in names if name not in arrays), None)
        if missing is not None:
            raise MXNetValueError(f"key `{missing}` is missing in `{what}`")
        listed = [arrays[name] for name in names]
    elif isinstance(arrays, (list, tuple)):
        if len(arrays) != len(names):
            raise MXNetValueError(f"Length of {what} does not match the number of arguments")
        listed = list(arrays)
    else:
        raise TypeError(f"Only accept list of NDArrays or dict of str to NDArray, got {type(arrays).__name__}")
    return [value if isinstance(value, NDArray) else _as_array(value, name, what) for value, name in zip(listed, names)]


def _as_array(value: Any, name: str, what: str) -> NDArray:
    if isinstance(value, np.ndarray):
        return array(value, dtype=value.dtype)
    raise TypeError(
        f"Only accept list of NDArrays or dict of str to NDArray, got {type(value).__name__} as {name} of {what}"
    )


def _inferred(graph: Graph, arguments: Mapping[str, NDArray], states: Mapping[str, NDArray]) -> Inferred | None:
    """Infer all shapes and dtypes from the arrays; None, and perhaps a warning, where a shape is not known. Raises
    MXNetError where the arrays cannot be broadcast together."""
    bound_shapes = {name: array._array.shape for name, array in arguments.items()}
    dtypes = {name: array._array.dtype.name for name, array in {**arguments, **states}.items()}
    inferred = _inferred_by_numpy(graph, bound_shapes, states, dtypes) or graph.infer(bound_shapes, dtypes)
    if inferred.exact:
        return inferred
    if unknown := graph.unknown_shapes(inferred):
        warnings.warn(unknown, stacklevel=2)
        return None
    shapes = inferred.shapes
    for name, shape in bound_shapes.items():
        if shape != shapes[name]:
            raise MXNetError(f"The argument {name} has the shape {shape}, and {shapes[name]} follows from the others.")
    for name, state in states.items():
        if state.shape != (shapes[name] or ()):
            raise MXNetError(
                f"The auxiliary state {name} has the shape {state.shape}, and {shapes[name] or ()} follows."
            )
    return inferred if inferred.is_complete() else None


def _inferred_by_numpy(
    graph: Graph, shapes: Mapping[str, tuple[int, ...]], states: Mapping[str, NDArray], dtypes: Mapping[str, str]
) -> Inferred | None:
    """Infer a graph of deep NumPy, also where an argument, or another value, has no elements. None for any other
    graph."""
    if not is_np_shape() or graph.compiled:
        return None
    if not any(0 in shape for shape in shapes.values()):
        with contextlib.suppress(InvalidGraphError):
            inferred = graph.infer(shapes, dtypes)
            if inferred.is_complete():
                return inferred
    exact = {**shapes, **{name: state._array.shape for name, state in states.items()}}
    return graph.wiring.infer_exactly(exact, dtypes)


def unsaid(symbol: Symbol, bound: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return the shapes and dtypes of the inputs and labels that ``bound`` lacks and the compiled graph knows. AWS's
    guide binds a compiled checkpoint with what is in the file, and feeds it later."""
    graph = symbol._analysis()
    names = graph.arguments
    if not graph.compiled or all(name in bound for name in names):
        return {}
    known = {name: spec for node in graph.compiled for name, spec in inputs_of(node).items()}
    shapes = {name: bound[name].shape for name in names if hasattr(bound.get(name), "shape")}
    inferred, _outputs, _aux = symbol._partial_shapes((), {**{name: spec[0] for name, spec in known.items()}, **shapes})
    specs = {}
    for name, shape in zip(names, inferred):
        if name not in bound and shape and 0 not in shape and (name in known or name in graph.labels):
            dtype = known[name][1] if name in known and known[name][1] in DTYPES else "float32"
            specs[name] = (shape, np.dtype(dtype))
    return specs

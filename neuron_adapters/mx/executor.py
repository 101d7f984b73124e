"""A graph with its arrays, ready to run: what ``Symbol.bind`` and ``simple_bind`` return.

On ``mx.neuron(i)`` it runs on the NeuronCores from there (SPEC P3). On ``mx.cpu()`` a compiled graph runs on
NeuronCores that the runtime chooses, as mx_neuron had it, and any other on all CPUs of the process. The engine reads
inputs and writes outputs where the arrays are; weights it packs when it loads, and again when they changed.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters._engine import configuration
from neuron_adapters._registry import remember
from neuron_adapters.mx import _executable, _placed
from neuron_adapters.mx._binary import verify
from neuron_adapters.mx._errors import UnsupportedOperatorError
from neuron_adapters.mx._executable import Executable
from neuron_adapters.mx._graph import walk
from neuron_adapters.mx._lowering import Plan, labels, lower, weights
from neuron_adapters.mx._operators._attributes import DTYPES
from neuron_adapters.mx._sources import content, key_of
from neuron_adapters.mx._subgraphs import CAST, compiled, inputs_of, pipeline_cores
from neuron_adapters.mx.base import MXNetError, MXNetValueError
from neuron_adapters.mx.context import Context, current_context
from neuron_adapters.mx.ndarray import NDArray, array
from neuron_adapters.mx.ndarray._memory import writes
from neuron_rt import Model, engine

if TYPE_CHECKING:
    from neuron_adapters.mx.symbol import Symbol

__all__ = ["Executor", "bind", "simple_bind"]

Arrays = Sequence[NDArray] | Mapping[str, NDArray]
#: Loads of a changed weight, run after run, after which it counts as an input.
_MOST_RELOADS = 2
#: Where the engine reads and writes best.
_ALIGNMENT = 64


class Executor:
    """A bound graph. Not made directly: ``Symbol.bind`` and ``simple_bind`` return one.

    ``arg_arrays``, ``aux_arrays``, ``outputs``: its arrays, in the order of ``list_arguments()``,
    ``list_auxiliary_states()`` and ``list_outputs()``. A run writes ``outputs`` anew: copy earlier results.
    """

    def __init__(
        self,
        symbol: Symbol,
        context: Context,
        args: list[NDArray],
        aux: list[NDArray],
        *,
        bf16: bool | None = None,
        beside: Model | None = None,
    ) -> None:
        """``bf16``: compute in bfloat16; None leaves it to the compiled graph. ``beside``: on whose NCs to be placed,
        instead of those that the context says."""
        self._symbol = symbol
        self._context = context
        self.arg_arrays = args
        self.aux_arrays = aux
        self.grad_arrays: list[None] = [None] * len(args)
        self.arg_dict = dict(zip(symbol.list_arguments(), args))
        self.aux_dict = dict(zip(symbol.list_auxiliary_states(), aux))
        self._arrays = {**self.arg_dict, **self.aux_dict}
        self._held = sorted(weights(symbol._entries) & set(self._arrays))
        self._runs = self._reloaded = 0
        self._reloads: Counter[str] = Counter()
        """How often in a row a weight had changed at a run."""
        self._bf16 = any(CAST in node.attrs for node in compiled(symbol._entries)) if bf16 is None else bf16
        self._guard = threading.RLock()  # a signal handler may run what its own thread is running
        self._plan = self._lowered()
        self._load()
        self.outputs = [NDArray(_aligned(shape, dtype), context) for shape, dtype in self._plan.outputs]
        self._to = [_address(one._array) for one in self.outputs]
        self._wire()
        self._alive = (self._arrays, self.outputs, self._staged)
        self._model = _placed.new_model(_name(symbol), pipeline_cores(symbol._entries), _file(symbol))
        self._model.prepare = self._executable.prepare  # of self it would be a cycle, and hold its NCs for longer
        self._station: engine.Station | None = None
        if context.device_type == "neuron" or compiled(symbol._entries):
            _placed.place(self._model, context, beside)
            remember(self, self._model)
        else:
            self._station = self._executable.everywhere()

    # -- running ------------------------------------------------------------------------------------------------

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[NDArray]:
        """Run, after copying ``kwargs``, NDArrays or NumPy's, to the arguments of those names; the outputs.

        Raises TypeError for an unknown name, ValueError for another shape, MXNetError where ``is_train`` asks for more
        than inference.
        """
        if is_train:
            raise MXNetError("forward(is_train=True): this package infers only. Train with MXNet itself.")
        model, station = self._model, self._station
        slot = None if station is not None else model.slot or model.pick()  # a forked child has none, and may not wait
        with self._guard:
            self._runs += 1
            for name, value in kwargs.items():
                self._feed(name, value)
            if writes.value != self._seen:
                self._look()
            for index, (buffer, source) in self._staged.items():
                np.copyto(buffer, source)
                self._from[index] = _address(buffer)
            if self._station is not None:
                _executable.run(self._executable, self._station, self._from, self._to, self._alive)
            elif slot is not None:
                call = (self._executable, slot.station, self._from, self._to, self._alive)
                slot.run(_executable.run, call, {}, False)  # noqa: FBT003
        return self.outputs

    def _feed(self, name: str, value: Any) -> None:
        target = self.arg_dict.get(name)
        if target is None:
            raise TypeError(f"Unknown argument {name}")
        given = value._array if isinstance(value, NDArray) else np.asarray(value)
        if given.shape != target.shape:
            raise MXNetValueError(f"Shape not match! Argument {name}, need: {target.shape}, received: {given.shape}")
        target._array[...] = given
        if name in self._versions:  # a weight after all
            target._written()

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:  # noqa: ARG002 - MXNet's signature
        """Refused: inference only."""
        raise MXNetError("backward(): this package infers only, so there are no gradients. Train with MXNet itself.")

    # -- weights ------------------------------------------------------------------------------------------------

    def _lowered(self) -> Plan:
        specs = {name: (one.shape, one._array.dtype) for name, one in self._arrays.items()}
        return lower(self._symbol._entries, specs, {name: content(self._arrays[name]) for name in self._held})

    def _load(self) -> None:
        """Make the engine's form of the graph with the weights as they are now."""
        self._seen = writes.value
        held = [self._arrays[name] for name in self._plan.held]
        self._versions = {name: one._version for name, one in zip(self._plan.held, held)}
        key = key_of(held)
        shared = None if key is None else (self._plan.lowered.text, key, self._bf16)
        self._executable = Executable.of(shared, self._plan, [content(one) for one in held], bf16=self._bf16)

    def _look(self) -> None:
        """Load again where a weight was written to since the last look."""
        seen = writes.value
        changed = [name for name, version in self._versions.items() if self._arrays[name]._version != version]
        if changed:
            if self._runs > self._reloaded + 1:  # a run without: the weights are weights
                self._reloads.clear()
            self._reloads.update(changed)
            self._reloaded = self._runs
            often = {name for name in changed if self._reloads[name] > _MOST_RELOADS}
            if often:  # no weights, whatever they are called: read where they are from now on
                self._held = [name for name in self._held if name not in often]
                self._plan = self._lowered()
                self._wire()
                self._alive = (self._arrays, self.outputs, self._staged)
            self._load()
            if self._station is not None:
                self._station = self._executable.everywhere()
            else:
                self._model.prepare = self._executable.prepare
                self._executable.prepare(self._model, self._model.slots)
        self._seen = seen

    def _wire(self) -> None:
        """Where the engine reads: the arrays themselves, or an aligned copy of those that it would not like."""
        self._from: list[int] = []
        self._staged: dict[int, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
        for index, name in enumerate(self._plan.inputs):
            found = self._arrays[name]._array
            self._from.append(_address(found))
            if self._from[index] % _ALIGNMENT and found.size:
                self._staged[index] = (_aligned(found.shape, found.dtype), found)

    # -- the rest of MXNet's surface ----------------------------------------------------------------------------

    @property
    def output_dict(self) -> dict[str, NDArray]:
        """The outputs by name."""
        return dict(zip(self._symbol.list_outputs(), self.outputs))

    @property
    def grad_dict(self) -> dict[str, None]:
        """No gradients."""
        return dict.fromkeys(self.arg_dict)

    def copy_params_from(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None = None,
        allow_extra_params: bool = False,
    ) -> None:
        """Copy weights and auxiliary states in. Raises ValueError for an unknown name unless ``allow_extra_params``."""
        for params, own, what in (
            (arg_params, self.arg_dict, "arguments"),
            (aux_params or {}, self.aux_dict, "auxiliary states"),
        ):
            for name, value in params.items():
                if name in own:
                    value.astype(own[name].dtype, copy=False).copyto(own[name])
                elif not allow_extra_params:
                    raise MXNetValueError(f'Find name "{name}" that is not in the {what}')

    def reshape(self, partial_shaping: bool = False, allow_up_sizing: bool = False, **kwargs: Any) -> Executor:
        """An executor for other input shapes, on the same NeuronCores, that shares all arrays whose shape stays.

        Raises MXNetError where the shape of an argument that was not named changes, unless ``partial_shaping``, and for
        a larger shape, unless ``allow_up_sizing``.
        """
        shapes, _outputs, aux_shapes = self._symbol.infer_shape(**kwargs)
        if shapes is None:
            raise MXNetValueError("Insufficient argument shapes provided.")
        args = []
        for (name, old), shape in zip(self.arg_dict.items(), shapes):
            if shape == old.shape:
                args.append(old)
                continue
            if name not in kwargs and not partial_shaping:
                raise MXNetError(f"Shape of unspecified argument {name} changed: partial_shaping=True allows it.")
            if np.prod(shape) > old.size and not allow_up_sizing:
                raise MXNetError(
                    f"New shape of argument {name} is larger than the original: allow_up_sizing=True allows it."
                )
            args.append(NDArray(_aligned(shape, old._array.dtype), self._context))
        for (name, old), shape in zip(self.aux_dict.items(), aux_shapes or []):
            if shape != old.shape:
                raise MXNetError(f"The shape of the auxiliary state {name} changes from {old.shape} to {shape}.")
        return Executor(self._symbol, self._context, args, self.aux_arrays, bf16=self._bf16, beside=self._model)

    def debug_str(self) -> str:
        """The graph in words."""
        return str(self._symbol.debug_str())

    def set_monitor_callback(self, callback: Any, monitor_all: bool = False) -> None:  # noqa: ARG002
        """Refused: the engine shows no values between operators."""
        raise MXNetError("set_monitor_callback(): only outputs can be looked at. get_internals() makes others outputs.")


def bind(
    symbol: Symbol,
    ctx: Context,
    args: Arrays,
    args_grad: Any = None,
    grad_req: str | Sequence[str] | Mapping[str, str] = "write",
    aux_states: Arrays | None = None,
    group2ctx: Any = None,  # noqa: ARG001 - one context is all there is
    shared_exec: Executor | None = None,  # noqa: ARG001 - memory is shared where it can be
) -> Executor:
    """An executor over the arrays given (``Symbol.bind``). Inputs of a compiled graph may be left out: they are zeros
    until ``forward`` is given some.

    Raises ValueError where one is missing or has another shape, MXNetError where gradients are asked for, and whatever
    placement raises. Then nothing is placed.
    """
    context = _context(ctx)
    if args_grad:
        raise MXNetError("args_grad asks for gradients, and this package infers only: leave it out.")
    _refuse_gradients(grad_req, context)
    names, aux_names = symbol.list_arguments(), symbol.list_auxiliary_states()
    if isinstance(args, Mapping):
        args = {**{name: NDArray(_aligned(*one), context) for name, one in unsaid(symbol, args).items()}, **args}
    arguments = _listed(args, names, "args")
    auxiliary = _listed(aux_states if aux_states is not None else [], aux_names, "aux_states")
    given = {name: one.shape for name, one in zip(names, arguments)}
    _check_shapes(symbol, given, dict(zip(aux_names, auxiliary)))
    verify_parts(symbol, {**dict(zip(names, arguments)), **dict(zip(aux_names, auxiliary))})
    return Executor(symbol, context, arguments, auxiliary)


def evaluate(symbol: Symbol, ctx: Context | None = None, **kwargs: Any) -> list[NDArray]:
    """The outputs for arrays given by name (``Symbol.eval``)."""
    return bind(symbol, current_context() if ctx is None else ctx, kwargs, grad_req="null").forward()


def simple_bind(
    symbol: Symbol,
    ctx: Context,
    grad_req: str | Sequence[str] | Mapping[str, str] = "write",
    type_dict: Mapping[str, Any] | None = None,
    stype_dict: Any = None,  # noqa: ARG001
    group2ctx: Any = None,  # noqa: ARG001
    shared_arg_names: Any = None,  # noqa: ARG001
    shared_exec: Executor | None = None,  # noqa: ARG001
    shared_buffer: Any = None,  # noqa: ARG001
    **shapes: Any,
) -> Executor:
    """An executor over new arrays of zeros, of the shapes that follow from ``shapes`` (``Symbol.simple_bind``).

    Raises RuntimeError, as MXNet does, where they cannot be told.
    """
    context = _context(ctx)
    _refuse_gradients(grad_req, context)
    try:
        found, _outputs, aux = symbol.infer_shape(**shapes)
        if found is None:
            raise MXNetValueError(f"the shapes of {', '.join(_unknown(symbol, shapes))} cannot be told: name them")
    except UnsupportedOperatorError:
        raise
    except MXNetError as error:
        raise MXNetError(f"simple_bind error. Arguments: {shapes}. {error}") from error
    types, _out_types, aux_types = symbol.infer_type(**(type_dict or {}))
    made = [
        [NDArray(_aligned(shape, np.dtype(kind)), context) for shape, kind in zip(known or [], kinds)]
        for known, kinds in ((found, types), (aux, aux_types))
    ]
    return Executor(symbol, context, *made)


def _unknown(symbol: Symbol, shapes: Mapping[str, Any]) -> list[str]:
    found = symbol.infer_shape_partial(**shapes)[0]
    return [name for name, shape in zip(symbol.list_arguments(), found or []) if not shape or 0 in shape]


def _context(ctx: Any) -> Context:
    context = current_context() if ctx is None else ctx
    if not isinstance(context, Context):
        raise TypeError("Context type error")
    context.require_memory()
    return context


def _refuse_gradients(grad_req: Any, context: Context) -> None:
    """On NeuronCores what asks for gradients is an error. On a CPU the default of MXNet's signature, which few change,
    is let be: backward() says it."""
    asked = (
        grad_req.values() if isinstance(grad_req, Mapping) else [grad_req] if isinstance(grad_req, str) else grad_req
    )
    wrong = next((one for one in asked if one != "null"), None)
    if wrong is not None and context.device_type == "neuron":
        raise MXNetError(f"grad_req={wrong!r} on {context}: NeuronCores infer only. Pass grad_req='null'.")


def _listed(given: Any, names: list[str], what: str) -> list[NDArray]:
    """The arrays in the order of ``names``."""
    if isinstance(given, Mapping):
        missing = next((name for name in names if name not in given), None)
        if missing is not None:
            raise MXNetValueError(f"key `{missing}` is missing in `{what}`")
        found = [given[name] for name in names]
    elif isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise MXNetValueError(f"Length of {what} does not match the number of arguments")
        found = list(given)
    else:
        raise TypeError(f"Only accept list of NDArrays or dict of str to NDArray, got {type(given).__name__}")
    return [one if isinstance(one, NDArray) else _as_array(one, name, what) for one, name in zip(found, names)]


def _as_array(value: Any, name: str, what: str) -> NDArray:
    if isinstance(value, np.ndarray):
        return array(value, dtype=value.dtype)
    raise TypeError(
        f"Only accept list of NDArrays or dict of str to NDArray, got {type(value).__name__} as {name} of {what}"
    )


def _check_shapes(symbol: Symbol, given: Mapping[str, tuple[int, ...]], aux: Mapping[str, NDArray]) -> None:
    """Raise MXNetError where the arrays do not go together."""
    found, _outputs, aux_shapes = symbol.infer_shape(**given)
    for (name, shape), wanted in zip(given.items(), found or []):
        if shape != wanted:
            raise MXNetError(f"The argument {name} has the shape {shape}, and {wanted} follows from the others.")
    for (name, one), wanted in zip(aux.items(), aux_shapes or []):
        if one.shape != wanted:
            raise MXNetError(f"The auxiliary state {name} has the shape {one.shape}, and {wanted} follows.")


def unsaid(symbol: Symbol, given: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shapes and dtypes of the inputs and labels that ``given`` lacks and the compilation knows. AWS's guide binds a
    compiled checkpoint with what is in the file, and feeds it later."""
    parts = compiled(symbol._entries)
    known = {name: one for node in parts for name, one in inputs_of(node).items()}
    if not parts or not set(symbol.list_arguments()) - set(given):
        return {}
    shapes = {name: one.shape for name, one in given.items() if name in symbol.list_inputs() and hasattr(one, "shape")}
    found, _outputs, _aux = symbol.infer_shape_partial(**{**{name: one[0] for name, one in known.items()}, **shapes})
    ends = labels(symbol._entries)
    made = {}
    for name, shape in zip(symbol.list_arguments(), found):
        if name not in given and shape and 0 not in shape and (name in known or name in ends):
            dtype = known[name][1] if name in known and known[name][1] in DTYPES else "float32"
            made[name] = (shape, np.dtype(dtype))
    return made


def verify_parts(symbol: Symbol, arrays: Mapping[str, NDArray]) -> None:
    """K4: raise ArtifactError where NEURON_RT_VALIDATE_HASH asks, and a compiled part is not what was compiled."""
    parts = compiled(symbol._entries)
    if not parts or not configuration().validate_hash:
        return
    for node in parts:
        inner = [one.attrs.get("argName", "") for one in walk(node.subgraphs[0]) if one.op == "null"]
        inputs = inputs_of(node)
        held = {name: content(arrays[name]) for name in inner if name in arrays and name not in inputs}
        binary = arrays.get(node.inputs[-1].node.name) if node.inputs else None
        verify(node.name, memoryview(b"") if binary is None else content(binary), node.subgraphs[0], held)


def _name(symbol: Symbol) -> str:
    return os.path.basename(_file(symbol)) or symbol.name or "symbol"


def _file(symbol: Symbol) -> str:
    """The file that the symbol was loaded from."""
    return str(getattr(symbol, "_source", ""))


def _address(found: np.ndarray[Any, Any]) -> int:
    return int(found.__array_interface__["data"][0])


def _aligned(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Zeros where the engine likes them."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.zeros(size + _ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)

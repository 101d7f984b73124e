"""A graph with its arrays, ready to run: what ``Symbol.bind`` and ``simple_bind`` return.

On ``mx.neuron(i)`` it runs on the NeuronCores from there (SPEC P3). On ``mx.cpu()`` a compiled graph runs on
NeuronCores that the runtime chooses, as mx_neuron had it, and any other on all CPUs of the process. The engine reads
inputs and writes outputs where the arrays are; weights it packs when it loads, and again when they changed.
"""

from __future__ import annotations

import functools
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mxnet._alignment import ALIGNMENT, address, aligned
from neuron_adapters.mxnet._backend import Plan, backend
from neuron_adapters.mxnet._subgraphs import CAST, pipeline_cores
from neuron_adapters.mxnet._training import Missing, NoGradient, missing_names, refuse_gradient, refuse_training
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.monitor import watcher
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._memory import writes
from neuron_adapters.mxnet.ndarray._shared_weights import content, key_of
from neuron_rt import Model, RequestPool

if TYPE_CHECKING:
    from neuron_adapters.mxnet._analysis import Graph
    from neuron_adapters.mxnet._inference import Inferred
    from neuron_adapters.mxnet.numpy_form import NumpyForm
    from neuron_adapters.mxnet.numpy_form._form import Watch
    from neuron_adapters.mxnet.operators._builder import Drawn
    from neuron_adapters.mxnet.symbol import Symbol
    from neuron_rt import Slot

    Inputs = list[tuple[str, NDArray, np.ndarray[Any, Any]]]

__all__ = ["Executor"]

__getattr__: Missing = missing_names("mx.executor")

#: A weight that changed before more than this many runs in a row counts as an input.
_MOST_RELOADS = 2


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
        inferred: Inferred | None = None,
        outputs: Sequence[NDArray] = (),
        gradients: Collection[str] = (),
    ) -> None:
        """``bf16``: compute in bfloat16; None leaves it to the compiled graph. ``beside``: on whose NCs to be placed,
        instead of those that the context names. ``inferred``: the shapes and dtypes of all values, where they are
        known. ``outputs``: whose memory the outputs share where it is large enough. ``gradients``: the arguments whose
        gradients were asked for, though there are none."""
        graph = symbol._analysis()
        self._symbol = symbol
        self._context = context
        self.arg_arrays = args
        self.aux_arrays = aux
        self.arg_dict: dict[str, NDArray] = dict(zip(graph.arguments, args))
        self._gradients = gradients
        self.grad_arrays: list[NoGradient | None] = [None] * len(args)
        if gradients:
            self.grad_arrays = [NoGradient(name) if name in gradients else None for name in self.arg_dict]
        self.aux_dict: dict[str, NDArray] = dict(zip(graph.auxiliary_states, aux))
        self._arrays = {**self.arg_dict, **self.aux_dict}
        self._held = sorted(graph.weights & set(self._arrays))
        self._runs = self._reloaded = 0
        self._reloads: Counter[str] = Counter()
        """In how many runs in a row a weight had changed."""
        self._bf16 = any(CAST in node.attrs for node in graph.compiled) if bf16 is None else bf16
        self._backend = backend()
        self._guard = threading.RLock()  # a signal handler may run what its own thread is running
        self._fresh = False
        """Whether the plan was just made from the weights as they are."""
        self._numpy: tuple[Plan, NumpyForm] | None = None
        self._watch: Watch | None = None
        self._plan = self._lowered(graph, inferred)
        self._seen, self._versions = self._load()
        self.outputs: list[NDArray] = [NDArray(aligned(shape, dtype), context) for shape, dtype in self._plan.outputs]
        for place, shared in enumerate(outputs):
            self.outputs[place] = _in_memory_of(shared, self.outputs[place])
        self._to = [address(output._array) for output in self.outputs]
        self._wire()
        self._model = self._backend.new_model(_name(symbol), pipeline_cores(graph.compiled), _file(symbol))
        # A method of self would be a cycle, which frees its NCs later.
        self._model.prepare_with(self._executable.prepare)
        self._pool: RequestPool | None = None
        if context.device_type == "neuron" or graph.compiled:
            self._backend.place(self._model, context, beside)
            remember(self, self._model)
        else:
            self._pool = self._executable.everywhere()

    # -- running ------------------------------------------------------------------------------------------------

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[NDArray]:
        """Run, after copying ``kwargs``, NDArrays or NumPy's, to the arguments of those names; the outputs.

        Raises TypeError for an unknown name, ValueError for another shape, MXNetError where ``is_train`` is set and an
        operator would act differently in training, or on a NeuronCore.
        """
        if is_train:
            nodes = self._symbol._analysis().training_nodes
            if nodes or self._context.device_type == "neuron":
                refuse_training("forward(is_train=True)", nodes)
        self._on_ncs(self._run, kwargs)
        return self.outputs

    def copied(self, kwargs: Mapping[str, Any], watch: Watch | None = None) -> list[np.ndarray[Any, Any]]:
        """Run as ``forward`` does; copies of the outputs, of this run whatever other threads run meanwhile. ``watch``
        sees every operator of this run, which NumPy computes."""
        run = self._run_and_copy if watch is None else functools.partial(self._run_and_copy, watch=watch)
        copies: list[np.ndarray[Any, Any]] = self._on_ncs(run, kwargs)
        return copies

    def _on_ncs(self, run: Callable[..., Any], kwargs: Mapping[str, Any]) -> Any:
        """Call ``run`` on the NCs, where there are any. The executor's own lock is taken inside: a thread that held it
        and waited for the NCs could be waited for by a call of another thread that has them."""
        inputs = [(name, *self._checked(name, value)) for name, value in kwargs.items()]
        if self._pool is not None:
            return run(None, inputs)
        model = self._model
        slot = model.slot or model.pick()  # a forked child has none
        return slot.run(run, (slot, inputs), {}, False)  # noqa: FBT003

    def _run_and_copy(
        self, slot: Slot | None, inputs: Inputs, watch: Watch | None = None
    ) -> list[np.ndarray[Any, Any]]:
        with self._guard:
            self._run(slot, inputs, watch)
            return [output._array.copy() for output in self.outputs]

    def _run(self, slot: Slot | None, inputs: Inputs, watch: Watch | None = None) -> None:
        watch = watch or self._watch
        with self._guard:
            self._runs += 1
            for name, target, array in inputs:
                target._array[...] = array
                if name in self._versions:  # it is fed, and the engine holds it as a weight
                    target._written()
            if writes.value != self._seen:
                self._look()
            if self._plan.lowered is None or watch is not None:
                self._run_by_numpy(watch)
                return
            for buffer, drawn in self._drawn:
                buffer[...] = drawn.make()
            for index, (buffer, source) in self._staged.items():
                np.copyto(buffer, source)
                self._from[index] = address(buffer)
            pool: Any = self._pool if slot is None else slot.pool
            if not self._backend.run(self._executable, pool, self._from, self._to, self._alive):
                pool.guarded += 1
                self._run_by_numpy()

    def _run_by_numpy(self, watch: Watch | None = None) -> None:
        """Write MXNet's own results to the outputs (SPEC K3). Raises MXNetError where MXNet has none."""
        if self._numpy is None or self._numpy[0] is not self._plan:
            self._numpy = self._plan, self._plan.numpy_form()
        arrays = {name: array._array for name, array in self._arrays.items()}
        results = self._numpy[1].run(arrays, watch)
        for output, result in zip(self.outputs, results):
            output._array[...] = result

    def _checked(self, name: str, value: Any) -> tuple[NDArray, np.ndarray[Any, Any]]:
        """Return the argument of that name, and the array to copy to it. Raises TypeError and MXNetValueError."""
        target = self.arg_dict.get(name)
        if target is None:
            raise TypeError(f"Unknown argument {name}")
        array = value._array if isinstance(value, NDArray) else np.asarray(value)
        if array.shape != target.shape:
            raise MXNetValueError(f"Shape not match! Argument {name}, need: {target.shape}, received: {array.shape}")
        return target, array

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:  # noqa: ARG002 - MXNet's signature
        """Refuse: inference only."""
        refuse_gradient("backward()")

    # -- weights ------------------------------------------------------------------------------------------------

    def _lowered(self, graph: Graph, inferred: Inferred | None = None) -> Plan:
        """Return the plan for arrays of these shapes and dtypes. It holds nothing of their content."""

        def lower() -> Plan:
            arrays = {name: array._array for name, array in self._arrays.items()}
            known = inferred or graph.infer(
                {name: array.shape for name, array in arrays.items()},
                {name: array.dtype.name for name, array in arrays.items()},
            )
            self._fresh = True
            return self._lower(known, graph)

        specs = [(name, array._array.shape, array._array.dtype) for name, array in self._arrays.items()]
        return graph.plan((*specs, *self._held), lower)

    def _load(self) -> tuple[int, dict[str, int]]:
        """Make the engine's form of the graph with the weights as they are now; how many writes were counted before,
        and the weights' versions. They become the executor's own when the form computes: an exception before that
        leaves it to the next run."""
        seen = writes.value
        arrays, weights, contents, versions = [], [], [], {}
        for name in self._plan.held:
            array = self._arrays[name]
            arrays.append(array)
            weights.append(array._array)
            contents.append(content(array))
            versions[name] = array._version
        if not self._fresh and not self._backend.fits(self._plan, weights):
            self._plan = self._lower(self._plan.inferred, self._symbol._analysis())
        self._fresh = False
        lowered, key = self._plan.lowered, key_of(arrays)
        shared = None if key is None or lowered is None else (lowered.text, key, self._bf16)
        self._executable = self._backend.executable(shared, self._plan, contents, bf16=self._bf16)
        return seen, versions

    def _lower(self, inferred: Inferred, graph: Graph) -> Plan:
        held = {name: content(self._arrays[name]) for name in self._held}
        return self._backend.lower(inferred, held, graph.tables)

    def _look(self) -> None:
        """Load the weights again where one was written to since the last look."""
        seen = writes.value
        changed = [name for name, version in self._versions.items() if self._arrays[name]._version != version]
        if changed:
            if self._runs > self._reloaded + 1:  # a run left the weights as they were
                self._reloads.clear()
            self._reloads.update(changed)
            self._reloaded = self._runs
            often = {name for name in changed if self._reloads[name] > _MOST_RELOADS}
            if often:  # they change on every call, so they are inputs, whatever their names
                self._held = [name for name in self._held if name not in often]
                self._plan = self._lowered(self._symbol._analysis())
                self._wire()
            seen, versions = self._load()
            if self._pool is not None:
                self._pool = self._executable.everywhere()
            else:
                self._model.prepare_with(self._executable.prepare)
            self._versions = versions
        self._seen = seen

    def _wire(self) -> None:
        """Set where the engine reads: from the arrays, or from aligned copies of arrays that are not aligned."""
        self._from: list[int] = []
        self._staged: dict[int, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
        self._drawn: list[tuple[np.ndarray[Any, Any], Drawn]] = []
        draws = self._plan.draws
        for index, name in enumerate(self._plan.inputs):
            if name in draws:
                drawn = draws[name]
                self._drawn.append((aligned(drawn.shape, np.dtype(drawn.dtype)), drawn))
                self._from.append(address(self._drawn[-1][0]))
                continue
            array = self._arrays[name]._array
            self._from.append(address(array))
            if self._from[index] % ALIGNMENT and array.size:
                self._staged[index] = (aligned(array.shape, array.dtype), array)
        self._alive = (self._arrays, self.outputs, self._staged, self._drawn)

    # -- the rest of MXNet's surface ----------------------------------------------------------------------------

    @property
    def output_dict(self) -> dict[str, NDArray]:
        """The outputs by name."""
        return dict(zip(self._symbol.list_outputs(), self.outputs))

    @property
    def grad_dict(self) -> dict[str, NoGradient | None]:
        """None for each argument whose ``grad_req`` is null, as in MXNet; the use of another is an MXNetError."""
        return dict(zip(self.arg_dict, self.grad_arrays))

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
        """Create an executor for other input shapes, on the same NeuronCores. It shares all arrays, outputs included: a
        smaller one has the first numbers of the old, a larger one is new.

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
            size = int(np.prod(shape))
            if size > old.size:
                args.append(NDArray(aligned(shape, old._array.dtype), self._context))
            else:
                args.append(old._view(old._array.reshape(-1)[:size].reshape(shape)))
        for (name, old), shape in zip(self.aux_dict.items(), aux_shapes or []):
            if shape != old.shape:
                raise MXNetError(f"The shape of the auxiliary state {name} changes from {old.shape} to {shape}.")
        reshaped = Executor(
            self._symbol,
            self._context,
            args,
            self.aux_arrays,
            bf16=self._bf16,
            beside=self._model,
            outputs=self.outputs,
            gradients=self._gradients,
        )
        reshaped._watch = self._watch
        return reshaped

    def get_optimized_symbol(self) -> Symbol:
        """Return the graph: what the engine makes of it, it does not show."""
        return self._symbol

    def debug_str(self) -> str:
        """Describe the graph, for people, and how large arguments, states and outputs are."""
        arrays = [*self.arg_arrays, *self.aux_arrays, *self.outputs]
        size = sum(array._array.nbytes for array in arrays) >> 20
        return f"{self._symbol.debug_str()}Total {size} MB allocated\n"

    def set_monitor_callback(self, callback: Any, monitor_all: bool = False) -> None:
        """Let ``callback(name, array)`` see the outputs of every operator, and the inputs where ``monitor_all``; names
        are bytes. NumPy computes every run from now on, operator by operator, until ``callback`` is None."""
        self._watch = None if callback is None else watcher(callback, monitor_all)


def _in_memory_of(shared: NDArray, output: NDArray) -> NDArray:
    """Return an array like ``output`` in the memory of ``shared``; ``output`` itself where it does not fit."""
    if shared.dtype != output.dtype or output.size > shared.size:
        return output
    return shared._view(shared._array.reshape(-1)[: output.size].reshape(output.shape))


def _name(symbol: Symbol) -> str:
    return os.path.basename(_file(symbol)) or symbol.name or "symbol"


def _file(symbol: Symbol) -> str:
    """Return the file that the symbol was loaded from."""
    return str(getattr(symbol, "_source", ""))

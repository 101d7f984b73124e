"""``Module``: a graph, its parameters and the shapes it is fed, on one context or several (SPEC P7)."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mxnet import model, ndarray
from neuron_adapters.mxnet._executor_cache import ExecutorCache, InputSignature, Models, Workers, copies
from neuron_adapters.mxnet._training import refuse_training
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context, cpu
from neuron_adapters.mxnet.executor import Executor
from neuron_adapters.mxnet.initializer import InitDesc, Uniform
from neuron_adapters.mxnet.io import DataDesc
from neuron_adapters.mxnet.module._division import shape_of, shares
from neuron_adapters.mxnet.module.base_module import BaseModule, raw, refuse
from neuron_adapters.mxnet.ndarray import NDArray

if TYPE_CHECKING:
    from neuron_adapters.mxnet.module.executor_group import DataParallelExecutorGroup
    from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["Module", "uniform"]

Params = Mapping[str, NDArray]
Shapes = Sequence[DataDesc | tuple[str, Sequence[int]]]
#: The part of each input that a context takes.
Parts = dict[str, tuple[slice, ...]]

#: MXNet's default: evenly from -0.01 to 0.01; 0 or 1 for biases and normalisations.
uniform: Uniform = Uniform(0.01)


class Module(BaseModule):
    """A graph with parameters, for inference. ``context``: one, or a list that shares each batch.

    Raises ValueError for names that the graph does not have.
    """

    binded: bool
    params_initialized: bool
    for_training: bool
    inputs_need_grad: bool
    data_names: list[str]
    label_names: list[str]
    symbol: Symbol

    def __init__(
        self,
        symbol: Symbol,
        data_names: Sequence[str] | None = ("data",),
        label_names: Sequence[str] | None = ("softmax_label",),
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,  # noqa: ARG002 - one context is all there is
        compression_params: Any = None,  # noqa: ARG002 - of gradients
    ) -> None:
        """``work_load_list``: shares of the contexts; all alike where it is None."""
        super().__init__(logger)
        self.symbol = symbol
        self.params_initialized = self.for_training = False
        self.data_names, self.label_names = list(data_names or []), list(label_names or [])
        self._contexts = [cpu()] if context is None else [context] if isinstance(context, Context) else list(context)
        self._work = [1.0] * len(self._contexts) if work_load_list is None else list(work_load_list)
        if not self._contexts or len(self._work) != len(self._contexts) or min(self._work) <= 0:
            raise MXNetValueError(
                f"Module takes at least one context, and a share above 0 for each, got {self._contexts} and "
                f"{self._work}."
            )
        arguments = symbol.list_arguments()
        states = list(state_names or [])
        for what, names in (("data", self.data_names), ("state", states), ("fixed_param", fixed_param_names or [])):
            for name in names:
                if name not in arguments:
                    raise MXNetValueError(
                        f"Module({what}_names=...) has {name!r}, which is not an argument of the graph. "
                        f"These are: {', '.join(arguments)}."
                    )
        others = {*self.data_names, *self.label_names, *states}
        self._state_names = states
        self._param_names = [name for name in arguments if name not in others]
        self._aux_names = symbol.list_auxiliary_states()
        self._params: dict[str, NDArray] = {}
        self._data_shapes: list[DataDesc] = []
        self._label_shapes: list[DataDesc] | None = None
        self._caches: list[ExecutorCache] = []
        self._parts: list[Parts] = []
        self._signatures: list[InputSignature] = []
        self._ran: list[list[NDArray]] = []
        self._workers = Workers(len(self._contexts))
        self._monitor: Any = None

    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> Module:
        """Create the Module of a checkpoint; ``kwargs`` are the constructor's. It is ready once ``bind`` was called."""
        if load_optimizer_states:
            refuse("Module.load(load_optimizer_states=True)")
        symbol, args, aux = model.load_checkpoint(prefix, epoch)
        module = Module(symbol, **kwargs)
        module._params = module._chosen(args, aux, symbol._analysis().labels)
        module.params_initialized = True
        return module

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        return self.symbol.list_outputs()

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Names, shapes and dtypes of the inputs that it is bound for."""
        self._require_bound()
        return self._data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Those of the labels; None where there are none."""
        self._require_bound()
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """The outputs' names and shapes, for the whole batch."""
        self._require_bound()
        return list(zip(self.output_names, self._inferred(self._data_shapes, self._label_shapes)[1]))

    # -- binding ------------------------------------------------------------------------------------------------

    def bind(
        self,
        data_shapes: Shapes,
        label_shapes: Shapes | None = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Module | None = None,
        grad_req: Any = "write",  # noqa: ARG002 - for_training says it all
    ) -> None:
        """Take a place in each context, for these shapes. ``shared_module``: whose parameters it has in common.

        Raises MXNetError where gradients are asked for, ValueError for other names than ``data_names``, and what
        placement raises; then nothing is placed.
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        placed = any(context.device_type == "neuron" for context in self._contexts)
        if inputs_need_grad or (for_training and placed):
            raise MXNetError(
                f"bind(for_training={for_training}, inputs_need_grad={inputs_need_grad}) on {self._contexts}: this "
                "package infers only. Pass for_training=False."
            )
        self.binded, self._caches, self._ran = False, [], []
        data, labels = self._described(data_shapes, label_shapes)
        shapes, _outputs, aux_shapes = self._inferred(data, labels)
        if shared_module is not None:
            shared_module._require_ready()
            self._params, self.params_initialized = shared_module._params, True
        elif not self.params_initialized:
            self._params = self._zeros(data, shapes, aux_shapes)
        self._divide(data, labels)
        caches = [ExecutorCache(self.symbol, context) for context in self._contexts]
        if self.params_initialized:
            self._executors(caches)
        self._caches = caches
        self.binded, self.for_training = True, for_training
        remember(self, Models(self._caches))

    def reshape(self, data_shapes: Shapes, label_shapes: Shapes | None = None) -> None:
        """Take inputs of other shapes from now on, in the same place."""
        self._require_bound()
        data, labels = self._described(data_shapes, label_shapes)
        self._inferred(data, labels)
        self._divide(data, labels)

    def _described(self, data: Shapes, labels: Shapes | None) -> tuple[list[DataDesc], list[DataDesc] | None]:
        data_descs = [desc if isinstance(desc, DataDesc) else DataDesc(*desc) for desc in data]
        if sorted(desc.name for desc in data_descs) != sorted(self.data_names):
            raise MXNetValueError(
                f"data_shapes is for {[desc.name for desc in data_descs]}, data_names are {self.data_names}."
            )
        # A label that the graph lacks is ignored: it is for training only.
        known = set(self.symbol.list_arguments())
        kept = [desc if isinstance(desc, DataDesc) else DataDesc(*desc) for desc in labels or []]
        return data_descs, [desc for desc in kept if desc.name in known] or None

    def _inferred(self, data: list[DataDesc], labels: list[DataDesc] | None) -> tuple[Any, Any, Any]:
        fed_shapes = {desc.name: desc.shape for desc in [*data, *(labels or [])]}
        if self.params_initialized:
            fed_shapes.update({name: self._params[name].shape for name in self._param_names if name in self._params})
        inferred = self.symbol.infer_shape(**fed_shapes)
        if inferred[0] is None:
            raise MXNetValueError(f"the shapes of all arguments do not follow from {fed_shapes}.")
        return inferred

    def _zeros(self, data: list[DataDesc], shapes: Any, aux_shapes: Any) -> dict[str, NDArray]:
        types, _out_types, aux_types = self.symbol._full_types({desc.name: desc.dtype for desc in data})
        specs = [*zip(self.symbol.list_arguments(), shapes, types), *zip(self._aux_names, aux_shapes, aux_types)]
        own = {*self._param_names, *self._aux_names}
        return {name: ndarray.zeros(shape, cpu(), dtype) for name, shape, dtype in specs if name in own}

    # -- parameters ---------------------------------------------------------------------------------------------

    def init_params(
        self,
        initializer: Callable[[str, NDArray], None] | None = uniform,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Set the parameters: from those given, else by ``initializer(name, array)``.

        Raises MXNetError for what is missing unless ``allow_missing``, for what is too many together with it unless
        ``allow_extra``, and for another shape; then nothing changes.
        """
        self._require_bound()
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. init_params call ignored.", stacklevel=2
            )
            return
        if arg_params is None and aux_params is None:
            if initializer is None:
                raise MXNetError("init_params() takes parameters, or an initializer that makes them.")
            new = {}
        else:
            unneeded = {*self._param_names, *self._aux_names} if allow_missing else ()
            new = self._chosen(arg_params or {}, aux_params or {}, unneeded)
        if allow_missing and not allow_extra:
            self._require_known(arg_params or {}, aux_params or {})
        for name, array in new.items():
            if array.shape != self._params[name].shape:
                raise MXNetValueError(
                    f"The parameter {name} has the shape {array.shape}, and {self._params[name].shape} follows from "
                    "what the module is bound for."
                )
        if initializer is not None:
            attrs = self.symbol.attr_dict()
            for name in sorted(set(self._params) - set(new)):
                initializer(InitDesc(name, attrs.get(name), initializer), self._params[name])
        if self.params_initialized:
            for name, array in new.items():  # they are in use
                self._params[name][:] = array
            return
        self._params.update({name: array.astype(self._params[name].dtype, copy=False) for name, array in new.items()})
        self.params_initialized = True
        self._executors(self._caches)

    def set_params(
        self,
        arg_params: Params | None,
        aux_params: Params | None,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set the parameters to those given; see ``init_params``."""
        self.init_params(None, arg_params or {}, aux_params or {}, allow_missing, force_init, allow_extra)

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copy the arguments and the auxiliary states, by name."""
        if not self.params_initialized:
            raise MXNetError("The module has no parameters yet: call set_params() or init_params().")
        copied = copies(self._params)
        args = {name: copied[name] for name in self._param_names if name in copied}
        return args, {name: copied[name] for name in self._aux_names}

    def save_params(self, fname: str) -> None:
        """Write the parameters."""
        model.save_arrays(fname, *self.get_params())

    def load_params(self, fname: str) -> None:
        """Set the parameters to those of a file."""
        self.set_params(*model.load_arrays(fname))

    def save_checkpoint(
        self, prefix: str, epoch: int, save_optimizer_states: bool = False, remove_amp_cast: bool = True
    ) -> None:
        """Write graph and parameters."""
        if save_optimizer_states:
            refuse("save_checkpoint(save_optimizer_states=True)")
        model.save_checkpoint(prefix, epoch, self.symbol, *self.get_params(), remove_amp_cast)

    def _require_known(self, args: Params, aux: Params) -> None:
        """Raise MXNetValueError for a name that the graph does not have. Its inputs may be arguments, too: compiled
        checkpoints hold an example of each."""
        for params, own, what in (
            (args, self.symbol.list_arguments(), "arguments"),
            (aux, self._aux_names, "auxiliary states"),
        ):
            unknown = sorted(set(params) - set(own))
            if unknown:
                raise MXNetValueError(
                    f'Find name "{unknown[0]}" that is not in the {what}: allow_extra=True ignores it.'
                )

    def _chosen(self, args: Params, aux: Params, unneeded: Collection[str]) -> dict[str, NDArray]:
        """Copy those parameters that the graph has. Raises MXNetError where one is missing that is not ``unneeded``: a
        label is a parameter to a Module that is not told of it, and nothing is computed from it."""
        missing = [name for name in self._param_names if name not in args]
        missing = [
            name for name in [*missing, *(name for name in self._aux_names if name not in aux)] if name not in unneeded
        ]
        if missing:
            raise MXNetError(f"{missing[0]} is not presented: parameters are missing ({', '.join(sorted(missing))}).")
        arg_params = {name: args[name] for name in self._param_names if name in args}
        return copies({**arg_params, **{name: aux[name] for name in self._aux_names if name in aux}})

    # -- running ------------------------------------------------------------------------------------------------

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch; ``get_outputs()`` has the results. A batch of other shapes than bound for reshapes the module.

        Raises MXNetError where ``is_train``, or, where that is None, the module was bound for training, and an operator
        would act differently in training, or the module is on a NeuronCore.
        """
        self._require_ready()
        if self.for_training if is_train is None else is_train:
            nodes = self.symbol._analysis().training_nodes
            if nodes or any(context.device_type == "neuron" for context in self._contexts):
                refuse_training("forward() for training", nodes)
        data = [raw(array) for array in data_batch.data]
        labels = [raw(array) for array in getattr(data_batch, "label", None) or []]
        if [desc.shape for desc in data] != [desc.shape for desc in self._data_shapes]:
            self._reshape_for(data_batch, data, labels)
        fed = dict(zip((desc.name for desc in self._data_shapes), data))
        if self._label_shapes is not None:
            fed.update(zip((desc.name for desc in self._label_shapes), labels))
        jobs: list[Any] = []
        for executor, part in zip(self._executors(self._caches), self._parts):
            inputs: dict[str, Any] = {name: array[part.get(name, ())] for name, array in fed.items()}
            jobs.append(functools.partial(executor.forward, **inputs))
        self._ran = self._workers.run(jobs)

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """The outputs of the last run, an NDArray each; of several contexts joined, unless not
        ``merge_multi_context``: then a list each. The next run writes them anew."""
        if not self._ran:
            raise MXNetError("There are no outputs before forward().")
        if not merge_multi_context:
            return [list(parts) for parts in zip(*self._ran)]
        if len(self._ran) == 1:
            return list(self._ran[0])
        return [ndarray.concatenate(list(parts)) for parts in zip(*self._ran)]

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the states that the module was made with (``state_names``): to ``value``, or to ``states``, for each an
        array of the whole batch, or a list of one for each context. Raises MXNetValueError unless given one of both."""
        self._require_ready()
        if (states is None) == (value is None):
            raise MXNetValueError("set_states() takes the states, or one value for all.")
        executors = self._executors(self._caches)
        rows = shares(self._data_shapes, self._work)
        for index, name in enumerate(self._state_names):
            for place, executor in enumerate(executors):
                state = value if states is None else states[index]
                if isinstance(state, (list, tuple)):
                    state = state[place]
                elif states is not None:
                    state = raw(state)[rows[place]]
                executor.arg_dict[name][:] = state

    def install_monitor(self, mon: Any) -> None:
        """See the base."""
        self._require_bound()
        self._monitor = mon

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the states: an array each, or, of several contexts unless ``merge_multi_context``, a list each."""
        self._require_ready()
        executors = self._executors(self._caches)
        arrays = [[executor.arg_dict[name] for executor in executors] for name in self._state_names]
        return [ndarray.concatenate(parts, always_copy=False) for parts in arrays] if merge_multi_context else arrays

    def _reshape_for(self, batch: Any, data: Sequence[Any], labels: Sequence[Any]) -> None:
        def described(provided: Any, before: Sequence[DataDesc], arrays: Sequence[Any]) -> Shapes:
            if provided:
                return list(provided)
            if len(arrays) != len(before):
                raise MXNetValueError(f"the batch has {len(arrays)} arrays for {[desc.name for desc in before]}.")
            return [DataDesc(desc.name, array.shape, desc.dtype, desc.layout) for desc, array in zip(before, arrays)]

        shapes = described(getattr(batch, "provide_data", None), self._data_shapes, data)
        label_shapes = None
        if labels and self._label_shapes:
            label_shapes = described(getattr(batch, "provide_label", None), self._label_shapes, labels)
        self.reshape(shapes, label_shapes)

    def _divide(self, data: list[DataDesc], labels: list[DataDesc] | None) -> None:
        """Set the shapes of the inputs, and the part of each context."""
        inputs = [*data, *(labels or [])]
        parts: list[Parts] = []
        for share in shares(data, self._work):
            axes = {desc.name: DataDesc.get_batch_axis(desc.layout) for desc in inputs if desc.shape}
            parts.append({name: (slice(None),) * axis + (share,) if axis >= 0 else () for name, axis in axes.items()})
        self._signatures = [
            tuple((desc.name, shape_of(desc.shape, part.get(desc.name, ())), np.dtype(desc.dtype)) for desc in inputs)
            for part in parts
        ]
        self._parts, self._data_shapes, self._label_shapes = parts, data, labels

    def _executors(self, caches: Sequence[ExecutorCache]) -> list[Executor]:
        """Return the executor of each context for what it is fed now."""
        executors = [cache.executor(signature, self._params) for cache, signature in zip(caches, self._signatures)]
        if self._monitor is not None:
            for executor in executors:
                if executor not in self._monitor.exes:
                    self._monitor.install(executor)
        return executors

    # Private names of MXNet's that public scripts and monitors use.

    @property
    def _exec_group(self) -> DataParallelExecutorGroup:
        from neuron_adapters.mxnet.module.executor_group import DataParallelExecutorGroup

        self._require_bound()
        return DataParallelExecutorGroup.of(self)

    @property
    def _total_exec_bytes(self) -> int:
        return self._exec_group._total_exec_bytes

    def _require_bound(self) -> None:
        if not self.binded:
            raise MXNetError("The module is not bound yet: call bind(data_shapes=..., for_training=False).")

    def _require_ready(self) -> None:
        self._require_bound()
        if not self.params_initialized:
            raise MXNetError("The module has no parameters yet: call set_params() or init_params().")

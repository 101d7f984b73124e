"""``mx.module.executor_group``: executors of one graph, each with a part of every batch. ``Module`` is their better
front."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.executor import Executor
from neuron_adapters.mxnet.module.base_module import refuse
from neuron_adapters.mxnet.module.module import Module, Shapes
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["DataParallelExecutorGroup"]


class DataParallelExecutorGroup:
    """Executors of ``symbol`` in ``contexts``, over parameters that are zeros until ``set_params``. ``shared_group``:
    whose parameters they have in common.

    Raises what ``Module.bind`` raises, and MXNetError where gradients are asked for.
    """

    symbol: Any
    contexts: list[Context]
    workload: Sequence[float] | None
    logger: Any
    param_names: list[str]
    for_training: bool
    inputs_need_grad: bool
    arg_names: list[str]
    aux_names: list[str]
    output_names: list[str]

    def __init__(
        self,
        symbol: Any,
        contexts: Sequence[Context],
        workload: Sequence[float] | None,
        data_shapes: Shapes,
        label_shapes: Shapes | None,
        param_names: Sequence[str],
        for_training: bool,
        inputs_need_grad: bool,
        shared_group: DataParallelExecutorGroup | None = None,
        logger: Any = logging,
        fixed_param_names: Sequence[str] | None = None,
        grad_req: Any = "write",
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
    ) -> None:
        self.symbol, self.contexts, self.workload, self.logger = symbol, list(contexts), workload, logger
        self.param_names, self.for_training, self.inputs_need_grad = list(param_names), for_training, inputs_need_grad
        self.arg_names, self.aux_names = symbol.list_arguments(), symbol.list_auxiliary_states()
        self.output_names = symbol.list_outputs()
        data_names, label_names = ([desc[0] for desc in shapes or []] for shapes in (data_shapes, label_shapes))
        self._module = Module(
            symbol, data_names, label_names, logger, self.contexts, workload, fixed_param_names, state_names, group2ctxs
        )
        shared = None if shared_group is None else shared_group._module
        self._module.bind(data_shapes, label_shapes, for_training, inputs_need_grad, False, shared, grad_req)  # noqa: FBT003
        if shared is None:
            self._module.init_params(lambda _name, _array: None)

    @classmethod
    def of(cls, module: Module) -> DataParallelExecutorGroup:
        """Return the group of a module that is bound."""
        group = cls.__new__(cls)
        group.symbol, group.contexts, group.workload = module.symbol, module._contexts, module._work
        group.logger, group.param_names = module.logger, module._param_names
        group.for_training, group.inputs_need_grad = module.for_training, module.inputs_need_grad
        group.arg_names, group.aux_names = module.symbol.list_arguments(), module._aux_names
        group.output_names = module.symbol.list_outputs()
        group._module = module
        return group

    @property
    def shared_data_arrays(self) -> list[dict[str, NDArray]]:
        """The inputs and labels of each context, by name."""
        names = [*self._module.data_names, *self._module.label_names]
        return [{name: each.arg_dict[name] for name in names if name in each.arg_dict} for each in self.execs]

    @property
    def data_arrays(self) -> list[list[tuple[slice, NDArray]]]:
        """For each input: the rows that each context takes, and its array."""
        return self._inputs(self._module.data_names)

    @property
    def label_arrays(self) -> list[list[tuple[slice, NDArray]]] | None:
        """Those of the labels; None where none are bound."""
        return self._inputs(self._module.label_names) if self.label_shapes else None

    def _inputs(self, names: Sequence[str]) -> list[list[tuple[slice, NDArray]]]:
        parts = self._module._parts
        return [
            [(part[name][-1], each.arg_dict[name]) for part, each in zip(parts, self.execs) if name in each.arg_dict]
            for name in names
        ]

    @property
    def param_arrays(self) -> list[list[NDArray]]:
        """For each parameter: its array in each context."""
        return [[each.arg_dict[name] for each in self.execs] for name in self.param_names]

    @property
    def aux_arrays(self) -> list[list[NDArray]]:
        """For each auxiliary state: its array in each context."""
        return [[each.aux_dict[name] for each in self.execs] for name in self.aux_names]

    @property
    def _total_exec_bytes(self) -> int:
        arrays = [array for each in self.execs for array in (*each.arg_arrays, *each.aux_arrays, *each.outputs)]
        return sum(array._array.nbytes for array in arrays)

    @property
    def execs(self) -> list[Executor]:
        """An executor for each context, for the shapes of now."""
        return self._module._executors(self._module._caches)

    @property
    def data_shapes(self) -> Any:
        """Names and shapes of the inputs."""
        return self._module.data_shapes

    @property
    def label_shapes(self) -> Any:
        """Those of the labels; None where there are none."""
        return self._module.label_shapes

    def reshape(self, data_shapes: Shapes, label_shapes: Shapes | None = None) -> None:
        """Take inputs of other shapes from now on."""
        self._module.reshape(data_shapes, label_shapes)

    def set_params(
        self, arg_params: Mapping[str, NDArray], aux_params: Mapping[str, NDArray], allow_extra: bool = False
    ) -> None:
        """Set parameters to those given; the others stay."""
        self._module.set_params(arg_params, aux_params, allow_missing=True, allow_extra=allow_extra)

    def get_params(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Copy the parameters into both dictionaries."""
        args, states = self._module.get_params()
        arg_params.update({name: args[name] for name in self.param_names if name in args})
        aux_params.update(states)

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch."""
        self._module.forward(data_batch, is_train)

    def get_outputs(self, merge_multi_context: bool = True, begin: int = 0, end: int | None = None) -> list[Any]:
        """Return the outputs of the last run, from number ``begin`` to ``end``; see ``Module.get_outputs``."""
        return self._module.get_outputs(merge_multi_context)[begin:end]

    def get_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return the outputs' names and shapes, for the whole batch."""
        return self._module.output_shapes

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the states; see ``Module.get_states``."""
        return self._module.get_states(merge_multi_context)

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the states; see ``Module.set_states``."""
        self._module.set_states(states, value)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Take the outputs of the last run into a metric."""
        self._module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a ``mx.mon.Monitor`` watch the executors."""
        self._module.install_monitor(mon)

    def backward(self, out_grads: Any = None) -> None:  # noqa: ARG002 - MXNet's signature
        """Refuse: inference only."""
        refuse("backward()")

    def get_input_grads(self, merge_multi_context: bool = True) -> None:  # noqa: ARG002
        """Refuse: inference only."""
        refuse("get_input_grads()")

"""``mx.mod.BucketingModule``: graphs of several lengths over one set of parameters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mxnet import model, ndarray, symbol
from neuron_adapters.mxnet._executor_cache import Models
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.module.base_module import BaseModule
from neuron_adapters.mxnet.module.module import Module
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["BucketingModule"]

Generator = Callable[[Any], tuple[Any, Sequence[str] | None, Sequence[str] | None]]


class BucketingModule(BaseModule):
    """``sym_gen(key)`` returns a graph, the names of its data and of its labels. A batch's ``bucket_key`` says which
    graph computes it; all have the parameters of that of ``default_bucket_key``."""

    binded: bool

    def __init__(
        self,
        sym_gen: Generator,
        default_bucket_key: Hashable = None,
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Any = None,
    ) -> None:
        if default_bucket_key is None:
            raise MXNetError("BucketingModule(default_bucket_key=...): the key of the graph with all parameters.")
        super().__init__(logger)
        self._generate = sym_gen
        self._default = default_bucket_key
        self._shared = {
            "logger": logger, "context": context, "work_load_list": work_load_list,
            "fixed_param_names": fixed_param_names, "state_names": state_names, "group2ctxs": group2ctxs,
            "compression_params": compression_params,
        }  # fmt: skip
        self._buckets: dict[Any, Module] = {}
        self._graphs: dict[Any, Any] = {}  # those that were loaded, instead of what sym_gen gives
        self._saved: tuple[Any, Any] | None = None
        self._key = default_bucket_key
        self._for_training = False
        self._module(default_bucket_key)

    # -- what it is ---------------------------------------------------------------------------------------------

    def _module(self, key: Any) -> Module:
        if key not in self._buckets:
            graph, data_names, label_names = self._generate(key)
            taken: Any = self._graphs.get(key, graph)
            self._buckets[key] = Module(taken, data_names, label_names, **self._shared)
        return self._buckets[key]

    @property
    def _current(self) -> Module:
        return self._module(self._key)

    @property
    def symbol(self) -> Any:
        """The graph of the current bucket, as are the other properties."""
        return self._current.symbol

    @property
    def params_initialized(self) -> bool:
        """Whether it has parameters."""
        return self._module(self._default).params_initialized

    @property
    def for_training(self) -> bool:
        """Whether it was bound for training."""
        return self._for_training

    @property
    def data_names(self) -> list[str]:
        """The names of the inputs."""
        return self._current.data_names

    @property
    def label_names(self) -> list[str]:
        """The names of the labels."""
        return self._current.label_names

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        return self._current.output_names

    @property
    def data_shapes(self) -> Any:
        """Names, shapes and dtypes of the inputs."""
        return self._current.data_shapes

    @property
    def label_shapes(self) -> Any:
        """Those of the labels; None where there are none."""
        return self._current.label_shapes

    @property
    def output_shapes(self) -> Any:
        """The outputs' names and shapes."""
        return self._current.output_shapes

    # -- binding and parameters ---------------------------------------------------------------------------------

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Any = None,
        grad_req: Any = "write",
    ) -> None:
        """Take a place for the graph of the default key; see ``Module.bind``. Raises MXNetError for
        ``shared_module``."""
        if shared_module is not None:
            raise MXNetError("BucketingModule.bind() takes no shared_module.")
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        default = self._module(self._default)
        default.bind(data_shapes, label_shapes, for_training, inputs_need_grad, force_rebind, None, grad_req)
        self._buckets = {self._default: default}
        self._key = self._default
        self.binded, self._for_training = True, for_training
        self._remember()
        if self._saved is not None:
            default.set_params(*self._saved)

    def switch_bucket(self, bucket_key: Any, data_shapes: Any, label_shapes: Any = None) -> None:
        """Let the graph of ``bucket_key`` compute from now on, in the same place."""
        if not self.binded:
            raise MXNetError("The module is not bound yet: call bind(data_shapes=..., for_training=False).")
        module = self._module(bucket_key)
        if not module.binded:
            default = self._module(self._default)
            module.bind(data_shapes, label_shapes, self._for_training, shared_module=default)
            self._remember()
        self._key = bucket_key

    def _remember(self) -> None:
        bound = [module for module in self._buckets.values() if module.binded]
        remember(self, Models([cache for module in bound for cache in module._caches]))

    def init_params(self, *args: Any, **kwargs: Any) -> None:
        """Set the parameters; see ``Module.init_params``."""
        self._module(self._default).init_params(*args, **kwargs)

    def set_params(self, *args: Any, **kwargs: Any) -> None:
        """Set the parameters; see ``Module.set_params``."""
        self._module(self._default).set_params(*args, **kwargs)

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copy the arguments and the auxiliary states, by name."""
        return self._module(self._default).get_params()

    # -- running ------------------------------------------------------------------------------------------------

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch by the graph of its ``bucket_key``; without one, by the current graph."""
        key = getattr(data_batch, "bucket_key", None)
        if key is not None:
            self.switch_bucket(key, data_batch.provide_data, data_batch.provide_label)
        self._current.forward(data_batch, is_train)

    def prepare(self, data_batch: Any, sparse_row_id_fn: Any = None) -> None:  # noqa: ARG002
        """Bind the graph of a batch, and stay with the current one."""
        before = self._key
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._key = before

    def save_checkpoint(self, prefix: str, epoch: int, remove_amp_cast: bool = False) -> None:
        """Write the parameters, the graph of each bucket (``PREFIX-KEY-symbol.json``), and the keys, which are whole
        numbers then (``PREFIX.buckets``)."""
        self.save_params(f"{prefix}-{epoch:04d}.params")
        for key, module in self._buckets.items():
            module.symbol.save(f"{prefix}-{key}-symbol.json", remove_amp_cast)
        ndarray.save(f"{prefix}.buckets", ndarray.array(list(self._buckets), dtype="int32"))

    @staticmethod
    def load(
        prefix: str, epoch: int, sym_gen: Generator | None = None, default_bucket_key: Hashable = None, **kwargs: Any
    ) -> BucketingModule:
        """Return the module that ``save_checkpoint`` wrote. Bind it: it has its parameters then."""
        keys = ndarray.load(f"{prefix}.buckets")[0].asnumpy().tolist()  # type: ignore[index]
        graphs = {key: symbol.load(f"{prefix}-{key}-symbol.json") for key in keys}
        args, aux = model.load_params(prefix, epoch)
        return BucketingModule.load_dict(graphs, sym_gen, default_bucket_key, args, aux, **kwargs)

    @staticmethod
    def load_dict(
        sym_dict: Mapping[Any, Any] | None = None,
        sym_gen: Generator | None = None,
        default_bucket_key: Hashable = None,
        arg_params: Any = None,
        aux_params: Any = None,
        **kwargs: Any,
    ) -> BucketingModule:
        """Return a module over graphs by key, with these parameters once it is bound. Raises MXNetError where one of
        the arguments is missing."""
        required = (sym_dict, sym_gen, default_bucket_key, arg_params, aux_params)
        if sym_dict is None or sym_gen is None or any(each is None for each in required):
            raise MXNetError(
                "BucketingModule.load_dict() takes sym_dict, sym_gen, default_bucket_key, arg_params and aux_params."
            )
        loaded = BucketingModule(sym_gen, default_bucket_key, **kwargs)
        loaded._graphs.update(sym_dict)
        loaded._buckets.clear()
        for key in sym_dict:
            loaded._module(key)
        loaded._saved = (arg_params, aux_params)
        return loaded

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the outputs of the last run."""
        return self._current.get_outputs(merge_multi_context)

    def install_monitor(self, mon: Any) -> None:
        """Watch the current bucket's executors."""
        self._current.install_monitor(mon)

    def _require_ready(self) -> None:
        self._current._require_ready()

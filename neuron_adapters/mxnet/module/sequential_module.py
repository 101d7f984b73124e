"""``SequentialModule``: modules, each of which gets the outputs of the one before."""

from __future__ import annotations

import copy
import logging
from typing import Any

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.module.base_module import BaseModule

__all__ = ["SequentialModule"]


class SequentialModule(BaseModule):
    """Modules, one after the other. ``add`` takes for each what it needs: ``take_labels``: it gets the labels;
    ``auto_wiring``: its inputs have other names than the outputs before."""

    binded: bool
    for_training: bool
    params_initialized: bool
    META_TAKE_LABELS = "take_labels"
    META_AUTO_WIRING = "auto_wiring"

    def __init__(self, logger: Any = logging) -> None:
        super().__init__(logger)
        self._modules: list[Any] = []
        self._metas: list[dict[str, Any]] = []
        self._label_shapes: Any = None
        self.params_initialized = False

    def add(self, module: BaseModule, **kwargs: Any) -> SequentialModule:
        """Append a module. Raises MXNetError for anything but ``take_labels`` and ``auto_wiring``."""
        unknown = set(kwargs) - {self.META_TAKE_LABELS, self.META_AUTO_WIRING}
        if unknown:
            raise MXNetError(f'Unknown meta "{", ".join(sorted(unknown))}", a typo?')
        self._modules.append(module)
        self._metas.append(kwargs)
        self.binded = self.params_initialized = False
        return self

    @property
    def data_names(self) -> list[str]:
        """The names of the first module's inputs."""
        return list(self._modules[0].data_names) if self._modules else []

    @property
    def output_names(self) -> list[str]:
        """The names of the last module's outputs."""
        return list(self._modules[-1].output_names) if self._modules else []

    @property
    def data_shapes(self) -> Any:
        """The inputs, with their shapes."""
        self._require_bound()
        return self._modules[0].data_shapes

    @property
    def label_shapes(self) -> Any:
        """The labels, with their shapes; None where no module takes them."""
        self._require_bound()
        return self._label_shapes

    @property
    def output_shapes(self) -> Any:
        """The outputs, with their shapes."""
        self._require_bound()
        return self._modules[-1].output_shapes

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
        """Bind one after the other. Raises MXNetError without modules, and for a ``shared_module``."""
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if shared_module is not None or not self._modules:
            raise MXNetError("a SequentialModule is bound with modules in it, and without a shared module.")
        shapes, labelled = data_shapes, False
        for module, meta in zip(self._modules, self._metas):
            takes = bool(meta.get(self.META_TAKE_LABELS))
            labelled |= takes
            if meta.get(self.META_AUTO_WIRING):
                shapes = [(name, desc[1]) for name, desc in zip(module.data_names, shapes)]
            module.bind(
                shapes, label_shapes if takes else None, for_training, inputs_need_grad, force_rebind, None, grad_req
            )
            shapes = module.output_shapes
        self.binded, self.for_training = True, for_training
        self._label_shapes = label_shapes if labelled else None

    def get_params(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parameters of all."""
        self._require_ready()
        args: dict[str, Any] = {}
        aux: dict[str, Any] = {}
        for module in self._modules:
            of_module = module.get_params()
            args.update(of_module[0])
            aux.update(of_module[1])
        return args, aux

    def init_params(self, *args: Any, **options: Any) -> None:
        """Set the parameters of all, as ``Module.init_params`` does. Raises MXNetError where two have the same name."""
        if self.params_initialized and not options.get("force_init", False):
            return
        self._require_bound()
        known: dict[str, int] = {}
        for place, module in enumerate(self._modules):
            module.init_params(*args, **options)
            for name in [*module.get_params()[0], *module.get_params()[1]]:
                if name in known:
                    raise MXNetError(
                        f'Duplicated parameter names: name "{name}" in layer {place} is already used in layer '
                        f"{known[name]}."
                    )
                known[name] = place
        self.params_initialized = True

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch through all."""
        self._require_ready()
        batch = copy.copy(data_batch)
        for place, module in enumerate(self._modules):
            module.forward(batch, is_train=is_train)
            if place + 1 < len(self._modules):
                batch.data = module.get_outputs()
                names = [name for name, _shape in self._modules[place].output_shapes]
                if self._metas[place + 1].get(self.META_AUTO_WIRING):
                    names = self._modules[place + 1].data_names
                batch.provide_data = [(name, array.shape) for name, array in zip(names, batch.data)]

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the outputs of the last module."""
        self._require_ready()
        outputs: list[Any] = self._modules[-1].get_outputs(merge_multi_context)
        return outputs

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Take the outputs of the modules that take labels into a metric."""
        self._require_ready()
        for module, meta in zip(self._modules, self._metas):
            if meta.get(self.META_TAKE_LABELS):
                module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor watch all."""
        self._require_bound()
        for module in self._modules:
            module.install_monitor(mon)

"""``torch.neuron.DataParallel``: a batch over several NeuronCores (SPEC R2)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from neuron_adapters.adapter.placed import model_of, remember
from neuron_adapters.torch import _placed
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._structure import flatten, join, map_tensors
from neuron_rt import Model, PlacementRequest, init


class DataParallel(torch.nn.Module):
    """Run ``model`` on several NeuronCores at once, each on its part of the batch.

    ``device_ids``: visible NCs as ints or ``'nc:3'``, where the replicas start; None takes all, as many replicas as
    fit. ``dim``: the dimension of every input and output tensor that is split and joined. ``set_dynamic_batching``: let
    a compiled model take parts of any size.

    ``num_workers``: threads that feed the replicas, 2 x NCs unless set. ``split_size``: size of a part, unless set
    ``max(1, size // NCs)``; what is left over is one more part.

    Raises ValueError for device ids that are not there, NotEnoughNeuronCoresError where a replica does not fit.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        device_ids: Sequence[int | str] | None = None,
        dim: int = 0,
        set_dynamic_batching: bool = True,
    ) -> None:
        super().__init__()
        if not callable(model):
            raise TypeError(f"DataParallel takes a model, got {type(model).__name__}")
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise TypeError(f"dim is a number, got {dim!r}")
        self.dim = dim
        self.split_size: int | None = None
        self._executable: Executable | None
        target, need, self._executable = _placed.target_of(model)
        self._target = target  # unless there is an executable
        visible = len(init().instance_ncs)
        starts = _starts(device_ids, visible, need)
        self.device_ids = list(starts)
        self.num_workers = 2 * len(starts) * need
        self._pool: ThreadPoolExecutor | None = None
        self._pool_size = 0
        if isinstance(model, torch.nn.Module):
            self.module = model
        known = model_of(model)
        name = known.name if known is not None else getattr(model, "__name__", type(model).__name__)
        self._model = Model(f"DataParallel({name})", need, FRAMEWORK, kind="torch")
        if set_dynamic_batching:
            self._enable_dynamic_batching()
        if self._executable is not None:
            self._model.prepare_with(self._executable.prepare)
        init().place(self._model, PlacementRequest(starts=starts))
        remember(self, self._model)

    def disable_dynamic_batching(self) -> None:
        """Require that every part has the compiled shape: ``size / NCs`` must equal the compiled batch."""
        if self._executable is not None:
            self._executable = self._executable.with_dynamic_batch(dynamic=False)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Split, run, join. Structures of inputs and outputs stay; what is not a tensor goes to every part."""
        parts = self._split(inputs, kwargs)
        model, target, executable = self._model, self._target, self._executable

        def call(part: tuple[Any, Any]) -> Any:
            if executable is None:
                return model.run(target, *part[0], **part[1])
            slot = model.pick()
            return slot.run(executable, (slot.pool, *part[0]), part[1], slot.pool is None)

        if len(parts) == 1:
            return call(parts[0])

        jobs: list[Future[Any]] = []
        results: list[Any] = []
        try:
            pool = self._workers()
            jobs = [pool.submit(FRAMEWORK.carry(lambda part=part: call(part))) for part in parts]  # type: ignore[misc]
        except RuntimeError:  # the interpreter, on its way out, starts no thread any more
            results = [call(part) for part in parts[len(jobs) :]]
        return join([job.result() for job in jobs] + results, self.dim)

    def _split(self, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[Any, Any]]:
        everything = (inputs, kwargs)
        leaves = [(path, leaf) for path, leaf in flatten(everything) if leaf.dim() > 0]
        if not leaves:
            return [everything]
        for _path, leaf in leaves:
            if not -leaf.dim() <= self.dim < leaf.dim():
                raise ValueError(f"DataParallel splits dimension {self.dim}, got an input of shape {list(leaf.shape)}")
        sizes = {leaf.shape[self.dim] for _path, leaf in leaves}
        if len(sizes) > 1:
            raise ValueError(
                f"DataParallel splits dimension {self.dim} of all inputs alike, got the sizes {sorted(sizes)}"
            )
        size = sizes.pop()
        step = max(1, size // len(self.device_ids)) if self.split_size is None else self.split_size
        if not isinstance(step, int) or step < 1:
            raise ValueError(f"split_size is a number from 1, got {self.split_size!r}")
        if size <= step:
            return [everything]

        def piece(leaf: torch.Tensor, first: int) -> torch.Tensor:
            return leaf.narrow(self.dim, first, min(step, size - first)) if leaf.dim() else leaf

        return [
            map_tensors(lambda leaf, first=first: piece(leaf, first), everything)  # type: ignore[misc]
            for first in range(0, size, step)
        ]

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None or self._pool_size != self.num_workers:
            if not isinstance(self.num_workers, int) or self.num_workers < 1:
                raise ValueError(f"num_workers is a number from 1, got {self.num_workers!r}")
            if self._pool is not None:
                self._pool.shutdown(wait=False)
            self._pool_size = self.num_workers
            self._pool = ThreadPoolExecutor(self.num_workers, thread_name_prefix="neuron DataParallel")
        return self._pool

    def _enable_dynamic_batching(self) -> None:
        if self._executable is None:
            return  # a model that was never compiled takes any batch
        if self.dim == 0 and self._executable.artifact.batchable:
            self._executable = self._executable.with_dynamic_batch(dynamic=True)
            return
        why = "its inputs and outputs have no common dimension 0"
        if self._executable.writes:
            why = "the model writes to its buffers or its inputs"
        if self.dim != 0:
            why = "dim is not 0"
        warnings.warn(
            f"DataParallel cannot enable dynamic batching, since {why}: every part must have the compiled shape",
            UserWarning,
            stacklevel=3,
        )


def _starts(device_ids: Sequence[int | str] | None, visible: int, need: int) -> tuple[int, ...]:
    if device_ids is None:
        return tuple(range(0, visible - need + 1, need))
    if isinstance(device_ids, (str, int)):
        raise ValueError(f"device_ids is a list of NeuronCores, [0, 1] or ['nc:0', 'nc:1'], got {device_ids!r}")
    starts: list[int] = []
    for device in device_ids:
        match = re.fullmatch(r"nc:([0-9]{1,6})", device) if isinstance(device, str) else None
        start = int(match[1]) if match else device
        if not isinstance(start, int) or isinstance(start, bool) or not 0 <= start < visible:
            raise ValueError(
                f"device_ids has {device!r}, which is no NeuronCore of this process: 0 to {visible - 1}, or 'nc:0' to "
                f"'nc:{visible - 1}'"
            )
        starts.append(start)
    if not starts or len(set(starts)) != len(starts):
        raise ValueError(f"device_ids names each NeuronCore once, and at least one, got {list(device_ids)!r}")
    return tuple(starts)

"""``torch.neuron.DataParallel``: a batch over several NeuronCores (SPEC R2)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import torch
import torch.fx

from neuron_adapters.adapter.placed import model_of, remember
from neuron_adapters.torch import _exported, _placed
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._joining import Joining, UndecidedError, fixed
from neuron_adapters.torch._replicas import Replicated, Twin, as_replica, inside, placed_in
from neuron_adapters.torch._structure import flatten, map_tensors
from neuron_adapters.torch._untraced import untraced
from neuron_rt import PlacementRequest, init

_OWN = frozenset({"_pool", "_pool_size", "_known", "_model", "_executable", "_target", "_fixed"})
"""Attributes that no copy and no pickle has: ``_open`` makes them."""


class DataParallel(torch.nn.Module):
    """Run ``model`` on several NeuronCores at once, each on its part of the batch.

    ``device_ids``: visible NCs as ints or ``'nc:3'``, where the replicas start; None takes all, as many replicas as
    fit. ``dim``: the dimension of every input and output tensor that is split and joined. ``set_dynamic_batching``: let
    a compiled model take parts of any size.

    ``num_workers``: threads that feed the replicas, 2 x NCs unless set. ``split_size``: size of a part, unless set
    ``max(1, size // NCs)``; what is left over is one more part.

    Copies and pickles take the same NCs, with replicas of their own. Placed models that ``model`` holds get a replica
    on the NCs of each of its replicas.

    Raises ValueError for device ids that are not there, NotEnoughNeuronCoresError where a replica does not fit.
    """

    _source: Any
    _target: Any

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
        self._dynamic: bool | None = set_dynamic_batching or None
        """Whether compiled models shall take any batch; None leaves them as they were compiled."""
        self._static = ""
        """Why they cannot."""
        if isinstance(model, torch.nn.Module):
            self.module = model
        self.__dict__["_source"] = model  # as a plain attribute: it would be a second submodule
        need = self._need()
        self.device_ids: list[int] = list(_starts(device_ids, len(init().instance_ncs), need))
        self.num_workers: int = 2 * len(self.device_ids) * need
        self._open()
        if self._static:
            warnings.warn(
                f"DataParallel cannot enable dynamic batching, since {self._static}: every part must have the compiled "
                "shape",
                UserWarning,
                stacklevel=2,
            )

    def _need(self) -> int:
        """The NCs of a replica: those of the model, or of the largest that it holds."""
        inner = [_placed.target_of(part)[1] for part in placed_in(self._source).values()]
        return max([self._target_of()[1], *inner])

    def _target_of(self) -> tuple[Callable[..., Any], int, Executable | None]:
        """What a part runs, the NCs it needs, and its executable where it has one."""
        exported, model = _exported.target_of(self._source), model_of(self._source)
        if exported is not None and model is not None:
            return exported, model.nc_count, None
        return _placed.target_of(self._source)

    def _open(self) -> None:
        """Make what a copy does not share: replicas on NCs, and threads that feed them."""
        source, starts = self._source, tuple(self.device_ids)
        target, _need, self._executable = self._target_of()
        self._pool: ThreadPoolExecutor | None = None
        self._pool_size = 0
        self._known: dict[str, bool] = {}
        """Which lists among the outputs have an entry for each row."""
        known = model_of(source)
        name = known.name if known is not None else getattr(source, "__name__", type(source).__name__)
        self._model = Replicated(f"DataParallel({name})", self._need(), FRAMEWORK, kind="torch")
        if self._executable is not None:
            self._executable = self._batching(self._executable)
            self._model.prepare_with(self._executable.prepare)
        elif self._dynamic and not _exported.takes_any_batch(source, self.dim):
            self._static = "it was compiled for one batch, without dynamic_batch_size=True"
        elif placed_in(source):
            twin = Twin(source, self._batching)
            target = twin.module
            self._model.inner = twin.place(starts)
        self.__dict__["_target"] = target  # unless there is an executable
        self._fixed = _returns_fixed_lists(source, self._executable)
        init().place(self._model, PlacementRequest(starts=starts))
        remember(self, self._model)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _OWN}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        _starts(self.device_ids, len(init().instance_ncs), self._need())  # a pickle may come from another process
        self._open()

    def disable_dynamic_batching(self) -> None:
        """Require that every part has the compiled shape: ``size / NCs`` must equal the compiled batch."""
        self._dynamic = False
        if self._executable is not None:
            self._executable = self._batching(self._executable)
        elif self._model.inner:
            self._open()

    @untraced
    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Split, run, join. Structures of inputs and outputs stay; what is not a tensor goes to every part.

        Raises TypeError for outputs of several parts that cannot be joined.
        """
        parts, rows = self._split(inputs, kwargs)
        results = self._run_all(parts)
        if len(results) == 1:
            return results[0]
        if self._fixed:
            return Joining(self.dim).join(results)
        try:
            return Joining(self.dim, rows, self._known).join(results)
        except UndecidedError:
            other = rows[0] - 1 or 2
        try:
            witness = self._call(self._piece((inputs, kwargs), 0, other))
        except Exception:  # noqa: BLE001 - whatever keeps a model from taking a part of that size
            return Joining(self.dim, rows, alone=True).join(results)
        return Joining(self.dim, [*rows, other], self._known).join(results, [witness])

    def _call(self, part: tuple[Any, Any]) -> Any:
        model, executable = self._model, self._executable
        slot = model.pick()
        if executable is not None:
            return slot.run(executable, (slot.pool, *part[0]), part[1], slot.pool is None)
        return as_replica(model.slots.index(slot), partial(slot.run, self._target, part[0], part[1]))

    def _run_all(self, parts: list[tuple[Any, Any]]) -> list[Any]:
        # Inside a part of another DataParallel this thread has NCs, which others may need while it waits for them.
        if len(parts) == 1 or inside():
            return [self._call(part) for part in parts]
        jobs: list[Future[Any]] = []
        results: list[Any] = []
        try:
            pool = self._workers()
            jobs.extend(pool.submit(FRAMEWORK.carry(partial(self._call, part))) for part in parts)
        except RuntimeError:  # the interpreter, on its way out, starts no thread any more
            results = [self._call(part) for part in parts[len(jobs) :]]
        return [job.result() for job in jobs] + results

    def _split(self, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[tuple[Any, Any]], list[int]]:
        """The parts of a call, and the rows of each."""
        everything = (inputs, kwargs)
        leaves = [(path, leaf) for path, leaf in flatten(everything) if leaf.dim() > 0]
        if not leaves:
            return [everything], [1]
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
            return [everything], [size]
        rows = [min(step, size - first) for first in range(0, size, step)]
        return [self._piece(everything, index * step, count) for index, count in enumerate(rows)], rows

    def _piece(self, everything: Any, first: int, rows: int) -> Any:
        """``rows`` rows from ``first`` of all tensors that have rows."""
        dim = self.dim
        return map_tensors(lambda leaf: leaf.narrow(dim, first, rows) if leaf.dim() else leaf, everything)

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None or self._pool_size != self.num_workers:
            if not isinstance(self.num_workers, int) or self.num_workers < 1:
                raise ValueError(f"num_workers is a number from 1, got {self.num_workers!r}")
            if self._pool is not None:
                self._pool.shutdown(wait=False)
            self._pool_size = self.num_workers
            self._pool = ThreadPoolExecutor(self.num_workers, thread_name_prefix="neuron DataParallel")
        return self._pool

    def _batching(self, executable: Executable) -> Executable:
        """``executable`` with dynamic batching as it is asked for, where that is possible. A model that was never
        compiled takes any batch."""
        if not self._dynamic:
            return executable if self._dynamic is None else executable.with_dynamic_batch(dynamic=False)
        if self.dim == 0 and executable.artifact.batchable:
            return executable.with_dynamic_batch(dynamic=True)
        self._static = "its inputs and outputs have no common dimension 0"
        if executable.writes:
            self._static = "the model writes to its buffers or its inputs"
        if self.dim != 0:
            self._static = "dim is not 0"
        return executable


def _returns_fixed_lists(model: Any, executable: Executable | None) -> bool:
    """Whether the lists that ``model`` returns are known to have as many entries whatever the batch."""
    if executable is not None:
        return fixed(executable.c_module._get_method("forward"))
    if isinstance(model, torch.jit.ScriptModule):
        return fixed(model._c._get_method("forward"))
    return isinstance(model, torch.fx.GraphModule) or (isinstance(model, torch.jit.ScriptFunction) and fixed(model))


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

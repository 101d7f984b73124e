"""Runs a module of several buckets, which ``torch_neuronx.bucket_model_trace`` made.

The module is plain TorchScript: a *kernel* turns the inputs into those of a bucket, and says which. On NeuronCores the
buckets run as compiled modules do, by the engine where it computes all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.torch import _artifact, _constants
from neuron_adapters.torch._artifact import BUCKET, Artifact
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_rt import Computation, InputMismatchError, RequestPool, Slot

#: The method of a module that runs the kernel.
SELECT = "neuron_select_bucket"


class Buckets(Executable):
    """Runs a module of several buckets: the kernel, and then the executable of the bucket it chose."""

    def __init__(self, module: torch.jit.ScriptModule, artifact: Artifact, choice: str, source: str) -> None:
        super().__init__(module, artifact, None, artifact.why)
        self._choice = choice
        self._source = source
        self._select = module._c._get_method(SELECT)
        self._buckets = []
        for bucket in buckets_of(module):
            try:
                _constants.check(bucket)
            except (ValueError, RuntimeError) as error:
                raise damaged(f"{source} is damaged: {one_line(error)}.") from error
            recorded = _artifact.read(bucket, source)[0]
            if recorded is None:
                raise damaged(f"{source}: one of its buckets has no record of its compilation.")
            self._buckets.append(Executable.open(bucket, recorded, choice, source))
        self.why = next((bucket.why for bucket in self._buckets if bucket._compiled is None), self._buckets[0].why)

    def __call__(self, pool: RequestPool | None, *args: Any, **kwargs: Any) -> Any:
        """Run the bucket that the kernel chooses. Raises InputMismatchError where there is none, or where the kernel
        does not return what it was compiled for."""
        if kwargs:
            args = self._inputs.positional(args, kwargs)
        names = self._inputs.names
        if len(args) != len(names) or not all(isinstance(arg, torch.Tensor) for arg in args):
            types = ", ".join(type(arg).__name__ for arg in args) or "none"
            raise InputMismatchError(f"The model takes the tensors {', '.join(names)}, and was called with {types}.")
        pools: Any = pool and pool.idle
        limited = pool and FRAMEWORK.limit_threads(pool.threads)  # PyTorch computes the kernel
        chosen, number = self._select(*args)
        if not 0 <= number < len(self._buckets):
            raise InputMismatchError(
                f"The bucket kernel chose bucket {number}, and the model has {len(self._buckets)}, from 0."
            )
        bucket = self._buckets[number]
        try:
            return (limited, bucket(pools and pools[number], *chosen))[1]
        except InputMismatchError as error:
            shapes = ", ".join(str(list(arg.shape)) for arg in args if isinstance(arg, torch.Tensor))
            raise InputMismatchError(
                f"The bucket kernel chose bucket {number} for inputs of shape {shapes}, and its result does not fit: "
                f"{error}"
            ) from None

    def prepare(self, slots: Sequence[Slot]) -> Computation:
        """See Executable. The engine computes where it can compute all buckets."""
        if any(bucket._compiled is None for bucket in self._buckets):
            for bucket in self._buckets:
                bucket._open_native()
            return Computation("torch", self.why, sum(bucket._native.weights() for bucket in self._buckets))
        pools: list[list[RequestPool]] = [[] for _slot in slots]
        computations = []
        for bucket in self._buckets:
            for slot in slots:
                slot.pool = None
            computations.append(bucket.prepare(slots))
            for slot, own in zip(slots, pools):
                own.append(slot.pool)
        whole = all(pool is not None for own in pools for pool in own)
        for slot, own in zip(slots, pools):
            slot.pool = _Pools(own) if whole else None
        failed = next((computation for computation in computations if computation.engine == "torch"), computations[0])
        return failed._replace(weights=sum(computation.weights for computation in computations))

    def with_dynamic_batch(self, dynamic: bool) -> Executable:  # noqa: ARG002
        """Unchanged: the kernel says which shapes it takes."""
        return self

    def of_copy(self, module: torch.jit.ScriptModule) -> Executable:
        """See Executable."""
        if any(bucket.writes for bucket in self._buckets):
            return Buckets(module, self.artifact, self._choice, self._source)
        return self


class _Pools(RequestPool):
    """The requests of a replica: ``idle`` holds a pool for each bucket."""

    def __init__(self, pools: Iterable[RequestPool]) -> None:
        pools = list(pools)
        super().__init__(pools[0].request, max(pool.threads for pool in pools))
        self.idle.extend(pools)

    @property
    def guarded(self) -> int:
        """Calls that PyTorch answered, of all buckets."""
        return sum(pool.guarded for pool in self.idle)

    @guarded.setter
    def guarded(self, value: int) -> None:
        """The buckets count themselves."""


def has_buckets(module: torch.jit.ScriptModule) -> bool:
    """Whether ``bucket_model_trace`` made ``module``."""
    return bool(module._c._has_method(SELECT)) and module._c.hasattr(BUCKET.format(0))


def buckets_of(module: torch.jit.ScriptModule) -> list[torch.jit.ScriptModule]:
    """The compiled modules in ``module``."""
    buckets: list[torch.jit.ScriptModule] = []
    while module._c.hasattr(BUCKET.format(len(buckets))):
        buckets.append(torch.jit._recursive.wrap_cpp_module(module._c.getattr(BUCKET.format(len(buckets)))))
    return buckets

"""The contexts of torch_neuron (SPEC R1): loads go where the thread's innermost context says, else a default."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from neuron_adapters.adapter.placement_rules import within_context
from neuron_rt import PlacementRequest, init

_start_and_count: ContextVar[tuple[int, int] | None] = ContextVar("neuron_cores", default=None)
_default: tuple[int, int] = (-1, -1)


@contextlib.contextmanager
def neuron_cores_context(start_nc: int = -1, nc_count: int = -1) -> Iterator[None]:
    """Models loaded or traced inside go to ``nc_count`` NCs from ``start_nc``, in as many replicas as fit there.

    Holds for the thread that opened it. Raises ValueError and RuntimeError as ``set_neuron_cores`` does, on entry.
    """
    checked_place(start_nc, nc_count)
    token = _start_and_count.set((start_nc, nc_count))
    try:
        yield
    finally:
        _start_and_count.reset(token)


@contextlib.contextmanager
def multicore_context() -> Iterator[None]:
    """Models loaded or traced inside are replicated over all visible NCs. Raises as ``neuron_cores_context`` does."""
    with neuron_cores_context(0, visible_cores()):
        yield


def current_place() -> PlacementRequest:
    """Where a load in this thread goes."""
    start, count = default_neuron_cores()
    return PlacementRequest(None if start < 0 else start, None if count < 0 else count)


def default_neuron_cores() -> tuple[int, int]:
    """(start, count) of ``torch.classes.neuron.Runtime()``: the innermost context, else the process's default."""
    return _start_and_count.get() or _default


def set_default_neuron_cores(start_nc: int, nc_count: int) -> None:
    """Set the process's default, which contexts override."""
    global _default
    checked_place(start_nc, nc_count)
    _default = (start_nc, nc_count)


def visible_cores() -> int:
    """How many NCs this process sees."""
    return len(init().instance_ncs)


def checked_place(start_nc: int, nc_count: int) -> PlacementRequest:
    """The place that a start and a count name. Raises TypeError and ValueError."""
    for name, value in (("start_nc", start_nc), ("nc_count", nc_count)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is a number of NeuronCores, got {value!r}")
    return within_context(start_nc, nc_count, visible_cores())

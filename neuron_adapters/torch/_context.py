"""The contexts of torch_neuron (SPEC R1): where a load goes that no function places.

torch_neuron keeps one start and count a process, which a context sets and puts back; several threads with contexts of
their own may mix them up. Here a thread's own contexts decide for it. A thread that has none goes where the process's
innermost open context says, as there.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextvars import ContextVar

from neuron_adapters.adapter.placement_rules import within_context
from neuron_rt import PlacementRequest, init

_default: tuple[int, int] = (-1, -1)


class _Context:
    """A context that is open. ``before``: the threads that ran already when it was opened."""

    def __init__(self, start_nc: int, nc_count: int) -> None:
        self.place = start_nc, nc_count
        self.process = os.getpid()
        self.thread = threading.current_thread()
        self.before = weakref.WeakSet(threading.enumerate())


_own: ContextVar[_Context | None] = ContextVar("neuron_cores", default=None)
"""The innermost context of the thread, or of the asynchronous task."""
_open: list[_Context] = []
"""All that are open in this process, the innermost last."""


@contextlib.contextmanager
def neuron_cores_context(start_nc: int = -1, nc_count: int = -1) -> Iterator[None]:
    """Models loaded or traced inside go to ``nc_count`` NCs from ``start_nc``, in as many replicas as fit there.

    Holds for the thread that opened it, and for threads without a context of their own while it is open. Raises
    ValueError and RuntimeError as ``set_neuron_cores`` does, on entry.
    """
    checked_place(start_nc, nc_count)
    context = _Context(start_nc, nc_count)
    token = _own.set(context)
    _open.append(context)
    try:
        yield
    finally:
        _open.remove(context)
        _own.reset(token)


@contextlib.contextmanager
def multicore_context() -> Iterator[None]:
    """Models loaded or traced inside are replicated over all visible NCs. Raises as ``neuron_cores_context`` does."""
    with neuron_cores_context(0, visible_cores()):
        yield


@contextlib.contextmanager
def no_context() -> Iterator[None]:
    """Models loaded or traced inside go where they would go if no context were open."""
    token = _own.set(_Context(-1, -1))
    try:
        yield
    finally:
        _own.reset(token)


def current_place() -> PlacementRequest:
    """Where a load in this thread goes."""
    context = _of_another_thread()
    if context is not None:
        _tell(context)
    start, count = default_neuron_cores()
    return PlacementRequest(None if start < 0 else start, None if count < 0 else count)


def default_neuron_cores() -> tuple[int, int]:
    """(start, count) of ``torch.classes.neuron.Runtime()``: the innermost context, else the process's default."""
    context = _own.get() or _of_another_thread()
    return _default if context is None else context.place


def _of_another_thread() -> _Context | None:
    """The process's innermost open context, where the thread has none of its own."""
    if _own.get() is not None:
        return None
    process = os.getpid()  # a forked child has none of the contexts of its parent's other threads
    return next((context for context in reversed(_open.copy()) if context.process == process), None)


def _tell(context: _Context) -> None:
    """Warn where the thread may not be meant. One that was started inside the context is, unless other threads have
    contexts too."""
    thread = threading.current_thread()
    if thread in context.before or len({other.thread for other in _open.copy()}) > 1:
        start, count = context.place
        warnings.warn(
            f"A model is loaded in {thread.name} without a context of its own and goes where "
            f"neuron_cores_context(start_nc={start}, nc_count={count}) says, which {context.thread.name} has open: "
            "contexts hold for the whole process, as in torch_neuron. Open a context in each thread that loads models.",
            RuntimeWarning,
            stacklevel=6,  # that of torch.jit.load and trace
        )


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

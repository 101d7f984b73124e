"""Where mxnet computes: a CPU device of its own for each set of CPUs.

To mxnet ``cpu(100)`` is the same memory as ``cpu(0)``, and other threads. It makes them when the first operation is
pushed, in the thread that pushes it, and they keep that thread's CPU mask. So a device that is first used inside a
slot, whose caller is bound, stays on the CPUs of the slot's NCs (SPEC X1).
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from collections.abc import Callable, Hashable
from typing import Any

import mxnet as mx
from mxnet.base import _LIB, check_call
from mxnet.ndarray.ndarray import _new_alloc_handle

from neuron_adapters.mx import _placed
from neuron_adapters.mx._framework import KIND
from neuron_adapters.mxnet.context import Context
from neuron_rt import Model, PlainFramework, Slot

__all__ = ["Device", "NotEnoughCoresError", "copy", "copy_to", "place"]

#: First device number of ours: no machine has so many CPUs.
_FIRST = 100

_numbers = itertools.count(_FIRST)
_devices: dict[Hashable, Device] = {}
_guard = threading.RLock()  # a signal handler may be here again
_forks = 0


class NotEnoughCoresError(_placed.NotEnoughCoresError, mx.base.MXNetError):  # type: ignore[misc] # mxnet has none
    """The runtime's error, which scripts catch as mxnet's MXNetError. Its ``status`` is 9."""


class _Framework(PlainFramework):
    """mxnet's threads are bound where they begin. Its thread-bound state is whether shapes are NumPy's."""

    def carry(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Let ``call`` see it in any thread."""
        if not mx.util.is_np_shape():
            return call

        def carried() -> Any:
            with mx.util.np_shape(active=True):
                return call()

        return carried


FRAMEWORK = _Framework()


class Device:
    """A device of mxnet's, its ``context``, for one set of CPUs."""

    def __init__(self) -> None:
        self.context = mx.cpu(next(_numbers))
        self._started = -1

    @classmethod
    def of(cls, slot: Slot) -> Device:
        """Return the device of the slot's CPUs; of its NCs where nothing is pinned."""
        key: Hashable = slot.cpus or slot.ncs
        with _guard:
            if key not in _devices:
                _devices[key] = cls()
            return _devices[key]

    def run(self, slot: Slot, call: Callable[..., Any], *args: Any) -> Any:
        """Call it inside ``slot``, with the device's threads on the slot's CPUs."""
        if self._started == _forks:
            return slot.run(call, args, {})
        slot.bind_next_call()
        return slot.run(self._start, (call, *args), {})

    def _start(self, call: Callable[..., Any], *args: Any) -> Any:
        mx.nd.zeros((1,), ctx=self.context).wait_to_read()
        self._started = _forks
        return call(*args)


def place(name: str, cores: int, context: Context, file: str = "") -> Model:
    """Place a model on the NCs that ``context`` names (SPEC P3). Raises NotEnoughCoresError."""
    model = Model(name, cores, FRAMEWORK, kind=KIND, file=file)
    move(model, context)
    return model


def move(model: Model, context: Context) -> None:
    """Give ``model`` other NCs. Raises NotEnoughCoresError."""
    try:
        _placed.place(model, context)
    except _placed.NotEnoughCoresError as error:
        raise NotEnoughCoresError(str(error), **vars(error)) from None


def copy(source: Any, target: Any) -> None:
    """Copy an array into another of its shape and dtype, in the calling thread, when both are ready. mxnet's own
    ``copyto`` would hand it to the one thread that all of ``cpu(0)`` shares."""
    source.wait_to_read()
    if source.size:
        memory = ctypes.c_void_p()
        check_call(_LIB.MXNDArrayGetData(source.handle, ctypes.byref(memory)))
        check_call(_LIB.MXNDArraySyncCopyFromCPU(target.handle, memory, ctypes.c_size_t(target.size)))


def copy_to(source: Any, context: Any) -> Any:
    """Copy to a new array in ``context``, of the same class. Raises MXNetError for a sparse one."""
    if source.stype != "default":
        raise mx.MXNetError(f"A sparse array ({source.stype}) on NeuronCores: make it dense, tostype('default').")
    target = type(source)(_new_alloc_handle(source.shape, context, False, source.dtype))  # noqa: FBT003
    copy(source, target)
    return target


def _forked() -> None:
    """Before a fork mxnet ends its threads, in the parent too, and makes them anew like the first time."""
    global _forks
    _forks += 1


os.register_at_fork(after_in_parent=_forked, after_in_child=_forked)

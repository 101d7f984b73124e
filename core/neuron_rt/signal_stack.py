"""The stack on which the main thread takes signals, since some compute kernels leave no room on their own (SPEC X4).

oneDNN before 3.12 points the stack pointer into a buffer on the heap while it multiplies matrices
(https://github.com/uxlfoundation/oneDNN/issues/4845). A signal that comes then, Ctrl-C as well as a child that ends,
overwrites what lies below it: plain TensorFlow 2.21 dies of a damaged heap. With sigaltstack(2) the kernel writes
elsewhere, for every handler that Python installs. Signals to a process go to its main thread unless that blocks them,
so other threads need none.
"""

from __future__ import annotations

import ctypes
import mmap
import threading

from neuron_rt import lifecycle
from neuron_rt.lifecycle import Step

#: Bytes. The processor's state takes up to 11 KiB of it, Python's own handler little.
_SIZE = 1 << 16
_DISABLED = 2  # SS_DISABLE


class _Stack(ctypes.Structure):
    """``stack_t`` of <signal.h>."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def present() -> bool | None:
    """Whether the calling thread has a stack for signals; None where the C library cannot tell."""
    stack = _Stack()
    try:
        failed = ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    except (AttributeError, OSError):
        return None
    return None if failed else not stack.flags & _DISABLED


def prepare() -> None:
    """Give the main thread a stack for signals, unless it has one, as with ``faulthandler``."""
    if threading.current_thread() is threading.main_thread() and present() is False:
        memory = ctypes.c_char.from_buffer(mmap.mmap(-1, _SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))  # a signal may come after the interpreter's own end
        ctypes.CDLL(None).sigaltstack(ctypes.byref(_Stack(ctypes.addressof(memory), 0, _SIZE)), None)


lifecycle.in_child(Step.SIGNALS, prepare)

"""Makes TensorFlow sessions that compute on given CPUs with a given number of threads (SPEC X1).

A process has one pool of threads for the inside of operators. It is made with the first device and shared by all
sessions and all eager calls. A device can have a pool of its own; TensorFlow decides that by a static member of its C++
class. It takes the member from an environment variable, but too early for us to set that. Here the member is changed
while a session makes its device.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import os
import platform
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from neuron_rt import PlainFramework, Undo

log = logging.getLogger("neuron_adapters")

#: A session of TensorFlow's reads no state of the calling thread, and has its own threads.
FRAMEWORK = PlainFramework()

_SWITCH = "_ZN10tensorflow11LocalDevice22use_global_threadpool_E"
_LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
_guard = threading.RLock()


class _Environment(ctypes.Structure):
    """The C library's fenv_t on x86-64: the control word of SSE is its last."""

    _fields_ = (("x87", ctypes.c_uint32 * 7), ("mxcsr", ctypes.c_uint32))


_FLUSH = 0x8040
"""Denormal results, and inputs, are zero."""


@functools.cache
def _accessors() -> tuple[Any, Any] | None:
    """fegetenv(3) and fesetenv(3), None where the layout of what they exchange is not known."""
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.PyDLL("libm.so.6")
    return library.fegetenv, library.fesetenv


def flush_denormals() -> object:
    """Let the calling thread take denormal numbers for zero, as the threads of TensorFlow's pool do, until what is
    returned is dropped."""
    accessors = _accessors()
    if accessors is None:
        return None
    get, put = accessors
    home = _Environment()
    get(ctypes.byref(home))
    flushing = _Environment.from_buffer_copy(home)
    flushing.mxcsr |= _FLUSH
    return (Undo(put, ctypes.byref(home)), put(ctypes.byref(flushing)))[0]


def make_session(graph: tf.Graph, threads: int, cpus: frozenset[int], *, optimize: bool) -> Any:
    """A session that runs ``graph`` with ``threads`` threads: 1 is the calling thread itself, more are threads of its
    own, tied to ``cpus`` if there are any. 0 leaves it to TensorFlow, as SPEC I4 wants.

    ``optimize``: let TensorFlow rewrite the graph. Without, it runs the very operators that eager calls run, and gives
    the same bits (SPEC K2).
    """
    config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=-1, intra_op_parallelism_threads=threads)
    config.device_count["GPU"] = 0
    if optimize:
        rewrite = config.graph_options.rewrite_options
        rewrite.cpu_layout_conversion = rewrite.NCHW_TO_NHWC  # CPUs have few operators for channels that come first
    else:
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    if threads < 2 or not cpus:
        return _make(graph, config, own_threads=threads > 0)
    sessions: list[Any] = []

    def make() -> None:  # the session's threads inherit the mask of the thread that makes them
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cpus)
        sessions.append(_make(graph, config, own_threads=True))

    maker = threading.Thread(target=make)
    maker.start()
    maker.join()
    return sessions[0]


def _make(graph: tf.Graph, config: Any, *, own_threads: bool) -> Any:
    with _own_threads() if own_threads else contextlib.nullcontext():
        return tf.compat.v1.Session(graph=graph, config=config)


@contextlib.contextmanager
def _own_threads() -> Iterator[None]:
    switch = _find_switch()
    if switch is None:
        yield
        return
    with _guard:
        before = switch.value
        switch.value = False
        try:
            yield
        finally:
            switch.value = before


@functools.cache
def _find_switch() -> ctypes.c_bool | None:
    """The static member, None where this TensorFlow hides it: then models share the process's threads, which is logged
    once."""
    for name in _LIBRARIES:
        with contextlib.suppress(OSError, ValueError):
            return ctypes.c_bool.in_dll(ctypes.CDLL(os.path.join(tf.sysconfig.get_lib(), name)), _SWITCH)
    log.warning("this TensorFlow has one pool of threads for all models: they are not held to their CPUs")
    return None

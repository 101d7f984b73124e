"""PyTorch's threads and thread-bound state, as the runtime's execution needs to know them."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from neuron_rt import Undo, undoing

log = logging.getLogger("neuron_adapters")


class TorchFramework:
    """Limits the threads of operators, and carries gradient, inference and autocast modes to other threads.

    ``torch.set_num_threads`` does not help: it also decides for every thread that has not used torch yet, and resizes
    MKL for all threads at once. OpenMP has a setting for each thread. MKL follows it until ``torch.set_num_threads`` is
    called; from then on it needs its own.
    """

    def __init__(self) -> None:
        self._set_omp, self._set_mkl, self._most_mkl = _thread_local_setters()
        self._lifting: dict[int, type] = {}
        """Objects of these types restore a number of threads when they are dropped."""
        self.forked: int | None = None
        """The thread that forked this process, where OpenMP may wait for ever for the threads that it had before."""

    def limit_threads(self, most: int) -> object:
        """See neuron_rt.Framework. A user's lower torch.set_num_threads stays."""
        if self.forked is not None and self.forked == threading.get_ident():
            most = 1
        before = torch.get_num_threads()
        if before <= most:
            return None
        lifting = self._lifting.get(before) or self._lifting.setdefault(before, undoing(partial(self._set_omp, before)))
        return (lifting(), self._set_omp(most), self._most_mkl() > most and self._limit_mkl(most))

    def without_lost_threads(self) -> object:
        """Until what is returned is dropped, compute without threads that a fork has cost the calling thread."""
        return self.limit_threads(torch.get_num_threads())

    def _limit_mkl(self, most: int) -> object:
        return (Undo(self._set_mkl, 0), self._set_mkl(most))[0]

    def carry(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """See neuron_rt.Framework."""
        grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu")

        def carried() -> Any:
            with (
                torch.inference_mode(inference),
                torch.set_grad_enabled(grad),
                torch.autocast("cpu", dtype=dtype, enabled=autocast),
            ):
                return call()

        return carried


def _thread_local_setters() -> tuple[Callable[[int], object], Callable[[int], object], Callable[[], int]]:
    """Setters of the calling thread's OpenMP and MKL thread counts, and what MKL would use;
    torch.set_num_threads where they can't be had."""
    libraries = Path(torch.__file__).parent / "lib"
    omp = mkl = most = None
    for path in [*sorted(libraries.glob("libgomp*")), *sorted(libraries.glob("libiomp5*")), None]:
        omp = omp or _function(path, "omp_set_num_threads")
    for path in (libraries / "libtorch_cpu.so", None):
        mkl = mkl or _function(path, "MKL_Set_Num_Threads_Local")
        most = most or _function(path, "MKL_Get_Max_Threads")
    if omp is None:
        log.info("no OpenMP of this PyTorch found: the number of threads is set for the whole process")
        return torch.set_num_threads, int, int
    if mkl is None or most is None:
        return omp, int, int
    return omp, mkl, most


def _function(path: Path | None, name: str) -> Any:
    """A C function of ints in a library that is loaded already. PyDLL keeps the interpreter lock: releasing it would
    cost more than so short a call."""
    try:
        return getattr(ctypes.PyDLL(None if path is None else str(path)), name)
    except (OSError, AttributeError):
        return None


FRAMEWORK = TorchFramework()


def _has_foreign_threads() -> bool:
    """Whether this process has threads that Python does not know: OpenMP's may be among them."""
    try:
        return len(os.listdir("/proc/self/task")) > threading.active_count()
    except OSError:
        return False


def _before_fork() -> None:
    global _may_lose
    _may_lose = _has_foreign_threads()


def _in_child() -> None:
    if _may_lose:
        FRAMEWORK.forked = threading.get_ident()


_may_lose = False
os.register_at_fork(before=_before_fork, after_in_child=_in_child)

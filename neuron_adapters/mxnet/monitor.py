"""``mx.mon.Monitor``: statistics of the values between operators, which NumPy computes one by one meanwhile."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet._graph import Node, input_names, output_names
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.ndarray import NDArray

if TYPE_CHECKING:
    from neuron_adapters.mxnet.numpy_form._form import Watch

__all__ = ["Monitor", "operator_watcher", "watcher"]

__getattr__: Missing = missing_names("mx.mon")

Array = np.ndarray[Any, Any]
#: Gets the name of a value, as bytes, and the value.
Callback = Callable[[bytes, NDArray], Any]

#: Operators whose inputs MXNet numbers, where it names those of the others.
_NUMBERED = {"Activation", "SoftmaxActivation"}


def watcher(callback: Callback, monitor_all: bool) -> Watch:
    """Return what shows ``callback`` the outputs of an operator, and before them its inputs where ``monitor_all``: as
    variables, and as the operator calls them."""

    def show(name: str, array: Array) -> None:
        callback(name.encode(), NDArray(array.copy()))

    def watch(node: Node, ins: Sequence[Array], outs: Sequence[Array]) -> None:
        if monitor_all:
            for name, entry, array in zip(_input_names(node), node.inputs, ins):
                if entry.node.op == "null":
                    show(entry.node.name, array)
                show(name, array)
        for name, array in zip(output_names(node), outs):
            show(f"{node.name}_{name}", array)

    return watch


def operator_watcher(callback: Callable[[bytes, bytes, NDArray], Any], monitor_all: bool) -> Watch:
    """Return what shows ``callback`` the outputs of an operator, and before them its inputs where ``monitor_all``, as
    the operator calls them, with its kind."""

    def watch(node: Node, ins: Sequence[Array], outs: Sequence[Array]) -> None:
        named = list(zip(_input_names(node), ins)) if monitor_all else []
        named += [(f"{node.name}_{name}", array) for name, array in zip(output_names(node), outs)]
        for name, array in named:
            callback(name.encode(), node.op.encode(), NDArray(array.copy()))

    return watch


def _input_names(node: Node) -> list[str]:
    """The names of the inputs of an operator for those who watch."""
    return [
        f"{node.name}_{f'input{place}' if node.op in _NUMBERED else name}"
        for place, name in enumerate(input_names(node))
    ]


def _mean_magnitude(array: NDArray) -> NDArray:
    """Return the norm divided by the root of the number of elements."""
    return ndarray.array([np.linalg.norm(array.asnumpy().astype("f8")) / math.sqrt(max(1, array.size))])


class Monitor:
    """Between ``tic()`` and ``toc()`` of every ``interval``-th batch, ``stat_func`` of each value whose name matches
    ``pattern``: of outputs, of all arguments, and, where ``monitor_all``, of inputs of operators."""

    interval: int
    stat_func: Callable[[NDArray], Any]
    sort: bool
    monitor_all: bool
    activated: bool
    step: int

    def __init__(
        self,
        interval: int,
        stat_func: Callable[[NDArray], Any] | None = None,
        pattern: str = ".*",
        sort: bool = False,
        monitor_all: bool = False,
    ) -> None:
        self.interval, self.stat_func = interval, stat_func or _mean_magnitude
        self.sort, self.monitor_all = sort, monitor_all
        self.activated = False
        self.queue: list[tuple[int, str, Any]] = []
        self.step = 0
        self.exes: list[Any] = []
        self._pattern = re.compile(pattern)

    def install(self, exe: Any) -> None:
        """Watch an executor."""
        exe.set_monitor_callback(lambda name, array: self._take(name.decode(), array), self.monitor_all)
        self.exes.append(exe)

    def _take(self, name: str, array: NDArray) -> None:
        if self.activated and self._pattern.match(name):
            self.queue.append((self.step, name, self.stat_func(array)))

    def tic(self) -> None:
        """Begin a batch."""
        if self.step % self.interval == 0:
            self.queue, self.activated = [], True
        self.step += 1

    def toc(self) -> list[tuple[int, str, str]]:
        """End a batch; batch, name and numbers, as text, of each value."""
        if not self.activated:
            return []
        for exe in self.exes:
            for name, array in {**exe.arg_dict, **exe.aux_dict}.items():
                self._take(name, array)
        self.activated = False
        queue = sorted(self.queue, key=lambda row: row[1]) if self.sort else self.queue
        self.queue = []
        return [(step, name, _text(value)) for step, name, value in queue]

    def toc_print(self) -> None:
        """End a batch, and log it."""
        for step, name, text in self.toc():
            logging.getLogger().info("Batch: %7d %30s %s", step, name, text)


def _text(value: Any) -> str:
    arrays = value if isinstance(value, list) else [value]
    return "".join(f"{array.asscalar() if array.shape == (1,) else array.asnumpy()}\t" for array in arrays)

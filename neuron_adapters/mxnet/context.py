"""Where arrays live and graphs run: ``cpu()``, and ``neuron(i)``, the NeuronCore at which a model starts.

Memory is always the machine's; a context only says where a graph is to be placed (SPEC P3).
"""

from __future__ import annotations

import operator
import threading
from typing import Any, ClassVar

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError

__all__ = ["Context", "cpu", "cpu_pinned", "current_context", "gpu", "neuron", "num_gpus"]

__getattr__: Missing = missing_names("mx.context")

_TYPES = {"cpu": 1, "gpu": 2, "cpu_pinned": 3, "cpu_shared": 5, "neuron": 6}


class _Shown(type):
    @property
    def default_ctx(cls) -> Context:
        """This thread's current context: that of the innermost ``with``, else what was set here, else ``cpu(0)``."""
        return _current.context

    @default_ctx.setter
    def default_ctx(cls, context: Context) -> None:
        _current.context = context


class Context(metaclass=_Shown):
    """A kind of device and an index. ``with Context(...):`` makes it the thread's current one.

    Raises MXNetValueError, a ValueError, where the kind is unknown or the index is not a whole number from 0.
    """

    devtype2str: ClassVar[dict[int, str]] = {number: name for name, number in _TYPES.items()}
    devstr2type: ClassVar[dict[str, int]] = dict(_TYPES)

    __slots__ = ("_outer", "device_id", "device_typeid")

    device_id: int

    def __init__(self, device_type: str | Context, device_id: int = 0) -> None:
        if isinstance(device_type, Context):
            device_id = device_type.device_id
            device_type = device_type.device_type
        if device_type not in _TYPES:
            raise MXNetValueError(f"unknown device {device_type!r}. Known: {', '.join(_TYPES)}.")
        self.device_typeid: int = _TYPES[device_type]
        self.device_id = _index(device_type, device_id)
        self._outer: list[Context] = []

    @property
    def device_type(self) -> str:
        """Such as "cpu"."""
        return self.devtype2str[self.device_typeid]

    def empty_cache(self) -> None:
        """Do nothing: there is no pool of a device's memory."""

    def require_memory(self) -> None:
        """Raises MXNetError where no array can live there."""
        if self.device_type == "gpu":
            raise MXNetError(f"{self} is not available: this package runs on the CPU. Use mx.cpu() or mx.neuron(0).")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and (self.device_typeid, self.device_id) == (
            other.device_typeid,
            other.device_id,
        )

    def __hash__(self) -> int:
        return hash((self.device_typeid, self.device_id))

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Context, (self.device_type, self.device_id))

    def __enter__(self) -> Context:  # noqa: PYI034 - Self is younger than Python 3.10
        self._outer.append(_current.context)
        _current.context = self
        return self

    def __exit__(self, *_error: object) -> None:
        _current.context = self._outer.pop()


def cpu(device_id: int = 0) -> Context:
    """Return the context of the machine's memory; the index has no meaning."""
    return Context("cpu", device_id)


def cpu_pinned(device_id: int = 0) -> Context:
    """Return a context that means the same as ``cpu``: there is no other device to pin memory for."""
    return Context("cpu_pinned", device_id)


def gpu(device_id: int = 0) -> Context:
    """Return a context that scripts may name beside ``num_gpus()``; an array there is an MXNetError."""
    return Context("gpu", device_id)


def neuron(start_nc: int = 0) -> Context:
    """Return the context of the NeuronCore, counted among the visible ones, at which a model starts; with
    NEURONCORE_GROUP_SIZES set, the index is that of the group (SPEC P3)."""
    return Context("neuron", start_nc)


def num_gpus() -> int:
    """Return 0: this package runs on the CPU."""
    return 0


def current_context() -> Context:
    """Return the context of the innermost ``with`` in this thread, else ``Context.default_ctx`` of this thread."""
    return _current.context


def _index(device_type: str, device_id: object) -> int:
    try:
        index = -1 if isinstance(device_id, bool) else operator.index(device_id)  # type: ignore[arg-type]
    except TypeError:
        index = -1
    if not 0 <= index < 2**31:
        raise MXNetValueError(f"{device_type}() takes a whole number from 0, got {device_id!r}.")
    return index


class _Current(threading.local):
    context = Context("cpu", 0)


_current = _Current()

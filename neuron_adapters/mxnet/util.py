"""``mx.util``: whether shapes and arrays are NumPy's."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError

__all__ = [
    "get_cuda_compute_capability", "get_gpu_count", "get_gpu_memory", "getenv", "is_np_array", "is_np_shape",
    "makedirs", "np_array", "np_shape", "reset_np", "set_module", "set_np", "set_np_shape", "setenv", "use_np",
    "use_np_array", "use_np_shape",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.util")

T = TypeVar("T")


class _State(threading.local):
    np_shape = False
    np_array = False


_state = _State()


def is_np_shape() -> bool:
    """Whether an unknown size is -1, and an unknown shape None, in this thread."""
    return _state.np_shape


def is_np_array() -> bool:
    """Whether arrays are those of ``mx.np`` in this thread. Blocks give what they take, whatever it says."""
    return _state.np_array


def set_np_shape(active: bool) -> bool:
    """Let an unknown size be -1 in this thread; return what was so before."""
    before, _state.np_shape = _state.np_shape, bool(active)
    return before


def set_np(shape: bool = True, array: bool = True, dtype: bool = False) -> None:  # noqa: ARG001 - MXNet's signature
    """Switch to NumPy's shapes and arrays. Raises ValueError for NumPy's arrays in classic shapes."""
    if array and not shape:
        raise ValueError("NumPy's arrays need NumPy's shapes: set_np(shape=True, array=True).")
    _state.np_shape, _state.np_array = bool(shape), bool(array)


def reset_np() -> None:
    """Switch back."""
    set_np(shape=False, array=False)


class _Switched:
    """``with`` it, one switch is on or off."""

    name = ""

    def __init__(self, active: bool = True) -> None:
        self._active = bool(active)
        self._before: list[bool] = []

    def __enter__(self) -> Any:
        self._before.append(getattr(_state, self.name))
        setattr(_state, self.name, self._active)
        return self

    def __exit__(self, *_error: object) -> None:
        setattr(_state, self.name, self._before.pop())


class np_shape(_Switched):  # noqa: N801 - MXNet's name
    """``with np_shape():`` an unknown size is -1, and an unknown shape None, where shapes are inferred."""

    name = "np_shape"


class np_array(_Switched):  # noqa: N801 - MXNet's name
    """``with np_array():`` ``is_np_array()`` is true."""

    name = "np_array"

    @property
    def _is_np_array(self) -> bool:
        return self._active


_NumpyShapeScope, _NumpyArrayScope = np_shape, np_array


def use_np_shape(func: T) -> T:
    """Let the decorated function, or the methods of the decorated class, run inside ``np_shape()``."""
    inside: T = _inside(func, np_shape)
    return inside


def use_np_array(func: T) -> T:
    """Let the decorated function, or the methods of the decorated class, run inside ``np_array()``."""
    inside: T = _inside(func, np_array)
    return inside


def use_np(func: T) -> T:
    """Do as ``use_np_shape`` and ``use_np_array`` do."""
    return use_np_shape(use_np_array(func))


def _inside(func: Any, scope: Callable[[], Any]) -> Any:
    if inspect.isclass(func):
        for name, member in inspect.getmembers(func, inspect.isfunction):  # inherited ones, too: __call__, initialize
            if not isinstance(inspect.getattr_static(func, name), staticmethod):
                setattr(func, name, _inside(member, scope))
        return func

    @functools.wraps(func)
    def call(*args: Any, **keywords: Any) -> Any:
        with scope():
            return func(*args, **keywords)

    return call


def set_module(module: str) -> Callable[[Any], Any]:
    """Let the decorated object say that it is of ``module``."""

    def decorate(func: Any) -> Any:
        func.__module__ = module
        return func

    return decorate


def getenv(name: str) -> str | None:
    """Return an environment variable; None where it is not set."""
    return os.environ.get(name)


def setenv(name: str, value: str | None) -> None:
    """Set an environment variable; None removes it."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def makedirs(d: str) -> None:
    """Make a folder, and those above it, where they are missing."""
    os.makedirs(os.path.expanduser(d), exist_ok=True)


def get_gpu_count() -> int:
    """Return 0: this package runs on the CPU."""
    return 0


def get_gpu_memory(gpu_dev_id: int) -> tuple[int, int]:
    """Refuse: there is no GPU."""
    raise MXNetError(f"get_gpu_memory({gpu_dev_id}): there is no GPU, mx.num_gpus() is 0.")


def get_cuda_compute_capability(ctx: Any) -> int:
    """Refuse: there is no GPU. Raises ValueError for another context, as in MXNet."""
    if ctx.device_type != "gpu":
        raise MXNetValueError(f"a GPU's context has a compute capability, got {ctx}.")
    raise MXNetError(f"get_cuda_compute_capability({ctx}): there is no GPU, mx.num_gpus() is 0.")

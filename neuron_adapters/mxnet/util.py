"""``mx.util``: whether shapes and arrays are NumPy's."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

__all__ = [
    "is_np_array", "is_np_shape", "np_array", "np_shape", "reset_np", "set_np", "set_np_shape", "use_np",
    "use_np_array", "use_np_shape",
]  # fmt: skip

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


def use_np(function: T) -> T:
    """Return a function or class as it is: arrays say themselves which they are."""
    return function


use_np_shape = use_np_array = use_np

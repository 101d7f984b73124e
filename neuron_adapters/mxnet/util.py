"""``mx.util``: whether shapes are NumPy's. This package's arrays and graphs are those of classic MXNet."""

from __future__ import annotations

import threading

__all__ = ["is_np_array", "is_np_shape", "np_shape", "set_np_shape"]


class _State(threading.local):
    np_shape = False


_state = _State()


def is_np_shape() -> bool:
    """Whether an unknown size is -1, and an unknown shape None, in this thread."""
    return _state.np_shape


def is_np_array() -> bool:
    """Return False: arrays are NDArrays, not those of ``mx.np``."""
    return False


def set_np_shape(active: bool) -> bool:
    """Let an unknown size be -1 in this thread; return what was so before."""
    before, _state.np_shape = _state.np_shape, bool(active)
    return before


class np_shape:  # noqa: N801 - MXNet's name
    """``with np_shape():`` an unknown size is -1, and an unknown shape None, where shapes are inferred."""

    def __init__(self, active: bool = True) -> None:
        self._active = active
        self._before: list[bool] = []

    def __enter__(self) -> np_shape:  # noqa: PYI034 - Self is younger than Python 3.10
        self._before.append(set_np_shape(self._active))
        return self

    def __exit__(self, *_error: object) -> None:
        set_np_shape(self._before.pop())

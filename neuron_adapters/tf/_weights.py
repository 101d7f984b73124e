"""A model's variables as memory that its sessions read where it is, and word of it when they change.

Nothing is copied: a session's variables share their buffers with the model's. TensorFlow never writes to a buffer that
somebody else holds; it makes a new one. So an answer is never computed from weights that are half changed, and whether
a variable changed is seen from its address.

That it may have changed is heard from the operators that assign. One that runs makes the weights stale: the next call
looks. One that is only put into a graph, as ``fit`` does, may run at any time unheard: from then on every call looks.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_array_ops, gen_resource_variable_ops, gen_state_ops, gen_training_ops

_ASSIGNS = re.compile(
    r"assign_\w*variable_op|resource_(sparse_)?apply_\w+|resource_scatter_\w+|resource_strided_slice_assign"
)
_RAW_ASSIGNS = re.compile(
    r"Assign\w*VariableOp|Resource(Sparse)?Apply\w+|ResourceScatter\w+|ResourceStridedSliceAssign"
)
_TARGETS = ("resource", "var", "ref")

_listeners: dict[int, weakref.WeakSet[Weights]] = {}
_guard = threading.RLock()


class Weights:
    """The variables that the graphs of one model read."""

    def __init__(self) -> None:
        self.stale = False
        """Whether to look before the next call."""
        self.held: dict[int, np.ndarray[Any, Any]] = {}
        """The values as they were at the last look, by number. Another dictionary after each change."""
        self._touches = 0
        self._unheard = False
        self._handles: dict[int, Any] = {}
        self._constants: list[Any] = []

    def listen(self, handle: Any) -> None:
        """Hear of changes to a variable from now on."""
        with _guard:
            self._handles[id(handle)] = handle  # keeps the id, and the variable
            _listeners.setdefault(id(handle), weakref.WeakSet()).add(self)

    def add(self, handle: Any) -> int:
        """Take a variable in by its handle; the number by which ``arrays`` knows it."""
        number = id(handle)
        if number not in self._handles:  # some function may hold an assignment to it already
            self.listen(handle)
            self.touched(unheard=True)
        if number not in self.held:
            self.held[number] = _read(handle)
        return number

    def add_constant(self, value: Any) -> int:
        """Take in a value that never changes."""
        self._constants.append(value)
        self.held[id(value)] = value._numpy()
        return id(value)

    def look(self) -> None:
        """Take in what has changed. An exception before the last step leaves all to the next call."""
        touches, changes = self._touches, {}
        for number, held in list(self.held.items()):
            if number not in self._handles:  # a constant
                continue
            now = _read(self._handles[number])
            # An equal value elsewhere is TensorFlow's way with variables that were changed in part.
            if _address(now) != _address(held) and not (now.shape == held.shape and np.array_equal(now, held)):
                changes[number] = now
        if changes:
            self.held = {**self.held, **changes}
        if touches == self._touches:  # else one was assigned to meanwhile
            self.stale = self._unheard

    def touched(self, *, unheard: bool) -> None:
        """A variable was assigned to, or may be from now on without a word."""
        self._unheard = self._unheard or unheard
        self._touches += 1
        self.stale = True

    def __del__(self) -> None:
        for number in self._handles:
            listeners = _listeners.get(number)
            if listeners is not None and not any(one is not self for one in list(listeners)):
                _listeners.pop(number, None)


def is_variable(handle: Any) -> bool:
    """Whether a resource is a variable, and no table, iterator or the like."""
    data = getattr(handle, "_handle_data", None)
    return data is not None and data.is_set and len(data.shape_and_type) == 1


def variable_type(handle: Any) -> tuple[tf.DType, tf.TensorShape]:
    """The dtype and shape behind a variable's handle."""
    (data,) = handle._handle_data.shape_and_type
    return tf.as_dtype(data.dtype), tf.TensorShape(data.shape)


def assigning() -> list[Callable[..., Any]]:
    """The operators that assign to variables."""
    modules = (gen_resource_variable_ops, gen_training_ops, gen_state_ops, gen_array_ops)
    found = [getattr(module, name) for module in modules for name in vars(module) if _ASSIGNS.fullmatch(name)]
    return found + [getattr(tf.raw_ops, name) for name in dir(tf.raw_ops) if _RAW_ASSIGNS.fullmatch(name)]


def wrap_assign(assign: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of an operator that assigns: tells the weights that hold the variable."""

    def listen(*args: Any, **kwargs: Any) -> Any:
        # Before and afterwards: an exception may come in between, and a call in another thread must not look before the
        # change and be content.
        _tell(args, kwargs)
        try:
            return assign(*args, **kwargs)
        finally:
            _tell(args, kwargs)

    return listen


def _tell(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Tell the weights that hold the variable which an operator assigns to."""
    if _listeners:
        target = args[0] if args else next((kwargs[name] for name in _TARGETS if name in kwargs), None)
        for weights in tuple(_listeners.get(id(target), ())):
            weights.touched(unheard=not tf.executing_eagerly())


def look_everywhere() -> None:
    """Let every model look at its weights before its next call."""
    with _guard:
        for listeners in _listeners.values():
            for weights in listeners:
                weights.touched(unheard=False)


def value_of(handle: Any) -> Any:
    """What a variable holds now. Nothing is copied."""
    return gen_resource_variable_ops.read_variable_op(handle, variable_type(handle)[0])


def _read(handle: Any) -> np.ndarray[Any, Any]:
    return np.asarray(value_of(handle)._numpy())  # a single number has no address of its own otherwise


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


def size_of(variables: Iterable[Any]) -> int:
    """Bytes of variables; one of unknown shape counts nothing."""
    return sum((one.shape.num_elements() or 0) * one.dtype.size for one in variables if one.dtype.size)

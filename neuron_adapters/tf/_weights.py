"""Shares the memory of a model's variables with its sessions, and notices when they change.

Nothing is copied: a session's variables share their buffers with the model's. TensorFlow never writes to a buffer that
has another owner; it makes a new one. So no answer is computed from half-changed weights, and a changed variable has a
new address.

The operators that assign are hooked. When such an operator runs, the weights are stale, and the next call compares
addresses. When it is only put into a graph, as ``fit`` does, it may later run without the hook: from then on every call
compares.
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

    def __init__(self, variables: Iterable[Any] = ()) -> None:
        """``variables``: to listen to their changes from the first."""
        self.stale = False
        """Whether the next call must look for changes first."""
        self.held: dict[int, np.ndarray[Any, Any]] = {}
        """The values as they were at the last look, by number. Another dictionary after each change."""
        self._touches = 0
        self._unheard = False
        self._handles: dict[int, Any] = {}
        self._constants: list[Any] = []
        for variable in variables:
            self.listen(variable.handle)

    def renewed(self, variables: Iterable[Any]) -> Weights:
        """The weights of the model after it was edited, when these are its variables."""
        weights = Weights(variables)
        weights._unheard = weights.stale = self._unheard or not self._handles.keys() >= weights._handles.keys()
        return weights

    def listen(self, handle: Any) -> None:
        """Listen to changes of a variable from now on."""
        with _guard:
            self._handles[id(handle)] = handle  # keeps the id, and the variable
            _listeners.setdefault(id(handle), weakref.WeakSet()).add(self)

    def add(self, handle: Any) -> int:
        """Add a variable by its handle, and return its number in ``held``."""
        number = id(handle)
        if number not in self._handles:  # some function may hold an assignment to it already
            self.listen(handle)
            self.touched(unheard=True)
        if number not in self.held:
            self.held[number] = _read(handle)
        return number

    def add_constant(self, value: Any) -> int:
        """Add a value that never changes, and return its number in ``held``."""
        self._constants.append(value)
        self.held[id(value)] = value._numpy()
        return id(value)

    def look(self) -> None:
        """Read the variables that have changed. After an exception before the last step, the next call does it all."""
        touches, changes = self._touches, {}
        for number, held in list(self.held.items()):
            if number not in self._handles:  # a constant
                continue
            now = _read(self._handles[number])
            # TensorFlow moves variables that may be changed in part, so a new address may hold an equal value.
            if _address(now) != _address(held) and not (now.shape == held.shape and np.array_equal(now, held)):
                changes[number] = now
        if changes:
            self.held = {**self.held, **changes}
        if touches == self._touches:  # else a variable was assigned to meanwhile
            self.stale = self._unheard

    def touched(self, *, unheard: bool) -> None:
        """Note that a variable was assigned to or, ``unheard``, may be from now on without the hook."""
        self._unheard = self._unheard or unheard
        self._touches += 1
        self.stale = True

    def __del__(self) -> None:
        for number in self._handles:
            listeners = _listeners.get(number)
            if listeners is not None and not any(listener is not self for listener in list(listeners)):
                _listeners.pop(number, None)


def variables_of(model: Any) -> list[Any]:
    """TensorFlow's variables in a Keras model."""
    variables = (getattr(variable, "_value", variable) for variable in model.variables)  # of Keras 3, of Keras 2
    return [variable for variable in variables if isinstance(variable, tf.Variable)]


def distributed(variables: Iterable[Any]) -> bool:
    """Whether a variable is on several devices, as under ``tf.distribute``: which of them a call reads, TensorFlow
    decides at the call."""
    return any(isinstance(variable, tf.distribute.DistributedValues) for variable in variables)


def is_variable(handle: Any) -> bool:
    """Whether a resource is a variable, rather than a table, an iterator or the like."""
    data = getattr(handle, "_handle_data", None)
    return data is not None and data.is_set and len(data.shape_and_type) == 1


def variable_type(handle: Any) -> tuple[tf.DType, tf.TensorShape]:
    """The dtype and shape behind a variable's handle."""
    (data,) = handle._handle_data.shape_and_type
    return tf.as_dtype(data.dtype), tf.TensorShape(data.shape)


def assigning() -> list[Callable[..., Any]]:
    """The operators that assign to variables."""
    modules = (gen_resource_variable_ops, gen_training_ops, gen_state_ops, gen_array_ops)
    operators = [getattr(module, name) for module in modules for name in vars(module) if _ASSIGNS.fullmatch(name)]
    return operators + [getattr(tf.raw_ops, name) for name in dir(tf.raw_ops) if _RAW_ASSIGNS.fullmatch(name)]


def wrap_assign(assign: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of an operator that assigns: notifies the weights that hold the variable."""

    def listen(*args: Any, **kwargs: Any) -> Any:
        # Notify before and after: an exception may come in between, and a call in another thread that compares before
        # the change must compare again.
        _tell(args, kwargs)
        try:
            return assign(*args, **kwargs)
        finally:
            _tell(args, kwargs)

    return listen


def _tell(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Notify the weights that hold the variable which an operator assigns to."""
    if _listeners:
        target = args[0] if args else next((kwargs[name] for name in _TARGETS if name in kwargs), None)
        for weights in tuple(_listeners.get(id(target), ())):
            weights.touched(unheard=not tf.executing_eagerly())


def look_everywhere() -> None:
    """Let every model look for changed weights before its next call."""
    with _guard:
        for listeners in _listeners.values():
            for weights in listeners:
                weights.touched(unheard=False)


def value_of(handle: Any) -> Any:
    """The present value of a variable, without a copy."""
    return gen_resource_variable_ops.read_variable_op(handle, variable_type(handle)[0])


def _read(handle: Any) -> np.ndarray[Any, Any]:
    return np.asarray(value_of(handle)._numpy())  # a single number has no address of its own otherwise


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


def size_of(variables: Iterable[Any]) -> int:
    """Bytes of variables; a variable of unknown shape counts 0."""
    return sum(
        (variable.shape.num_elements() or 0) * variable.dtype.size for variable in variables if variable.dtype.size
    )

"""Finds what the call of a Keras model reads.

What Keras' own layers read is known: their attributes, objects of Keras in these, lists, dictionaries and arrays, and
methods of their classes. Python code that is not Keras' may read anything.
"""

from __future__ import annotations

import enum
import functools
import inspect
import os
import sys
import types
import weakref
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import tensorflow as tf

#: Packages whose code reads nothing but what its layers hold.
_KNOWN_PACKAGES = ("keras", "tf_keras", "tensorflow", "numpy", "neuron_adapters", "functools", "contextlib")
#: Attributes that training, saving and the like write, and that no call for inference depends on.
_UNREAD = frozenset({
    "_callable_losses", "_called", "_checkpoint", "_cluster_coordinator", "_compile_config", "_compile_loss",
    "_compile_metrics", "_compiled_trainable_state", "_distribute_strategy", "_distribution_strategy",
    "_eval_epoch_iterator", "_initial_epoch", "_initial_weights", "_is_compiled", "_jit_compile", "_loss_ids",
    "_loss_tracker", "_losses", "_losses_override", "_metrics", "_metrics_lock", "_optimizer", "_parent_path",
    "_path", "_predict_counter", "_saved_model_arg_spec", "_saved_model_inputs_spec", "_test_counter", "_tracker",
    "_train_counter", "_training_state", "_updates", "build", "call_signature_parameters", "compiled",
    "compiled_loss", "compiled_metrics", "history", "loss", "loss_weights", "optimizer", "predict_function",
    "quantize", "stop_evaluating", "stop_predicting", "stop_training", "test_function", "train_function",
    "train_tf_function", "use_legacy_config",
})  # fmt: skip
#: Modules of the base classes of layers and models.
_GENERAL = (".layer", ".base_layer", ".operation", ".function", ".functional", ".model", ".training")
_ONLY_BUILDS = ("_initializer", "_regularizer", "_constraint")
#: Lists that a ``Sequential`` runs through where it has no graph.
_LAYERS = ("_layers", "_self_tracked_trackables")
#: Bytes of the largest array that is compared at each call.
_LARGEST_ARRAY = 4096
#: Methods that a call runs whatever the class.
_ENTRIES = ("__call__", "call", "__getattribute__", "__getattr__")
#: What does not change.
_CONSTANT = (
    type(None), bool, int, float, complex, str, bytes, type, range, slice, enum.Enum, inspect.Signature, np.generic,
    np.dtype, np.ufunc, types.BuiltinFunctionType, types.ModuleType, tf.Tensor, tf.DType, tf.TensorShape, tf.TypeSpec,
    tf.Variable,
)  # fmt: skip

watched: set[type] = set()
"""Classes of which setting an attribute is hooked."""


class Unknown(Exception):  # noqa: N818 - an answer, not a fault
    """Code, or an object, of which it is not known what it reads."""


class Walk:
    """Goes through all that a model's call may read. Raises Unknown."""

    def __init__(self) -> None:
        self.ids: set[int] = set()
        """Of objects whose attributes count."""
        self.methods: dict[tuple[type, str], Any] = {}
        self.containers: list[Any] = []
        self.arrays: list[Any] = []
        self._seen: dict[int, Any] = {}
        self._watched = tuple(watched)

    def through(self, model: Any) -> None:
        """Go through ``model``."""
        pending = [(model, False)]
        while pending:
            value, private = pending.pop()
            if id(value) not in self._seen and not isinstance(value, _CONSTANT):
                self._seen[id(value)] = value
                pending += self._visit(value, private)

    def _visit(self, value: Any, private: bool) -> Iterable[tuple[Any, bool]]:
        """Note a value, and return what it holds. ``private``: whether Keras alone fills it, if it is a container."""
        if isinstance(value, self._watched):
            return self._object(value)
        if isinstance(value, (tuple, frozenset)):
            return [(item, private) for item in value]
        if isinstance(value, (list, set, dict)):
            if not private:
                self.containers.append(value)
            return [(item, private) for item in items_of([value])]
        if isinstance(value, np.ndarray):
            if value.nbytes > _LARGEST_ARRAY or value.dtype.hasobject:
                raise Unknown("it holds a large array, which may be changed in place")
            self.arrays.append(value)
            return ()
        if isinstance(value, functools.partial):
            return [(value.func, False), (value.args, False), (value.keywords, False)]
        if isinstance(value, types.MethodType):
            return [(value.__func__, False), (value.__self__, False)]
        if isinstance(value, types.FunctionType):
            return [(item, False) for item in _closure(_known(value))]
        package = type(value).__module__.partition(".")[0]
        if package not in _KNOWN_PACKAGES and package not in sys.stdlib_module_names:
            raise Unknown(f"it holds a {type(value).__qualname__}, of which it is not known what it reads")
        return ()

    def _object(self, value: Any) -> Iterable[tuple[Any, bool]]:
        self.ids.add(id(value))
        kind = type(value)
        layer = hasattr(kind, "call")
        if layer and (kind, "call") not in self.methods:
            self._methods_of(kind)
        names, open_ = _names_read(kind), layer and not hasattr(kind, "fit")
        held = []
        for name, item in list(vars(value).items()):
            if name in _LAYERS and hasattr(kind, "pop"):
                held.append((item, getattr(value, "_functional", None) is not None))
            elif is_read(name) and name in names:
                held.append((item, not open_ or name.startswith("_")))
        return held

    def _methods_of(self, kind: type) -> None:
        """Note the methods that a call of a layer runs."""
        pending = [name for name in _ENTRIES if hasattr(kind, name)]
        reached = set(pending)
        while pending:
            name = pending.pop()
            names: set[str] = set()
            for base in kind.__mro__:
                for function in _functions(vars(base).get(name)):
                    names |= _names(_known(function))
            if name == "call":
                self._note(kind, names)
            pending += [other for other in names - reached if hasattr(kind, other)]
            reached |= names

    def _note(self, kind: type, helpers: Iterable[str]) -> None:
        """Let methods be compared at each call: ``call``, and what helps it but the base classes' part."""
        for name in ("__call__", "call", *helpers):
            owner = next((base for base in kind.__mro__ if name in vars(base)), None)
            if owner is None or not isinstance(vars(owner)[name], types.FunctionType):
                continue
            general = owner.__module__.endswith(_GENERAL)
            if not general or name in _ENTRIES:
                self.methods[owner if general else kind, name] = getattr(kind, name)


def is_read(name: str) -> bool:
    """Whether a call for inference may depend on an attribute of this name."""
    return name not in _UNREAD and not name.startswith("_self_") and not name.endswith(_ONLY_BUILDS)


def _known(function: types.FunctionType) -> types.FunctionType:
    """``function``. Raises Unknown where its code is not of a package that is known."""
    if not function.__code__.co_filename.startswith(_folders()):
        raise Unknown(f"{function.__qualname__} is Python code of yours, which may read anything")
    return function


def _closure(function: types.FunctionType) -> list[Any]:
    return [content for cell in function.__closure__ or () for content in _content(cell)]


def _content(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not filled yet
        return []


def _functions(method: Any) -> list[types.FunctionType]:
    """The functions behind an attribute of a class, and those that it wraps."""
    if isinstance(method, property):
        method = method.fget
    pending, functions = [getattr(method, "__func__", method)], []
    while pending:
        function = pending.pop()
        if isinstance(function, types.FunctionType) and function not in functions:
            functions.append(function)
            pending += _closure(function)
    return functions


@functools.lru_cache(maxsize=4096)
def _names(function: types.FunctionType) -> set[str]:
    """The names that a function's code uses."""
    names: set[str] = set()
    pending = [function.__code__]
    while pending:
        code = pending.pop()
        names.update(code.co_names)
        names.update(constant for constant in code.co_consts if isinstance(constant, str))
        pending += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return names


_read_by: weakref.WeakKeyDictionary[type, set[str]] = weakref.WeakKeyDictionary()


def _names_read(kind: type) -> set[str]:
    """The names that the methods of a class use; other attributes are of no account."""
    if kind not in _read_by:
        functions = [
            function for base in kind.__mro__ for method in vars(base).values() for function in _functions(method)
        ]
        _read_by[kind] = {"call"}.union(*map(_names, functions))
    return _read_by[kind]


@functools.cache
def _folders() -> tuple[str, ...]:
    """Where the code of the known packages is."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in _KNOWN_PACKAGES)
    return tuple(os.path.dirname(file) + os.sep if "__init__" in file else file for file in files if file)


def items_of(containers: Iterable[Any]) -> Iterator[Any]:
    """What lists, sets and dictionaries hold."""
    return chain.from_iterable(
        chain(container, container.values()) if isinstance(container, dict) else container for container in containers
    )

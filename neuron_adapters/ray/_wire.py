"""How inputs, answers and exceptions cross between a caller and a replica.

Tensors of PyTorch cross as arrays of NumPy, which Ray copies once into memory that processes share; it would copy
tensors three times. Inputs of some hundred KB cross inside the call, in pieces: Ray would store them on the caller's
node, and the replica's node would ask for them, which takes milliseconds.

What a model raises crosses as an answer: what Ray raises is then the loss of a replica, and nothing else. It crosses in
bytes: Ray's own way keeps neither an exception that cannot be pickled, nor one whose constructor takes other arguments
than ``args``, nor one that is no Exception.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
import traceback
from collections.abc import Callable
from typing import Any

import ray.cloudpickle as pickle
from ray import exceptions as lost

from neuron_adapters.adapter import parts

#: What Ray raises where a replica, its worker or its node is gone, or an answer with them.
_LOST = (
    lost.RayActorError, lost.WorkerCrashedError, lost.NodeDiedError, lost.OutOfMemoryError, lost.ObjectLostError,
)  # fmt: skip

_PIECE = 96 << 10  # bytes; Ray puts arguments of up to 100 KiB into the message that makes the call
_MOST_PIECES = 20  # what is larger, Ray's shared memory moves faster


class _Tensor:
    """In pickle's place of a tensor: what is loaded there is a tensor again, in memory of its own."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        return _tensor, (self.array,)


def _tensor(array: Any) -> Any:
    torch = importlib.import_module("torch")
    # Ray's memory is read-only, which PyTorch does not know.
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def sendable(value: Any) -> Any:
    """``value`` with its tensors in the form in which they cross."""
    torch = sys.modules.get("torch")
    if torch is None:
        return value

    def packed(leaf: Any) -> Any:
        if type(leaf) is torch.Tensor and not leaf.requires_grad:
            with contextlib.suppress(RuntimeError, TypeError):  # NumPy knows no sparse ones, no bfloat16 and the like
                return _Tensor(leaf.numpy())
        return leaf.clone() if type(leaf) is torch.Tensor else leaf  # a view is pickled with all of its storage

    return parts.mapped(packed, value)


def arguments(part: tuple[Any, ...]) -> tuple[Any, ...]:
    """``part`` as the arguments of a call: as they are, or in pieces of bytes that :func:`part_of` joins."""
    part = sendable(part)
    if not _PIECE < _size(part) <= _MOST_PIECES * _PIECE:
        return part
    packed = pickle.dumps(part, protocol=5)
    return tuple(packed[start : start + _PIECE] for start in range(0, len(packed), _PIECE))


def part_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What :func:`arguments` has made of it."""
    if type(arguments[0]) is not bytes:
        return arguments
    part: tuple[Any, ...] = pickle.loads(b"".join(arguments))  # Ray unpickles all that a driver sends: SECURITY.md
    parts.mapped(_protect, part)
    return part


def _protect(array: Any) -> None:
    """A model may not write to inputs, of whatever size they are: Ray's memory is shared."""
    if type(array).__module__ == "numpy":
        array.setflags(write=False)


def _size(value: Any) -> float:
    """The bytes of all arrays; infinite where something is among them that Ray itself has to send, as a reference."""
    if isinstance(value, _Tensor):
        return _size(value.array)
    if isinstance(value, dict):
        return _size([*value, *value.values()])
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    if type(value).__module__ == "numpy" and hasattr(value, "nbytes"):
        return math.inf if value.dtype.hasobject else value.nbytes
    return 0 if value is None or isinstance(value, (bool, int, float, complex, str)) else math.inf


class ReplicaError(Exception):
    """The cause of an exception of the model: the traceback in the replica, as text."""


class Raised:
    """What a model has raised, in the place of its answer."""

    def __init__(self, error: BaseException) -> None:
        self._said = f"{type(error).__name__}: {error}"
        self._traceback = "".join(traceback.format_exception(error))
        self._packed = _packed(error)

    def error(self) -> BaseException:
        """The exception; a RuntimeError with its text where its class cannot be had here."""
        try:
            error = pickle.loads(self._packed)  # Ray unpickles all that a replica sends: SECURITY.md
            if not isinstance(error, BaseException):
                kind, args, fields = error
                error = kind.__new__(kind, *args)  # its constructor takes other arguments
                error.args = args
                vars(error).update(fields)
        except Exception:  # noqa: BLE001 - its class is not in this process, or does anything
            error = RuntimeError(self._said)
        error.__cause__ = ReplicaError(f"\n{self._traceback}")
        return error  # type: ignore[no-any-return]


def answer(compute: Callable[[], Any]) -> Any:
    """What ``compute`` returns, or in its place what it raises. SystemExit ends the process, as Ray has it: Ray raises
    it where the process gets SIGTERM."""
    try:
        return compute()
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - it reaches the caller
        return Raised(error)


def checked(told: Any) -> Any:
    """What a replica has answered, or the error by which Ray says that it is lost, or late. Raises what the model has
    raised, and Ray's other errors."""
    if isinstance(told, Raised):
        raise told.error()
    if isinstance(told, lost.RayActorError) and "No module named 'neuron_adapters" in str(told):
        raise ImportError(
            "a node has not the package neuron_adapters, or another version of it: pip install 'neuron-adapters[ray]' "
            "there, as on every node of the cluster"
        ) from told
    if isinstance(told, lost.RayError) and not isinstance(told, (*_LOST, lost.GetTimeoutError)):
        raise getattr(told, "cause", None) or told from told  # an answer that cannot be pickled, say
    return told


def _packed(error: BaseException) -> bytes:
    if _survives(error):
        return pickle.dumps(error)  # type: ignore[no-any-return]
    args = tuple(arg if _survives(arg) else repr(arg) for arg in error.args)
    fields = {name: value for name, value in vars(error).items() if _survives(value)}
    return pickle.dumps((type(error), args, fields))  # type: ignore[no-any-return]


def _survives(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:  # noqa: BLE001 - whatever the methods of a class raise
        return False
    return True

"""How inputs, answers and exceptions cross between a caller and a replica.

Tensors of PyTorch cross as arrays of NumPy, which Ray copies once into memory that processes share; it would copy
tensors three times. Exceptions cross in bytes: Ray's own way keeps neither one that cannot be pickled, nor one whose
constructor takes other arguments than ``args``, nor one that is no Exception; and one of Ray's own classes could not be
told from the loss of the replica.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any

import ray.cloudpickle as pickle
from ray import exceptions as lost

from neuron_adapters.adapter import parts

#: What Ray raises where a replica, its worker or its node is gone, or an answer with them.
_LOST = (
    lost.RayActorError, lost.WorkerCrashedError, lost.NodeDiedError, lost.OutOfMemoryError, lost.ObjectLostError,
    lost.ObjectFetchTimedOutError,
)  # fmt: skip


class _Tensor:
    """In pickle's place of a tensor: what is loaded there is a tensor again, in memory of its own."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        return _tensor, (self.array,)


def _tensor(array: Any) -> Any:
    torch = importlib.import_module("torch")
    return torch.from_numpy(array.copy())  # Ray's memory is read-only, which PyTorch does not know


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


class ModelError(Exception):
    """Carries what a model has raised; ``packed`` is that in bytes, ``text`` says it."""

    def __init__(self, packed: bytes, text: str) -> None:
        super().__init__(packed, text)
        self.packed = packed
        self.text = text

    def __str__(self) -> str:
        return self.text


class NotLoadedError(Exception):
    """A part reached a replica that has been started again and has no model yet."""


@contextlib.contextmanager
def carrying() -> Iterator[None]:
    """Let what the block raises through in a form that reaches the caller. SystemExit ends the process, as Ray has it:
    Ray raises it where the process gets SIGTERM."""
    try:
        yield
    except SystemExit:
        raise
    except BaseException as error:
        raise ModelError(_packed(error), f"{type(error).__name__}: {error}") from error


def is_loss(error: BaseException) -> bool:
    """Whether Ray says that a replica is lost, and no model has raised anything."""
    if isinstance(error, lost.RayTaskError):
        return isinstance(error.cause, NotLoadedError)
    return isinstance(error, _LOST)


def original(error: BaseException) -> BaseException:
    """What the model raised; Ray's own error where it was Ray's."""
    if isinstance(error, lost.RayTaskError):
        cause = error.cause
        return _unpacked(cause) if isinstance(cause, ModelError) else cause if isinstance(cause, Exception) else error
    if isinstance(error, lost.RayActorError) and "No module named 'neuron_adapters" in str(error):
        return ImportError(
            "a node has not the package neuron_adapters, or another version of it: pip install 'neuron-adapters[ray]' "
            "there, as on every node of the cluster"
        )
    return error


def _packed(error: BaseException) -> bytes:
    if _survives(error):
        return pickle.dumps(error)  # type: ignore[no-any-return]
    args = tuple(arg if _survives(arg) else repr(arg) for arg in error.args)
    fields = {name: value for name, value in vars(error).items() if _survives(value)}
    return pickle.dumps((type(error), args, fields))  # type: ignore[no-any-return]


def _unpacked(carrier: ModelError) -> BaseException:
    try:
        found = pickle.loads(carrier.packed)
        if isinstance(found, BaseException):
            return found
        kind, args, fields = found
        error: BaseException = kind.__new__(kind, *args)  # its constructor takes other arguments
        error.args = args
        vars(error).update(fields)
    except Exception:  # noqa: BLE001 - its class is not in this process, or does anything
        return RuntimeError(carrier.text)
    return error


def _survives(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:  # noqa: BLE001 - whatever the methods of a class raise
        return False
    return True

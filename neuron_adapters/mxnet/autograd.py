"""``mx.autograd``: nothing is recorded here, and scopes that say so do nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from neuron_adapters.mxnet._training import refuse_gradient, training_names

__all__ = [
    "backward", "grad", "is_recording", "is_training", "mark_variables", "pause", "predict_mode", "record",
    "set_recording", "set_training", "train_mode",
]  # fmt: skip

__getattr__: Callable[[str], NoReturn] = training_names("mx.autograd", "Function", "get_symbol")


def _refuse(what: str) -> NoReturn:
    refuse_gradient(f"autograd.{what}")


def is_recording() -> bool:
    """Return False."""
    return False


is_training = is_recording


def set_recording(is_recording: bool) -> bool:
    """Return False, which it was. Raises MXNetError for True."""
    return _refuse("set_recording(True)") if is_recording else False


def set_training(train_mode: bool) -> bool:
    """Return False, which it was. Raises MXNetError for True."""
    return _refuse("set_training(True)") if train_mode else False


@contextlib.contextmanager
def pause(train_mode: bool = False) -> Iterator[None]:
    """Record nothing inside. Raises MXNetError where ``train_mode``."""
    set_training(train_mode)
    yield


@contextlib.contextmanager
def predict_mode() -> Iterator[None]:
    """Let operators infer inside, as they always do here."""
    yield


def record(train_mode: bool = True) -> Any:  # noqa: ARG001 - MXNet's signature
    """Refuse: there are no gradients."""
    _refuse("record()")


def train_mode() -> Any:
    """Refuse: operators infer."""
    _refuse("train_mode()")


def backward(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no gradients."""
    _refuse("backward()")


def grad(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no gradients."""
    _refuse("grad()")


def mark_variables(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no gradients."""
    _refuse("mark_variables()")

"""Keeps PyTorch's deprecation of TorchScript to the calls that the user makes.

PyTorch warns at each ``torch.jit.trace``, ``load``, ``save``, ``freeze`` and ``optimize_for_inference``, also where
this package calls it and no user did. ``warnings.catch_warnings`` would silence all threads, and may leave them so;
therefore the modules that warn look at a variable of the thread first.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import torch.jit._freeze
import torch.jit._serialization
import torch.jit._trace

from neuron_adapters.adapter.hooks import Patches

_MODULES: tuple[ModuleType, ...] = (torch.jit._freeze, torch.jit._serialization, torch.jit._trace)
_own_call: ContextVar[bool] = ContextVar("own call", default=False)


@contextlib.contextmanager
def own_calls() -> Iterator[None]:
    """Calls of TorchScript inside are this package's own: PyTorch does not warn that TorchScript is deprecated."""
    token = _own_call.set(True)
    try:
        yield
    finally:
        _own_call.reset(token)


def put_in(patches: Patches) -> None:
    """Let PyTorch's modules ask first."""
    for module in _MODULES:
        if vars(module).get("warnings") is warnings:
            patches.set(module, "warnings", _Warnings())


class _Warnings:
    """The module ``warnings`` as PyTorch's modules see it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    def warn(
        self, message: Any, category: type[Warning] | None = None, stacklevel: int = 1, *args: Any, **kwargs: Any
    ) -> None:
        """``warnings.warn``, but for the deprecation of TorchScript inside ``own_calls``."""
        if not (_own_call.get() and str(message).startswith("`torch.jit.")):
            warnings.warn(message, category, stacklevel + 1, *args, **kwargs)

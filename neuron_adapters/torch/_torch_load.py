"""``torch.load`` of a TorchScript archive, which scripts of the plug-in's time call. Today's PyTorch refuses it unless
``weights_only=False`` is passed, and then warns. Under neuron-run it is ``torch.jit.load`` (SPEC H2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from neuron_adapters.files import zips
from neuron_adapters.torch import _untrusted
from neuron_adapters.torch._quiet import own_calls

_ZIP = b"PK\x03\x04"


def wrap_load(original: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``torch.load``: TorchScript archives are loaded by ``torch.jit.load``."""

    def load(f: Any, map_location: Any = None, *args: Any, weights_only: bool | None = None, **kwargs: Any) -> Any:
        unsaid = weights_only is None and not _untrusted.asked()
        if (unsaid or weights_only is False) and is_torchscript(f):
            with own_calls():
                return torch.jit.load(f, map_location)
        return original(f, map_location, *args, weights_only=weights_only, **kwargs)

    return load


def is_torchscript(f: Any) -> bool:
    """Whether ``f``, a path or an open file, holds a TorchScript archive. The file's position stays."""
    try:
        if isinstance(f, (str, os.PathLike)):
            with open(f, "rb") as file:
                return file.read(len(_ZIP)) == _ZIP and _has_code(file)
        position = f.tell()
        try:
            return bool(f.read(len(_ZIP)) == _ZIP) and _has_code(f)
        finally:
            f.seek(position)
    except (*zips.DAMAGED, AttributeError):  # PyTorch says what is wrong with it
        return False


def _has_code(file: Any) -> bool:
    with zips.opened(file) as archive:
        return any(name.count("/") == 1 and name.endswith("/constants.pkl") for name in archive.namelist())

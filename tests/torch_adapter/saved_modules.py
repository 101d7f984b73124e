"""Modules of TorchScript in memory, as a file has them."""

from __future__ import annotations

import io
from typing import Any

import torch


def saved(module: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    buffer.seek(0)
    return buffer

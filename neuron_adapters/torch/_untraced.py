"""Calls on NeuronCores under ``torch.compile``: its graph breaks there, and it looks at nothing inside."""

from __future__ import annotations

import contextlib
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Any)


def untraced(function: F) -> F:
    """Let ``torch.compile`` call ``function`` as it is.

    The attribute breaks the graph. Without the strategy, torch.compile would go on to compile the functions that this
    one calls, which are the runtime's, and some of what it makes of them is wrong.
    """
    function._torchdynamo_disable = True
    with contextlib.suppress(AttributeError):  # a PyTorch that has no such strategies
        frames: Any = torch._C._dynamo.eval_frame
        skip = frames._FrameAction.SKIP
        frames.set_code_exec_strategy(function.__code__, frames._FrameExecStrategy(skip, skip))
    return function

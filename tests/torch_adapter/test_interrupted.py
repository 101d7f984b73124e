"""SPEC X4: an interrupted call of a compiled model leaves no trace in the answers of later ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import neuron_adapters.torch  # noqa: F401  # its hooks
from neuron_adapters.torch import _executable, _lowering, _placed
from neuron_rt import openvino


@pytest.mark.parametrize("rows", [2, 300], ids=["copied", "read in place"])
def test_a_call(everywhere: Any, rows: int) -> None:
    """Inputs that take turns: what the engine reads next is never where the interrupted call read."""
    module = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU()).eval()
    model = torch.neuron.trace(module, torch.rand(rows, 64))
    inputs = [torch.rand(rows, 64), torch.rand(rows, 64)]
    with torch.no_grad():
        wanted = [module(tensor) for tensor in inputs]
        for tensor in reversed(inputs):
            model(tensor)
        files = [module.__file__ for module in (_executable, _lowering, _placed, openvino)]
        for _interrupted in everywhere(lambda: model(inputs[1]), *files):
            for index in (0, 1, 0):  # first with what the call before the interrupted one had
                assert torch.allclose(model(inputs[index]), wanted[index], rtol=1e-3, atol=1e-4)

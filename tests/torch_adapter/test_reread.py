"""What is compiled is the module as PyTorch reads it back from its file, without writing the weights (SPEC K1, K7)."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch._reread import reread, twin

nn = torch.nn
X = torch.rand(2, 64, generator=torch.Generator().manual_seed(1))


class Constants(nn.Module):
    """Large and small tensors of every kind that a graph may hold."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.table = torch.rand(300, 64, generator=generator)
        self.tied = self.table[10:290]  # shares memory
        self.alike = self.table.clone()  # equal, in memory of its own
        self.turned = self.table.t()
        self.repeated = torch.rand(1, 64, generator=generator).expand(300, 64)
        self.half = torch.rand(300, 64, generator=generator).half()
        self.flags = torch.rand(300, 64, generator=generator) > 0.5
        self.whole = torch.randint(0, 200, (300, 64), generator=generator).to(torch.uint8)
        self.not_finite = torch.full((300, 64), torch.nan)
        self.turning = torch.rand(300, 64, dtype=torch.complex64, generator=generator).conj()
        self.few = torch.rand(64, generator=generator)
        self.weight = nn.Parameter(torch.rand(64, 64, generator=generator))

    def forward(self, x: torch.Tensor) -> Any:
        y = x @ self.table.t() + x @ self.alike.t() + x @ self.turned + x @ self.repeated.t()
        y = y + x @ self.half.float().t() + x @ self.flags.float().t() + x @ self.whole.float().t()
        z = x @ self.tied.t() * self.few.sum()
        return y, z, x @ self.not_finite.t(), x.to(torch.complex64) @ self.turning.t(), x @ self.weight


class Ways(nn.Module):
    """Large constants in the blocks of a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.above, self.below = nn.Linear(64, 128), nn.Linear(64, 128)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.above(x) if bool(x.sum() > 0) else self.below(x)


def frozen(make: Callable[[], nn.Module]) -> torch.jit.ScriptModule:
    torch.manual_seed(0)
    module = make().eval()
    if isinstance(module, Ways):
        return original(torch.jit.freeze)(torch.jit.script(module))
    return original(torch.jit.freeze)(torch.jit.trace(module, X))


def saved_and_loaded(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    buffer = io.BytesIO()
    for value in constants(module):
        value.requires_grad_(False)
    original(torch.jit.save)(module, buffer)
    buffer.seek(0)
    return original(torch.jit.load)(buffer)


def text_of(module: torch.jit.ScriptModule) -> str:
    return re.sub(r"_mangle_\d+|^graph\(.*\n", "", str(module.graph))


def constants(module: torch.jit.ScriptModule) -> list[torch.Tensor]:
    return [value for value in module.code_with_constants[1].const_mapping.values() if isinstance(value, torch.Tensor)]


def quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
        weight = torch.quantize_per_tensor(torch.rand(300, 64), 0.01, 0, torch.qint8)

    class Quantized(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ weight.dequantize().t()

    return Quantized()


NETWORKS = {
    "perceptron": lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64)),
    "equal layers": lambda: nn.Sequential(*[nn.Linear(64, 64)] * 3),
    "recurrent": lambda: nn.LSTM(64, 64),
    "attention": lambda: nn.TransformerEncoderLayer(64, 4, batch_first=True),
    "constants": Constants,
    "ways": Ways,
    "quantized": quantized,
}


WAYS: dict[str, Callable[[torch.jit.ScriptModule], torch.jit.ScriptModule]] = {
    "twin": twin,
    "own": lambda module: reread(module, own=True),
    "the user's": lambda module: reread(module, own=False),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_what_a_file_would_give(name: str, way: str) -> None:
    wanted = saved_and_loaded(frozen(NETWORKS[name]))
    module = frozen(NETWORKS[name])
    graph, places = str(module.graph), [tensor.data_ptr() for tensor in constants(module)]
    again = WAYS[way](module)
    if name != "constants":  # which has equal ones in two places
        assert text_of(again) == text_of(wanted)
    for tensor, expected in zip(constants(again), constants(wanted), strict=True):
        assert tensor.dtype == expected.dtype
        assert tensor.stride() == expected.stride()
        assert tensor.is_conj() == expected.is_conj()
        torch.testing.assert_close(tensor, expected, rtol=0, atol=0, equal_nan=True)
        assert way == "twin" or tensor.data_ptr() not in places
    with torch.no_grad():
        torch.testing.assert_close(again(X), wanted(X), rtol=0, atol=0, equal_nan=True)
    if way != "own":
        assert str(module.graph) == graph
        assert [tensor.data_ptr() for tensor in constants(module)] == places
        with torch.no_grad():
            torch.testing.assert_close(module(X), wanted(X), rtol=0, atol=0, equal_nan=True)


def test_constants_that_share_memory_still_do() -> None:
    module = Constants().eval()
    again = reread(original(torch.jit.freeze)(torch.jit.trace(module, X)), own=True)
    memory = {}
    for tensor in constants(again):
        memory.setdefault(tensor.untyped_storage().data_ptr(), []).append(tuple(tensor.shape))
    assert [(64, 280), (64, 300)] in [sorted(shapes) for shapes in memory.values()]

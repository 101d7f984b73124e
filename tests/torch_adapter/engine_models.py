"""Models for the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
from neuron_adapters.torch import trace

nn = torch.nn


class Mobile(nn.Module):
    """Depthwise convolutions and a residual, as in MobileNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.block = nn.Sequential(
            nn.Conv2d(16, 48, 1), nn.BatchNorm2d(48), nn.ReLU6(),
            nn.Conv2d(48, 48, 3, 1, 1, groups=48), nn.BatchNorm2d(48), nn.ReLU6(), nn.Conv2d(48, 16, 1),
        )  # fmt: skip
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head((x + self.block(x)).mean((2, 3)))


class Recurrent(nn.Module):
    """An LSTM with a dictionary, a tuple and a list in its answer, keys out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(12, 16, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        y, (h, c) = self.rnn(x)
        return {"z": self.out(y[:, -1]), "a": h.transpose(0, 1), "c": c.transpose(0, 1)}


class Encoder(nn.Module):
    """A transformer layer with two inputs, one of them of integers; a scalar and a large output."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(100, 32)
        self.qkv, self.out, self.norm = nn.Linear(32, 96), nn.Linear(32, 32), nn.LayerNorm(32)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.table(ids)
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, 4, d // 4).permute(2, 0, 3, 1, 4).unbind(0)
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -1e4
        a = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = self.norm(x + self.out(a.transpose(1, 2).reshape(b, t, d)))
        return x, x.square().mean(), (ids > 5), ids.argmax(-1)


class Transformer(nn.Module):
    """PyTorch's own layers, which trace as fused operators where they may."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(100, 32)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)

    def forward(self, ids: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        return self.layers(self.table(ids), src_key_padding_mask=padding)


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 16384))


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[torch.Tensor, ...]]]] = {
    "mobile": (Mobile, lambda: (torch.rand(2, 3, 32, 32),)),
    "recurrent": (Recurrent, lambda: (torch.rand(3, 7, 12),)),
    "encoder": (Encoder, lambda: (torch.randint(0, 100, (2, 300)), torch.randint(0, 2, (2, 300)))),
    "transformer": (Transformer, lambda: (torch.randint(0, 100, (2, 12)), torch.zeros(2, 12, dtype=torch.bool))),
    "mlp": (_mlp, lambda: (torch.rand(1, 64),)),
}


@pytest.fixture
def openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """No race at compile time: what agrees runs on the engine."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")


def build(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    torch.manual_seed(7)
    model, inputs = MODELS[name]
    return model().eval(), inputs()


def engine_of(module: object) -> tuple[str, str]:
    """Engine and reason of the only model of this process that ``module`` is."""
    (row,) = neuron_adapters.describe().models
    assert neuron_adapters.placement(module) == row.placement
    return row.engine, row.why


def same(left: Any, right: Any, **tolerance: float) -> bool:
    """Whether two answers have one structure, and agree; bit for bit without a tolerance."""
    if isinstance(left, torch.Tensor):
        exact = torch.equal(left, right) if not tolerance else torch.allclose(left, right, **tolerance)
        return type(left) is type(right) and left.dtype is right.dtype and left.shape == right.shape and exact
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key], **tolerance) for key in left)
    same_kind = type(left) is type(right) and len(left) == len(right)
    return same_kind and all(same(a, b, **tolerance) for a, b in zip(left, right))


@pytest.fixture(scope="module")
def mobile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mobile") / "m.pt"
    model, inputs = build("mobile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
        trace(model, inputs).save(str(path))
    return path

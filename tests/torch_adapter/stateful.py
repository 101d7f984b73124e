"""Models that write to what outlives a call, or draw random numbers, and what they do; in plain PyTorch or compiled.

``python stateful.py plain FOLDER`` prints what plain PyTorch does, as JSON: ``neuron`` what compiled models do.
"""

from __future__ import annotations

import copy
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

nn = torch.nn


class Counter(nn.Module):
    """A counter, written to in place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return x * 0 + self.count


class Inner(nn.Module):
    """A counter of a module inside, beside weights."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.counter = nn.Linear(3, 3), Counter()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + self.counter(x)


class Statistics(nn.Module):
    """Running statistics that no operator's schema says are written to."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("var", torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.batch_norm(x, self.mean, self.var, training=True) + self.mean


class Buffers(nn.Module):
    """A ring of buffers, each of which takes what the one before had."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("first", "second", "third"):
            self.register_buffer(name, torch.zeros(2, 3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ring = [self.first, self.second, self.third]
        for older, newer in zip(ring[:0:-1], ring[-2::-1]):
            older.copy_(newer)
        ring[0].copy_(x)
        return torch.stack(ring).sum(0), ring[-1].clone()


class Cache(nn.Module):
    """Rows of a buffer written by their index, as caches of keys and values are."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(5, 3))
        self.register_buffer("at", torch.zeros(1, dtype=torch.long))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache.index_copy_(0, self.at, x[:1])
        self.at.add_(1).remainder_(5)
        return x + self.cache.sum(0)


class Decaying(nn.Module):
    """A parameter that each call makes smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.weight.mul_(0.5)
        return x * self.weight


class Renormed(nn.Module):
    """An embedding that limits the rows it reads, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 4, max_norm=0.5)
        self.table.weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.table((x * 5).long()).sum(1) + self.table.weight.sum()


class Number(nn.Module):
    """A number of the module's, which a script assigns anew."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.calls


class Input(nn.Module):
    """Writes to its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.add_(1) * 2


class Mixed(nn.Module):
    """Dropout in training mode inside a module that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.drop = nn.Linear(3, 3), nn.Dropout()
        self.eval()
        self.drop.train()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.linear(x))


class Noise(nn.Module):
    """Draws random numbers that do not change its results."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x) * 0


MODELS: dict[str, Callable[[], nn.Module]] = {
    "counter": lambda: Counter().eval(),
    "inner": lambda: Inner().eval(),
    "statistics": Statistics,
    "norm": lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)),
    "buffers": lambda: Buffers().eval(),
    "cache": lambda: Cache().eval(),
    "decaying": lambda: Decaying().eval(),
    "renormed": lambda: Renormed().eval(),
    "number": lambda: torch.jit.script(Number().eval()),
    "input": lambda: Input().eval(),
    "dropout": lambda: nn.Sequential(nn.Linear(3, 3), nn.Dropout()),
    "mixed": Mixed,
    "script": lambda: torch.jit.script(Mixed()),
    "training": lambda: torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.Dropout(), nn.BatchNorm1d(3))),
    "scripted": lambda: torch.jit.script(Inner().eval()),
    "noise": lambda: Noise().eval(),
}


def example() -> torch.Tensor:
    return torch.linspace(0, 0.9, 6).reshape(2, 3)


def plain(value: Any) -> Any:
    """Tensors and what is made of them, as JSON has it."""
    if isinstance(value, torch.Tensor):
        return [[round(number, 4) for number in value.detach().double().flatten().tolist()], str(value.dtype)]
    return [plain(item) for item in value]


def state(module: nn.Module) -> Any:
    return {name: plain(tensor) for name, tensor in module.state_dict().items()}


def behaviour(name: str, compile_model: Callable[..., Any], file: str) -> dict[str, Any]:
    """Everything about a model that a user can see before and after it is compiled, saved, loaded and copied."""
    torch.manual_seed(3)
    model, x = MODELS[name](), example()
    modes = [part.training for part in model.modules()]
    seen: dict[str, Any] = {}
    torch.manual_seed(4)
    compiled = compile_model(model, x)
    seen["random numbers"] = plain(torch.rand(2))
    seen["the user's module"] = state(model)
    seen["its modes"] = [part.training for part in model.modules()] == modes
    seen["the example"] = plain(x)
    compiled.save(file)
    first, second = torch.jit.load(file), torch.jit.load(file)

    def calls(module: Any, count: int = 2) -> Any:
        torch.manual_seed(5)
        return [plain(module(example())) for _ in range(count)]

    seen["a load"] = calls(first, 3)
    seen["another load"] = calls(second)
    seen["a load after both"] = calls(torch.jit.load(file))
    seen["a deep copy"] = [calls(copy.deepcopy(first)), calls(first)]
    twin = copy.copy(second)
    seen["a copy"] = [calls(second), calls(twin), calls(second)]
    first.save(file)
    seen["saved again"] = calls(torch.jit.load(file))
    x = example()
    second(x)
    seen["the input"] = plain(x)
    return seen


def main(api: str, folder: str) -> None:
    warnings.filterwarnings("ignore")
    compile_model = torch.jit.trace
    if api == "neuron":
        import neuron_adapters.torch

        compile_model = neuron_adapters.torch.trace
    seen = {}
    for name in MODELS:
        with torch.no_grad():  # a compiled model infers
            seen[name] = behaviour(
                name, lambda model, x: compile_model(model, x, check_trace=False), f"{folder}/{name}.pt"
            )
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], str(Path(sys.argv[2]).resolve()))

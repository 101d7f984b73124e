"""SPEC R2, X2: what the parts of a batch return is joined to what the whole batch would have returned, or refused."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.utils._pytree import register_pytree_node

from neuron_adapters.torch import DataParallel, trace
from neuron_rt import CompileError


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")


class Pair(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass(frozen=True)
class Answer:
    x: torch.Tensor
    more: Any = None


class Cache:
    """As transformers' DynamicCache: no container that PyTorch knows."""

    def __init__(self, k: torch.Tensor) -> None:
        self.k = k


class Registered(Cache):
    """One that PyTorch was told how to take apart."""


register_pytree_node(Registered, lambda cache: ([cache.k], None), lambda parts, _context: Registered(next(iter(parts))))


def same(actual: Any, expected: Any) -> None:
    """Equal in all values, structures and classes."""
    assert type(actual) is type(expected)
    if isinstance(expected, (torch.Tensor, np.ndarray)):
        assert actual.shape == expected.shape
        assert (actual == expected).all()
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key, part in expected.items():
            same(actual[key], part)
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected)
        for part, other in zip(actual, expected):
            same(part, other)
    elif isinstance(expected, (Answer, Cache)):
        same(vars(actual), vars(expected))
    else:
        assert actual == expected


JOINED: dict[str, Callable[[torch.Tensor], Any]] = {
    "a tensor": lambda x: x * 2,
    "a structure": lambda x: {"a": [x, (x + 1,)], "b": {"c": x * 3}, "d": ()},
    "a pair": lambda x: (x, x + 1),
    "a list of two": lambda x: [x, x + 1],
    "a named tuple": lambda x: Pair(x, [x]),
    "PyTorch's own tuple": lambda x: torch.topk(x, 2),
    "ordered": lambda x: collections.OrderedDict(b=x, a=x),
    "with a default": lambda x: collections.defaultdict(list, {"a": x}),
    "a dataclass": lambda x: Answer(x, {"y": x}),
    "nothing": lambda x: None,
    "optional": lambda x: {"x": x, "loss": None},
    "an array": lambda x: {"x": x.numpy()},
    "a registered object": lambda x: Registered(x),
    "two entries for each row": lambda x: [row * n for row in x for n in (1, 2)],
    "several a row": lambda x: x.repeat_interleave(3, 0),
    "a list for the rows": lambda x: list(x.unbind(0)),
    "a tuple for the rows": lambda x: x.split(1),
    "numbers for the rows": lambda x: x.sum(-1).tolist(),
    "names for the rows": lambda x: {"label": ["low" if row.sum() < 9 else "high" for row in x]},
    "objects for the rows": lambda x: [{"boxes": row[None], "score": float(row[0])} for row in x],
    "a list of lists": lambda x: [x.tolist(), x],
}


@pytest.mark.parametrize("first", [2, 4, 5])
def test_joined(first: int) -> None:
    """The value of the whole batch: parts of equal and of different sizes, of as many rows as a list has entries,
    whichever comes first."""
    for name, model in JOINED.items():
        parallel = {2: DataParallel(model, [0, 1]), 3: DataParallel(model, [0, 1, 2])}
        for rows in (first, 2, 3, 4, 5, 6, 8):
            x = torch.arange(3.0 * rows).view(rows, 3)
            for replicas, run in parallel.items():
                try:
                    same(run(x), model(x))
                except Exception as error:
                    raise AssertionError(f"{name}, {rows} rows, {replicas} replicas: {error}") from error


REFUSED: dict[str, Callable[[torch.Tensor], Any]] = {
    "a count": lambda x: (x, int(x.shape[0])),
    "a float": lambda x: {"x": x, "loss": 0.5},
    "a truth": lambda x: [x, True],
    "a name": lambda x: {"x": x, "shape": str(x.shape)},
    "a size": lambda x: (x, x.shape),
    "an object": lambda x: {"x": x, "cache": Cache(x)},
    "an object in a dataclass": lambda x: Answer(x, Cache(x)),
    "a packed sequence": lambda x: torch.nn.utils.rnn.pack_sequence(list(x)),
    "a set": lambda x: {x},
    "an iterator": lambda x: iter(x),
    "a list of another length": lambda x: [x] * (x.shape[0] + 1),
    "other keys": lambda x: {str(i): x for i in range(x.shape[0])},
    "now a tensor, now none": lambda x: x if x[0, 0] > 0 else None,
    "other shapes": lambda x: x[:, : 1 + int(x[0, 0])],
    "a numpy number": lambda x: (x, x.numpy().sum()),
}


def test_refused() -> None:
    """One error that says where and why; never the first part's value. A batch of one part comes back as it is."""
    said = r"^A batch was run in parts, and the outputs.* cannot be joined: .*Return tensors"
    for name, model in REFUSED.items():
        for rows in (3, 5):
            parallel = DataParallel(model, [0, 1])
            x = torch.arange(3.0 * rows).view(rows, 3)
            with pytest.raises(TypeError, match=said):
                pytest.fail(f"{name}, {rows} rows: {parallel(x)}")
            parallel(x[:1])


def test_even_parts_are_refused_too() -> None:
    """Parts that agree on a number need not speak for the batch."""
    with pytest.raises(TypeError, match=r"the outputs at \[1\] cannot be joined: each part returned an int of its own"):
        DataParallel(REFUSED["a count"], [0, 1])(torch.zeros(6, 2))


def test_the_length_of_a_list_is_found_out_once() -> None:
    """A part of another size is run for it, unless the parts differ in size; a model that takes one size only is judged
    by what it returns."""
    sizes: list[int] = []

    def pair(x: torch.Tensor) -> Any:
        sizes.append(x.shape[0])
        return x, x + 1

    parallel = DataParallel(pair, [0, 1])
    for _again in range(2):
        parallel(torch.zeros(4, 2))
    assert sorted(sizes) == [1, 2, 2, 2, 2]

    def fixed(x: torch.Tensor) -> Any:
        return (x.view(2, 3), x.view(2, 3) + 1)

    x = torch.rand(4, 3)
    same(DataParallel(fixed, [0, 1])(x), (x, x + 1))
    with pytest.raises(TypeError, match="takes parts of no other size"):
        DataParallel(lambda x: [row.view(3) for row in x.view(2, 3)], [0, 1])(x)


def test_compiled_models() -> None:
    """A list that a graph builds needs no second run; one with an entry for each row, or a number, is no batch to
    slice."""
    x = torch.rand(2, 3)
    pair = trace(lambda x: [x, x + 1], x, strict=False)
    batch = torch.rand(8, 3)
    same(DataParallel(pair, [0, 1, 2, 3])(batch), [batch, batch + 1])

    class Rows(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return x.unbind(0)

    class Count(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int]:
            return x, x.size(0)

    for module in (Rows(), Count()):
        scripted = torch.jit.script(module.eval())
        with pytest.raises(CompileError, match="dynamic_batch_size"):
            trace(scripted, torch.rand(2, 2), dynamic_batch_size=True)
    same(DataParallel(torch.jit.script(Rows().eval()), [0, 1])(batch), list(batch.unbind(0)))

"""Compiled models answer as the framework does, on values on which engines usually do not (SPEC K3).

``make numerics`` examines the whole table; here is a part of it, another one in each group.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from .outcome import Outcome, table
from .torch_fuzz import program, try_program
from .torch_side import Case, difference, examine
from .torch_table import cases
from .values import Arg, calls

GROUPS = 8
#: Every case of these: what once went wrong.
ALWAYS = (
    "remainder",
    "fmod",
    "standardized",
    "half",
    "gather",
    "index_",
    "argmax",
    "max_dim",
    "topk_1",
    "masked",
    "sdpa",
)


@pytest.fixture(autouse=True)
def _engine(own_runtime: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime of its own, the engine without a race, and as many threads as a NeuronCore."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")


def _part() -> list[Case]:
    chosen = list(cases())
    return [case for index, case in enumerate(chosen) if index % 12 == 0 or case.name.startswith(ALWAYS)]


@pytest.mark.parametrize("group", range(GROUPS))
def test_operators(group: int) -> None:
    """Same value, same dtype, same exception; and the engine has most of them, or nothing would have been tested."""
    outcomes = [examine(case, most=30) for case in _part()[group::GROUPS]]
    there = [outcome for outcome in outcomes if not outcome.missing]
    assert [line for outcome in there for line in outcome.wrong] == []
    assert sum(not outcome.why for outcome in there) > len(there) / 3
    assert sum(outcome.engine.total() for outcome in there) > 60
    assert sum(outcome.guarded.total() for outcome in there) > 60


@pytest.mark.parametrize("group", range(GROUPS))
def test_networks_at_random(group: int) -> None:
    """Numbers that become NaN or infinite inside, and are lost again, come out as the framework has them."""
    outcomes = [try_program(program(seed), seed, triggers=30) for seed in range(10 * group, 10 * group + 10)]
    assert [line for outcome in outcomes for line in outcome.wrong] == []
    assert any(outcome.engine.total() and outcome.guarded.total() for outcome in outcomes)


@pytest.mark.parametrize("layer", ["ReLU", "Sigmoid", "Hardswish"])
def test_where_pytorch_computes(monkeypatch: pytest.MonkeyPatch, layer: str) -> None:
    """The form that PyTorch itself computes with answers as the plain graph does, too."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "framework")
    network = lambda: torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), getattr(torch.nn, layer)(), torch.nn.MaxPool2d(2))
    outcome = examine(Case(layer, network, (Arg("float32", (1, 4, 6, 6)),)))
    assert not outcome.wrong, outcome


def test_equal_numbers() -> None:
    """What a difference of equal numbers leaves is rounding error, in the framework another than in the engine."""

    def rows(function: Any, shape: tuple[int, ...]) -> Outcome:
        arguments = (Arg("float32", shape),)
        more = [("tie", [torch.full(shape, number).numpy()]) for number in (0.1, 0.3, 1 / 3, 2.1179, -0.7, 255.0)]
        return examine(Case("equal numbers", lambda: function, arguments), most=0, layout=False, more=more)

    for function in (
        lambda x: (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True),
        lambda x: x.var(-1).log(),
        lambda x: x.var(-1).rsqrt(),
        lambda x: ((x * x).mean(-1) - x.mean(-1) ** 2).sqrt(),
    ):
        for width in (5, 37, 1000):
            outcome = rows(function, (3, width))
            assert not outcome.why, outcome
            assert outcome.guarded, outcome
            assert not outcome.wrong, outcome


def test_places_of_equal_numbers() -> None:
    """On a long axis too, the first of the largest numbers is the largest."""
    more = [("tie", [torch.randint(0, k, (2, 1000)).float().numpy()]) for k in (1, 2, 3, 9)]
    for function in (lambda x: x.argmax(-1), lambda x: x.max(-1), lambda x: x.topk(1, -1)):
        outcome = examine(
            Case("ties", lambda f=function: f, (Arg("float32", (2, 1000)),)), most=0, layout=False, more=more
        )
        assert not outcome.wrong, outcome


def test_the_comparison_sees_differences() -> None:
    """A test that can fail: one wrong number, NaN, dtype, shape, error or missing error is a difference."""
    x, nan = torch.tensor([1.0, 2.0]), torch.tensor([1.0, float("nan")])
    for same in ([x], [nan], IndexError("a")):
        assert not difference(same, same)
    assert not difference([x], [x * 1.0005])
    for wrong in (nan, x * 1.01, x.double(), x[:1], torch.tensor([1.0, float("inf")])):
        assert difference([x], [wrong])
        assert difference([wrong], [x])
    for wrong in ([x, x], RuntimeError("a")):
        assert difference([x], wrong)
        assert difference(IndexError("a"), wrong)
    whole = torch.tensor([2**53 + 1])
    assert difference([whole], [whole - 1]), "integers agree in all their bits"


def test_special_values() -> None:
    """Each kind of input brings its own kinds of values, and each argument is special alone."""
    kinds = {kind for kind, _arrays in calls((Arg("float32"),))}
    assert {"zero", "not finite", "denormal", "large", "tie"} <= kinds
    assert {kind for kind, _arrays in calls((Arg("int64", limit=7),))} == {"ordinary", "index"}
    indexes = {int(number) for _kind, arrays in calls((Arg("int64", limit=7),)) for number in arrays[0].reshape(-1)}
    assert {-1, -7, -8, 7, 10**9, 2**32 + 1} <= indexes
    for dtype, least, most in (("int8", -128, 127), ("int64", -(2**63), 2**63 - 1)):
        numbers = {int(number) for _kind, arrays in calls((Arg(dtype),)) for number in arrays[0].reshape(-1)}
        assert {least, most, 0, -1} <= numbers


def test_the_table() -> None:
    """docs/numerics.md has a row for each operator."""
    outcome = Outcome("relu[float32]")
    outcome.engine["zero"] += 1
    outcome.guarded["not finite"] += 1
    assert "| `relu` | float32 | zero | not finite |  |" in table([outcome])

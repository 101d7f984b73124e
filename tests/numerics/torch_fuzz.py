# ruff: noqa: T201 - it is a command, and prints
"""Small networks at random, in which numbers become NaN or infinite, or integers large, and are lost again.

``python -m tests.numerics.torch_fuzz FIRST LAST`` tries the seeds between, and prints each difference with the smallest
program that still shows it.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

import neuron_adapters
from neuron_adapters.torch import trace
from neuron_rt import CompileError

from .outcome import Outcome
from .torch_side import Case, compare
from .values import Arg

F, nn = torch.nn.functional, torch.nn

#: Steps from one value of (3, 5) floats to another.
UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "square": lambda x: x * x,
    "cube": lambda x: x * x * x,
    "pow3": lambda x: x**3,
    "pow8": lambda x: x**8,
    "neg": torch.neg,
    "abs": torch.abs,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "elu": F.elu,
    "leaky_relu": F.leaky_relu,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "relu6": F.relu6,
    "softmax": lambda x: x.softmax(-1),
    "softmax0": lambda x: x.softmax(0),
    "log_softmax": lambda x: x.log_softmax(-1),
    "clamp": lambda x: x.clamp(-1, 1),
    "clamp_min": lambda x: x.clamp(min=0.1),
    "clamp_max": lambda x: x.clamp(max=2.0),
    "clamp_wide": lambda x: x.clamp(-1e30, 1e30),
    "sin": torch.sin,
    "cos": torch.cos,
    "atan": torch.atan,
    "asinh": torch.asinh,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "sign": torch.sign,
    "floor": torch.floor,
    "round": torch.round,
    "centered": lambda x: x - x.mean(-1, keepdim=True),
    "minus_max": lambda x: x - x.amax(-1, keepdim=True),
    "over_sum": lambda x: x / x.sum(-1, keepdim=True),
    "over_norm": lambda x: x / x.norm(dim=-1, keepdim=True),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "standardized": lambda x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-5).sqrt(),
    "layer_norm": lambda x: F.layer_norm(x, (5,)),
    "layer_norm0": lambda x: F.layer_norm(x, (5,), eps=0.0),
    "rms": lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
    "cumsum": lambda x: x.cumsum(-1),
    "sort": lambda x: x.sort(-1).values,
    "top": lambda x: x.topk(5, -1).values,
    "flip": lambda x: x.flip(-1),
    "roll": lambda x: x.roll(1, 0),
    "transposed": lambda x: x.t().reshape(3, 5),
    "big": lambda x: x * 1e20,
    "tiny": lambda x: x * 1e-20,
    "plus_big": lambda x: x + 1e30,
    "plus_1": lambda x: x + 1,
    "times_0": lambda x: x * 0,
    "hole": lambda x: x.masked_fill(x < 0, 0.0),
    "mask_inf": lambda x: x.masked_fill(x < 0, float("-inf")),
    "nonneg": lambda x: torch.where(x >= 0, x, torch.zeros_like(x)),
    "safe_log": lambda x: torch.where(x > 0, torch.log(x), torch.zeros_like(x)),
    "safe_inverse": lambda x: torch.where(x != 0, 1 / x, torch.zeros_like(x)),
    "half": lambda x: x.half().float(),
    "bfloat16": lambda x: x.bfloat16().float(),
    "max_pool": lambda x: F.max_pool1d(x[None], 3, 1, 1)[0],
    "avg_pool": lambda x: F.avg_pool1d(x[None], 3, 1, 1)[0],
    "pad_cut": lambda x: F.pad(x, (1, 1))[:, :5],
    "twice": lambda x: torch.cat([x, x], -1)[:, ::2],
    "minimum0": lambda x: torch.minimum(x, torch.zeros(3, 5)),
    "amax": lambda x: x.amax(-1, keepdim=True).expand(3, 5),
    "amin": lambda x: x.amin(0, keepdim=True) + torch.zeros(3, 5),
    "logsumexp": lambda x: x.logsumexp(-1, keepdim=True) + torch.zeros(3, 5),
    "stair": lambda x: (x > 0).float(),
    "resized": lambda x: F.interpolate(x[None], size=5, mode="linear")[0],
    "resized_nearest": lambda x: F.interpolate(x[None], size=5, mode="nearest")[0],
    "glu": lambda x: F.glu(torch.cat([x, x], -1), -1),
}
BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "where": lambda x, y: torch.where(x > y, x, y),
    "gated": lambda x, y: x * torch.sigmoid(y),
    "gate0": lambda x, y: torch.where(y > 0, x, torch.zeros_like(x)),
    "matmul": lambda x, y: (x @ y.t()) @ x,
    "attend": lambda x, y: (x @ y.t()).softmax(-1) @ x,
    "sdpa": lambda x, y: F.scaled_dot_product_attention(x[None, None], y[None, None], x[None, None])[0, 0],
    "pow": torch.pow,
    "safe_div": lambda x, y: torch.where(y != 0, x / y, torch.zeros_like(x)),
    "eps_div": lambda x, y: x / (y + 1e-12),
    "lerp": lambda x, y: torch.lerp(x, y, 0.3),
}
LAST: dict[str, Callable[[torch.Tensor], Any]] = {
    "as it is": lambda x: x,
    "relu": torch.relu,
    "clamp": lambda x: x.clamp(0, 1),
    "amax": lambda x: x.amax(-1),
    "gt": lambda x: x > 0,
    "le": lambda x: x <= 1,
    "sum": lambda x: x.sum(),
    "softmax": lambda x: x.softmax(-1),
    "argmax": lambda x: x.argmax(-1),
    "sort": lambda x: x.sort(-1, descending=True).values,
    "sigmoid": torch.sigmoid,
    "top1": lambda x: x.topk(1, -1),
    "int": lambda x: x.clamp(-5, 5).int(),
    "max and all": lambda x: (x.amax(), x),
    "mean": lambda x: x.mean(-1),
}
#: Steps of integers of (3, 4), and what makes floats of them.
WHOLE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "plus": lambda i: i + 1,
    "minus": lambda i: i - 2,
    "times": lambda i: i * 3,
    "times_big": lambda i: i * 100003,
    "square": lambda i: i * i,
    "negative": lambda i: -i,
    "abs": lambda i: i.abs(),
    "clamp": lambda i: i.clamp(0, 6),
    "clamp_min": lambda i: i.clamp(min=0),
    "clamp_max": lambda i: i.clamp(max=6),
    "floor_divide": lambda i: i // 2,
    "remainder": lambda i: i % 7,
    "ne": lambda i: i.ne(1).long(),
    "masked": lambda i: i * (i > 2),
    "where": lambda i: torch.where(i > 3, i, torch.zeros_like(i)),
    "cumsum": lambda i: i.cumsum(-1),
    "sum": lambda i: i.sum(-1, keepdim=True).expand(3, 4) + 0,
    "max": lambda i: i.amax(-1, keepdim=True) - i,
    "flip": lambda i: i.flip(-1),
    "int": lambda i: i.int().long(),
    "byte": lambda i: i.byte().long(),
    "short": lambda i: i.short().long(),
    "float": lambda i: i.float().long(),
    "minimum": lambda i: torch.minimum(i, torch.full_like(i, 6)),
    "relu": lambda i: torch.relu(i),
    "fill": lambda i: i.masked_fill(i < 0, 0),
    "sort": lambda i: i.sort(-1).values,
    "mixed": lambda i: (i * 1.0).long(),
    "sign": lambda i: i.sign(),
    "bool": lambda i: i.bool().long(),
    "eq": lambda i: (i == i.amax(-1, keepdim=True)).long(),
    "cat": lambda i: torch.cat([i, i], -1)[:, 2:6],
}
TO_FLOATS: dict[str, Callable[[nn.Module, torch.Tensor], torch.Tensor]] = {
    "embedding": lambda m, i: m.table(i).mean(1),
    "index": lambda m, i: m.rows[i].amax(1),
    "float": lambda m, i: m.widen(i.float()),
    "select": lambda m, i: m.rows.index_select(0, i[0]).amax(0).expand(3, 5) + 0,
    "one_hot": lambda m, i: F.one_hot(i[:, :1], 7).float().mean(1) @ m.rows,
    "mask": lambda m, i: m.rows[:3] * (i[:, :1] > 2),
}


#: Steps that decide by numbers, and so are lowered on inputs alone.
DECIDING = {
    "floor", "round", "sign", "hole", "mask_inf", "nonneg", "safe_log", "safe_inverse", "stair", "gt", "le", "argmax",
    "top1", "int",
}  # fmt: skip


class Step(NamedTuple):
    """``kind``: which table ``name`` is of. ``of``: the values it takes, by their numbers."""

    kind: str
    name: str
    of: tuple[int, ...]


class Program(nn.Module):
    """Steps, each of values that are there before: x, y and, with ``ids``, the floats made of the integers."""

    def __init__(self, steps: list[Step], last: str, whole: list[str], to_floats: str, seed: int) -> None:
        super().__init__()
        self.steps, self.last, self.whole, self.to_floats = steps, last, whole, to_floats
        torch.manual_seed(seed)
        self.layers = nn.ModuleDict({name: nn.Linear(5, 5) for name in ("linear0", "linear1")})
        self.layers["conv"] = nn.Conv1d(3, 3, 3, padding=1)
        self.layers["norm"] = nn.BatchNorm1d(5)
        self.table, self.widen = nn.Embedding(7, 5), nn.Linear(4, 5)
        self.rows = nn.Parameter(torch.randn(7, 5))
        self.eval()

    def forward(self, x: torch.Tensor, y: torch.Tensor, ids: torch.Tensor) -> Any:
        values = [x, y]
        if self.to_floats:
            for name in self.whole:
                ids = WHOLE[name](ids)
            values.append(TO_FLOATS[self.to_floats](self, ids))
        for step in self.steps:
            operands = [values[index % len(values)] for index in step.of]
            if step.kind == "layer":
                layer = self.layers[step.name]
                values.append(layer(operands[0][None])[0] if step.name == "conv" else layer(operands[0]))
            else:
                values.append((UNARY if step.kind == "unary" else BINARY)[step.name](*operands))
        return LAST[self.last](values[-1])

    def text(self) -> str:
        """The program, to be read."""
        ids = f"ids: {' > '.join([*self.whole, self.to_floats])}; " if self.to_floats else ""
        return ids + "; ".join(f"{step.name}{list(step.of)}" for step in self.steps) + f"; {self.last}"


ARGUMENTS = (
    Arg("float32", (3, 5), lo=0.2, hi=1.5),
    Arg("float32", (3, 5), lo=0.2, hi=1.5),
    Arg("int64", (3, 4), limit=7),
)


def program(seed: int, steps: int = 6) -> Program:
    """The program of ``seed``."""
    rng = random.Random(seed)
    whole = rng.random() < 0.3
    chain = []
    decided = rng.random() < 0.1  # on numbers that were computed, which the engine must not decide by
    for index in range(rng.randint(2, steps)):
        kind = rng.choices(["unary", "binary", "layer"], [6, 3, 2])[0]
        names = {"unary": UNARY, "binary": BINARY, "layer": ("linear0", "linear1", "conv", "norm")}[kind]
        newest = index + 1 + whole
        name = rng.choice(list(names))
        of = [newest if rng.random() < 0.8 else rng.randrange(newest + 1)]
        if name in DECIDING and not decided:
            of = [rng.randrange(2)]
        if kind == "binary":
            of = [*of, rng.randrange(newest + 1)][:: rng.choice([1, -1])]
        if name in {"where", "safe_div", "gate0"} and not decided:
            of = [rng.randrange(2), rng.randrange(2)] if name == "where" else [newest, rng.randrange(2)]
        chain.append(Step(kind, name, tuple(of)))
    last = rng.choice([name for name in LAST if decided or name not in DECIDING])
    integers = [rng.choice(list(WHOLE)) for _ in range(rng.randint(0, 3))] if whole else []
    return Program(chain, last, integers, rng.choice(list(TO_FLOATS)) if whole else "", seed)


def smaller(failing: Program, seed: int) -> Iterator[Program]:
    """Programs with one step less."""
    for index in range(len(failing.steps)):
        steps = []
        kept = list(failing.steps)
        removed = kept.pop(index)
        at = index + 2 + bool(failing.to_floats)
        for step in kept:
            of = tuple(removed.of[0] if i == at else i - (i > at) for i in step.of)
            steps.append(step._replace(of=of))
        yield Program(steps, failing.last, failing.whole, failing.to_floats, seed)
    for index in range(len(failing.whole)):
        whole = failing.whole[:index] + failing.whole[index + 1 :]
        yield Program(failing.steps, failing.last, whole, failing.to_floats, seed)
    if failing.last != "as it is":
        yield Program(failing.steps, "as it is", failing.whole, failing.to_floats, seed)


def _trigger(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Finite numbers of which functions make NaN and infinities, some in each array."""
    numbers = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 20.0, 50.0, 89.0, -89.0, 100.0, -104.0, 1e3, 4e3, -4e3, 1e5, 1e-5,
               1e-20, 1e-30, 1e-38, 1e-42, 7e4]  # fmt: skip
    array = rng.uniform(-2, 2, (3, 5))
    some = rng.random((3, 5)) < rng.choice([0.07, 0.3, 1.0])
    few = rng.choice(numbers, rng.integers(1, 5))
    return np.where(some, rng.choice(few, (3, 5)), array).astype(np.float32)


def try_program(network: Program, seed: int, triggers: int = 60) -> Outcome:
    """Compile ``network``, and compare it on special values and on finite ones that become special."""
    outcome = Outcome(network.text())
    case = Case(network.text(), lambda: network, ARGUMENTS)
    rng = np.random.default_rng(seed)
    inputs = tuple(torch.from_numpy(np.array(argument.ordinary(rng))) for argument in ARGUMENTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.no_grad():
                plain = torch.jit.trace(network, inputs, check_trace=False, strict=False)
        except (RuntimeError, IndexError) as error:  # the integers that it makes of its example are no indexes
            outcome.missing = str(error)
            return outcome
        try:
            compiled = trace(network, inputs, check_trace=False, strict=False)
        except CompileError as error:
            outcome.why = str(error).partition(" (NEURON_ADAPTERS_ENGINE=")[0]
            return outcome
        rows = []
        for _ in range(triggers):
            arrays = [_trigger(rng), _trigger(rng), ARGUMENTS[2].ordinary(rng)]
            if network.to_floats and rng.random() < 0.5:
                numbers = [
                    -8,
                    -7,
                    -1,
                    0,
                    1,
                    3,
                    6,
                    7,
                    256,
                    300,
                    4097,
                    40000,
                    2**24 + 1,
                    2**31,
                    2**32 + 1,
                    -(2**33),
                    10**18,
                ]
                some = rng.random((3, 4)) < 0.3
                arrays[2] = np.where(some, rng.choice(rng.choice(numbers, 2), (3, 4)), arrays[2])
            rows.append(("trigger", arrays))
        compare(case, network, plain, compiled, outcome, most=60, layout=False, seed=seed, more=rows)
    neuron_adapters.unload(compiled)
    return outcome


def main(first: int, last: int) -> int:
    os.environ["NEURON_ADAPTERS_ENGINE"] = "openvino"
    os.environ["NEURON_ADAPTERS_STATE_DIR"] = tempfile.mkdtemp()
    counts = {"framework": 0, "engine": 0, "wrong": 0}
    calls = [0, 0]
    reasons: dict[str, int] = {}
    for seed in range(first, last):
        try:
            network = program(seed)
            outcome = try_program(network, seed)
        except Exception as error:
            print(f"seed {seed} FAILED {type(error).__name__}: {str(error)[-300:]}: {network.text()}", flush=True)
            continue
        counts["framework" if outcome.why else "engine"] += 1
        if outcome.why:
            reasons[outcome.why[:90]] = reasons.get(outcome.why[:90], 0) + 1
        calls[0] += outcome.engine.total()
        calls[1] += outcome.guarded.total()
        if not outcome.wrong:
            continue
        counts["wrong"] += 1
        while True:
            for candidate in smaller(network, seed):
                try:
                    smaller_outcome = try_program(candidate, seed)
                except Exception:
                    continue
                if smaller_outcome.wrong:
                    network, outcome = candidate, smaller_outcome
                    break
            else:
                break
        print(f"seed {seed}: {network.text()}  ({len(outcome.wrong)} of {outcome.engine.total()})", flush=True)
        for line in outcome.wrong[:2]:
            print("    ", line[len(network.text()) :], flush=True)
    print(counts, "calls by the engine, guarded:", calls)
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1])[:40]:
        print(f"{count:5} {reason}")
    return counts["wrong"] > 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))

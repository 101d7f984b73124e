"""A model of PyTorch, compiled and as it is, on the same values."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import neuron_adapters
from neuron_adapters.adapter.placed import model_of
from neuron_adapters.torch import trace
from neuron_adapters.torch._structure import flatten
from neuron_rt import CompileError

from .outcome import Outcome
from .values import Arg, calls

RTOL, ATOL = 1e-3, 1e-4
#: Errors of large numbers, for their size: some hundred roundings to float32.
ROUNDING = 1e-5
#: By how much more the numbers of these types may differ: they lie further apart.
COARSE = {torch.float16: 10.0, torch.bfloat16: 50.0}


@dataclass(frozen=True)
class Case:
    """An operator. ``make``: a function or module of tensors of ``arguments``."""

    name: str
    make: Callable[[], Callable[..., Any]]
    arguments: tuple[Arg, ...]


def tensors(arguments: tuple[Arg, ...], arrays: list[np.ndarray[Any, Any]]) -> list[torch.Tensor]:
    return [
        torch.from_numpy(np.array(array)).to(getattr(torch, argument.dtype))
        for argument, array in zip(arguments, arrays)
    ]


def layouts(inputs: list[torch.Tensor]) -> Iterator[tuple[str, list[torch.Tensor]]]:
    """The same values, or some of them, in tensors that lie otherwise in memory."""
    yield "transposed", [x.clone().t().contiguous().t() if x.dim() == 2 else x for x in inputs]
    yield "strided", [torch.stack([x, x], -1)[..., 0] for x in inputs]
    yield "misaligned", [torch.cat([x.reshape(-1)[:1], x.reshape(-1)])[1:].view(x.shape) for x in inputs]
    yield "expanded", [x[:1].expand(x.shape) if x.dim() else x for x in inputs]
    yield "requires grad", [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    yield (
        "one tensor",
        [next(other for other in inputs if other.shape == x.shape and other.dtype == x.dtype) for x in inputs],
    )


def answer(function: Callable[..., Any], inputs: list[torch.Tensor]) -> list[torch.Tensor] | Exception:
    """The tensors that ``function`` returns, or what it raises."""
    try:
        with torch.no_grad():
            return [leaf for _path, leaf in flatten(function(*inputs))]
    except Exception as error:  # whatever it is, it is the reference
        return error


def difference(
    expected: list[torch.Tensor] | Exception,
    actual: list[torch.Tensor] | Exception,
    truth: Callable[[], list[torch.Tensor] | Exception] = list,
    size: float = 1.0,
    coarse: float = 1.0,
) -> str:
    """How two answers differ, "" where they are the same (SPEC K3).

    Numbers agree within ``RTOL`` and ``ATOL``, rounding errors being larger where the inputs are: ``size`` is their
    largest magnitude. ``coarse``: by how much more they may differ. ``truth``: the same in float64, asked where finite
    numbers differ: by as much as PyTorch's own rounding errs, the engine may err as well.
    """
    if isinstance(expected, Exception) or isinstance(actual, Exception):
        return "" if type(expected) is type(actual) else f"expected {_brief(expected)}, got {_brief(actual)}"
    if len(expected) != len(actual):
        return f"expected {len(expected)} tensors, got {len(actual)}"
    for index, (wanted, got) in enumerate(zip(expected, actual)):
        if wanted.dtype is not got.dtype or wanted.shape != got.shape:
            return f"expected {wanted.dtype}{list(wanted.shape)}, got {got.dtype}{list(got.shape)}"
        if not wanted.dtype.is_floating_point:
            same = torch.equal(wanted, got)
        else:
            factor = coarse * COARSE.get(wanted.dtype, 1.0)
            same = _close(wanted, got, size, factor) or _as_good(wanted, got, truth(), index)
        if not same:
            return f"output {index}: expected {_values(wanted, got)}"
    return ""


def _close(wanted: torch.Tensor, got: torch.Tensor, size: float, factor: float) -> bool:
    """NaN and infinities in the same places, and finite numbers close."""
    atol = max(ATOL, ROUNDING * size) * factor
    return torch.allclose(got.double(), wanted.double(), rtol=RTOL * factor, atol=atol, equal_nan=True)


def _as_good(wanted: torch.Tensor, got: torch.Tensor, truth: list[torch.Tensor] | Exception, index: int) -> bool:
    """Whether ``got`` is about as far from the truth as ``wanted``."""
    if isinstance(truth, Exception) or index >= len(truth) or truth[index].shape != wanted.shape:
        return False
    true, wanted, got = truth[index].double(), wanted.double(), got.double()
    finite = wanted.isfinite()
    if not torch.equal(finite, got.isfinite()) or not true[finite].isfinite().all():
        return False
    if not torch.equal(wanted[~finite].nan_to_num(7.0), got[~finite].nan_to_num(7.0)):
        return False
    error = (wanted - true)[finite].abs()
    allowed = ATOL + RTOL * true[finite].abs() + 4 * error.max() if error.numel() else error
    return bool(((got - true)[finite].abs() <= allowed).all())


def _brief(result: Any) -> str:
    return (
        f"{type(result).__name__}: {str(result).strip().splitlines()[-1:]}"
        if isinstance(result, Exception)
        else (f"{result}".replace("\n", " ")[:160])
    )


def _values(wanted: torch.Tensor, got: torch.Tensor) -> str:
    """The elements that differ, a few of them."""
    pairs = [
        f"{w!r} got {g!r}"
        for w, g in zip(wanted.reshape(-1).tolist(), got.reshape(-1).tolist())
        if not (w == g or (math.isnan(w) and math.isnan(g)))
        and not (isinstance(w, float) and abs(w - g) <= 1e-4 + 1e-3 * abs(w))
    ]
    return f"{', '.join(pairs[:3]) or wanted} ({len(pairs)} of {wanted.numel()})"


def examine(
    case: Case,
    *,
    most: int = 10**9,
    layout: bool = True,
    seed: int = 0,
    more: Iterable[tuple[str, list[np.ndarray[Any, Any]]]] = (),
) -> Outcome:
    """Compile ``case`` and compare it on all special values, ``most`` at most, and on ``more``. NEURON_ADAPTERS_ENGINE=openvino has to
    be set: what the engine cannot run raises CompileError."""
    outcome = Outcome(case.name)
    torch.manual_seed(seed)
    function = case.make()
    if isinstance(function, torch.nn.Module):
        function.eval()
    rng = np.random.default_rng(seed)
    example = tensors(case.arguments, [argument.ordinary(rng) for argument in case.arguments])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.no_grad():
                plain = torch.jit.trace(function, tuple(example), strict=False, check_trace=False)
        except (RuntimeError, IndexError) as error:
            outcome.missing = str(error).strip().splitlines()[-1]
            return outcome
        try:
            compiled = trace(function, tuple(example), strict=False, check_trace=False)
        except CompileError as error:
            outcome.why = _reason(error)
            return outcome
        compare(case, function, plain, compiled, outcome, most=most, layout=layout, seed=seed, more=more)
    neuron_adapters.unload(compiled)
    return outcome


def _reason(error: CompileError) -> str:
    return str(error).partition(" (NEURON_ADAPTERS_ENGINE=")[0]


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` in float64."""
    return copy.deepcopy(function).double() if isinstance(function, torch.nn.Module) else function


def compare(
    case: Case,
    function: Callable[..., Any],
    plain: Callable[..., Any],
    compiled: Any,
    outcome: Outcome,
    *,
    most: int,
    layout: bool,
    seed: int,
    more: Iterable[tuple[str, list[np.ndarray[Any, Any]]]] = (),
) -> None:
    """Call both on the same values, and note in ``outcome`` what came of it."""
    wide = _wide(function)
    rows = [(kind, tensors(case.arguments, arrays)) for kind, arrays in calls(case.arguments, seed)]
    if len(rows) > most:
        rows = [rows[index] for index in sorted(np.random.default_rng(seed).choice(len(rows), most, replace=False))]
    rows += [(kind, tensors(case.arguments, arrays)) for kind, arrays in more]
    if layout:
        rows += [("layout", inputs) for _name, inputs in layouts(rows[0][1])]
    for kind, inputs in rows:
        before = [x.detach().clone() for x in inputs]
        expected = answer(plain, [x.detach().clone() for x in inputs])
        at = guarded_calls(compiled)
        actual = answer(compiled, inputs)
        (outcome.guarded if guarded_calls(compiled) > at else outcome.engine)[kind] += 1
        truth = lambda inputs=before: answer(wide, [x.double() if x.is_floating_point() else x for x in inputs])
        problem = difference(expected, actual, truth, _size(before), _coarse(case.name))
        if not problem and not all(torch.equal(_bits(x), _bits(y)) for x, y in zip(before, inputs)):
            problem = "it changed its input"
        if problem:
            outcome.wrong.append(f"{case.name}: {kind} {_brief([x.tolist() for x in inputs])}: {problem}")


def _size(inputs: list[torch.Tensor]) -> float:
    """The largest magnitude of finite floats."""
    floats = [x[x.isfinite()].abs().double() for x in inputs if x.is_floating_point()]
    return max((float(x.max()) for x in floats if x.numel()), default=1.0)


def _coarse(name: str) -> float:
    """A model that rounds to half precision in between is as coarse as that."""
    return 50.0 if "bfloat16" in name else 20.0 if "half" in name or "float16" in name else 1.0


def _bits(x: torch.Tensor) -> torch.Tensor:
    x = x.detach().contiguous()
    return x.reshape(-1).view(torch.uint8) if x.numel() and x.dtype is not torch.bool else x


def guarded_calls(compiled: Any) -> int:
    """Calls that the framework answered because a guard spoke."""
    model = model_of(compiled)
    slot = None if model is None else model.slot
    return 0 if slot is None or slot.pool is None else slot.pool.guarded

"""The table of PyTorch's operators: for each how to build it, and the tensors that it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .torch_arguments import IDS, WITH_ARGUMENTS, X
from .torch_layers import EMBEDDINGS, IMAGES, LAYERS, between_layers
from .torch_operators import (
    ACTIVATIONS,
    BINARY,
    FLOAT_REDUCTIONS,
    INTEGER_BINARY,
    INTEGER_UNARY,
    MOVES,
    REDUCTIONS,
    UNARY,
    WHOLE,
    WHOLE_BINARY,
    Function,
)
from .torch_side import Case
from .values import Arg

INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
#: Where operators are defined, as a model that uses them would have it.
DOMAINS = {
    **dict.fromkeys(("acos", "asin", "atanh", "erfinv"), (-0.9, 0.9)),
    **dict.fromkeys(("acosh",), (1.1, 3.0)),
    **dict.fromkeys(
        (
            "log", "log10", "log1p", "log2", "rsqrt", "sqrt", "pow_half", "pow_2.5", "lgamma", "digamma", "pow",
            "float_power", "xlogy", "pow_-1", "norm_3", "lp_pool2d",
        ),
        (0.1, 3.0),
    ),
    "logit": (0.1, 0.9),
}  # fmt: skip


def _argument(name: str, dtype: str, shape: tuple[int, ...] = (3, 5)) -> Arg:
    lo, hi = DOMAINS.get(name, (-3.0, 3.0)) if dtype not in (*INTEGERS, "bool") else (-3.0, 3.0)
    return Arg(dtype, shape, lo=lo, hi=hi)


def _constantly(function: Function) -> Callable[[], Function]:
    return lambda: function


def cases() -> Iterator[Case]:
    """The whole table."""
    yield from _cases_of_floats()
    yield from _cases_of_integers()
    for name, function in IMAGES.items():
        yield Case(f"{name}[float32]", _constantly(function), (_argument(name, "float32", (1, 4, 6, 6)),))
    for name, (make, shape) in LAYERS.items():
        yield Case(f"{name}[float32]", make, (Arg("float32", shape),))
    for name, make in EMBEDDINGS.items():
        yield Case(f"{name}[int64]", make, (IDS,))
        yield Case(f"{name}[int32]", make, (Arg("int32", (3, 4), limit=7),))
    for name, (function, arguments) in WITH_ARGUMENTS.items():
        yield Case(name, _constantly(function), arguments)


def _cases_of_floats() -> Iterator[Case]:
    computing = {**ACTIVATIONS, **UNARY, **REDUCTIONS, **FLOAT_REDUCTIONS}
    for name, function in {**computing, **MOVES}.items():
        yield Case(f"{name}[float32]", _constantly(function), (_argument(name, "float32"),))
    for name, function in computing.items():
        yield Case(f"linear>{name}>linear", between_layers(function), (X,))
    halves = {name: computing[name] for name in computing if name not in UNARY or name in WHOLE}
    for dtype in ("float16", "bfloat16", "float64"):
        for name, function in halves.items():
            yield Case(f"{name}[{dtype}]", _constantly(function), (_argument(name, dtype),))
    for name, function in BINARY.items():
        for dtype in ("float32", "float16", "float64"):
            arguments = (_argument(name, dtype), _argument(name, dtype))
            yield Case(f"{name}[{dtype}]", _constantly(function), arguments)


def _cases_of_integers() -> Iterator[Case]:
    for dtype in (*INTEGERS, "bool"):
        unary = {name: {**ACTIVATIONS, **UNARY}[name] for name in WHOLE} | REDUCTIONS | MOVES
        for name, function in {**unary, **(INTEGER_UNARY if dtype != "bool" else {})}.items():
            yield Case(f"{name}[{dtype}]", _constantly(function), (Arg(dtype),))
        for name, function in {**{name: BINARY[name] for name in WHOLE_BINARY}, **INTEGER_BINARY}.items():
            yield Case(f"{name}[{dtype}]", _constantly(function), (Arg(dtype), Arg(dtype)))

"""Rules of shapes and dtypes that many operators share.

A shape may be None (nothing known) or have zeros (sizes not known), as in MXNet.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence

from neuron_adapters.mxnet.operators._attributes import MOST_NAMES, Attributes

Shape = tuple[int, ...]
MaybeShape = tuple[int, ...] | None
Shapes = list[MaybeShape]
Dtypes = list[str | None]

ShapeRule = Callable[[Attributes, Shapes, Shapes], tuple[Shapes, Shapes]]
DtypeRule = Callable[[Attributes, Dtypes, int], tuple[Dtypes, Dtypes]]


def complete(shape: MaybeShape) -> bool:
    """Whether all of it is known."""
    return shape is not None and 0 not in shape


def unify(left: MaybeShape, right: MaybeShape, what: str = "shapes") -> MaybeShape:
    """Merge what is known of one shape. Raises ValueError where the two contradict."""
    if left is None or left == right:
        return right
    if right is None:
        return left
    if len(left) != len(right) or any(a and b and a != b for a, b in zip(left, right)):
        raise ValueError(f"{what} {_words(left)} and {_words(right)} contradict")
    return tuple(a or b for a, b in zip(left, right))


def same(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """All inputs and outputs have one shape."""
    shape: MaybeShape = None
    for other in (*ins, *outs):
        shape = unify(shape, other)
    return [shape] * len(ins), [shape] * len(outs)


def forward(rule: Callable[..., Shape | Sequence[Shape]]) -> ShapeRule:
    """Make a shape rule of a function from the attributes and the shapes of all inputs to the shape of the output, or
    to a list of them.

    Where sizes are not known the function is asked for several sizes in their place: what stays the same is known, and
    a size of the output that grows with one size of the inputs tells it.
    """

    def apply(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        if any(shape is None for shape in ins):
            return ins, outs
        known = [shape for shape in ins if shape is not None]
        open_sizes = [(place, axis) for place, shape in enumerate(known) for axis, size in enumerate(shape) if not size]

        def ask(sizes: Mapping[tuple[int, int], int]) -> list[Shape]:
            filled = [
                tuple(size or sizes.get((place, axis), 0) for axis, size in enumerate(shape))
                for place, shape in enumerate(known)
            ]
            inferred = rule(at, *filled)
            shapes = [inferred] if not inferred or isinstance(inferred[0], int) else list(inferred)
            return [tuple(shape) for shape in shapes]  # type: ignore[arg-type]

        if at.exact or not open_sizes:
            return ins, [unify(out, shape, "output") for out, shape in zip(outs, ask({}))]
        if len(open_sizes) > _MOST_OPEN:
            return ins, outs
        answers = _answers(ask, open_sizes)
        if not answers:
            return ins, outs
        for place, shapes in enumerate(zip(*answers.values())):
            common = tuple(sizes[0] if len(set(sizes)) == 1 else 0 for sizes in zip(*shapes))
            outs[place] = unify(outs[place], common, "output")
        return _solved(ask, known, open_sizes, outs), outs

    return apply


#: Sizes in place of unknown ones: small and large, with many divisors. More open sizes than the most are left open.
_TRIALS = (60, 5040, 10080)
_MOST_OPEN = 8

_Ask = Callable[[Mapping[tuple[int, int], int]], list[Shape]]


def _answers(ask: _Ask, open_sizes: Sequence[tuple[int, int]]) -> dict[int, list[Shape]]:
    """Return what the function says for each trial; nothing where less than two trials are possible, or where the
    number of axes depends on sizes."""
    answers = {}
    for trial in _TRIALS:
        with contextlib.suppress(ValueError, ArithmeticError):
            answers[trial] = ask(dict.fromkeys(open_sizes, trial))
    ranks = {tuple(map(len, shapes)) for shapes in answers.values()}
    return answers if len(answers) > 1 and len(ranks) == 1 else {}


def _solved(ask: _Ask, known: Sequence[Shape], open_sizes: Sequence[tuple[int, int]], outs: Shapes) -> Shapes:
    """Fill in the sizes of inputs of which a known size of the outputs is a multiple, plus a number."""
    ins = [list(shape) for shape in known]
    low, high = _TRIALS[1:]
    for key in open_sizes:
        others = dict.fromkeys(open_sizes, low)
        try:
            first, second = ask(others), ask({**others, key: high})
        except (ValueError, ArithmeticError):
            continue
        for out, before, after in zip(outs, first, second):
            for size, least, most in zip(out or (), before, after):
                step = (most - least) // (high - low)
                if size and step > 0 and (most - least) == step * (high - low) and (size - least) % step == 0:
                    solution = low + (size - least) // step
                    if solution > 0:
                        ins[key[0]][key[1]] = solution
    return [tuple(shape) for shape in ins]


def broadcast(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """Broadcast two inputs as NumPy does."""
    left, right = ins
    if left is None or right is None:
        return ins, outs
    rank = max(len(left), len(right))
    sizes = []
    for first, second in zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right):
        if first > 1 and second > 1 and first != second:
            raise ValueError(f"shapes {_words(left)} and {_words(right)} cannot be broadcast to one")
        # 0 is a size that is not known, or, where shapes are exact, none at all.
        sizes.append(max(first, second) if min(first, second) else 0)
    return ins, [unify(outs[0], tuple(sizes), "output")]


def rank_at_least(rank: int, shape: Shape) -> None:
    """Raise ValueError where ``shape`` has fewer axes."""
    if len(shape) < rank:
        raise ValueError(f"data must have at least {rank} axes, got {_words(shape)}")


def axis_of(axis: int, rank: int, name: str = "axis") -> int:
    """Count ``axis`` from the front. Raises ValueError where it is out of range."""
    if not -rank <= axis < rank:
        raise ValueError(f"attribute {name} must be from {-rank} to {rank - 1} for {rank} axes, got {axis}")
    return axis % rank


def follows(rule: DtypeRule, at: Attributes, ins: Dtypes, index: int, output: int, count: int) -> bool:
    """Whether an output has the dtype of the input ``index``, whatever that is."""
    for dtype in ("float32", "float64"):
        try:
            _ins, outs = rule(at, [*ins[:index], dtype, *ins[index + 1 :]], count)
        except ValueError:
            return False
        if outs[output] != dtype:
            return False
    return True


def single_dtype(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """All inputs and outputs are float32: the operators that MXNet has in that dtype only."""
    for dtype in ins:
        if dtype not in (None, "float32"):
            raise ValueError(f"it computes with float32 only, got {dtype}; add a Cast")
    return ["float32"] * len(ins), ["float32"] * count


def counted_axis(axis: int, rank: int) -> int:
    """Return ``axis``, of an operator that MXNet does not compute where it is counted from the back, though it infers
    its shapes. Raises ValueError there, and where it is out of range."""
    if not 0 <= axis < rank:
        raise ValueError(f"attribute axis must be from 0 to {rank - 1} for {rank} axes, got {axis}")
    return axis


def one_dtype(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """All inputs and outputs have one dtype."""
    known = sorted({dtype for dtype in ins if dtype is not None})
    if len(known) > 1:
        raise ValueError(f"all inputs must have one dtype, got {' and '.join(known)}; add a Cast")
    dtype = known[0] if known else None
    return [dtype] * len(ins), [dtype] * count


def first_dtype(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """The outputs have the first input's dtype; the others may have any."""
    return ins, [ins[0] if ins else None] * count


def like_dtype(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """The outputs have the first input's dtype, and only where that of the other one, too, is known."""
    return ins, [None if None in ins else ins[0]] * count


def to_dtype(attribute: str = "dtype", default: str | None = "float32") -> DtypeRule:
    """The outputs have the dtype that an attribute says. Without default and attribute: the first input's."""

    def apply(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
        if default is None and not at.has(attribute):
            return first_dtype(at, ins, count)
        return ins, [at.dtype(attribute, default)] * count

    return apply


def of_dtype(dtype: str) -> DtypeRule:
    """The outputs always have this dtype."""
    return lambda _at, ins, count: (ins, [dtype] * count)


def numbered(name: str, count: int) -> list[str]:
    """Number names: ``output0``, ``output1``. MXNet numbers them only where there are two or more."""
    return [f"{name}{index}" for index in range(count)] if count <= 64 else list(_all_numbered(name)[:count])


@functools.lru_cache
def _all_numbered(name: str) -> tuple[str, ...]:
    """All names, made once: a small file may have many nodes with many inputs (SPEC F2)."""
    return tuple(f"{name}{index}" for index in range(MOST_NAMES))


def arguments(at: Attributes) -> list[str]:
    """Name the inputs of an operator that takes ``num_args`` of them."""
    return numbered("arg", at.count("num_args"))


def with_bias(default_no_bias: bool) -> Callable[[Attributes], list[str]]:
    """Name the inputs: data, weight, and bias unless ``no_bias``."""
    return lambda at: ["data", "weight"] + ([] if at.flag("no_bias", default_no_bias) else ["bias"])


def _words(shape: Sequence[int]) -> str:
    return "(" + ", ".join(str(size) if size else "?" for size in shape) + ")"

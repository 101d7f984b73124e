"""Random operators. What is drawn becomes an input of the graph, drawn anew for each call; the engine does the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, Shapes, to_dtype, unify

#: The parameters of each distribution, as attributes of ``_random_...`` with their defaults.
ATTRIBUTES: dict[str, dict[str, float]] = {
    "exponential": {"lam": 1.0},
    "gamma": {"alpha": 1.0, "beta": 1.0},
    "generalized_negative_binomial": {"mu": 1.0, "alpha": 1.0},
    "negative_binomial": {"k": 1, "p": 1.0},
    "normal": {"loc": 0.0, "scale": 1.0},
    "poisson": {"lam": 1.0},
    "uniform": {"low": 0.0, "high": 1.0},
}
#: The same, as inputs of ``_sample_...``.
INPUTS = {name: tuple(parameters) for name, parameters in ATTRIBUTES.items()} | {"normal": ("mu", "sigma")}


def _drawn(to: Builder, distribution: str, parameters: Sequence[float]) -> Value:
    shape, dtype = to.outputs[0].shape, to.outputs[0].dtype
    return to.draw(lambda: _random.draw(distribution, parameters, shape, dtype), shape, dtype)


def _asked_shape(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [unify(outs[0], at.integers("shape", ()) or (1,), "output")]


def _of_attributes(name: str) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, *_like: Tensor) -> Value:
        values = [at.number(*parameter) for parameter in ATTRIBUTES[name].items()]
        _require_possible(name, values)
        return _drawn(to, name, values)

    return translate


def _require_possible(name: str, values: Sequence[float]) -> None:
    try:
        _random.DISTRIBUTIONS[name](_random.new(), *values, (0,))
    except ValueError as error:
        wrong = ", ".join(f"{key}={value:g}" for key, value in zip(ATTRIBUTES[name], values))
        raise ValueError(f"there is no such distribution: {wrong} ({error})") from None


for _name in ATTRIBUTES:
    operator(f"_random_{_name}", inputs=(), shapes=_asked_shape, dtypes=to_dtype())(_of_attributes(_name))
    operator(f"_random_{_name}_like")(_of_attributes(_name))


@operator("_random_randint", inputs=(), shapes=_asked_shape, dtypes=to_dtype("dtype", "int32"))
def _random_randint(to: Builder, at: Attributes) -> Value:
    low, high = at.integer("low"), at.integer("high")
    if low >= high:
        raise ValueError(f"attribute low must be less than high, got {low} and {high}")
    return _drawn(to, "randint", [low, high])


# -- parameters that are values -------------------------------------------------------------------------------------


def _sampled_shape(at: Attributes, first: Shape, *_others: Shape) -> Shape:
    return (*first, *at.integers("shape", ()))


def _sampled_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    known = next((dtype for dtype in ins if dtype is not None), None)
    whole = known is not None and not known.startswith("float")
    dtype = at.dtype("dtype") if at.has("dtype") else "float32" if whole else known
    return [each or known for each in ins], [dtype] * count


def _of_inputs(name: str) -> Callable[..., Value]:
    def translate(to: Builder, _at: Attributes, *parameters: Tensor) -> Value:
        out = to.outputs[0]
        wide = [
            to.cast(to.reshape(each, [*each.shape, *[1] * (len(out.shape) - len(each.shape))]), out.dtype)
            for each in parameters
        ]
        if name == "uniform":
            return to.Add(wide[0], to.Mul(_drawn(to, "uniform", [0.0, 1.0]), to.Sub(wide[1], wide[0])))
        if name == "normal":
            return to.Add(wide[0], to.Mul(_drawn(to, "normal", [0.0, 1.0]), wide[1]))
        if name == "exponential":
            return to.Div(_drawn(to, "exponential", [1.0]), wide[0])
        raise BeyondOnnxError(f"_sample_{name} draws from a distribution whose parameters are computed")

    return translate


for _name, _inputs in INPUTS.items():
    operator(f"_sample_{_name}", inputs=_inputs, shape=_sampled_shape, dtypes=_sampled_dtypes)(_of_inputs(_name))


def _multinomial_shapes(at: Attributes, data: Shape) -> list[Shape]:
    _random.require_countable(data[-1] if data else 0, at.dtype("dtype", "int32"))
    asked = at.integers("shape", ())
    shape = (*data[:-1], *asked) or (1,)
    return [shape] * len(_multinomial_outputs(at))


def _multinomial_outputs(at: Attributes) -> list[str]:
    return ["output0", "output1"] if at.flag("get_prob", default=False) else ["output"]


def _multinomial_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    return ins, [at.dtype("dtype", "int32"), ins[0]][:count]


@operator("_sample_multinomial", outputs=_multinomial_outputs, shape=_multinomial_shapes, dtypes=_multinomial_dtypes)
def _multinomial(to: Builder, _at: Attributes, data: Tensor) -> list[Value]:
    """Draw places of the last axis, as probable as the numbers there."""
    rows, places = prod(data.shape[:-1]), data.shape[-1]
    count = prod(to.outputs[0].shape) // max(rows, 1)
    shares = to.reshape(data, [rows, places])
    ends = to.unsqueeze(to.CumSum(shares, to.constant(1)), 1)
    dtype = data.dtype
    number = to.draw(lambda: _random.draw("uniform", (0, 1), (rows, count, 1), dtype), (rows, count, 1), dtype)
    before = to.reduce("ReduceSum", to.cast(to.LessOrEqual(ends, number), "int64"), [2], keep=False)
    chosen = to.Min(before, places - 1)
    results = [to.cast(to.reshape(chosen, to.outputs[0].shape), to.outputs[0].dtype)]
    if len(to.outputs) > 1:
        results.append(to.reshape(to.Log(to.GatherElements(shares, chosen, axis=1)), to.outputs[1].shape))
    return results


@operator("_shuffle")
def _shuffle(to: Builder, _at: Attributes, data: Tensor) -> Value:
    rows = data.shape[0]
    return to.Gather(data, to.draw(lambda: _random.order(rows), (rows,), "int64"), axis=0)


def _classes_shape(at: Attributes, ins: Shapes, _outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = at.integers("shape")
    if len(shape) != 2:
        raise ValueError(f"attribute shape must be the rows, and the classes in each, got {shape}")
    return ins, [shape, shape[:1]]


@operator("_sample_unique_zipfian", inputs=(), outputs=("output0", "output1"), shapes=_classes_shape,
          dtypes=lambda _at, ins, _count: (ins, ["int64", "int64"]))  # fmt: skip
def _unique_classes(to: Builder, at: Attributes) -> list[Value]:
    """Draw different classes, small ones likelier, and how often each row was drawn for."""
    rows, count = to.outputs[0].shape
    classes = at.integer("range_max")
    if count > classes:
        raise ValueError(f"attribute range_max must be at least {count}, the classes in each row, got {classes}")
    both = to.draw(lambda: _random.unique_classes(classes, rows, count), (rows, count + 1), "int64")
    return [to.slice(both, 1, 0, count), to.reshape(to.slice(both, 1, count), [rows])]

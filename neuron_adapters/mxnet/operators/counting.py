"""Comparing whole arrays, counting by value, and densities of distributions."""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, Shapes, one_dtype, unify
from neuron_adapters.mxnet.operators.correlation import floats


def _histogram_shape(at: Attributes, _data: Shape, *bins: Shape) -> list[Shape]:
    if at.has("bin_cnt") != at.has("range"):
        raise ValueError("attributes bin_cnt and range must both be given, or neither")
    if not bins:
        count, ends = at.integer("bin_cnt"), at.numbers("range", ())
        if count < 1 or len(ends) != 2 or ends[0] > ends[1]:
            raise ValueError(
                f"attributes bin_cnt and range must be a number from 1 and two ends, got {count} and {ends}"
            )
        return [(count,), (count + 1,)]
    if len(bins[0]) != 1 or bins[0][0] < 2:
        raise ValueError(f"bins must be at least 2 bounds, got {bins[0]}")
    return [(bins[0][0] - 1,), bins[0]]


def _histogram_dtypes(at: Attributes, ins: Dtypes, _count: int) -> tuple[Dtypes, Dtypes]:
    ins, _outs = one_dtype(at, ins, 2)
    return ins, ["int64", ins[0]]


@operator("_histogram", inputs=lambda at: ["data"] if at.has("bin_cnt") else ["data", "bins"],
          outputs=("output0", "output1"), shape=_histogram_shape, dtypes=_histogram_dtypes)  # fmt: skip
def _histogram(_to: Builder, _at: Attributes, *_inputs: Tensor) -> Value:
    raise BeyondOnnxError("_histogram counts by bounds where the last bit of a quotient decides")


def _alike(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(ins[0], ins[1])
    return [shape, shape], outs if shape is None else [()]


@operator("_contrib_allclose", inputs=("a", "b"), shapes=_alike,
          dtypes=lambda at, ins, count: (one_dtype(at, ins, count)[0], ["uint8"]))  # fmt: skip
def _all_close(to: Builder, at: Attributes, first: Tensor, second: Tensor) -> Value:
    if first.dtype in ("float16", "float64"):
        raise BeyondOnnxError(f"_contrib_allclose compares in {first.dtype}")
    left, right = to.cast(first, "float32"), to.cast(second, "float32")
    limit = to.Add(to.Mul(to.Abs(right), at.number("rtol", 1e-5)), at.number("atol", 1e-8))
    near: Value = to.Or(to.Equal(left, right), to.LessOrEqual(to.Abs(to.Sub(left, right)), limit))
    if at.flag("equal_nan", default=True):
        undefined = to.And(to.Not(to.Equal(left, left)), to.Not(to.Equal(right, right)))
        near = to.Or(near, undefined)
    axes = list(range(len(first.shape)))
    return to.reshape(to.cast(to.reduce("ReduceMin", to.cast(near, "int32"), axes), "uint8"), [])


#: The parameters of each distribution of which there is a density.
DENSITIES = {
    "exponential": ("lam",), "gamma": ("alpha", "beta"), "generalized_negative_binomial": ("mu", "alpha"),
    "negative_binomial": ("k", "p"), "normal": ("mu", "sigma"), "poisson": ("lam",), "uniform": ("low", "high"),
    "dirichlet": ("alpha",),
}  # fmt: skip


def _density_shape(sample: Shape, parameters: Sequence[Shape], vectors: bool) -> Shape:
    rank = len(parameters[0])
    expected = sample[: rank - 1] + sample[-1:] if vectors else sample[:rank]
    for shape in parameters:
        if shape != expected or len(sample) < rank:
            raise ValueError(f"parameters must have the leading axes of the sample {sample}, got {shape}")
    return (sample[:-1] or (1,)) if vectors else sample


def _density(name: str) -> None:
    vectors = name == "dirichlet"

    @operator(f"_random_pdf_{name}", inputs=("sample", *DENSITIES[name]), dtypes=floats,
              shape=lambda _at, sample, *parameters: _density_shape(sample, parameters, vectors))  # fmt: skip
    def _translate(_to: Builder, _at: Attributes, *_inputs: Tensor) -> Value:
        raise BeyondOnnxError(f"_random_pdf_{name} needs functions that the engine computes otherwise")


for _name in DENSITIES:
    _density(_name)

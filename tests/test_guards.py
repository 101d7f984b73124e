"""SPEC K3: the checks that a lowered graph carries, on graphs of the engine's own operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13 as ov
from openvino_core import openvino_core

from neuron_adapters.adapter.guards import QUIET, guard
from neuron_rt import CompileError

FLAT = (1, 4)
NAN, INF = float("nan"), float("inf")


class Guarded:
    """A graph with its alarm, as the engine runs it."""

    def __init__(self, results: Any, parameters: Sequence[Any], hint: str = "f32") -> None:
        nodes = results if isinstance(results, list) else [results]
        model = openvino.Model([ov.result(node) for node in nodes], list(parameters), "model")
        guarded = guard(model, bf16=hint == "bf16")
        compiled = openvino_core().compile_model(guarded, "CPU", {"INFERENCE_PRECISION_HINT": hint})
        self._request = compiled.create_infer_request()
        self._count = len(nodes)

    def run(self, *inputs: Any) -> tuple[list[Any], bool]:
        """The outputs, and whether the alarm speaks."""
        for index, array in enumerate(inputs):
            words = array.view(np.int32).reshape(*array.shape, 2) if array.dtype == np.int64 else array
            self._request.set_input_tensor(index, openvino.Tensor(np.array(words, order="C")))
        self._request.infer()
        *outputs, alarm = (self._request.get_output_tensor(index).data.copy() for index in range(self._count + 1))
        return outputs, not alarm.item() <= QUIET

    def speaks(self, *inputs: Any) -> bool:
        """Whether the alarm speaks."""
        return self.run(*inputs)[1]


def _float(shape: Sequence[int] = FLAT) -> Any:
    return ov.parameter(list(shape), np.float32)


def _row(*numbers: float) -> Any:
    return np.array([numbers], dtype=np.float32)


@pytest.mark.parametrize("number", [NAN, INF, -INF, 3e38, -2e6])
@pytest.mark.parametrize("place", range(4))
def test_input_that_is_not_finite_or_very_large(number: float, place: int) -> None:
    x = _float()
    guarded = Guarded(ov.relu(x), [x])
    row = _row(1, -2, 0, 100)
    assert not guarded.speaks(row)
    row[0, place] = number
    assert guarded.speaks(row)


@pytest.mark.parametrize("number", [NAN, INF, -INF, 3e38, -3e38])
def test_input_without_dimensions(number: float) -> None:
    x = _float(())
    guarded = Guarded(ov.relu(x), [x])
    assert not guarded.speaks(np.float32(-5))
    assert guarded.speaks(np.float32(number))


@pytest.mark.parametrize("number", [NAN, INF, -INF, 3e38, -3e38])
@pytest.mark.parametrize("hint", ["f32", "bf16"])
def test_whatever_the_precision(number: float, hint: str) -> None:
    x = _float()
    guarded = Guarded(ov.relu(x), [x], hint)
    assert not guarded.speaks(_row(1, -2, 0, 100))
    assert guarded.speaks(_row(1, number, 0, 100))


def test_denormal_and_negative_zero_are_ordinary() -> None:
    x = _float()
    assert not Guarded(ov.relu(x), [x]).speaks(_row(-0.0, 1e-42, -1e-45, 0))


def _log(x: Any) -> Any:
    return ov.log(x)


BORN_INSIDE: dict[str, tuple[Callable[[Any], Any], tuple[float, ...], tuple[float, ...]]] = {
    # An operator that gives NaN or infinity for a finite number, numbers for which it does not, and for which it does.
    "log": (_log, (1, 2, 3, 4), (1, 2, -1, 4)),
    "log of zero": (_log, (1, 2, 3, 4), (1, 2, 0, 4)),
    "sqrt": (lambda x: ov.sqrt(x), (0, 1, 2, 3), (0, 1, -1, 3)),
    "exp": (lambda x: ov.exp(x), (0, 1, 20, -500), (0, 1, 89, 0)),
    "acos": (lambda x: ov.acos(x), (0, 1, -1, 0.5), (0, 1, -1.5, 0)),
    "divide": (lambda x: ov.divide(ov.constant(np.float32(1)), x), (1, 2, -3, 0.1), (1, 2, 0, 4)),
    "0 / 0": (lambda x: ov.divide(x, x), (1, 2, 3, 4), (1, 2, 0, 4)),
    "power": (lambda x: ov.power(x, ov.constant(np.float32(0.5))), (1, 2, 3, 4), (1, 2, -4, 4)),
    "negative power": (lambda x: ov.power(x, ov.constant(np.float32(-1))), (1, 2, 3, 4), (1, 2, 0, 4)),
    "product": (lambda x: _product(x, 8), (1, 2, -3, 10), (1, 2, 1e5, 4)),
    "sinh": (lambda x: ov.sinh(x), (1, 2, -3, 10), (1, 2, 95, 4)),
}


def _product(x: Any, count: int) -> Any:
    product = x
    for _ in range(count - 1):
        product = ov.multiply(product, x)
    return product


@pytest.mark.parametrize("name", BORN_INSIDE)
def test_infinity_that_is_born_inside(name: str) -> None:
    """The last operators lose it: only a check before them can tell."""
    operator, fine, bad = BORN_INSIDE[name]
    x = _float()
    guarded = Guarded(ov.clamp(ov.relu(operator(x)), 0.0, 1.0), [x])
    assert not guarded.speaks(_row(*fine))
    assert guarded.speaks(_row(*bad))


def test_deep_network_is_checked_in_between() -> None:
    """Each layer may make numbers ten times as large: after 40 they may leave float32, and for this input they do not."""
    x = _float()
    weights = ov.constant(np.eye(4, dtype=np.float32) * 9)
    h = x
    for _ in range(40):
        h = ov.relu(ov.matmul(h, weights, False, False))
    guarded = Guarded(h, [x])
    assert not guarded.speaks(_row(0, 0, 0, 1e-30))
    assert guarded.speaks(_row(1, 0, 0, 0))


@pytest.mark.parametrize("index", [-1, -7, 5, 10**9, 2**32, 2**32 + 1, -(2**32) + 1, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_index_outside_its_table(index: int, dtype: Any) -> None:
    if not np.iinfo(dtype).min <= index <= np.iinfo(dtype).max:
        index = 6
    ids = ov.parameter([3], dtype)
    table = ov.constant(np.arange(10, dtype=np.float32).reshape(5, 2))
    guarded = Guarded(ov.gather(table, ids, ov.constant(0)), [ids])
    assert not guarded.speaks(np.array([0, 4, 2], dtype))
    assert guarded.speaks(np.array([0, index, 2], dtype))


@pytest.mark.parametrize("number", [2**24, -(2**24), 2**31, -(2**31) - 1, 2**32, 2**40, -(2**40), 2**32 - 1])
def test_integer_beyond_24_bits(number: int) -> None:
    x = ov.parameter([3], np.int64)
    guarded = Guarded(ov.multiply(x, ov.constant(np.int64(1))), [x])
    outputs, speaks = guarded.run(np.array([-5, 0, 1000], np.int64))
    assert not speaks
    assert outputs[0].tolist() == [-5, 0, 1000]
    assert guarded.speaks(np.array([-5, number, 1000], np.int64))


def test_sum_of_integers_beyond_24_bits() -> None:
    x, y = ov.parameter([1], np.int64), ov.parameter([1], np.int64)
    guarded = Guarded(ov.multiply(x, y), [x, y])
    outputs, speaks = guarded.run(np.array([2000]), np.array([-1000]))
    assert (outputs[0].item(), speaks) == (-2_000_000, False)
    assert guarded.speaks(np.array([100_000]), np.array([100_000]))


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64, np.uint8, np.bool_])
def test_input_handed_back(dtype: Any) -> None:
    """The engine would give input and output the same memory, and read zeros."""
    x, y = ov.parameter([2, 3], dtype), _float()
    array = np.arange(6).reshape(2, 3).astype(dtype)
    guarded = Guarded([ov.relu(y), x, ov.unsqueeze(x, ov.constant(0))], [x, y])
    outputs, speaks = guarded.run(array, _row(1, 2, 3, 4))
    assert not speaks
    assert outputs[1].tolist() == array.tolist()
    assert outputs[2].tolist() == [array.tolist()]


def _masked_scores(mask: Any, scores: Any) -> Any:
    return ov.select(mask, scores, ov.constant(np.float32(-INF)))


def test_row_that_is_masked_all_along() -> None:
    mask, scores = ov.parameter([2, 3], np.bool_), _float((2, 3))
    guarded = Guarded(ov.softmax(_masked_scores(mask, scores), 1), [mask, scores])
    numbers = np.ones((2, 3), np.float32)
    assert not guarded.speaks(np.array([[True, False, False], [True] * 3]), numbers)
    assert guarded.speaks(np.array([[True, False, False], [False] * 3]), numbers)


def test_mask_of_the_largest_number() -> None:
    """As transformers writes masks: (1 - mask) * the smallest number. Several of them must not sound the alarm."""
    mask, scores = _float(), _float()
    large = ov.multiply(
        ov.subtract(ov.constant(np.float32(1)), mask), ov.constant(np.float32(np.finfo(np.float32).min))
    )
    guarded = Guarded(ov.softmax(ov.add(scores, large), 1), [mask, scores])
    assert not guarded.speaks(_row(1, 0, 0, 0), _row(1, 2, 3, 4))
    assert guarded.speaks(_row(1, 3, 0, 0), _row(1, 2, 3, 4))


REFUSED: dict[str, Callable[[Any], Any]] = {
    "a decision by computed numbers": lambda x: ov.greater(ov.multiply(x, x), ov.constant(np.float32(1))),
    "rounding of computed numbers": lambda x: ov.floor(ov.multiply(x, x)),
    "the place of the largest computed number": lambda x: _top(ov.multiply(x, x)).output(1),
    "an order of its own": lambda x: _top(x, 2).output(1),
    "integers out of computed numbers": lambda x: ov.convert(ov.multiply(x, x), "i32"),
    "division of integers": lambda x: ov.divide(ov.convert(x, "i32"), ov.constant(np.int32(2))),
    "infinity as a weight": lambda x: ov.add(x, ov.constant(np.float32(INF))),
    "NaN as a weight": lambda x: ov.add(x, ov.constant(np.float32(NAN))),
    "infinity as a result": lambda x: ov.add(x, ov.constant(np.float32(-INF))),
    "a comparison with more than 32 bits": lambda x: ov.equal(ov.convert(x, "i64"), ov.constant(np.int64(2**32 + 5))),
    "half precision in between": lambda x: ov.convert(ov.convert(x, "f16"), "f32"),
    "a slice of which an input says the begin": lambda x: ov.slice(
        x, ov.convert(ov.reduce_max(x, ov.constant(np.array([1])), keep_dims=False), "i64"), *map(_numbers, (4, 1, 1))
    ),
    "an operator without a rule": lambda x: ov.non_zero(x),
}


def _numbers(number: int) -> Any:
    return ov.constant(np.array([number]))


def _top(x: Any, count: int = 1) -> Any:
    return ov.topk(x, ov.constant(np.int64(count)), 1, "max", "value")


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_check_makes_exact(name: str) -> None:
    x = _float()
    with pytest.raises(CompileError):
        guard(openvino.Model([ov.result(REFUSED[name](x))], [x], "model"))


def test_decision_by_numbers_as_they_came_in() -> None:
    x = _float()
    guarded = Guarded(ov.greater(ov.relu(x), ov.constant(np.float32(0.5))), [x])
    outputs, speaks = guarded.run(_row(0.5, 0.6, -1, 2))
    assert not speaks
    assert outputs[0].tolist() == [[False, True, False, True]]


@pytest.mark.parametrize("decision", ["greater", "equal", "floor", "sign"])
def test_decision_by_denormal_numbers(decision: str) -> None:
    """TensorFlow's threads take them for zero, PyTorch's and the engine's do not."""
    x = _float()
    zero = [ov.constant(np.float32(0))] if decision in {"greater", "equal"} else []
    guarded = Guarded(getattr(ov, decision)(x, *zero), [x])
    assert not guarded.speaks(_row(0, -0.0, 1e-37, -5))
    assert guarded.speaks(_row(0, 1e-45, 1, -5))
    assert guarded.speaks(_row(0, 1, -1e-40, -5))


@pytest.mark.parametrize("kind", ["layer norm", "group norm"])
def test_normalised_numbers_that_are_equal(kind: str) -> None:
    """Their mean is theirs up to rounding errors, which division by the root of eps makes large."""
    x = _float((1, 4, 3))
    if kind == "layer norm":
        graph = ov.mvn(x, ov.constant(np.array([2])), True, 1e-5, "inside_sqrt")
    else:
        ones = ov.constant(np.ones(4, np.float32))
        graph = openvino.opset12.group_normalization(x, ones, ones, 2, 1e-5)
    guarded = Guarded(graph, [x])
    numbers = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    assert not guarded.speaks(numbers)
    numbers[0, 2:] = 1000.1
    assert guarded.speaks(numbers)
    numbers[0, 2:] = 0
    assert not guarded.speaks(numbers)


def test_uniform_picture_before_a_group_norm() -> None:
    """A convolution makes all its places equal, but for rounding errors that the norm would make large."""
    x = _float((1, 2, 12, 12))
    kernel = ov.constant(np.ones((4, 2, 3, 3), np.float32) / 7)
    steps = [1, 1], [0, 0], [0, 0], [1, 1]
    ones = ov.constant(np.ones(4, np.float32))
    graph = openvino.opset12.group_normalization(ov.convolution(x, kernel, *steps), ones, ones, 2, 1e-5)
    guarded = Guarded(graph, [x])
    picture = np.random.default_rng(0).random((1, 2, 12, 12), np.float32)
    assert not guarded.speaks(picture)
    picture[0, 1] = 0
    assert not guarded.speaks(picture)
    picture[0, 1] = 0.7
    assert guarded.speaks(picture)


@pytest.mark.parametrize("length", [0, -1, 6, 2**31])
def test_lengths_of_sequences(length: int) -> None:
    x, lengths = _float((2, 5, 3)), ov.parameter([2], np.int64)
    weights = [ov.constant(np.ones((1, 12, size), np.float32) / 8) for size in (3, 4)]
    bias, state = ov.constant(np.zeros((1, 16), np.float32)), ov.constant(np.zeros((2, 1, 4), np.float32))
    graph = ov.gru_sequence(x, state, lengths, *weights, bias, 4, "forward", linear_before_reset=True).output(0)
    guarded = Guarded(graph, [x, lengths])
    assert not guarded.speaks(np.ones((2, 5, 3), np.float32), np.array([5, 1]))
    assert guarded.speaks(np.ones((2, 5, 3), np.float32), np.array([5, length]))


def test_input_of_float64() -> None:
    x = ov.parameter([2], np.float64)
    with pytest.raises(CompileError, match="float64"):
        guard(openvino.Model([ov.result(ov.abs(x))], [x], "model"))


def test_input_that_nothing_reads_needs_no_check() -> None:
    x, y = _float(), _float()
    assert not Guarded(ov.relu(x), [x, y]).speaks(_row(1, 2, 3, 4), _row(NAN, 2, 3, 4))

"""Calls that the engine would not answer as MXNet does are answered by NumPy, or end in a clear error (SPEC K3)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import neuron_adapters
from neuron_adapters import mx
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operators


def bound(symbol: Any, **arrays: np.ndarray) -> Any:
    values = {name: mx.nd.array(array, dtype=array.dtype) for name, array in arrays.items()}
    return symbol.bind(mx.neuron(0), values, grad_req="null")


def call(executor: Any, **arrays: np.ndarray) -> np.ndarray:
    for name, array in arrays.items():
        executor.arg_dict[name][:] = mx.nd.array(array, dtype=array.dtype)
    return executor.forward()[0].asnumpy()


def guarded(executor: Any) -> int:
    """How many calls NumPy answered instead of the engine."""
    return executor._model.slot.pool.guarded


def network() -> mx.sym.Symbol:
    image = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=4, pad=(1, 1), name="conv")
    image = mx.sym.Activation(mx.sym.BatchNorm(image, fix_gamma=False, name="norm"), act_type="relu")
    image = mx.sym.Pooling(image, kernel=(2, 2), stride=(2, 2), pool_type="avg")
    return mx.sym.softmax(mx.sym.FullyConnected(image, num_hidden=3, name="fc"))


def network_arrays() -> tuple[dict[str, mx.nd.NDArray], dict[str, mx.nd.NDArray]]:
    rng = np.random.default_rng(0)
    shapes, _outputs, states = network().infer_shape(data=(1, 2, 8, 8))
    args = {name: rng.standard_normal(shape) for name, shape in zip(network().list_arguments(), shapes)}
    aux = {name: rng.random(shape) + 0.5 for name, shape in zip(network().list_auxiliary_states(), states)}
    return tuple({name: mx.nd.array(array) for name, array in arrays.items()} for arrays in (args, aux))


def test_ordinary_numbers_are_the_engine_s() -> None:
    args, aux = network_arrays()
    executor = network().bind(mx.neuron(0), args, aux_states=aux, grad_req="null")
    for size in (1, 0, -5, 1000):
        args["data"][:] = size * np.random.default_rng(1).standard_normal((1, 2, 8, 8))
        assert np.isfinite(executor.forward()[0].asnumpy()).all()
    assert guarded(executor) == 0


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite(number: float) -> None:
    args, aux = network_arrays()
    executor = network().bind(mx.neuron(0), args, aux_states=aux, grad_req="null")
    before = executor.forward()[0].asnumpy()
    good = args["data"].asnumpy()
    broken = good.copy()
    broken[0, 1, 3, 3] = number
    assert np.isnan(call(executor, data=broken)).all()
    assert guarded(executor) == 1
    np.testing.assert_array_equal(call(executor, data=good), before)
    assert guarded(executor) == 1


def test_numpy_computes_the_same_network() -> None:
    """On ordinary numbers both forms agree."""
    args, aux = network_arrays()
    executor = network().bind(mx.neuron(0), args, aux_states=aux, grad_req="null")
    (expected,) = executor.forward()
    arrays = {name: array.asnumpy() for name, array in {**args, **aux}.items()}
    (result,) = executor._plan.numpy_form().run(arrays)
    np.testing.assert_allclose(result, expected.asnumpy(), rtol=1e-4, atol=1e-6)


def test_a_weight_that_becomes_nan_and_back() -> None:
    args, aux = network_arrays()
    executor = network().bind(mx.neuron(0), args, aux_states=aux, grad_req="null")
    before = executor.forward()[0].asnumpy()
    good = args["conv_weight"].asnumpy()
    broken = good.copy()
    broken[2, 1, 1, 1] = np.nan
    assert np.isnan(call(executor, conv_weight=broken)).all()
    np.testing.assert_allclose(call(executor, conv_weight=good), before, rtol=1e-5, atol=1e-7)


def test_weights_that_grow_a_thousandfold() -> None:
    """The guards are made for weights of a size; larger ones have guards of their own."""
    data, weight = mx.sym.var("data"), mx.sym.var("fc_weight")
    product = mx.sym.FullyConnected(data, weight=weight, num_hidden=2, no_bias=True, name="fc")
    executor = bound(mx.sym.relu(product), data=np.full((1, 3), 2, "f"), fc_weight=np.ones((2, 3), "f"))
    assert executor.forward()[0].asnumpy().tolist() == [[6, 6]]
    assert call(executor, fc_weight=np.full((2, 3), 3e38, "f")).tolist() == [[np.inf, np.inf]]
    assert call(executor, fc_weight=-np.full((2, 3), 3e38, "f")).tolist() == [[0, 0]]
    assert call(executor, fc_weight=np.full((2, 3), 1e3, "f")).tolist() == [[6000, 6000]]


@pytest.mark.parametrize("dtype", ["int32", "int64", "int8", "uint8"])
def test_integers_in_all_their_bits(dtype: str) -> None:
    info = np.iinfo(dtype)
    numbers = np.array([info.min, info.max, info.max - 1, 7, 1], dtype)
    executor = bound(mx.sym.var("x") * 3 + mx.sym.var("y"), x=numbers, y=numbers[::-1].copy())
    with np.errstate(over="ignore"):
        expected = numbers * np.array(3, dtype) + numbers[::-1]
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), expected)


def test_milliseconds_and_hashed_ids() -> None:
    """int64 beyond 32 bits, through operators that only move numbers, too."""
    numbers = np.array([[1700000000123, -(2**62) - 3], [2**53 + 1, 5]])
    x = mx.sym.var("x")
    executor = bound(mx.sym.Group([x, mx.sym.transpose(x), x + 1, mx.sym.max(x)]), x=numbers)
    outputs = [output.asnumpy() for output in executor.forward()]
    for output, expected in zip(outputs, [numbers, numbers.T, numbers + 1, [numbers.max()]]):
        assert output.dtype == np.int64
        np.testing.assert_array_equal(output, expected)


def test_division_of_integers() -> None:
    """Towards zero, as MXNet has it. By zero MXNet ends the process; here it is an error that names the operator."""
    executor = bound(mx.sym.elemwise_div(mx.sym.var("x"), mx.sym.var("y"), name="shares"),
                     x=np.array([7, 7, -7, -7], "i4"), y=np.array([2, -2, 2, -2], "i4"))  # fmt: skip
    assert executor.forward()[0].asnumpy().tolist() == [3, -3, -3, 3]
    with pytest.raises(mx.MXNetError, match="shares: an integer is divided by zero"):
        call(executor, y=np.array([2, 0, 2, 2], "i4"))
    assert call(executor, y=np.array([1, 1, 1, 1], "i4")).tolist() == [7, 7, -7, -7]


def test_an_index_outside_its_table() -> None:
    table = np.arange(6, dtype="f").reshape(3, 2)
    executor = bound(mx.sym.take(mx.sym.var("a"), mx.sym.var("i"), mode="raise", name="rows"), a=table,
                     i=np.array([0, 2], "f"))  # fmt: skip
    assert executor.forward()[0].asnumpy().tolist() == [[0, 1], [4, 5]]
    for wrong in ([0, 3], [-1, 0], [0, 1e9], [0, np.nan]):
        with pytest.raises(mx.MXNetError, match=r"rows: index .* is out of bounds for an axis of size 3") as caught:
            call(executor, i=np.array(wrong, "f"))
        assert isinstance(caught.value, IndexError)


def test_lengths_beyond_the_sequence() -> None:
    """MXNet reads and writes beyond its memory."""
    data = np.arange(6, dtype="f").reshape(3, 2)
    for operator in ("SequenceLast", "SequenceReverse"):
        make = getattr(mx.sym, operator)
        executor = bound(make(mx.sym.var("x"), mx.sym.var("n"), use_sequence_length=True), x=data,
                         n=np.array([1, 3], "f"))  # fmt: skip
        executor.forward()
        with pytest.raises(mx.MXNetError, match="out of bounds"):
            call(executor, n=np.array([1, 4], "f"))


def test_float64_is_float64() -> None:
    x = np.array([1 + 1e-12, 1 / 3])
    executor = bound(mx.sym.relu(mx.sym.var("x") - 1), x=x)
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), np.maximum(x - 1, 0))


def test_a_table_is_not_read_as_a_whole() -> None:
    """A row that is NaN shows when it is gathered."""
    weight = np.ones((100, 4), "f")
    weight[7] = np.nan
    rows = mx.sym.Embedding(mx.sym.var("ids"), input_dim=100, output_dim=4, name="table")
    executor = bound(mx.sym.relu(rows), ids=np.array([1, 2], "f"), table_weight=weight)
    assert executor.forward()[0].asnumpy().tolist() == [[1] * 4] * 2
    assert guarded(executor) == 0
    assert np.isnan(call(executor, ids=np.array([1, 7], "f"))[1]).all()


def test_an_input_that_is_an_output() -> None:
    x = mx.sym.var("x")
    executor = bound(mx.sym.Group([x, x * 2]), x=np.array([1, 2], "f"))
    for number in (1, 3):
        executor.arg_dict["x"][:] = number
        same, double = executor.forward()
        assert (same.asnumpy().tolist(), double.asnumpy().tolist()) == ([number] * 2, [2 * number] * 2)


def test_boxes_whose_corners_are_turned_round() -> None:
    """The engine's suppression would turn them back."""
    rows = np.array([[0, 0.9, 0.6, 0.6, 0.1, 0.1], [0, 0.8, 0.1, 0.1, 0.6, 0.6]], "f")
    executor = bound(mx.sym.contrib.box_nms(mx.sym.var("x"), overlap_thresh=0.5, id_index=0), x=rows)
    assert executor.forward()[0].asnumpy()[:, 1].tolist() == pytest.approx([0.9, 0.8])


_HALF = np.float32(0.5)


@pytest.mark.parametrize(
    ("threshold", "kept"),
    [(0.5, 2), (np.nextafter(_HALF, _HALF * 2), 2), (np.nextafter(_HALF, _HALF / 2), 1), (0, 1), (1, 2)],
)
def test_boxes_that_overlap_by_just_the_threshold_stay(threshold: float, kept: int) -> None:
    """OpenVINO would suppress them; MXNet's MultiBoxDetection does."""
    rows = np.array([[0, 0.9, 0, 0, 2, 1], [0, 0.8, 0, 0, 1, 1], [0, 0.7, 5, 5, 6, 6]], "f")
    executor = bound(mx.sym.contrib.box_nms(mx.sym.var("x"), overlap_thresh=float(threshold), id_index=0), x=rows)
    assert (executor.forward()[0].asnumpy()[:, 1] > 0).sum() == kept + 1
    assert (executor._plan.why, guarded(executor)) == ("", 0)
    same = bound(mx.sym.contrib.box_nms(mx.sym.var("x"), overlap_thresh=1, id_index=0), x=rows[[0, 0]])
    assert (same.forward()[0].asnumpy()[:, 1] > 0).all()
    arrays = {"scores": np.array([[[0.1, 0.2], [0.9, 0.8]]], "f"), "moves": np.zeros((1, 8), "f")}
    graph = mx.sym.contrib.MultiBoxDetection(
        mx.sym.var("scores"),
        mx.sym.var("moves"),
        mx.sym.var("anchors"),
        nms_threshold=float(threshold) or 2,
        clip=False,
    )
    executor = bound(graph, **arrays, anchors=rows[None, :2, 2:] / 4)
    expected = 1 if threshold == _HALF else kept
    assert (executor.forward()[0].asnumpy()[0, :, 0] >= 0).sum() == (expected if threshold else 2)
    assert executor._plan.why == ""


@pytest.mark.parametrize("corners", [[np.nan] * 4, [-np.inf, -np.inf, np.inf, np.inf], [0, 0, np.inf, np.inf]])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_box_that_is_not_finite_suppresses_no_other(kind: int, corners: list[float]) -> None:
    """And boxes of other classes stay apart, and those of one class beside each other."""
    boxes = [[0, 0.9, 0, 0, 10, 10], [0, 0.8, 1, 1, 10, 10], [1, 0.7, 1, 1, 10, 10], [1, 0.6, 2, 2, 10, 10]]
    rows = np.array([[kind, 0.95, *corners], *boxes, [0, 0.5, 40, 40, 50, 50]], "f")
    result = bound(mx.sym.contrib.box_nms(mx.sym.var("x"), overlap_thresh=0.5, id_index=0), x=rows).forward()[0]
    np.testing.assert_allclose(result.asnumpy()[:, 1], [0.95, 0.9, 0.7, 0.5, -1, -1])


@pytest.mark.parametrize("count", [300, 9000, 50000])
def test_the_engine_chooses_among_many_boxes(count: int) -> None:
    """Of a score that many boxes have, the first ones are chosen, as in MXNet, and rows that do not count are nothing
    unusual."""
    rng = np.random.default_rng(0)
    scores = rng.integers(-4, 8, count) / 8
    corners = np.arange(count)[:, None] * [2, 0, 2, 0] + [0, 0, 1, 1]  # none overlaps another
    rows = np.concatenate([np.zeros((count, 1)), scores[:, None], corners], 1).astype("f")
    executor = bound(mx.sym.contrib.box_nms(mx.sym.var("x"), topk=200, valid_thresh=0.1), x=rows)
    result = executor.forward()[0].asnumpy()
    best = np.argsort(-scores, kind="stable")[: min(200, (scores > 0.1).sum())]
    np.testing.assert_array_equal(result[: len(best)], rows[best])
    assert (result[len(best) :] == -1).all()
    assert (executor._plan.why, guarded(executor)) == ("", 0)


@pytest.mark.parametrize("index", [-1, 4, 10**9, -(10**9)])
def test_an_index_does_not_lead_the_engine_out_of_its_memory(index: int) -> None:
    """It computes before the alarm is heard."""
    data, places = mx.sym.var("x"), mx.sym.var("i")
    gathered = bound(mx.sym.gather_nd(data, places), x=np.ones((4, 4), "f"), i=np.zeros((2, 3), "f"))
    scattered = bound(mx.sym.scatter_nd(data, places, shape=(4, 4)), x=np.ones(3, "f"), i=np.zeros((2, 3), "f"))
    loss = bound(mx.sym.softmax_cross_entropy(data, places), x=np.ones((3, 4), "f"), i=np.zeros(3, "f"))
    wrong = np.full((2, 3), index, "f")
    if index == -1:  # it counts from the end
        assert call(gathered, i=wrong).tolist() == [1, 1, 1]
    else:
        with pytest.raises(mx.MXNetError, match="out of bounds"):
            call(gathered, i=wrong)
    for executor, array in ((scattered, wrong), (loss, wrong[0])):
        with pytest.raises(mx.MXNetError, match="out of bounds"):
            call(executor, i=array)


def test_quotients_near_a_whole_number() -> None:
    """The engine multiplies by a reciprocal, so x / x may be less than 1."""
    x = np.random.default_rng(0).uniform(-50, 50, 4000).astype("f")
    data, other = mx.sym.var("x"), mx.sym.var("y")
    quotient = data / other
    for symbol, expected in [
        (mx.sym.floor(quotient), 1), (mx.sym.cast(quotient, dtype="int32"), 1), (mx.sym.trunc(quotient), 1),
        (quotient == 1, 1), (mx.sym.broadcast_mod(data, other), 0),
    ]:  # fmt: skip
        result = bound(symbol, x=x, y=x).forward()[0].asnumpy()
        assert (result == expected).all(), symbol.name


def test_what_the_engine_cannot_read_is_computed_by_numpy() -> None:
    numbers = np.array([[100, 100], [-128, 1]], "i1")
    executor = bound(mx.sym.sum(mx.sym.var("x"), axis=1), x=numbers)
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), numbers.sum(1, dtype="i1"))


@pytest.mark.parametrize("operator", [mx.sym.contrib.ROIAlign, mx.sym.ROIPooling], ids=["ROIAlign", "ROIPooling"])
@pytest.mark.parametrize("value", [0.0, np.nan], ids=["engine", "NumPy"])
def test_regions_in_no_picture(operator: Any, value: float) -> None:
    """Detectors fill up their list with regions of batch -1: zeros, and the others as without them. MXNet 1.9.1 forgets
    to write ROIAlign's zeros on a CPU, and writes them on a GPU."""
    rng = np.random.default_rng(0)
    data = rng.random((2, 3, 16, 16), np.float32)
    data[0, 0, 15, 15] = value
    regions = np.array([[0, 1, 1, 8, 8], [1, 2, 2, 10, 12], [1, 0, 0, 3, 3]], np.float32)
    mixed = np.full((6, 5), -1, np.float32)
    mixed[[1, 2, 4]] = regions
    mixed[5] = [-3, 2, 2, 9, 9]
    symbol = operator(mx.sym.var("data"), mx.sym.var("rois"), pooled_size=(3, 3), spatial_scale=1.0)
    expected = bound(symbol, data=data, rois=regions).forward()[0].asnumpy()
    executor = bound(symbol, data=data, rois=mixed)
    result = executor.forward()[0].asnumpy()
    np.testing.assert_allclose(result[[1, 2, 4]], expected, rtol=1e-5)
    assert not result[[0, 3, 5]].any()
    assert not call(executor, rois=np.full((6, 5), -1, np.float32)).any()
    assert guarded(executor) == (2 if np.isnan(value) else 0)


@pytest.mark.parametrize("behind", ["pad", "pad, nothing", "pad, relu", "concat"])
@pytest.mark.parametrize("pooled", [False, True])
def test_a_strided_kernel_of_one_place_behind_padding(behind: str, pooled: bool) -> None:
    """OpenVINO would take the padding into the convolution and forget it: other numbers, of the same shape once a pool
    is behind them."""
    data, weight = np.random.default_rng(0).standard_normal((1, 4, 7, 7)).astype("f"), np.ones((2, 4, 1, 1), "f")
    x, values = mx.sym.square(mx.sym.var("x")), np.pad(data**2, ((0, 0), (0, 0), (1, 1), (1, 1)))
    if behind == "concat":
        x, values = mx.sym.concat(mx.sym.zeros((1, 4, 1, 7)), x, dim=2), values[:, :, :-1, 1:-1]
    else:
        x = mx.sym.Pad(x, mode="constant", pad_width=(0, 0, 0, 0, 1, 1, 1, 1))
        x = {"pad": x, "pad, nothing": mx.sym.identity(mx.sym.Dropout(x) * 1), "pad, relu": mx.sym.relu(x)}[behind]
    symbol = mx.sym.Convolution(x, mx.sym.var("w"), kernel=(1, 1), num_filter=2, stride=(2, 2), no_bias=True)
    expected = np.repeat(values.sum(1, keepdims=True), 2, 1)[:, :, ::2, ::2]
    if pooled:
        symbol = mx.sym.Pooling(symbol, kernel=(1, 1), global_pool=True, pool_type="avg")
        expected = expected.mean((2, 3), keepdims=True)
    executor = bound(symbol, x=data, w=weight)
    np.testing.assert_allclose(executor.forward()[0].asnumpy(), expected, rtol=1e-4)
    assert neuron_adapters.describe().models[-1].engine == "openvino"


def test_a_kernel_of_one_place_with_stride_and_padding_behind_another_operator() -> None:
    """OpenVINO would forget the padding, and write beyond the memory of the output."""
    x, weight = np.random.default_rng(0).standard_normal((1, 3, 4, 5)).astype("f"), np.ones((2, 3, 1, 1), "f")
    data = mx.sym.var("x")
    for pad in ((1, 1), (0, 2)):
        symbol = mx.sym.Convolution(
            data * data, mx.sym.var("w"), kernel=(1, 1), num_filter=2, stride=(2, 3), pad=pad, no_bias=True
        )
        result = bound(symbol, x=x, w=weight).forward()[0].asnumpy()
        padded = np.pad(x**2, ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2))
        expected = np.repeat(padded.sum(1, keepdims=True), 2, 1)[:, :, ::2, ::3]
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_the_engine_never_writes_more_than_an_output_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A translation that broadcasts where MXNet's operator does not is an error, and not memory overwritten."""

    def broadcast(to: Builder, _at: Attributes, x: Tensor) -> Value:
        return to.Mul(x, to.constant(np.ones((3, 1, 1)), x.dtype))

    monkeypatch.setitem(operators, "relu", dataclasses.replace(operators["relu"], translation=broadcast))
    with pytest.raises(mx.MXNetError, match="reshape"):
        bound(mx.sym.relu(mx.sym.var("x")), x=np.ones((3, 4), "f")).forward()


@pytest.mark.parametrize("power", [np.nan, np.inf, -np.inf])
def test_powers_that_are_not_finite(power: float) -> None:
    x = np.array([0.5, 1, 2, np.nan], "f")
    executor = bound(mx.sym.broadcast_power(mx.sym.var("x"), mx.sym.var("p")), x=x, p=np.array([power], "f"))
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), x ** np.float32(power))
    scalar = bound(mx.sym.var("x") ** power, x=x)
    np.testing.assert_array_equal(scalar.forward()[0].asnumpy(), x ** np.float32(power))

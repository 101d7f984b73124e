"""Arrays: what MXNet 1.9.1 answered, asked here; memory, views and who wrote to what; contexts; batches; pictures."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neuron_adapters.mx.base import MXNetError

from neuron_adapters import mx
from neuron_adapters.mxnet.ndarray._memory import handed_out, writes

HERE = Path(__file__).parent / "fixtures"
ROOT = HERE.parents[2]
ANSWERS = json.loads((HERE / "answers.json").read_text())
ERRORS = {"MXNetError": MXNetError, "IndexError": IndexError, "TypeError": TypeError, "ValueError": ValueError}


def _names() -> dict[str, Any]:
    return {
        "mx": mx,
        "np": np,
        "f": mx.nd.array([[1, 2, 3], [4, 5, 6]]),
        "i": mx.nd.array([[1, 2, 3], [4, 5, 7]], dtype="int32"),
        "h": mx.nd.array([[1, 2, 3], [4, 5, 6]], dtype="float16"),
        "u": mx.nd.array([200, 100, 7], dtype="uint8"),
        "b": mx.nd.array([True, False], dtype="bool"),
        "v": mx.nd.array([3, 1, 2]),
        "x": mx.nd.array([[1, 2, 3], [4, 5, 6]]),
    }


def _check(actual: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert isinstance(actual, mx.nd.NDArray)
        assert (actual.dtype, actual.shape) == (np.dtype(expected["dtype"]).type, tuple(expected["shape"]))
        values = np.array(expected["values"], expected["dtype"]).reshape(actual.shape)
        np.testing.assert_allclose(actual.asnumpy(), values, rtol=1e-5)
    elif isinstance(actual, (list, tuple)):
        assert len(actual) == len(expected)
        for part, expected_part in zip(actual, expected):
            _check(part, expected_part)
    else:
        assert (
            repr(actual) if isinstance(actual, (type, mx.Context)) else getattr(actual, "tolist", lambda: actual)()
        ) == expected


@pytest.mark.parametrize("text", list(ANSWERS["expressions"]))
def test_expressions_are_what_mxnet_says(text: str) -> None:
    expected = ANSWERS["expressions"][text]
    if isinstance(expected, dict) and "error" in expected:
        with pytest.raises(ERRORS[expected["error"]]):
            eval(text, _names())
    else:
        _check(eval(text, _names()), expected)


@pytest.mark.parametrize("text", list(ANSWERS["statements"]))
def test_writes_reach_what_they_reach_in_mxnet(text: str) -> None:
    expected = ANSWERS["statements"][text]
    names = _names()
    if isinstance(expected, dict):
        with pytest.raises(ERRORS[expected["error"]]):
            exec(text, names)
    else:
        exec(text, names)
        x, y = names["x"], names.get("y")
        _check(x, expected[0])
        if isinstance(y, mx.nd.NDArray):
            _check(y, expected[1])


@pytest.mark.parametrize(
    "write",
    [
        "x[:] = 1", "x[0] = 1", "x[0, 1] = 5", "x += 1", "x -= 1", "x *= 2", "x /= 2", "x %= 2", "x **= 2",
        "x[1][:] = 3", "x[0:1] += 1", "x.reshape(-1)[2:3] = 4", "x.reshape((3, 2))[0, 0] = 1", "x.detach()[:] = 0",
        "mx.nd.zeros((2, 3)).copyto(x)", "mx.nd.relu(x, out=x)", "x[[0, 1], [0, 1]] = 0",
    ],
)  # fmt: skip
def test_a_write_is_counted_at_the_memory_and_in_all(write: str) -> None:
    names = _names()
    x = names["x"]
    view, copy = x[0], x.copy()
    before, all_before = x._version, writes.value
    exec(write, names)
    assert x._version > before
    assert view._version == x._version
    assert copy._version == 0
    assert writes.value > all_before


@pytest.mark.parametrize(
    "read",
    ["x + 1", "x[0]", "x[:, 1] + 1", "x.asnumpy()", "np.asarray(x)", "x.reshape(-1)", "x.copy()", "x.sum()", "repr(x)",
     "x.astype('float16')", "list(x)", "x.T", "pickle.dumps(x)", "x.copyto(mx.cpu(1))"],
)  # fmt: skip
def test_reading_counts_nothing(read: str) -> None:
    names = {**_names(), "pickle": pickle}
    before = writes.value
    eval(read, names)
    assert (names["x"]._version, writes.value) == (0, before)


def test_memory_cannot_be_written_to_behind_the_counters() -> None:
    x = mx.nd.zeros((2, 2))
    for handed in (x.asnumpy(), np.asarray(x), np.array(x), np.from_dlpack(x), memoryview(np.asarray(x))):
        assert not np.may_share_memory(np.asarray(handed), x._array)
    assert np.asarray(x, dtype="float64").dtype == np.float64
    with pytest.raises(ValueError, match="copied"):
        x.__array__(copy=False)
    with pytest.raises(TypeError):
        np.ones((2, 2)) + x


def test_the_memory_is_always_contiguous() -> None:
    x = mx.nd.array(np.asfortranarray(np.arange(12.0).reshape(3, 4)))
    for array in (
        x,
        x.T,
        x[:, 1],
        x[:, ::2],
        x[::-1],
        x.transpose(),
        mx.nd.flip(x, axis=0),
        x.reshape((4, 3)),
        x[1, 1:3],
    ):
        assert array._array.flags.c_contiguous


def test_numpy_arrays_may_be_shared_on_request() -> None:
    mine = np.arange(3)
    x = mx.nd.from_numpy(mine)
    x[0] = 7
    assert mine[0] == 7
    assert not mine.flags.writeable
    assert mx.nd.from_numpy(np.arange(3), zero_copy=False).dtype == np.int64


def test_pickling_keeps_values_dtype_and_context() -> None:
    x = mx.nd.array([1, 2], ctx=mx.neuron(3), dtype="int8")
    again = pickle.loads(pickle.dumps(x))
    assert (again.context, again.dtype, again.asnumpy().tolist()) == (mx.neuron(3), np.int8, [1, 2])


def test_printing() -> None:
    assert repr(mx.nd.array([[1, 2]])) == "\n[[1. 2.]]\n<NDArray 1x2 @cpu(0)>"
    assert [element.asscalar() for element in mx.nd.array([3, 1])] == [3.0, 1.0]


def test_what_is_not_there_is_said() -> None:
    for text in ("mx.nd.nope", "mx.nd.contrib.nope", "mx.nd.zeros(1).nope", "mx.nd.linalg.nope"):
        with pytest.raises(AttributeError, match="nope is not in this package") as error:
            eval(text)
        assert len(str(error.value)) < 200
    with pytest.raises(TypeError, match="NDArrays"):
        mx.nd.relu(np.ones(2))
    for shape in (-1, (2**40, 2**40), (2, -3)):
        with pytest.raises(ValueError, match="shape"):
            mx.nd.zeros(shape)
    for dtype in ("complex64", "S3", "float128", "object"):
        with pytest.raises(ValueError, match="numbers"):
            mx.nd.zeros(2, dtype=dtype)


@pytest.mark.parametrize(
    "text",
    ["mx.nd.zeros((2, 3), out={})", "mx.nd.ones((2, 3), name='n', out={})", "mx.nd.full((2, 3), 7, out={})",
     "mx.nd.random.uniform(5, 6, shape=(2, 3), out={})", "mx.nd.random.normal(50, 1, shape=(2, 3), out={})",
     "mx.nd.random.randint(8, 9, shape=(2, 3), out={})", "mx.nd.relu(f, out={})", "mx.nd.softmax(f, out={})"],
)  # fmt: skip
def test_out_takes_the_result(text: str) -> None:
    names = {**_names(), "o": mx.nd.array(np.full((2, 3), -1))}
    before = names["o"]._version
    assert eval(text.format("o"), names) is names["o"]
    assert (names["o"].asnumpy() != -1).all()
    assert names["o"]._version > before


@pytest.mark.parametrize("text", ["zeros((2,), dtpye='int32')", "ones((2,), shaep=3)", "full((2,), 1, dtpye='f4')",
                                  "arange(3, dtpye='int32')", "random.uniform(0, 1, sahpe=(2,))", "softmax(f, axes=3)"])  # fmt: skip
def test_a_keyword_is_taken_or_refused(text: str) -> None:
    with pytest.raises((TypeError, MXNetError), match=r"dtpye|shaep|sahpe|axes"):
        eval(f"mx.nd.{text}", _names())


def test_random_numbers_repeat_with_the_seed() -> None:
    mx.random.seed(3)
    first = (mx.nd.random.uniform(shape=(2, 3)), mx.random.normal(5, 0.1, shape=4), mx.nd.random.randint(0, 9, shape=5))
    mx.random.seed(3)
    again = (mx.nd.random.uniform(shape=(2, 3)), mx.random.normal(5, 0.1, shape=4), mx.nd.random.randint(0, 9, shape=5))
    for array, other in zip(first, again):
        np.testing.assert_array_equal(array.asnumpy(), other.asnumpy())
    assert (first[0].shape, first[0].dtype, first[2].dtype) == ((2, 3), np.float32, np.int32)
    assert first[0].asnumpy().std() > 0
    assert 4 < first[1].asnumpy().mean() < 6


def test_contexts() -> None:
    assert [repr(context) for context in (mx.cpu(), mx.neuron(), mx.neuron(2), mx.gpu(1), mx.cpu_pinned())] == [
        "cpu(0)", "neuron(0)", "neuron(2)", "gpu(1)", "cpu_pinned(0)",
    ]  # fmt: skip
    assert mx.neuron(2) == mx.neuron(2) != mx.neuron(3) != mx.cpu(3)
    assert {mx.cpu(): 1}[mx.cpu(0)] == 1
    assert mx.neuron(np.int64(2)) == mx.Context("neuron", 2) == mx.Context(mx.neuron(2))
    assert pickle.loads(pickle.dumps(mx.neuron(4))) == mx.neuron(4)
    assert mx.num_gpus() == 0
    for wrong in (-1, 1.5, "0", None, True, 2**40):
        with pytest.raises(ValueError, match="whole number from 0"):
            mx.neuron(wrong)
    with pytest.raises(ValueError, match="tpu"):
        mx.Context("tpu")
    with pytest.raises(MXNetError, match=r"Use mx\.cpu"):
        mx.nd.zeros(1, ctx=mx.gpu())


def test_the_current_context_is_the_threads() -> None:
    seen = []
    context = mx.neuron(1)
    with context, mx.neuron(2), context:
        assert mx.current_context() == mx.neuron(1)
        assert mx.nd.zeros(1).context == mx.neuron(1)
        thread = threading.Thread(target=lambda: seen.append(mx.current_context()))
        thread.start()
        thread.join()
    assert (seen, mx.current_context()) == ([mx.cpu()], mx.cpu())


def _batches(batches: mx.io.NDArrayIter) -> list[Any]:
    return [(b.data[0].asnumpy()[:, 0].tolist(), b.label[0].asnumpy().tolist(), b.pad) for b in batches]


@pytest.mark.parametrize(
    ("handle", "first", "second"),
    [
        ("pad", [([0, 2], [0, 1], 0), ([4, 6], [2, 3], 0), ([8, 0], [4, 0], 1)], None),
        ("discard", [([0, 2], [0, 1], 0), ([4, 6], [2, 3], 0)], None),
        ("roll_over", [([0, 2], [0, 1], 0), ([4, 6], [2, 3], 0)], [([8, 0], [4, 0], 0), ([2, 4], [1, 2], 0), ([6, 8], [3, 4], 0)]),
    ],
)  # fmt: skip
def test_batches(handle: str, first: Any, second: Any) -> None:
    batches = mx.io.NDArrayIter(np.arange(10.0).reshape(5, 2), np.arange(5), 2, last_batch_handle=handle)
    assert _batches(batches) == first
    assert _batches(batches) == []
    batches.reset()
    assert _batches(batches) == (second or first)
    batches.reset()
    assert _batches(batches) == first


def test_a_round_that_is_broken_off_leaves_nothing_over() -> None:
    batches = mx.io.NDArrayIter(np.arange(10.0).reshape(5, 2), np.arange(5), 2, last_batch_handle="roll_over")
    batches.next()
    batches.reset()
    assert [labels for _data, labels, _pad in _batches(batches)] == [[0, 1], [2, 3]]
    batches.hard_reset()
    assert [labels for _data, labels, _pad in _batches(batches)] == [[0, 1], [2, 3]]


def test_batches_describe_themselves() -> None:
    batches = mx.io.NDArrayIter({"a": np.zeros((3, 2)), "b": mx.nd.zeros(3)}, batch_size=7)
    assert batches.provide_data == [("a", (7, 2)), ("b", (7,))]
    assert batches.provide_label == []
    (batch,) = list(batches)
    assert (batch.pad, [array.shape for array in batch.data]) == (4, [(7, 2), (7,)])
    assert mx.io.NDArrayIter([np.zeros(3)] * 2, np.zeros(3)).provide_data[1].name == "_1_data"
    name, shape = mx.io.DataDesc("data", (1, 3), layout="NC")
    assert (name, shape, mx.io.DataDesc.get_batch_axis("TNC")) == ("data", (1, 3), 1)
    np.random.seed(1)  # noqa: NPY002  # the iterator shuffles by it, as MXNet's does
    shuffled = mx.io.NDArrayIter(np.arange(20), np.arange(20), 20, shuffle=True).next()
    assert shuffled.data[0].asnumpy().tolist() == shuffled.label[0].asnumpy().tolist() != list(range(20))
    for wrong in ({"batch_size": 0}, {"label": np.zeros(4)}, {"last_batch_handle": "keep"}):
        with pytest.raises(ValueError, match=r"batch|rows"):
            mx.io.NDArrayIter(np.zeros(3), **wrong)


def test_pictures(tmp_path: Path) -> None:
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "p.png")
    read = mx.image.imread(tmp_path / "p.png")
    assert (read.shape, read.dtype) == ((5, 7, 3), np.uint8)
    np.testing.assert_array_equal(read.asnumpy(), colours)
    np.testing.assert_array_equal(mx.image.imread(tmp_path / "p.png", to_rgb=False).asnumpy(), colours[..., ::-1])
    assert mx.image.imdecode((tmp_path / "p.png").read_bytes(), flag=0).shape == (5, 7, 1)
    with pytest.raises(MXNetError, match="cannot be read as an image"):
        mx.image.imdecode(b"nonsense")
    with pytest.raises(MXNetError, match="cannot be read as an image"):
        mx.image.imdecode((tmp_path / "p.png").read_bytes()[:60])


@pytest.mark.parametrize("how", list(ANSWERS["pictures"]))
def test_pictures_are_resized_as_opencv_does(how: str) -> None:
    kind, width, height = map(int, how.split())
    picture = [[[(37 * x + 91 * y * y) % 256] for x in range(5)] for y in range(4)]
    resized = mx.image.imresize(mx.nd.array(picture, dtype="uint8"), width, height, kind)
    assert resized.dtype == np.uint8
    # OpenCV computes in whole numbers.
    np.testing.assert_allclose(resized.asnumpy().astype(int), ANSWERS["pictures"][how], atol=1)


def test_pictures_are_resized_and_cropped() -> None:
    ramp = mx.nd.array(np.tile(np.arange(8, dtype="uint8")[None, :, None] * 10, (4, 1, 1)), dtype="uint8")
    assert mx.image.imresize(ramp, 4, 2, interp=3).asnumpy()[0, :, 0].tolist() == [5, 25, 45, 65]
    assert mx.image.imresize(ramp, 4, 4, interp=1).asnumpy()[0, :, 0].tolist() == [5, 25, 45, 65]
    assert mx.image.imresize(ramp, 16, 4, interp=0).asnumpy()[0, :4, 0].tolist() == [0, 0, 10, 10]
    np.testing.assert_array_equal(mx.image.imresize(ramp, 8, 4, interp=2).asnumpy(), ramp.asnumpy())
    assert mx.image.resize_short(ramp, 8).shape == (8, 16, 1)
    cropped, box = mx.image.center_crop(ramp, (4, 2))
    assert (cropped.asnumpy()[0, :, 0].tolist(), box) == ([20, 30, 40, 50], (2, 1, 4, 2))
    normal = mx.image.color_normalize(ramp.astype("float32"), mx.nd.array([10]), mx.nd.array([2]))
    assert normal.asnumpy()[0, 2, 0] == 5
    with pytest.raises(ValueError, match="inside"):
        mx.image.fixed_crop(ramp, 5, 0, 4, 4)
    with pytest.raises(ValueError, match="interp"):
        mx.image.imresize(ramp, 2, 2, interp=7)


def test_importing_brings_nothing_heavy_along(run_script: Callable[..., str]) -> None:
    assert "pip install 'neuron-adapters[mx]'" in run_script("ndarray_import_is_light.py")


def test_views_on_request() -> None:
    x = mx.nd.arange(6).reshape(1, 2, 3)
    pairs = [
        (x.flatten(), x.flatten(inplace=True), (1, 6)),
        (x.squeeze(0), x.squeeze(axis=0, inplace=True), (2, 3)),
        (x.expand_dims(1), x.expand_dims(axis=1, inplace=True), (1, 1, 2, 3)),
    ]
    x[:] = 9
    for copy, view, shape in pairs:
        assert copy.shape == view.shape == shape
        assert copy.asnumpy().ravel().tolist() == [0, 1, 2, 3, 4, 5]
        assert view.asnumpy().ravel().tolist() == [9] * 6


def test_dlpack_both_ways() -> None:
    """A capsule to write to is the memory itself, and an executor sees what is written there by others."""
    weight = mx.nd.ones((2, 3))
    fc = mx.sym.FullyConnected(mx.sym.var("data"), no_bias=True, num_hidden=2, name="fc")
    executor = fc.bind(mx.cpu(), {"data": mx.nd.ones((1, 3)), "fc_weight": weight}, grad_req="null")
    read = mx.nd.from_dlpack(mx.nd.to_dlpack_for_read(weight))
    read[:] = 7
    assert executor.forward()[0].asnumpy().tolist() == [[3, 3]]

    try:
        _capsule = weight.to_dlpack_for_write()
        for factor in (2, 3, 4, 5):
            weight._array[:] = factor  # as whoever took the capsule does it, unseen
            assert executor.forward()[0].asnumpy().tolist() == [[3 * factor, 3 * factor]]
    finally:
        handed_out.clear()
        writes.__class__ = type(weight._memory)


def test_pickles_of_mxnet() -> None:
    """State as MXNet 1.9.1 pickles it, of an array that was on a GPU: one number, 0."""
    head = np.array([0xF993FAC9, 0, 1], "<u4").tobytes() + np.array([1], "<u8").tobytes()
    array = mx.nd.NDArray(None)
    array.__setstate__({"handle": bytearray(head + np.array([2, 0, 0], "<i4").tobytes() + b"\0" * 4)})
    assert (array.shape, array.context, array.asnumpy().tolist()) == ((1,), mx.cpu(), [0])


def test_parts_are_written_by_operators() -> None:
    x = mx.nd.ones((2, 3, 4))
    y = mx.nd._internal._crop_assign(x, mx.nd.zeros((2, 1, 3)), begin=(0, 0, 0), end=(2, 1, 3), out=x)
    expected = np.ones((2, 3, 4), "f4")
    expected[0:2, 0:1, 0:3] = 0
    np.testing.assert_array_equal(y.asnumpy(), expected)
    scalar = mx.nd._internal._slice_assign_scalar(x, scalar=5, begin=(1, None, 0), end=(None, 2, None), step=(1, 1, 2))
    expected[1:, :2, ::2] = 5
    np.testing.assert_array_equal(scalar.asnumpy(), expected)
    symbol = mx.sym._internal._slice_assign(mx.sym.var("x"), mx.sym.var("y"), begin=(0,), end=(1,))
    (out,) = symbol.eval(x=mx.nd.ones((2, 2)), y=mx.nd.zeros((1, 2)))
    assert out.asnumpy().tolist() == [[0, 0], [1, 1]]
    filled = mx.nd.fill_element_0index(mx.nd.zeros((2, 3)), mx.nd.array([7, 8]), mx.nd.array([2, 0]))
    assert filled.asnumpy().tolist() == [[0, 0, 7], [8, 0, 0]]
    out = mx.nd.ones((2, 3))
    assert mx.nd.onehot_encode(mx.nd.array([2, 0]), out=out).asnumpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(IndexError, match="from 0 to 2"):
        mx.nd.onehot_encode(mx.nd.array([3, 0]), out=out)


def test_special_numbers_are_told() -> None:
    x = mx.nd.array([np.inf, -np.inf, np.nan, 1])
    answers = [
        function(x).asnumpy().tolist()
        for function in (mx.nd.contrib.isinf, mx.nd.contrib.isfinite, mx.nd.contrib.isnan)
    ]
    assert answers == [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]


@pytest.mark.parametrize("text", ["x.attach_grad()", "x.backward()", "mx.nd.sgd_update", "mx.nd.adam_update(x, x)"])
def test_what_training_needs_of_arrays(text: str) -> None:
    assert _names()["x"].grad is None
    with pytest.raises(MXNetError, match="is for training") as error:
        eval(text, _names())
    assert isinstance(error.value, AttributeError)


def test_shapes_that_are_not_known() -> None:
    for shape in ((), (2, 0)):
        with pytest.raises(MXNetError, match="np_shape"):
            mx.nd.zeros(shape)
        with mx.np_shape():
            assert mx.nd.zeros(shape).shape == shape
    assert np.all(mx.nd.array([50000001], dtype="int32").floor() == 50000001)
    assert not np.any(mx.nd.zeros((2,)))
    assert mx.nd.linspace(1, 2, 0).shape == (0,)
    assert mx.nd.ones((2, 3)).reshape_like(rhs=mx.nd.ones((3, 2))).shape == (3, 2)
    with mx.np_shape(), pytest.raises(MXNetError):
        mx.nd.min(mx.nd.zeros((0,)))


def test_histogram_is_a_function_of_its_own() -> None:
    x = mx.nd.array([[0, 1], [2, 2], [3, 4]])
    counts, bounds = mx.nd.histogram(x, bins=5, range=(0, 5))
    assert counts.asnumpy().tolist() == [1, 1, 2, 1, 1]
    assert (counts.dtype, bounds.asnumpy().tolist()) == (np.int64, [0, 1, 2, 3, 4, 5])
    edges = mx.nd.array([0, 2.1, 3])
    assert mx.nd.histogram(x, bins=edges)[0].asnumpy().tolist() == [4, 1]
    counts, bounds = mx.nd.histogram(x, bins=2)
    assert (counts.asnumpy().tolist(), bounds.asnumpy().tolist()) == ([2, 4], [0, 2, 4])
    assert counts.dtype == np.float32
    a, bins = mx.sym.var("a"), mx.sym.var("bins")
    graph = mx.sym.Group([mx.sym.histogram(a, 5, (0, 5))[0], mx.sym.histogram(a=a, bins=bins)[0]])
    executor = graph.bind(mx.cpu(), {"a": x, "bins": edges}, grad_req="null")
    assert [output.asnumpy().tolist() for output in executor.forward()] == [[1, 1, 2, 1, 1], [4, 1]]
    for call in (
        lambda: mx.sym.histogram(a, 5),
        lambda: mx.nd.histogram(x, "5"),
        lambda: mx.nd.histogram(x, 0, (1, 2)),
    ):
        with pytest.raises(MXNetError, match=r"histogram\(\)|bin_cnt"):
            call()


def test_an_array_without_axes_is_written_by_one_index() -> None:
    x = mx.nd.contrib.allclose(mx.nd.ones((2,)), mx.nd.ones((2,)))
    assert (x.shape, x.asscalar()) == ((), 1)
    x[:] = 0
    assert x.asscalar() == 0
    x[()] = 3
    assert x.asscalar() == 3
    with pytest.raises(IndexError, match="without axes"):
        x[0] = 1


@pytest.mark.parametrize("text", ["x[True] = 1", "x[:, False] = 1", "x[:, True]", "x[None, True]", "x[np.bool_(True)]"])
def test_a_boolean_among_indices_is_refused(text: str) -> None:
    """MXNet 1.9.1 reads x[True] as x[1], and writes it as the whole array."""
    names = _names()
    before = names["x"].asnumpy()
    with pytest.raises(IndexError, match="use an integer, None or a slice"):
        exec(text, names)
    np.testing.assert_array_equal(names["x"].asnumpy(), before)
    np.testing.assert_array_equal(names["x"][True].asnumpy(), before[1])


def test_empty_takes_the_storage_type_of_dense_arrays() -> None:
    assert mx.nd.empty((2, 3), stype="default").shape == (2, 3)
    with pytest.raises(ValueError, match="sparse arrays are not in this package"):
        mx.nd.empty((2, 3), stype="csr")

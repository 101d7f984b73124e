"""Iterators over files and around iterators, boxes, modules in a row, the old module, callbacks and the profiler."""

from __future__ import annotations

import json
import logging
import pickle
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import neuron_adapters
from neuron_adapters import mx

pytestmark = pytest.mark.usefixtures("own_runtime")


def _rows(iterator: Any) -> list[tuple[list[Any], list[Any], int]]:
    return [(b.data[0].asnumpy().tolist(), b.label[0].asnumpy().tolist(), b.pad) for b in iterator]


def test_csv(tmp_path: Path) -> None:
    """As MXNet 1.9.1 answers: a rounded batch is filled up from the beginning, and the next round begins behind that."""
    data, label = tmp_path / "d.csv", tmp_path / "l.csv"
    data.write_text("".join(f"{n},{n + 0.5}\n" for n in range(5)))
    label.write_text("".join(f"{n}\n" for n in range(5)))
    iterator = mx.io.CSVIter(data_csv=str(data), data_shape=(2,), label_csv=str(label), batch_size=3)
    assert iterator.provide_data == [("data", (3, 2))]
    assert iterator.provide_label == [("softmax_label", (3,))]
    second = ([[3.0, 3.5], [4.0, 4.5], [0.0, 0.5]], [3.0, 4.0, 0.0], 1)
    assert _rows(iterator)[1] == second
    iterator.reset()
    assert [row[1] for row in _rows(iterator)] == [[1.0, 2.0, 3.0], [4.0, 0.0, 1.0]]
    plain = mx.io.CSVIter(data_csv=str(data), data_shape=(2,), batch_size=3, round_batch=False)
    assert _rows(plain)[1] == ([[3.0, 3.5], [4.0, 4.5], [2.0, 2.5]], [0.0, 0.0, 0.0], 1)
    plain.reset()
    assert plain.iter_next()
    assert (plain.getdata().shape, plain.getlabel().shape, plain.getpad(), plain.getindex().tolist()) == (
        (3, 2), (3,), 0, [0, 1, 2],
    )  # fmt: skip
    whole = mx.io.CSVIter(data_csv=str(label), data_shape=(1,), batch_size=5, dtype="int64")
    assert next(whole).data[0].dtype is np.int64
    with pytest.raises(mx.MXNetError, match=r"has 2 numbers a line, and \(3,\) has 3"):
        mx.io.CSVIter(data_csv=str(data), data_shape=(3,), batch_size=1)
    data.write_text("1,x\n")
    with pytest.raises(mx.MXNetError, match="is not a file of numbers"):
        mx.io.CSVIter(data_csv=str(data), data_shape=(2,), batch_size=1)


def _mnist(folder: Path) -> tuple[str, str]:
    pixels = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2)
    (folder / "images").write_bytes(struct.pack(">iiii", 2051, 10, 2, 2) + pixels.tobytes())
    (folder / "labels").write_bytes(struct.pack(">ii", 2049, 10) + bytes(range(10)))
    return str(folder / "images"), str(folder / "labels")


def test_mnist(tmp_path: Path) -> None:
    image, label = _mnist(tmp_path)
    iterator = mx.io.MNISTIter(image, label, batch_size=4, shuffle=False)
    batches = _rows(iterator)
    assert [batch[1] for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert batches[1][0][0] == [[[16 / 256, 17 / 256], [18 / 256, 19 / 256]]]
    flat = mx.io.MNISTIter(image, label, batch_size=4, flat=True, seed=3)
    first = _rows(flat)
    assert np.shape(first[0][0]) == (4, 4)
    flat.reset()
    assert _rows(flat) == first
    assert sorted(first[0][1]) != first[0][1]
    part = mx.io.MNISTIter(image, label, batch_size=5, shuffle=False, num_parts=2, part_index=1)
    assert _rows(part)[0][1] == [5, 6, 7, 8, 9]
    Path(image).write_bytes(b"nothing")
    with pytest.raises(mx.MXNetError, match="is not a file of MNIST"):
        mx.io.MNISTIter(image, label)


def test_iterators_around_iterators() -> None:
    def rows(name: str = "data") -> Any:
        return mx.io.NDArrayIter({name: np.arange(6)}, np.arange(6), 2)

    resized = mx.io.ResizeIter(rows(), 5)
    assert [row[0] for row in _rows(resized)] == [[0, 1], [2, 3], [4, 5], [0, 1], [2, 3]]
    resized.reset()
    assert _rows(resized)[0][0] == [0, 1]
    both = mx.io.PrefetchingIter([rows(), rows()], [{"data": "a"}, {"data": "b"}])
    assert [desc.name for desc in both.provide_data] == ["a", "b"]
    for _ in range(2):
        seen = list(both)
        assert [[array.asnumpy().tolist() for array in batch.data] for batch in seen][2] == [[4, 5], [4, 5]]
        both.reset()
    with pytest.raises(ValueError, match="fewer batches"):
        list(mx.io.PrefetchingIter([rows(), mx.io.NDArrayIter(np.arange(2), None, 2)]))


@pytest.fixture
def boxed(tmp_path: Path) -> list[list[Any]]:
    """Five pictures, with one, two, ... boxes."""
    entries = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((20, 30, 3), 50 * number, np.uint8)).save(path)
        boxes = [[float(box), 0.1, 0.2, 0.5 + box / 10, 0.9] for box in range(number + 1)]
        entries.append([2, 5, *(value for box in boxes for value in box), str(path)])
    return entries


def test_pictures_with_boxes(boxed: list[list[Any]]) -> None:
    iterator = mx.image.ImageDetIter(2, (3, 10, 12), imglist=boxed, path_root="")
    assert iterator.provide_label == [("label", (2, 5, 5))]
    batches = list(iterator)
    assert [batch.data[0].shape for batch in batches] == [(2, 3, 10, 12)] * 3
    assert (batches[2].pad, batches[1].data[0].asnumpy()[0].max()) == (1, 100)
    label = batches[0].label[0].asnumpy()
    np.testing.assert_allclose(label[1, :2], [[0, 0.1, 0.2, 0.5, 0.9], [1, 0.1, 0.2, 0.6, 0.9]], rtol=1e-6)
    assert (label[1, 2:] == -1).all()
    smaller = mx.image.ImageDetIter(1, (3, 10, 12), imglist=boxed[:2], path_root="")
    assert iterator.sync_label_shape(smaller).label_shape == (5, 5)
    flipped = mx.image.DetHorizontalFlipAug(1.0)(mx.nd.zeros((4, 4, 3)), np.array([[0, 0.1, 0.2, 0.5, 0.9]]))[1]
    np.testing.assert_allclose(flipped, [[0, 0.5, 0.2, 0.9, 0.9]])
    with pytest.raises(ValueError, match="label_shape"):
        iterator.reshape(None, (2, 5))
    with pytest.raises(mx.MXNetError, match=r"no label|at least"):
        mx.image.ImageDetIter(1, (3, 4, 4), imglist=[[1.0, boxed[0][-1]]], path_root="")


def test_boxes_follow_the_picture() -> None:
    """A white box in a black picture stays where its label says, however it is cropped, padded and flipped."""
    random.seed(4)
    augmenters = mx.image.CreateDetAugmenter((3, 64, 64), rand_crop=1, rand_pad=1, rand_mirror=True, inter_method=0)
    changed = 0
    for _ in range(20):
        picture = np.zeros((50, 80, 3), np.uint8)
        picture[10:30, 20:60] = 255
        data, label = mx.nd.array(picture, dtype="uint8"), np.array([[0, 20 / 80, 10 / 50, 60 / 80, 30 / 50]])
        before = label.copy()
        for augmenter in augmenters:
            data, label = augmenter(data, label)
        rows, columns = np.nonzero(data.asnumpy()[:, :, 0] > 200)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 64
        np.testing.assert_allclose(label[0, 1:], box, atol=0.06)
        changed += not np.allclose(label, before)
    assert changed > 10


def test_colours() -> None:
    picture = mx.nd.array(np.random.default_rng(1).integers(0, 255, (6, 6, 3)), dtype="uint8")
    grey = mx.image.RandomGrayAug(1.0)(picture).asnumpy()
    np.testing.assert_allclose(grey[..., 0], picture.asnumpy() @ [0.21, 0.72, 0.07], rtol=1e-4)
    assert np.ptp(grey, axis=2).max() < 1e-3
    for kind in (mx.image.BrightnessJitterAug, mx.image.ContrastJitterAug, mx.image.SaturationJitterAug):
        np.testing.assert_allclose(kind(0.0)(picture).asnumpy(), picture.asnumpy(), atol=1e-3)
        random.seed(1)
        assert not np.allclose(kind(0.5)(picture).asnumpy(), picture.asnumpy(), atol=1)
    np.testing.assert_allclose(mx.image.HueJitterAug(0.0)(picture).asnumpy(), picture.asnumpy(), atol=2)
    rim = mx.image.copyMakeBorder(picture, 1, 2, 3, 4, 0, values=(7, 8, 9)).asnumpy()
    assert (rim.shape, rim[0, 0].tolist()) == ((9, 13, 3), [7, 8, 9])
    np.testing.assert_array_equal(rim[1:7, 3:9], picture.asnumpy())


def test_workers_read_their_own_records(tmp_path: Path) -> None:
    """Records that several threads ask for at once: each gets the one of its number."""
    path = str(tmp_path / "many")
    with mx.recordio.MXIndexedRecordIO(f"{path}.idx", f"{path}.rec", "w") as file:
        for number in range(400):
            file.write_idx(number, struct.pack("<I", number) * 500)
    dataset = mx.gluon.data.RecordFileDataset(f"{path}.rec").transform(
        lambda record: struct.unpack("<I", record[:4])[0]
    )
    for _ in range(3):
        batches = mx.gluon.data.DataLoader(dataset, 1, num_workers=8)
        assert [int(batch.asscalar()) for batch in batches] == list(range(400))


def _network() -> Any:
    return mx.sym.softmax(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc"), name="out")


def test_modules_in_a_row() -> None:
    first = mx.mod.Module(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, name="a"), label_names=None)
    second = mx.mod.Module(
        mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.var("hidden"), num_hidden=3, name="b"), name="softmax"),
        ["hidden"],
    )
    chain = mx.mod.SequentialModule().add(first).add(second, take_labels=True, auto_wiring=True)
    rows = mx.io.NDArrayIter(np.random.default_rng(0).normal(size=(6, 5)), np.arange(6) % 3, 3)
    chain.bind(rows.provide_data, rows.provide_label, for_training=False)
    chain.init_params(mx.init.Normal(1.0))
    args = {name: array.asnumpy() for name, array in chain.get_params()[0].items()}
    scores = (rows.data[0][1] @ args["a_weight"].T + args["a_bias"]) @ args["b_weight"].T + args["b_bias"]
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chain.predict(rows).asnumpy(), expected, rtol=1e-4)
    accuracy = float((expected.argmax(axis=1) == np.arange(6) % 3).mean())
    seen: list[int] = []
    measured = chain.score(rows, "acc", batch_end_callback=lambda param: seen.append(param.nbatch))
    assert measured == [("accuracy", pytest.approx(accuracy))]
    assert seen == [0, 1]
    with pytest.raises(mx.MXNetError, match="a typo"):
        chain.add(first, takes_labels=True)
    with pytest.raises(mx.MXNetError, match="infers only"):
        chain.backward()
    loss = mx.mod.PythonLossModule(data_names=["hidden"])
    loss.bind([("hidden", (2, 3))], for_training=False)
    loss.forward(mx.io.DataBatch([mx.nd.ones((2, 3))]))
    assert loss.get_outputs()[0].shape == (2, 3)
    with pytest.raises(mx.MXNetError, match=r"takes \['hidden'\]"):
        loss.bind([("data", (2, 3))], force_rebind=True)


def test_the_old_module(tmp_path: Path) -> None:
    prefix = str(tmp_path / "old")
    args = {"fc_weight": mx.nd.random_normal(shape=(3, 5)), "fc_bias": mx.nd.zeros(3)}
    mx.model.save_checkpoint(prefix, 3, _network(), args, {})
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old = mx.model.FeedForward.load(prefix, 3, ctx=mx.neuron(1), numpy_batch_size=2)
    x = np.random.default_rng(0).normal(size=(5, 5)).astype("f4")
    scores = np.exp(x @ args["fc_weight"].asnumpy().T)
    expected = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(old.predict(x), expected, rtol=1e-4)
    outputs, data, _labels = old.predict(mx.io.NDArrayIter(x, None, 2), return_data=True)
    assert (outputs.shape, data.shape) == ((5, 3), (5, 5))
    labels = expected.argmax(axis=1)
    assert old.score(mx.io.NDArrayIter(x, labels, 5)) == 1.0
    old.save(str(tmp_path / "again"), 1)
    assert (tmp_path / "again-0001.params").exists()
    with pytest.raises(mx.MXNetError, match="infers only"):
        old.fit(x, labels)
    with pytest.raises(TypeError, match="got list"):
        old.predict([x])


@pytest.mark.filterwarnings("ignore:mx.model.FeedForward is deprecated:DeprecationWarning")
def test_the_old_module_needs_no_labels_and_keeps_its_place() -> None:
    """Face detectors call predict() with arrays of many shapes, on graphs whose label has a name of its own."""
    data = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, flatten=False, name="fc")
    graph = mx.sym.SoftmaxOutput(data, name="prob1", preserve_shape=True)
    args = {"fc_weight": mx.nd.random_normal(shape=(3, 5)), "fc_bias": mx.nd.zeros(3)}
    old = mx.model.FeedForward(graph, ctx=mx.neuron(1), arg_params=args)
    x = np.random.default_rng(0).normal(size=(4, 2, 5)).astype("f4")
    scores = np.exp(x @ args["fc_weight"].asnumpy().T)
    expected = scores / scores.sum(axis=2, keepdims=True)
    for rows, width in ((4, 2), (1, 2), (4, 1), (4, 2)):
        outputs, seen, labels = old.predict(x[:rows, :width], return_data=True)
        np.testing.assert_allclose(outputs, expected[:rows, :width], rtol=1e-4)
        np.testing.assert_array_equal(seen, x[:rows, :width])
        assert labels.tolist() == [0.0] * rows
        assert [core_range.start_nc for core_range in neuron_adapters.placement(old)] == [1]
    assert len(neuron_adapters.describe().models) == 3  # a graph for each shape, not for each call
    assert pickle.loads(pickle.dumps(old)).predict(x).shape == (4, 2, 3)
    args["other"] = mx.nd.ones(1)
    with pytest.raises(ValueError, match="other"):
        mx.model.FeedForward(graph, arg_params=args).predict(x)
    assert mx.model.FeedForward(graph, arg_params=args, allow_extra_params=True).predict(x).shape == (4, 2, 3)


@pytest.mark.filterwarnings("ignore:mx.model.FeedForward is deprecated:DeprecationWarning")
def test_the_old_module_scores_the_rows_that_fill_up_a_batch() -> None:
    """As MXNet 1.9.1 does: the three rows below are four, of which the first one counts twice."""
    old = mx.model.FeedForward(mx.sym.identity(mx.sym.var("data")))
    batches = mx.io.NDArrayIter(np.eye(3, dtype="f4"), np.array([1.0, 1.0, 2.0]), 2)
    assert old.score(batches) == 0.5


def test_buckets_in_files(tmp_path: Path) -> None:
    def generate(length: int) -> Any:
        table = mx.sym.Embedding(mx.sym.var("data"), input_dim=9, output_dim=4, name="table")
        return mx.sym.FullyConnected(mx.sym.sum(table, axis=1), num_hidden=2, name="head"), ["data"], None

    def batch(length: int) -> Any:
        return mx.io.DataBatch([mx.nd.arange(length).reshape((1, length))], None, bucket_key=length,
                               provide_data=[mx.io.DataDesc("data", (1, length))])  # fmt: skip

    module = mx.mod.BucketingModule(generate, 6)
    module.bind([("data", (1, 6))], for_training=False)
    module.init_params(mx.init.Normal(1.0))
    expected = []
    for length in (6, 3):
        module.forward(batch(length), is_train=False)
        expected.append(module.get_outputs()[0].asnumpy())
    module.save_checkpoint(str(tmp_path / "b"), 2)
    again = mx.mod.BucketingModule.load(str(tmp_path / "b"), 2, generate, 6)
    again.bind([("data", (1, 6))], for_training=False)
    for length, answer in zip((6, 3), expected):
        again.forward(batch(length), is_train=False)
        np.testing.assert_array_equal(again.get_outputs()[0].asnumpy(), answer)


def test_callbacks(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    module = mx.mod.Module(_network(), label_names=["label"])
    rows = mx.io.NDArrayIter(np.ones((8, 5)), np.zeros(8), 2, label_name="label")
    module.bind(rows.provide_data, for_training=False)
    module.init_params(mx.init.One())
    with caplog.at_level(logging.INFO):
        module.score(
            rows, "acc", batch_end_callback=[mx.callback.Speedometer(2, 1), mx.callback.ProgressBar(4, 8)],
            score_end_callback=mx.callback.LogValidationMetricsCallback(),
        )  # fmt: skip
    assert sum("samples/sec\taccuracy=" in record.getMessage() for record in caplog.records) == 3
    assert "Validation-accuracy=" in caplog.text
    assert "[======--] 75%" in capsys.readouterr().out


def test_what_a_script_marks_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    mx.profiler.set_config(filename=str(path), profile_all=True)
    domain = mx.profiler.Domain("mine")
    task, counter = domain.new_task("work"), domain.new_counter("count", 3)
    mx.profiler.dumps(reset=True)
    mx.profiler.set_state("run")
    for _ in range(2):
        task.start()
        task.stop()
    counter += 2
    domain.new_marker("here").mark()
    mx.profiler.pause()
    task.start()
    task.stop()
    mx.profiler.resume()
    stats = json.loads(mx.profiler.dumps(format="json"))
    assert (stats["Time"]["mine"]["work"]["Count"], stats["Counter"]["mine"]["count"]["Max"]) == (2, 5)
    assert "work" in mx.profiler.dumps()
    mx.profiler.dump()
    events = json.loads(path.read_text())["traceEvents"]
    assert [event["ph"] for event in events] == ["X", "X", "C", "i"]
    task.start()
    task.stop()
    assert json.loads(mx.profiler.dumps(format="json"))["Time"]["mine"]["work"]["Count"] == 2
    with pytest.raises(ValueError, match="run or stop"):
        mx.profiler.set_state("go")


def test_a_loader_as_an_iterator() -> None:
    from neuron_adapters.mx.contrib.io import DataLoaderIter

    rows = np.arange(10, dtype="f4").reshape(5, 2)
    data = mx.gluon.data.ArrayDataset(rows, np.arange(5, dtype="f4"))
    batches = DataLoaderIter(mx.gluon.data.DataLoader(data, 2), dtype="float16")
    assert [(desc.name, desc.shape, np.dtype(desc.dtype)) for desc in batches.provide_data + batches.provide_label] == [
        ("data", (2, 2), np.float16), ("softmax_label", (2,), np.float16)
    ]  # fmt: skip
    for _ in range(2):
        taken = [(batch.data[0].asnumpy().tolist(), batch.label[0].asnumpy().tolist(), batch.pad) for batch in batches]
        assert taken == [
            ([[0, 1], [2, 3]], [0, 1], 0), ([[4, 5], [6, 7]], [2, 3], 0), ([[8, 9], [0, 0]], [4, 0], 1)
        ]  # fmt: skip
        assert batches.iter_next() is False
        batches.reset()

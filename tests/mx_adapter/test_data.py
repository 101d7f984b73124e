"""mx.gluon.data, mx.io.ImageRecordIter and mx.image.ImageIter beside the real MXNet's."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

pytestmark = pytest.mark.usefixtures("own_runtime")

data = mx.gluon.data
transforms = data.vision.transforms


@pytest.fixture(scope="module")
def pictures(oracle: Any) -> Any:
    return oracle("pictures")


@pytest.fixture(scope="module")
def records(pictures: Any, tmp_path_factory: Any) -> str:
    return pictures.write_records(mx.recordio, str(tmp_path_factory.mktemp("records")))


def test_all_is_as_the_real_mxnet_has_it(ask_oracle: Any, pictures: Any, tmp_path: Path) -> None:
    """Each batch of each iterator in two rounds, each transform; colours within one of 255."""
    expected = dict(np.load(ask_oracle("data") / "answers.npz"))
    actual = pictures.answers(mx, str(tmp_path))
    assert sorted(actual) == sorted(expected)
    for name, answer in expected.items():
        assert actual[name].shape == answer.shape, name
        assert actual[name].dtype == answer.dtype, name
        # One of 255, divided by the deviation where it is normalised.
        step = 1 if answer.dtype == np.uint8 else 1 / 255 / 0.224 if np.abs(answer).max(initial=0) < 4 else 1e-5
        assert np.abs(actual[name].astype(float) - answer.astype(float)).max(initial=0) <= step * 1.001, name
    assert len(expected) > 100


def test_workers_change_nothing(records: str) -> None:
    dataset = data.vision.ImageRecordDataset(f"{records}.rec").transform_first(transforms.CenterCrop(12))
    alone = list(data.DataLoader(dataset, 3))
    together = list(data.DataLoader(dataset, 3, num_workers=2))
    assert len(alone) == len(together) == 3
    for batch, worker_batch in zip(alone, together):
        assert all(np.array_equal(a.asnumpy(), b.asnumpy()) for a, b in zip(batch, worker_batch))


def test_an_exception_of_a_worker_reaches_the_caller() -> None:
    loader = data.DataLoader(data.SimpleDataset([1, 0]).transform(lambda x: 1 / x), 1, num_workers=2)
    with pytest.raises(ZeroDivisionError):
        list(loader)


def test_a_loop_that_is_left_ends_its_workers() -> None:
    for _batch in data.DataLoader(list(range(100)), 1, num_workers=2):
        break


def test_shuffling_takes_each_sample_once() -> None:
    rows = [int(x) for batch in data.DataLoader(list(range(20)), 3, shuffle=True) for x in batch.asnumpy()]
    assert sorted(rows) == list(range(20))
    assert rows != list(range(20))


@pytest.mark.parametrize(
    "arguments",
    [{}, {"batch_size": 2, "shuffle": True, "sampler": data.SequentialSampler(3)},
     {"batch_size": 2, "batch_sampler": data.BatchSampler(data.SequentialSampler(3), 2)},
     {"batch_size": 2, "last_batch": "drop"}],
)  # fmt: skip
def test_arguments_that_exclude_each_other(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"batch_size|shuffle|last_batch"):
        data.DataLoader([1, 2, 3], **arguments)


def test_chance_is_seeded(pictures: Any) -> None:
    x = mx.nd.array(pictures.picture(3), dtype="uint8")
    chain = transforms.Compose([
        transforms.RandomResizedCrop(9), transforms.RandomFlipLeftRight(), transforms.RandomFlipTopBottom(),
        transforms.RandomColorJitter(0.3, 0.3, 0.3), transforms.RandomApply(transforms.RandomBrightness(0.5)),
    ])  # fmt: skip

    def drawn(seed: int) -> np.ndarray:
        random.seed(seed)
        mx.random.seed(seed)
        return chain(x).asnumpy()

    assert drawn(1).shape == (9, 9, 3)
    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))


def test_flips_are_flips(pictures: Any) -> None:
    x = mx.nd.array(pictures.picture(0), dtype="uint8")
    pixels = x.asnumpy()
    for transform, other in ((transforms.RandomFlipLeftRight(), pixels[:, ::-1]),
                             (transforms.RandomFlipTopBottom(), pixels[::-1])):  # fmt: skip
        seen = {transform(x).asnumpy().tobytes() for _ in range(40)}
        assert seen == {pixels.tobytes(), other.tobytes()}


def test_contrast_and_saturation_move_to_grey(pictures: Any) -> None:
    x = mx.nd.array(pictures.picture(0), dtype="float32")
    grey = transforms.RandomSaturation(0)
    grey._range = (0.0, 0.0)
    greyed = grey(x).asnumpy()
    np.testing.assert_allclose(greyed, np.repeat((x.asnumpy() @ [0.299, 0.587, 0.114])[..., None], 3, -1), rtol=1e-5)
    even = transforms.RandomContrast(0)
    even._range = (0.0, 0.0)
    np.testing.assert_allclose(even(x).asnumpy(), greyed.mean(), rtol=1e-4)


def test_wrong_pictures_and_arguments() -> None:
    with pytest.raises(mx.MXNetError, match=r"height, width, channels.*\(2, 3\)"):
        transforms.ToTensor()(mx.nd.zeros((2, 3)))
    with pytest.raises(mx.MXNetError, match="float32"):
        transforms.Normalize(0, 1)(mx.nd.zeros((3, 4, 4), dtype="uint8"))
    with pytest.raises(mx.MXNetError, match="mean has 2 numbers, and the picture has 3"):
        transforms.Normalize((0, 1), 1)(mx.nd.zeros((3, 4, 4)))
    with pytest.raises(mx.MXNetError, match="RandomHue"):
        transforms.RandomHue(0.1)


def test_datasets_of_folders_warn_of_other_files(tmp_path: Path, pictures: Any) -> None:
    root = Path(pictures.write_folder(str(tmp_path)))
    (root / "notes.txt").write_text("")
    (root / "cat" / "notes.txt").write_text("")
    with pytest.warns(UserWarning, match="Ignoring") as warned:
        dataset = data.vision.ImageFolderDataset(str(root), flag=0)
    assert sorted("notes.txt" in str(each.message) for each in warned) == [True, True]
    assert dataset.synsets == ["cat", "dog"]
    assert dataset[0][0].shape == (20, 24, 1)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.vision.ImageFolderDataset(str(tmp_path / "nowhere"))


def test_public_datasets_are_read_where_they_are(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (4, 3073), dtype=np.uint8)
    (tmp_path / "test_batch.bin").write_bytes(rows.tobytes())
    cifar = data.vision.CIFAR10(str(tmp_path), train=False)
    picture, label = cifar[2]
    assert (len(cifar), label, label.dtype, picture.shape) == (4, rows[2, 0], np.int32, (32, 32, 3))
    assert np.array_equal(picture.asnumpy()[:, :, 1].reshape(-1), rows[2, 1 + 1024 : 1 + 2048])
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(bytes(8) + bytes([7, 3]))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(bytes(16) + rows[:, :392].tobytes())
    digits = data.vision.MNIST(str(tmp_path), train=False, transform=lambda x, y: (x.astype("float32"), int(y)))
    assert (len(digits), digits[1][1], digits[1][0].shape) == (2, 3, (28, 28, 1))
    with pytest.raises(FileNotFoundError, match="downloads no datasets"):
        data.vision.CIFAR10(str(tmp_path))
    (tmp_path / "test_batch.bin").write_bytes(bytes(100))
    with pytest.raises(mx.base.FormatError, match="damaged"):
        data.vision.CIFAR10(str(tmp_path), train=False)


def test_what_is_trained_with_is_refused(records: str) -> None:
    rec = {"path_imgrec": f"{records}.rec", "data_shape": (3, 12, 12), "batch_size": 2}
    assert mx.io.ImageRecordIter(preprocess_threads=4, max_rotate_angle=0, **rec).next().data[0].shape == (2, 3, 12, 12)
    with pytest.raises(mx.MXNetError, match=r"max_rotate_angle=10 .*training"):
        mx.io.ImageRecordIter(max_rotate_angle=10, **rec)
    with pytest.raises(ValueError, match="no parameter 'rezise'"):
        mx.io.ImageRecordIter(rezise=10, **rec)
    with pytest.raises(mx.MXNetError, match="smaller than data_shape"):
        next(mx.io.ImageRecordIter(**{**rec, "data_shape": (3, 30, 30)}))
    with pytest.raises(FileNotFoundError):
        mx.io.ImageRecordIter(**{**rec, "path_imgrec": "nowhere.rec"})


def test_damaged_pictures_are_one_error(tmp_path: Path) -> None:
    path = str(tmp_path / "x.rec")
    with mx.recordio.MXRecordIO(path, "w") as file:
        file.write(mx.recordio.pack(mx.recordio.IRHeader(0, 1.0, 0, 0), b"no picture"))
    for kind in (mx.io.ImageRecordIter, mx.image.ImageIter):
        with pytest.raises(mx.MXNetError, match="cannot be read"):
            next(kind(path_imgrec=path, data_shape=(3, 4, 4), batch_size=1))


def test_lists_of_files(tmp_path: Path, pictures: Any) -> None:
    root = pictures.write_folder(str(tmp_path))
    (tmp_path / "x.lst").write_text("5\t1\t2\tcat/0.png\n7\t3\t4\tdog/1.png\n")
    rec = {"data_shape": (3, 12, 12), "batch_size": 2, "path_root": root}
    first = next(mx.image.ImageIter(path_imglist=str(tmp_path / "x.lst"), label_width=2, **rec))
    assert first.label[0].asnumpy().tolist() == [[1, 2], [3, 4]]
    second = next(mx.image.ImageIter(imglist=[[1.0, 2.0, "cat/0.png"], [3.0, 4.0, "dog/1.png"]], label_width=2, **rec))
    assert np.array_equal(first.data[0].asnumpy(), second.data[0].asnumpy())
    assert np.array_equal(first.label[0].asnumpy(), second.label[0].asnumpy())
    (tmp_path / "x.lst").write_text("cat\n")
    with pytest.raises(mx.MXNetError, match="line 1: expected a number"):
        mx.image.ImageIter(path_imglist=str(tmp_path / "x.lst"), **rec)


def test_a_module_is_evaluated_on_them(records: str) -> None:
    """The loop of an evaluation script: an iterator, a module, a metric."""
    x = mx.sym.var("data")
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=3, name="fc"), name="softmax")
    batches = mx.io.ImageRecordIter(f"{records}.rec", data_shape=(3, 12, 12), batch_size=2, scale=1 / 255)
    module = mx.mod.Module(net, context=mx.cpu())
    module.bind(batches.provide_data, batches.provide_label, for_training=False)
    module.init_params(mx.init.Uniform(0.1))
    assert module.predict(batches).shape == (7, 3)
    assert 0 <= dict(module.score(batches, "acc"))["accuracy"] <= 1


def test_samplers_and_transforms_are_pickled() -> None:
    chain = pickle.loads(pickle.dumps(transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])))
    assert chain(mx.nd.ones((2, 3, 3), dtype="uint8")).shape == (3, 2, 3)
    dataset = pickle.loads(pickle.dumps(data.SimpleDataset([1, 2]).transform_first(float)))
    assert dataset[1] == 2.0

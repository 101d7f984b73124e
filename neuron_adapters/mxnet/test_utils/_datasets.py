"""Public datasets, of files that somebody has put into the folder ``data``: nothing is downloaded."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
from typing import Any

import numpy as np

from neuron_adapters.mxnet.io import MNISTIter
from neuron_adapters.mxnet.test_utils._process import download

__all__ = [
    "get_bz2_data", "get_cifar10", "get_mnist", "get_mnist_iterator", "get_mnist_pkl", "get_mnist_ubyte",
    "get_zip_data",
]  # fmt: skip

_MNIST = "http://data.mxnet.io/data/mnist/"


def _there(url: str, *names: str) -> None:
    """Raise MXNetError unless all ``names`` are in ``data``, or come out of the archive of ``url`` there."""
    if not all(os.path.exists(os.path.join("data", name)) for name in names):
        get_zip_data("data", url, url.rpartition("/")[2])


def get_mnist() -> dict[str, Any]:
    """Return pictures from 0 to 1 and labels, for training and for tests, of the four files in the working folder."""

    def read(kind: str) -> tuple[Any, Any]:
        with gzip.open(download(f"{_MNIST}{kind}-labels-idx1-ubyte.gz")) as file:
            label = np.frombuffer(file.read()[8:], np.int8)
        with gzip.open(download(f"{_MNIST}{kind}-images-idx3-ubyte.gz")) as file:
            pixels = np.frombuffer(file.read()[16:], np.uint8)
        return label, pixels.reshape(len(label), 1, 28, 28).astype(np.float32) / 255

    (train_label, train_data), (test_label, test_data) = read("train"), read("t10k")
    return {
        "train_data": train_data, "train_label": train_label, "test_data": test_data, "test_label": test_label,
    }  # fmt: skip


def get_mnist_ubyte() -> None:
    """Make sure that the four files of MNIST are in ``data``."""
    kinds = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    _there("http://data.mxnet.io/mxnet/data/mnist.zip", *kinds)


def get_mnist_iterator(
    batch_size: int, input_shape: Any, num_parts: int = 1, part_index: int = 0
) -> tuple[MNISTIter, MNISTIter]:
    """Return the iterators for training and for tests."""
    get_mnist_ubyte()
    flat = len(input_shape) != 3
    train, test = (
        MNISTIter(
            f"data/{kind}-images-idx3-ubyte", f"data/{kind}-labels-idx1-ubyte", batch_size, kind == "train", flat,
            num_parts=num_parts, part_index=part_index,
        )
        for kind in ("train", "t10k")
    )  # fmt: skip
    return train, test


def get_mnist_pkl() -> None:
    """Make sure that MNIST's pickle is in ``data``."""
    download("http://deeplearning.net/data/mnist/mnist.pkl.gz", dirname="data")


def get_cifar10() -> None:
    """Make sure that CIFAR-10's records are in ``data/cifar``."""
    _there("http://data.mxnet.io/mxnet/data/cifar10.zip", "cifar/train.rec", "cifar/test.rec")


def get_zip_data(data_dir: str, url: str, data_origin_name: str) -> None:
    """Unpack the archive ``data_origin_name``, which is in ``data_dir``."""
    path = download(url, data_origin_name, data_dir)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(data_dir)


def get_bz2_data(data_dir: str, data_name: str, url: str, data_origin_name: str) -> None:
    """Unpack ``data_origin_name``, which is in ``data_dir``, to ``data_name``, unless that is there."""
    import bz2

    target = os.path.join(data_dir, data_name)
    if not os.path.exists(target):
        with bz2.open(download(url, data_origin_name, data_dir)) as packed, open(target, "wb") as file:
            shutil.copyfileobj(packed, file)

"""``mx.gluon.data.vision``: datasets of pictures, and what is done with each."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.data.vision import datasets, transforms
from neuron_adapters.mxnet.gluon.data.vision.datasets import (
    CIFAR10,
    CIFAR100,
    MNIST,
    FashionMNIST,
    ImageFolderDataset,
    ImageRecordDataset,
)

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "FashionMNIST",
    "ImageFolderDataset",
    "ImageRecordDataset",
    "datasets",
    "transforms",
]  # fmt: skip

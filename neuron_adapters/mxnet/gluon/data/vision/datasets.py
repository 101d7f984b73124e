"""Datasets of pictures: of a folder, of a file of records, and the public ones where their files are there."""

from __future__ import annotations

import gzip
import os
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from neuron_adapters.mxnet import image, recordio
from neuron_adapters.mxnet.base import FormatError, MissingError, reading
from neuron_adapters.mxnet.gluon.data.dataset import Dataset, RecordFileDataset
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "ImageFolderDataset", "ImageRecordDataset"]

Array = np.ndarray[Any, Any]
Transform = Callable[[Any, Any], Any] | None

_HOME = os.environ.get("MXNET_HOME", os.path.join("~", ".mxnet"))
_ENDINGS = (".jpg", ".jpeg", ".png")


class ImageRecordDataset(RecordFileDataset):
    """Pictures and labels of a file of records. ``flag`` 0: grey pictures."""

    def __init__(self, filename: str, flag: int = 1, transform: Transform = None) -> None:
        super().__init__(filename)
        self._flag, self._transform = flag, transform

    def __getitem__(self, idx: Any) -> Any:
        header, data = recordio.unpack(super().__getitem__(idx))
        picture = image.imdecode(data, self._flag)
        return (picture, header.label) if self._transform is None else self._transform(picture, header.label)


class ImageFolderDataset(Dataset):
    """Pictures ``root/CLASS/NAME.jpg`` (.jpeg, .png). ``synsets``: the classes, sorted; a label is a place among them.
    ``items``: file and label of each."""

    def __init__(self, root: str, flag: int = 1, transform: Transform = None) -> None:
        self._root = os.path.expanduser(root)
        self._flag, self._transform = flag, transform
        self.synsets: list[str] = []
        self.items: list[tuple[str, int]] = []
        with reading(self._root):
            folders = sorted(os.listdir(self._root))
        for folder in folders:
            path = os.path.join(self._root, folder)
            if os.path.isdir(path):
                self.synsets.append(folder)
                self._list(path, len(self.synsets) - 1)
            else:
                warnings.warn(f"Ignoring {path}, which is not a directory.", stacklevel=2)

    def _list(self, folder: str, label: int) -> None:
        for name in sorted(os.listdir(folder)):
            if os.path.splitext(name)[1].lower() in _ENDINGS:
                self.items.append((os.path.join(folder, name), label))
            else:
                warnings.warn(
                    f"Ignoring {os.path.join(folder, name)}. Only support {', '.join(_ENDINGS)}", stacklevel=3
                )

    def __getitem__(self, idx: Any) -> Any:
        path, label = self.items[idx]
        picture = image.imread(path, self._flag)
        return (picture, label) if self._transform is None else self._transform(picture, label)

    def __len__(self) -> int:
        return len(self.items)


class _Stored(Dataset):
    """A public dataset, of files that somebody has put into ``root``: nothing is downloaded here."""

    def __init__(self, root: str, train: bool, transform: Transform) -> None:
        self._root, self._train, self._transform = os.path.expanduser(root), train, transform
        pictures, labels = self._read()
        self._data, self._label = NDArray(np.ascontiguousarray(pictures)), labels.astype(np.int32)

    def _read(self) -> tuple[Array, Array]:
        raise NotImplementedError

    def _path(self, *names: str) -> str:
        for name in names:
            path = os.path.join(self._root, name)
            if os.path.exists(path):
                return path
        raise MissingError(
            f"{os.path.join(self._root, names[0])} is missing. This package downloads no datasets: put the file there, "
            "or say root=."
        )

    def __getitem__(self, idx: Any) -> Any:
        picture, label = self._data[idx], self._label[idx]
        return (picture, label) if self._transform is None else self._transform(picture, label)

    def __len__(self) -> int:
        return len(self._label)


class MNIST(_Stored):
    """Handwritten digits: (28, 28, 1)."""

    def __init__(
        self, root: str = os.path.join(_HOME, "datasets", "mnist"), train: bool = True, transform: Transform = None
    ) -> None:
        super().__init__(root, train, transform)

    def _read(self) -> tuple[Array, Array]:
        kind = "train" if self._train else "t10k"
        labels = self._bytes(f"{kind}-labels-idx1-ubyte", 8)
        pictures = self._bytes(f"{kind}-images-idx3-ubyte", 16)
        if pictures.size != 784 * labels.size:
            raise FormatError(f"{self._root}: there are {labels.size} labels and {pictures.size / 784} pictures.")
        return pictures.reshape(-1, 28, 28, 1), labels

    def _bytes(self, name: str, head: int) -> Array:
        path = self._path(f"{name}.gz", name)
        with reading(path):
            try:
                with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
                    return np.frombuffer(file.read()[head:], np.uint8)
            except (EOFError, gzip.BadGzipFile) as error:
                raise FormatError(f"{path} is damaged: {error}") from error


class FashionMNIST(MNIST):
    """Clothes, in the files of MNIST's form."""

    def __init__(
        self,
        root: str = os.path.join(_HOME, "datasets", "fashion-mnist"),
        train: bool = True,
        transform: Transform = None,
    ) -> None:
        super().__init__(root, train, transform)


class CIFAR10(_Stored):
    """Small photographs: (32, 32, 3)."""

    _FILES: ClassVar = ([f"data_batch_{number}.bin" for number in range(1, 6)], ["test_batch.bin"])
    _LABELS = 1

    def __init__(
        self, root: str = os.path.join(_HOME, "datasets", "cifar10"), train: bool = True, transform: Transform = None
    ) -> None:
        super().__init__(root, train, transform)

    def _read(self) -> tuple[Array, Array]:
        rows = np.concatenate([self._rows(self._path(name)) for name in self._FILES[0 if self._train else 1]])
        pictures = rows[:, self._LABELS :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return pictures, rows[:, self._column()]

    def _column(self) -> int:
        return 0

    def _rows(self, path: str) -> Array:
        with reading(path), open(path, "rb") as file:
            data = np.frombuffer(file.read(), np.uint8)
        if data.size % (3072 + self._LABELS):
            raise FormatError(f"{path} is damaged: it has {data.size} bytes, no multiple of {3072 + self._LABELS}.")
        return data.reshape(-1, 3072 + self._LABELS)


class CIFAR100(CIFAR10):
    """Small photographs of 100 classes. Not ``fine_label``: of the 20 that these belong to."""

    _FILES: ClassVar = (["train.bin"], ["test.bin"])
    _LABELS = 2

    def __init__(
        self,
        root: str = os.path.join(_HOME, "datasets", "cifar100"),
        fine_label: bool = False,
        train: bool = True,
        transform: Transform = None,
    ) -> None:
        self._fine = fine_label
        super().__init__(root, train, transform)

    def _column(self) -> int:
        return int(self._fine)

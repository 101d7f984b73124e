"""In which order samples are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetValueError

__all__ = ["BatchSampler", "FilterSampler", "RandomSampler", "Sampler", "SequentialSampler"]


class Sampler:
    """An order of samples. Others derive from it: ``__iter__`` gives their numbers, ``__len__`` how many."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


class SequentialSampler(Sampler):
    """``length`` numbers from ``start`` on."""

    def __init__(self, length: int, start: int = 0) -> None:
        self._length, self._start = length, start

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._start, self._start + self._length))

    def __len__(self) -> int:
        return self._length


class RandomSampler(Sampler):
    """The numbers from 0 to ``length`` in another order each time. ``numpy.random.seed()`` decides, as in MXNet."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __iter__(self) -> Iterator[int]:
        indices = np.arange(self._length)
        np.random.shuffle(indices)  # noqa: NPY002 - as the docstring says
        return iter(indices)

    def __len__(self) -> int:
        return self._length


class FilterSampler(Sampler):
    """The numbers of the samples of which ``fn`` says True."""

    def __init__(self, fn: Callable[[Any], bool], dataset: Sequence[Any]) -> None:
        self._indices = [place for place in range(len(dataset)) if fn(dataset[place])]

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


class BatchSampler(Sampler):
    """Lists of ``batch_size`` numbers of another sampler. ``last_batch``: what becomes of the rest: "keep" it as a
    smaller batch, "discard" it, or "rollover": it comes first in the next round."""

    _WAYS = ("keep", "discard", "rollover")

    def __init__(self, sampler: Sampler, batch_size: int, last_batch: str = "keep") -> None:
        if last_batch not in self._WAYS:
            raise MXNetValueError(f"last_batch must be one of {', '.join(self._WAYS)}, got {last_batch!r}.")
        self._sampler, self._batch_size, self._last_batch = sampler, batch_size, last_batch
        self._left: list[Any] = []

    def __iter__(self) -> Iterator[list[Any]]:
        batch, self._left = self._left, []
        for place in self._sampler:
            batch.append(place)
            if len(batch) == self._batch_size:
                yield batch
                batch = []
        if batch and self._last_batch == "keep":
            yield batch
        elif self._last_batch == "rollover":
            self._left = batch

    def __len__(self) -> int:
        count = len(self._sampler)
        if self._last_batch == "keep":
            return (count + self._batch_size - 1) // self._batch_size
        return (count + (len(self._left) if self._last_batch == "rollover" else 0)) // self._batch_size

"""A sampler that skips."""

from __future__ import annotations

from collections.abc import Iterator

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.gluon.data.sampler import Sampler

__all__ = ["IntervalSampler"]


class IntervalSampler(Sampler):
    """Every ``interval``-th number from 0 to ``length``; ``rollover``: then from 1 on, and so on until all were."""

    def __init__(self, length: int, interval: int, rollover: bool = True) -> None:
        if interval > length:
            raise MXNetError(f"Interval {interval} must be smaller than or equal to length {length}.")
        self._length, self._interval, self._rollover = length, interval, rollover

    def __iter__(self) -> Iterator[int]:
        for start in range(self._interval if self._rollover else 1):
            yield from range(start, self._length, self._interval)

    def __len__(self) -> int:
        return self._length

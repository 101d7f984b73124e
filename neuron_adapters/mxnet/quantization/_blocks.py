"""Batches for blocks: what ``quantize_net`` is given instead of a DataIter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet.gluon import HybridBlock, SymbolBlock
from neuron_adapters.mxnet.io import DataBatch, DataDesc, DataIter


class BatchesIter(DataIter):
    """Batches of a DataLoader as those of a DataIter. Arrays are called data, or data0, data1, where there are three
    or more; the last may be labels."""

    def __init__(self, batches: Iterable[Any]) -> None:
        try:
            first = _arrays(next(iter(batches)))
        except TypeError as error:
            raise TypeError(f"calib_data is not a valid iterator. {error}") from error
        super().__init__(first[0].shape[0])
        self._batches = batches
        self._rest: Iterator[Any] = iter(batches)
        names = [f"data{index}" for index in range(len(first))] if len(first) > 2 else ["data", "data0"]
        self.provide_data = [DataDesc(name, array.shape) for name, array in zip(names, first)]
        self.provide_label: list[Any] = []

    def reset(self) -> None:
        """Begin again."""
        self._rest = iter(self._batches)

    def next(self) -> DataBatch:
        """Return the next batch. Raises StopIteration after the last."""
        return DataBatch(_arrays(next(self._rest)))


def _arrays(batch: Any) -> list[Any]:
    arrays = list(batch) if isinstance(batch, (list, tuple)) else [batch]
    if len(arrays[0].shape) > 4:  # clips of several pictures each
        arrays[0] = arrays[0].reshape((-1, *arrays[0].shape[2:]))
    return arrays


def traced(network: HybridBlock, shapes: list[Any]) -> SymbolBlock:
    """Return a network as a graph. Its inputs are those of ``shapes`` that it takes: the last may be labels."""
    network.hybridize()
    for count in range(len(shapes), 0, -1):
        inputs = [ndarray.zeros(tuple(description[1])) for description in shapes[:count]]
        try:
            network(*inputs)
        except (TypeError, ValueError):
            if count == 1:
                raise
            continue
        return network.as_symbol_block([str(description[0]) for description in shapes[:count]])
    raise ValueError("quantize_net: data_shapes are needed where there is no calib_data.")

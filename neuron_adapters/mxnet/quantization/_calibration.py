"""Calibration: the ranges of a float graph's layers on examples, taken as they are or cut where that loses least."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from neuron_adapters.mxnet._entropy import calibrate_entropy
from neuron_adapters.mxnet._graph import Entry
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray import NDArray, zeros
from neuron_adapters.mxnet.symbol import Symbol

Array = np.ndarray[Any, Any]
Logger = Any
#: Bins, their edges, the least and the largest number, and the end of the outermost bin.
Histogram = tuple[Array, Array, Any, Any, Any]


class _Collector:
    """Takes in what the layers in ``include_layer`` give; all of them where it is None."""

    def __init__(self, include_layer: Collection[str] | None, logger: Logger) -> None:
        self.include_layer = include_layer
        self.logger = logger

    def collect(self, name: str | bytes, arr: NDArray) -> None:
        """Take in what a layer gave: a callback of ``set_monitor_callback``, too."""
        layer = name.decode() if isinstance(name, bytes) else name
        if self.include_layer is None or layer in self.include_layer:
            array = arr.asnumpy()
            said = self._add(layer, array)
            if self.logger:
                self.logger.debug("Layer %s: %s", layer, said)

    def _add(self, layer: str, array: Array) -> str:
        """Add an array of a layer; return what the log says of it."""
        raise NotImplementedError


class MinMaxCollector(_Collector):
    """The least and the largest number of each layer in ``include_layer``, in ``min_max_dict``."""

    def __init__(self, include_layer: Collection[str] | None = None, logger: Logger = None) -> None:
        super().__init__(include_layer, logger)
        self.min_max_dict: dict[str, tuple[Any, Any]] = {}

    def _add(self, layer: str, array: Array) -> str:
        least, largest = array.min(), array.max()
        if layer in self.min_max_dict:
            before = self.min_max_dict[layer]
            least, largest = min(before[0], least), max(before[1], largest)
        self.min_max_dict[layer] = (least, largest)
        return f"min_range={least}, max_range={largest}"


class HistogramCollector(_Collector):
    """A histogram of each layer in ``include_layer``, in ``hist_dict``."""

    def __init__(
        self, num_bins: int = 8001, include_layer: Collection[str] | None = None, logger: Logger = None
    ) -> None:
        super().__init__(include_layer, logger)
        self.hist_dict: dict[str, Histogram] = {}
        self.num_bins = num_bins

    def _add(self, layer: str, array: Array) -> str:
        least, largest = array.min(), array.max()
        end = max(abs(least), abs(largest))
        if layer in self.hist_dict:
            self.hist_dict[layer] = combine_histogram(self.hist_dict[layer], array, least, largest, end)
        else:
            counts, edges = np.histogram(array, bins=self.num_bins, range=(-end, end))
            self.hist_dict[layer] = (counts, edges, least, largest, end)
        return f"a histogram of shape {array.shape}"


def combine_histogram(old_hist: Histogram, arr: Array, new_min: Any, new_max: Any, new_th: Any) -> Histogram:
    """Add an array to a histogram, which gets more bins of the same width where the array reaches further."""
    counts, edges, least, largest, end = old_hist
    least, largest = min(least, new_min), max(largest, new_max)
    if new_th <= end:
        more, _edges = np.histogram(arr, bins=len(counts), range=(-end, end))
        return counts + more, edges, least, largest, end
    width = 2 * end / len(counts)
    added = int((new_th - end) // width + 1)
    new_end = added * width + end
    total, new_edges = np.histogram(arr, bins=len(counts) + 2 * added, range=(-new_end, new_end))
    total[added : added + len(counts)] += counts
    return total, new_edges, least, largest, new_end


def collect_statistics(
    layers: Mapping[str, Entry],
    params: Mapping[str, NDArray],
    states: Mapping[str, NDArray],
    data: Any,
    collector: Any,
    ctx: Context,
    most: int | None = None,
) -> int:
    """Run a float graph on batches, and show its ``layers`` to ``collector``; stop after ``most`` examples.

    ``data``: a DataIter. Return the number of examples. A graph of just these layers runs, on the engine.
    """
    if not layers:
        return 0
    graph = Symbol(list(layers.values()))
    wanted = graph.list_arguments()
    fed = {name: zeros(shape) for name, shape, *_rest in [*data.provide_data, *data.provide_label] if name in wanted}
    weights = {name: array for name, array in params.items() if name in wanted and name not in fed}
    needed = {name: array for name, array in states.items() if name in graph.list_auxiliary_states()}
    executor = graph.bind(ctx, {**weights, **fed}, aux_states=needed, grad_req="null")
    names = [description[0] for description in [*data.provide_data, *data.provide_label]]
    count = 0
    for batch in data:
        arrays = dict(zip(names, [*batch.data, *(batch.label or [])]))
        outputs = executor.forward(is_train=False, **{name: arrays[name] for name in fed})
        for name, output in zip(layers, outputs):
            collector.collect(name, output)
        count += data.batch_size
        if most is not None and count >= most:
            break
    return count


def optimal_thresholds(
    hist_dict: dict[str, Histogram], quantized_dtype: str, num_quantized_bins: int = 255, logger: Logger = None
) -> dict[str, tuple[float, float]]:
    """Return the ranges that change the distributions least when quantized. Takes histograms out of ``hist_dict``."""
    thresholds: dict[str, tuple[float, float]] = {}
    for layer in list(hist_dict):
        counts, edges, least, largest, _end = hist_dict.pop(layer)
        positive = least >= 0 and quantized_dtype in ("auto", "uint8")
        bins = num_quantized_bins * 2 + 1 if positive else num_quantized_bins
        end, divergence = calibrate_entropy(counts, edges, bins)
        thresholds[layer] = (0.0 if positive else -end, end)
        if logger:
            logger.debug("Layer %s: %s to %s, threshold %s, divergence %s", layer, least, largest, end, divergence)
    return thresholds

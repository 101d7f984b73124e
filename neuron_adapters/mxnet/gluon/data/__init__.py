"""``mx.gluon.data``: datasets, samplers, and what makes batches of them."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.data import dataset, sampler, vision
from neuron_adapters.mxnet.gluon.data.dataloader import DataLoader
from neuron_adapters.mxnet.gluon.data.dataset import ArrayDataset, Dataset, RecordFileDataset, SimpleDataset
from neuron_adapters.mxnet.gluon.data.sampler import (
    BatchSampler,
    FilterSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
)

__all__ = [
    "ArrayDataset", "BatchSampler", "DataLoader", "Dataset", "FilterSampler", "RandomSampler", "RecordFileDataset",
    "Sampler", "SequentialSampler", "SimpleDataset", "dataset", "sampler", "vision",
]  # fmt: skip

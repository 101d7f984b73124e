"""``mx.contrib.io``: a DataLoader as an iterator of ``Module``."""

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.io._around import DataLoaderIter

__all__ = ["DataLoaderIter"]

__getattr__: Missing = missing_names("mx.contrib.io")

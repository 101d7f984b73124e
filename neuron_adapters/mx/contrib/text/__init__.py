"""``mx.contrib.text``: tokens counted, numbered, and looked up in tables of vectors."""

from neuron_adapters.mx.contrib.text import embedding, utils, vocab
from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = ["embedding", "utils", "vocab"]

__getattr__: Missing = missing_names("mx.contrib.text")

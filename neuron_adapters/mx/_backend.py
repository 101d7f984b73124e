"""The adapter as the backend of ``neuron_adapters.mxnet``: the functions of ``mxnet._backend.Backend``."""

from __future__ import annotations

from neuron_adapters.mx._artifact import verify
from neuron_adapters.mx._executable import Executable, run
from neuron_adapters.mx._lowering import fits, lower
from neuron_adapters.mx._placed import new_model, place

__all__ = ["executable", "fits", "lower", "new_model", "place", "run", "verify"]

executable = Executable.of

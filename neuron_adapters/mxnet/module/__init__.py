"""``mx.mod``: graphs with parameters, run in batches."""

from __future__ import annotations

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.module import python_module, sequential_module
from neuron_adapters.mxnet.module.base_module import BaseModule
from neuron_adapters.mxnet.module.bucketing_module import BucketingModule
from neuron_adapters.mxnet.module.module import Module, uniform
from neuron_adapters.mxnet.module.python_module import PythonLossModule, PythonModule
from neuron_adapters.mxnet.module.sequential_module import SequentialModule

__all__ = [
    "BaseModule", "BucketingModule", "Module", "PythonLossModule", "PythonModule", "SequentialModule", "python_module",
    "sequential_module", "uniform",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.mod")

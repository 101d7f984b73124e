"""``mx.mod``: graphs with parameters, run in batches."""

from __future__ import annotations

from neuron_adapters.mxnet.module.base_module import BaseModule
from neuron_adapters.mxnet.module.bucketing_module import BucketingModule
from neuron_adapters.mxnet.module.module import Module, uniform

__all__ = ["BaseModule", "BucketingModule", "Module", "uniform"]

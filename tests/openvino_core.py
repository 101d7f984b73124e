"""OpenVINO for tests that run its graphs themselves."""

from __future__ import annotations

import openvino

from neuron_rt import OpenVINO, Program
from neuron_rt.openvino_cpus import tiny


def openvino_core() -> openvino.Core:
    """A core of this process. The runtime starts the library first: whoever starts it decides for good whether it ties
    threads to CPUs, and other tests look where they run."""
    OpenVINO.instance().load(Program((tiny().decode(),), ()), 1, [frozenset()], bf16=False)
    return openvino.Core()

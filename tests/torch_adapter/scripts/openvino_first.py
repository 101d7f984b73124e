"""Runs a model by OpenVINO itself, then loads a compiled one."""

import logging
import sys

import numpy as np
import openvino
from openvino import opset13 as ov

logging.basicConfig(stream=sys.stdout, format="%(message)s")
x = ov.parameter([1, 4], np.float32)
openvino.Core().compile_model(openvino.Model([ov.result(ov.relu(x))], [x], "model"), "CPU")(np.ones((1, 4), np.float32))

import torch

import neuron_adapters
import neuron_adapters.torch

module = torch.jit.load("m.pt")
module(torch.ones(1, 8))
(report,) = neuron_adapters.describe().models
assert report.engine == "torch", report
assert "other code in this process started OpenVINO first" in report.why, report

"""Whole networks against the real MXNet: what it infers of their weights, and what they answer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuron_adapters.mxnet._inference import infer
from neuron_adapters.mxnet._onnx import translate
from neuron_adapters.mxnet._symbol_json import loads

NAMES = [
    "resnet18_v1", "resnet18_v2", "resnet50_v1", "resnet50_v2", "vgg11", "vgg11_bn", "inceptionv3", "mobilenet1.0",
    "mobilenetv2_1.0", "densenet121", "squeezenet1.1", "alexnet", "ssd", "bert", "unrolled", "layers",
]  # fmt: skip


@pytest.fixture(scope="session")
def answers(ask_oracle):
    folder = ask_oracle("networks")
    with np.load(folder / "networks.npz") as file:
        return json.loads((folder / "networks.json").read_text()), dict(file)


def test_every_network_of_the_oracle_is_tested(answers):
    assert sorted(answers[0]) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_network(name, answers, oracle, run_onnx):
    records, arrays = answers
    record = records[name]
    heads = loads(record["symbol"])
    inputs = {key: tuple(shape) for key, shape in record["inputs"].items()}
    inferred = infer(heads, inputs, {})
    assert inferred.shapes == {key: tuple(shape) for key, shape in record["shapes"].items()}
    assert inferred.outputs == [(tuple(shape), "float32") for shape in record["outputs"]]
    draw = oracle("weights")
    feed = {key: draw.feed(key, shape) for key, shape in inputs.items()}
    weights = {key: draw.weight(key, tuple(shape)) for key, shape in record["shapes"].items() if key not in inputs}
    shapes = {**inputs, **{key: array.shape for key, array in weights.items()}}
    model = translate(infer(heads, shapes, dict.fromkeys(shapes, "float32")), weights)
    assert [value.name for value in model.graph.output] == record["names"]
    outputs = run_onnx(model, feed)
    for index, output in enumerate(outputs):
        expected = arrays[f"{name}/{index}"]
        assert np.ptp(expected) > 1e-3
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(expected).max()))

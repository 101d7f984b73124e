"""``mx.contrib.quantization`` makes the graphs, the parameters and the thresholds that MXNet makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

quantization = mx.contrib.quantization
THRESHOLD = re.compile(r'(_calib_range": ")([^"]+)"')
PYTHON = Path(__file__).resolve().parents[2] / ".venv-mxnet" / "bin" / "python"
Case = tuple[int, tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def files(ask_oracle: Callable[[str], Path]) -> Path:
    return ask_oracle("quantized")


def batches(files: Path) -> Any:
    return mx.io.NDArrayIter(np.load(files / "data.npy"), batch_size=4)


def quantized(files: Path, name: str, **how: Any) -> Any:
    network = mx.model.load_checkpoint(str(files / name), 0)
    return quantization.quantize_model(*network, calib_data=batches(files), num_calib_examples=8, **how)


def outputs(symbol: Any, args: Any, aux: Any, data: Any) -> list[Any]:
    fed = {**args, "data": mx.nd.array(data)}
    if "softmax_label" in symbol.list_arguments():
        fed["softmax_label"] = mx.nd.zeros(len(data))
    executor = symbol.bind(mx.cpu(), fed, aux_states=aux, grad_req="null")
    return [output.asnumpy() for output in executor.forward()]


def test_graph_and_parameters(quantized_case: Case, files: Path) -> None:
    number, (name, how) = quantized_case
    symbol, args, aux = quantized(files, name, **how)
    theirs = (files / f"case{number}-symbol.json").read_text()
    ours = symbol.tojson()
    assert THRESHOLD.sub(r"\1", ours) == THRESHOLD.sub(r"\1", theirs)
    assert '"op": "_contrib_quantized_' in ours
    limits = [[float(match[2]) for match in THRESHOLD.finditer(text)] for text in (ours, theirs)]
    cut = how["calib_mode"] == "entropy"  # the least of nearly equal numbers
    np.testing.assert_allclose(*limits, rtol=0.05 if cut else 1e-5, atol=2e-6)
    _symbol, their_args, their_aux = mx.model.load_checkpoint(str(files / f"case{number}"), 0)
    for mine, other in ((args, their_args), (aux, their_aux)):
        assert set(mine) == set(other), set(mine) ^ set(other)
        for key in mine:
            assert mine[key].dtype == other[key].dtype
            np.testing.assert_array_equal(mine[key].asnumpy(), other[key].asnumpy(), err_msg=key)


def test_outputs_are_near_those_of_floats(quantized_case: Case, files: Path) -> None:
    _number, (name, how) = quantized_case
    data = np.load(files / "data.npy")[:8]  # what it was calibrated by
    symbol, args, aux = quantized(files, name, **how)
    if how["calib_mode"] == "none" and "_contrib_quantized_batch_norm" in symbol.tojson():
        with pytest.raises(mx.MXNetError, match="calibrate"):  # as in MXNet
            outputs(symbol, args, aux, data)
        return
    if how["quantized_dtype"] == "uint8":
        return  # negative numbers are lost, in MXNet too
    floats = outputs(*mx.model.load_checkpoint(str(files / name), 0), data)
    for float_output, output in zip(floats, outputs(symbol, args, aux, data), strict=True):
        assert np.abs(output - float_output).max() < 0.08 * np.abs(float_output).max()


@pytest.mark.parametrize("bins", [255, 511])
@pytest.mark.parametrize("number", [0, 1])
def test_entropy(bins: int, number: int, files: Path) -> None:
    recorded = np.load(files / f"entropy-{bins}-{number}.npz")
    histogram = [mx.nd.array(recorded[name]) for name in ("counts", "edges")]
    answers = mx.nd.contrib.calibrate_entropy(*histogram, num_quantized_bins=bins)
    assert [answer.shape for answer in answers] == [(1,), (1,)]
    np.testing.assert_allclose([answer.asscalar() for answer in answers], recorded["answers"].ravel(), rtol=1e-4)
    with pytest.raises(mx.MXNetError, match="hist_edges has a number more than hist"):
        mx.nd.contrib.calibrate_entropy(*histogram[::-1])


def test_mxnet_runs_what_is_saved_here(files: Path, tmp_path: Path) -> None:
    """Layers that are dense: MXNet's convolution takes no int8."""
    symbol, args, aux = quantized(files, "dense", calib_mode="naive", excluded_sym_names=["kept"])
    mx.model.save_checkpoint(str(tmp_path / "ours"), 0, symbol, args, aux)
    data = np.load(files / "data.npy")[:4]
    np.save(tmp_path / "data.npy", data)
    script = (
        "import mxnet as mx, numpy as np\n"
        "symbol, args, aux = mx.model.load_checkpoint('ours', 0)\n"
        "args['data'] = mx.nd.array(np.load('data.npy'))\n"
        "results = symbol.bind(mx.cpu(), args, aux_states=aux, grad_req='null').forward()\n"
        "np.savez('theirs.npz', *[result.asnumpy() for result in results])\n"
    )
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"MXNET_SUBGRAPH_BACKEND": "NONE"}
    done = subprocess.run([PYTHON, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "theirs.npz") as theirs:
        for key, output in zip(theirs, outputs(symbol, args, aux, data), strict=True):
            np.testing.assert_allclose(output, theirs[key], atol=0.02 * np.abs(output).max())


@pytest.mark.parametrize("name", ["lenet", "residual", "dense"])
def test_files_of_either_load_in_the_other(
    name: str, files: Path, tmp_path: Path, oracle: Callable[[str], ModuleType]
) -> None:
    cases = oracle("quantized_networks").CASES
    number, how = next(
        (number, how) for number, (network, how) in enumerate(cases) if (network, how["calib_mode"]) == (name, "naive")
    )
    data = np.load(files / "data.npy")[:4]
    ours = quantized(files, name, **how)
    theirs = mx.model.load_checkpoint(str(files / f"case{number}"), 0)
    for output, expected in zip(outputs(*ours, data), outputs(*theirs, data), strict=True):
        np.testing.assert_allclose(output, expected, atol=0.03 * np.abs(expected).max())
    mx.model.save_checkpoint(str(tmp_path / "ours"), 0, *ours)
    script = (
        "import mxnet as mx, json\n"
        "symbol, args, aux = mx.model.load_checkpoint('ours', 0)\n"
        "shapes = symbol.infer_shape(data=(4, 1, 16, 16))\n"
        "missing = set(symbol.list_arguments()) - set(args) - {'data', 'softmax_label'}\n"
        "print(json.dumps([symbol.tojson(), shapes[1], sorted(missing)]))\n"
    )
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([PYTHON, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, shapes, missing = json.loads(done.stdout.splitlines()[-1])
    assert text == ours[0].tojson()
    assert [tuple(shape) for shape in shapes] == [output.shape for output in outputs(*ours, data)]
    assert not missing


def test_graph_then_calibration(files: Path) -> None:
    """What ``quantize_model`` does, step by step, with a collector as a monitor."""
    for mode, name in (("naive", "residual"), ("entropy", "dense")):
        symbol, args, aux = mx.model.load_checkpoint(str(files / name), 0)
        whole = quantization.quantize_model(symbol, args, aux, calib_mode=mode, calib_data=batches(files))
        graph, _args, _aux, collector = quantization.quantize_graph(
            symbol, args, aux, calib_mode=mode, quantize_mode="smart"
        )
        executor = symbol.simple_bind(mx.cpu(), grad_req="null", data=(4, 1, 16, 16))
        executor.copy_params_from(args, aux)
        executor.set_monitor_callback(collector.collect, monitor_all=True)
        for batch in batches(files):
            executor.forward(data=batch.data[0])
        result, _args, _aux = quantization.calib_graph(graph, args, aux, collector, mode)
        limits = [
            {match[0].split('"')[0]: float(match[2]) for match in THRESHOLD.finditer(part.tojson())}
            for part in (whole[0], result)
        ]
        np.testing.assert_allclose(*(list(each.values()) for each in limits), rtol=0.05 if mode == "entropy" else 1e-5)
        assert THRESHOLD.sub("", result.tojson()) == THRESHOLD.sub("", whole[0].tojson())


class Own:
    """A script's own way to calibrate."""

    def __init__(self) -> None:
        self.min_max_dict: dict[str, tuple[float, float]] = {}

    def collect(self, name: str, array: Any) -> None:
        self.min_max_dict[name] = (-2.0, float(array.shape[0]))


@pytest.mark.parametrize("mode", ["none", "naive", "entropy", "customize"])
def test_block(mode: str, files: Path, tmp_path: Path) -> None:
    nn = mx.gluon.nn
    network = nn.HybridSequential(prefix="net_")
    with network.name_scope():
        network.add(nn.Conv2D(4, 3, activation="relu"), nn.MaxPool2D(), nn.Dense(8, activation="relu"), nn.Dense(3))
    mx.random.seed(1)
    network.initialize(mx.init.Uniform(0.4))
    data = mx.nd.array(np.load(files / "data.npy"))
    expected = network(data).asnumpy()
    loader = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(data, mx.nd.zeros(12)), batch_size=4)
    block = quantization.quantize_net_v2(
        network, "int8", exclude_layers_match=["dense1"], calib_mode=mode, calib_data=loader, LayerOutputCollector=Own(),
        ctx=mx.cpu(),
    )  # fmt: skip
    worst = {"none": 0.1, "naive": 0.1, "entropy": 0.4, "customize": 0.3}[mode]
    assert np.abs(block(data).asnumpy() - expected).max() < worst * np.abs(expected).max()
    block.export(str(tmp_path / "block"))
    graph = json.loads((tmp_path / "block-symbol.json").read_text())
    layers = [node["op"] for node in graph["nodes"] if node["op"].startswith("_contrib_quantized")]
    assert layers.count("_contrib_quantized_fully_connected") == 1
    saved = mx.gluon.SymbolBlock.imports(
        str(tmp_path / "block-symbol.json"), ["data"], str(tmp_path / "block-0000.params"), mx.neuron(0)
    )
    np.testing.assert_allclose(saved(data).asnumpy(), block(data).asnumpy(), atol=1e-6)
    if mode == "customize":
        assert "-2.000000" in (tmp_path / "block-symbol.json").read_text()
    with pytest.warns(UserWarning, match="quantize_net_v2"):
        older = quantization.quantize_net(network, data_shapes=[mx.io.DataDesc("data", (4, 1, 16, 16))])
    assert older(data).shape == (12, 3)


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"calib_mode": "naive"}, ValueError, "calib_data must be provided"),
        ({"calib_mode": "naive", "calib_data": [1]}, ValueError, "mx.io.DataIter"),
        ({"calib_mode": "other"}, ValueError, "got 'other'"),
        ({"quantized_dtype": "int4"}, ValueError, "got 'int4'"),
        ({"quantize_mode": "half"}, mx.MXNetError, "got 'half'"),
        ({"quantize_granularity": "row"}, ValueError, "got 'row'"),
        ({"excluded_sym_names": "conv1"}, ValueError, "a list of names, got str"),
        ({"excluded_op_names": ("conv1",)}, ValueError, "a list of names, got tuple"),
        ({"ctx": [mx.cpu()]}, ValueError, "one context"),
    ],
)
def test_what_is_wrong(how: dict[str, Any], error: type[Exception], says: str, files: Path) -> None:
    network = mx.model.load_checkpoint(str(files / "lenet"), 0)
    with pytest.raises(error, match=says):
        quantization.quantize_model(*network, **{"calib_mode": "none", **how})
    with pytest.raises(TypeError, match="sym is a Symbol, got str"):
        quantization.quantize_model("lenet-symbol.json", {}, {}, calib_mode="none")
    with pytest.raises(ValueError, match="calib_mode is"):
        quantization.calib_graph(*network, None, "none")
    with pytest.raises(ValueError, match="data_shapes are needed"):
        quantization.quantize_net_v2(mx.gluon.nn.Dense(2))
    with pytest.raises(TypeError, match="not a valid iterator"):
        quantization.quantize_net_v2(mx.gluon.nn.Dense(2), calib_data=5)


def test_an_output_that_is_also_read_by_a_float_layer() -> None:
    """MXNet dequantizes it twice, and cannot run that."""
    layer = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="layer")
    network = mx.sym.Group([layer, mx.sym.exp(layer, name="grown"), layer])
    args = {"layer_weight": mx.nd.array([[1, -2], [0.5, 1], [1, 1]]), "layer_bias": mx.nd.zeros(3)}
    symbol, args, aux = quantization.quantize_model(network, args, {}, calib_mode="none")
    assert symbol.list_outputs() == ["layer_dequantize_output", "grown_output", "layer_dequantize_output"]
    first, second, third = outputs(symbol, args, aux, np.array([[1, 0.5]], "f"))
    np.testing.assert_allclose(first, [[0, 1, 1.5]], atol=0.03)
    np.testing.assert_allclose(second, np.exp(first), rtol=1e-5)
    np.testing.assert_array_equal(first, third)


@pytest.mark.parametrize("kind", ["sum", "lp"])
def test_a_pooling_without_a_quantized_form_stays(kind: str) -> None:
    more = {"p_value": 2} if kind == "lp" else {}
    pooled = mx.sym.Pooling(mx.sym.var("data"), kernel=(2, 2), pool_type=kind, name="pooled", **more)
    symbol, _args, _aux = quantization.quantize_model(pooled, {}, {}, calib_mode="none", quantize_mode="full")
    assert symbol.tojson() == pooled.tojson()

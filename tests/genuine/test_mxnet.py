"""SPEC K6: a checkpoint of mx_neuron runs by the graph that it holds, without MXNet and with it; public checking
scripts read what the compilers and this package write."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuron_adapters
from neuron_adapters import mx
from neuron_adapters.files.neff import neff, read_header
from neuron_adapters.mx._compile import compile_symbol
from neuron_rt import ArtifactError

ROOT = Path(__file__).resolve().parents[2]


def answer(checkpoint: Path) -> np.ndarray:
    """The network in the file, in NumPy's doubles."""
    _symbol, args, _aux = mx.model.load_checkpoint(str(checkpoint), 0)
    x = np.load(checkpoint.parent / "input.npy").reshape(1, -1)
    for layer in range(3):
        weight, bias = (args[f"fullyconnected{layer}_{name}"].asnumpy().astype("f8") for name in ("weight", "bias"))
        x = x @ weight.T + bias
        x = np.maximum(x, 0) if layer < 2 else x
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def bound(checkpoint: Path, prefix: Path | None = None, edit: Any = None) -> Any:
    symbol, args, aux = mx.model.load_checkpoint(str(prefix or checkpoint), 0)
    args["data"] = mx.nd.array(np.load(checkpoint.parent / "input.npy")[None])
    args["softmax_label"] = mx.nd.zeros((1,))
    if edit is not None:
        edited = edit(symbol, args)
        symbol = symbol if edited is None else edited
    return symbol, symbol.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")


def test_runs(checkpoint: Path) -> None:
    symbol, executor = bound(checkpoint)
    np.testing.assert_allclose(executor.forward()[0].asnumpy(), answer(checkpoint), atol=1e-6)
    assert [node["op"] for node in json.loads(symbol.tojson())["nodes"]].count("_neuron_subgraph_op") == 1
    assert neuron_adapters.placement(executor)[0].nc_count == 1


@pytest.mark.parametrize("label_names", [["softmax_label"], None])
def test_module(checkpoint: Path, label_names: Any) -> None:
    """As AWS's handlers do it: the arguments hold an example of the input, too."""
    symbol, args, aux = mx.model.load_checkpoint(str(checkpoint), 0)
    args["data"] = mx.nd.array(np.load(checkpoint.parent / "input.npy")[None])
    module = mx.mod.Module(symbol, label_names=label_names, context=mx.neuron(0))
    module.bind([("data", args["data"].shape)], for_training=False)
    module.set_params(args, aux, allow_missing=True)
    module.forward(mx.io.DataBatch([args["data"]]), is_train=False)
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), answer(checkpoint), atol=1e-6)
    loaded = mx.mod.Module.load(str(checkpoint), 0, context=mx.neuron(1), label_names=label_names)
    loaded.bind([("data", args["data"].shape)], for_training=False)
    loaded.forward(mx.io.DataBatch([args["data"]]), is_train=False)
    np.testing.assert_allclose(loaded.get_outputs()[0].asnumpy(), answer(checkpoint), atol=1e-6)
    with pytest.raises(ValueError, match='"nope"'):
        module.set_params({**args, "nope": args["data"]}, aux, allow_missing=True)


def test_count(checkpoint: Path) -> None:
    """The NC count is the file's."""

    def wider(symbol: Any, _args: Any) -> Any:
        return mx.sym.load_json(symbol.tojson().replace('opt_neuroncore__": "1"', 'opt_neuroncore__": "3"'))

    _symbol, executor = bound(checkpoint, edit=wider)
    assert neuron_adapters.placement(executor)[0].nc_count == 3
    np.testing.assert_allclose(executor.forward()[0].asnumpy(), answer(checkpoint), atol=1e-6)


def test_checksum(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC K4: the MD5 that the compiler wrote."""
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    bound(checkpoint)

    def flip(_symbol: Any, args: Any) -> None:
        args["_op0_neuronbin"][2000] = (int(args["_op0_neuronbin"][2000].asscalar()) + 1) % 256

    with pytest.raises(ArtifactError, match="checksum of its binary"):
        bound(checkpoint, edit=flip)


def test_the_real_mxnet(checkpoint: Path, tmp_path: Path) -> None:
    """The same with MXNet 1.9.1 itself, by bind and by Module."""
    script = Path(__file__).parent / "scripts" / "real_mxnet.py"
    command = [ROOT / ".venv-mxnet" / "bin" / "python", script, checkpoint, checkpoint.parent / "input.npy"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
    env |= {"PYTHONPATH": f"{ROOT / 'core'}{os.pathsep}{ROOT}", "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *answers, places = map(json.loads, done.stdout.splitlines())
    for output in answers:
        np.testing.assert_allclose(output, answer(checkpoint), atol=1e-6)
    assert places == [0, 1]


def described(symbol: Any, args: Any) -> list[tuple[str, int, int, int, Counter[str]]]:
    """What a public checking script reads of a compiled symbol: for each node its cores, those asked for and those of
    its nodes, by the first 544 bytes of its binary, and the operators in it."""
    rows = []
    for node in json.loads(symbol.tojson())["nodes"]:
        if node["op"] == "_neuron_subgraph_op":
            binary = args[f"{node['name']}_neuronbin"].asnumpy().tobytes()
            cores, asked, *nodes = struct.unpack("168xI304xI64B", binary[:544])
            inner = [inside["op"] for part in node["subgraphs"] for inside in part["nodes"] if inside["op"] != "null"]
            rows.append((node["name"], cores, asked, max(nodes), Counter(inner)))
    return rows


def test_checking_scripts(checkpoint: Path) -> None:
    """The compiler's file and our own are read alike, and both carry a header whose checksum is right."""
    symbol, args, _aux = mx.model.load_checkpoint(str(checkpoint), 0)
    assert described(symbol, args) == [("_op0", 1, 1, 1, Counter(FullyConnected=3, Activation=2, Flatten=1))]
    out = mx.sym.FullyConnected(mx.sym.relu(mx.sym.var("data")), num_hidden=4, name="fc")
    weights = {"fc_weight": mx.nd.ones((4, 6)), "fc_bias": mx.nd.ones((4,))}
    compiled = compile_symbol(out, weights, {}, {"data": np.ones((1, 6), "f4")}, **{"--neuroncore-pipeline-cores": 3})
    assert described(*compiled[:2]) == [("_op0", 3, 3, 1, Counter(FullyConnected=1, relu=1))]
    headers = [read_header(weights["_op0_neuronbin"].asnumpy().tobytes()) for weights in (args, compiled[1])]
    assert [header.problem for header in headers] == ["", ""]
    assert [header.version for header in headers] == [2, 2]
    assert headers[0].uuid == "56bfbeca-f0b9-11eb-9f18-02a83423a121"
    assert len(set(headers[1].uuid)) > 4
    assert headers[0].name.startswith("1.3.7.0+fc8e67ab4-")
    assert headers[1].name.startswith("neuron_adapters ")


def test_header() -> None:
    """SPEC API 4: where the fields are; and what is said of a damaged one."""
    data = neff("name", 7, {"a": b"1"})
    assert struct.unpack_from("<4Q", data)[:2] == (2, 1024)
    assert struct.unpack_from("<I", data, 168) == (7,)
    assert data[188:204] == b"0" * 16
    assert data[220:224] == b"name"
    assert struct.unpack_from("<I", data, 476) == (7,)
    assert read_header(data).problem == ""
    assert read_header(data).ncs_per_node == (1,) * 7
    assert "there are" in read_header(data[:-1]).problem
    assert "checksum" in read_header(data[:-1] + b"!").problem
    for bad in (
        b"",
        data[:1023],
        b"\0" * 2000,
        data[:168] + b"\0" * 4 + data[172:],
        data[:168] + b"\xff" * 4 + data[172:],
    ):
        with pytest.raises(ValueError, match=r"bytes|begin|NeuronCores"):
            read_header(bad)

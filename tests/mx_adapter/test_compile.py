"""Compiled graphs: parts, flags, files, checksums (SPEC K1, K3, K4), and weights that loads share (K5)."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuron_adapters
import neuron_rt
from neuron_adapters import mx
from neuron_adapters.mx._compile import compile_symbol
from neuron_rt import ArtifactError, CompileError


def network(width: int = 4) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray], dict[str, mx.nd.NDArray]]:
    out = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=width, name="conv")
    out = mx.sym.BatchNorm(out, fix_gamma=False, name="bn")
    out = mx.sym.Activation(out, act_type="relu", name="act")
    out = mx.sym.FullyConnected(mx.sym.Flatten(out, name="flat"), num_hidden=5, name="fc")
    symbol = mx.sym.SoftmaxOutput(out, name="softmax")
    shapes, _outputs, aux_shapes = symbol.infer_shape(data=(1, 3, 8, 8))
    rng = np.random.default_rng(0)
    args = {
        name: mx.nd.array(rng.random(shape) - 0.5)
        for name, shape in zip(symbol.list_arguments(), shapes)
        if name not in ("data", "softmax_label")
    }
    aux = {name: mx.nd.array(rng.random(shape)) for name, shape in zip(symbol.list_auxiliary_states(), aux_shapes)}
    return symbol, args, aux


X = np.random.default_rng(1).random((1, 3, 8, 8)).astype("f4")
INPUTS = {"data": X}


def run(symbol: Any, args: Any, aux: Any, context: Any = None) -> np.ndarray:
    arguments = {**args, "data": mx.nd.array(X), "softmax_label": mx.nd.zeros((1,))}
    exe = symbol.bind(ctx=context or mx.neuron(0), args=arguments, aux_states=aux, grad_req="null")
    return exe.forward()[0].asnumpy()


def operators(symbol: mx.sym.Symbol) -> list[tuple[str, str]]:
    return [(node["op"], node["name"]) for node in json.loads(symbol.tojson())["nodes"] if node["op"] != "null"]


@pytest.mark.parametrize(
    ("excluded", "nodes"),
    [
        ([], ["_op0", "softmax"]),
        (["act"], ["_op0", "act", "_op1", "softmax"]),
        (["conv"], ["conv", "_op0", "softmax"]),
        (["fc", "bn"], ["_op0", "bn", "_op1", "fc", "softmax"]),
    ],
)
def test_parts(tmp_path: Path, excluded: list[str], nodes: list[str]) -> None:
    """Compiled parts round what is excluded; the same results before and after a file, and on MXNet's context too."""
    symbol, args, aux = network()
    wanted = run(symbol, args, aux)
    compiled, compiled_args, compiled_aux = compile_symbol(symbol, args, aux, INPUTS, excl_node_names=excluded)
    assert [name for _op, name in operators(compiled)] == nodes
    assert compiled.list_auxiliary_states() == symbol.list_auxiliary_states()
    assert compiled_aux.keys() == aux.keys()
    binaries = [name for name in compiled.list_arguments() if name.endswith("_neuronbin")]
    assert set(compiled_args) - set(args) == set(binaries)
    assert len(binaries) == nodes.count("_op0") + nodes.count("_op1")
    assert compiled.infer_shape(data=X.shape)[1] == [(1, 5)]
    mx.model.save_checkpoint(str(tmp_path / "made"), 0, compiled, compiled_args, compiled_aux)
    loaded, loaded_args, loaded_aux = mx.model.load_checkpoint(str(tmp_path / "made"), 0)
    assert loaded.tojson() == compiled.tojson()
    for context in (mx.neuron(1), mx.cpu()):
        np.testing.assert_allclose(run(loaded, loaded_args, loaded_aux, context), wanted, rtol=1e-3, atol=1e-4)


def test_two_ways_that_meet() -> None:
    """A part never depends on itself, by whatever way."""
    data = mx.sym.var("data")
    left = mx.sym.Activation(data, act_type="relu", name="left")
    right = mx.sym.Activation(data, act_type="tanh", name="right")
    both = mx.sym.elemwise_add(mx.sym.exp(left, name="exp"), right, name="both")
    symbol = mx.sym.Group([mx.sym.elemwise_mul(both, left, name="end"), left])
    x = np.random.default_rng(0).random((2, 3)).astype("f4")
    wanted = [
        output.asnumpy() for output in symbol.bind(mx.neuron(0), {"data": mx.nd.array(x)}, grad_req="null").forward()
    ]
    for excluded in (["exp"], ["left"], ["right", "both"], ["end"]):
        compiled, args, _aux = compile_symbol(symbol, {}, {}, {"data": x}, excl_node_names=excluded)
        assert {name for _op, name in operators(compiled)} >= set(excluded)
        outputs = compiled.bind(ctx=mx.neuron(0), args={**args, "data": mx.nd.array(x)}, grad_req="null").forward()
        for output, expected in zip(outputs, wanted):
            np.testing.assert_allclose(output.asnumpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"--neuroncore-pipeline-cores": 3},
        {"--num-neuroncores": "3"},
        {"flags": ["--neuroncore-pipeline-cores=3"]},
        {"flags": "--neuroncore-pipeline-cores 3 --verbose DEBUG"},
        {"flags": ["--neuroncore-pipeline-cores 3"]},
    ],
)
def test_pipeline_cores(tmp_path: Path, options: dict[str, Any]) -> None:
    """K1: every spelling; they travel in the file, where public scripts read them."""
    compiled, args, aux = compile_symbol(*network(), INPUTS, **options)
    mx.model.save_checkpoint(str(tmp_path / "m"), 0, compiled, args, aux)
    symbol, args, aux = mx.model.load_checkpoint(str(tmp_path / "m"), 0)
    arguments = {**args, "data": mx.nd.array(X), "softmax_label": mx.nd.zeros((1,))}
    exe = symbol.bind(ctx=mx.neuron(2), args=arguments, aux_states=aux, grad_req="null")
    assert [(place.start_nc, place.nc_count) for place in neuron_adapters.placement(exe)] == [(2, 3)]
    attrs = symbol.attr_dict()["_op0"]
    assert attrs["__model_opt_neuroncore__"] == attrs["__subgraph_opt_neuroncore__"] == "3"
    header = struct.unpack_from("168xI304xI64B", args["_op0_neuronbin"].asnumpy().tobytes())
    assert header[0] == header[1] == 3


def test_statistics() -> None:
    """The documented snippet: nodes whose subgraphs hold the original operators."""
    symbol, args, aux = network()
    compiled, _args, _aux = compile_symbol(symbol, args, aux, INPUTS)
    count = lambda nodes: len([node for node in nodes if node["op"] != "null"])
    nodes = json.loads(compiled.tojson())["nodes"]
    inside = [part for node in nodes if node["op"] == "_neuron_subgraph_op" for part in node["subgraphs"]]
    assert count(json.loads(symbol.tojson())["nodes"]) == count(nodes) - len(inside) + sum(
        count(p["nodes"]) for p in inside
    )
    variables = [node for part in inside for node in part["nodes"] if node["op"] == "null"]
    kinds = {
        variable["attrs"]["argName"]: (variable["attrs"]["isArg"], variable["attrs"]["isAux"]) for variable in variables
    }
    assert kinds["bn_moving_mean"] == ("False", "True")
    assert kinds["conv_weight"] == ("True", "False")


def test_cast(caplog: pytest.LogCaptureFixture) -> None:
    """A cast flag computes in bfloat16 where the results agree within 2e-2, and is left out where not."""
    symbol, args, aux = network()
    wanted = run(symbol, args, aux)
    compiled = compile_symbol(symbol, args, aux, INPUTS, flags=["--fp32-cast matmult"])
    assert compiled[0].attr_dict()["_op0"]["__neuron_adapters_cast__"] == "bf16"
    np.testing.assert_allclose(run(*compiled), wanted, rtol=2e-2, atol=2e-2)
    far = {name: array * 1000 if name == "fc_weight" else array for name, array in args.items()}
    cut = symbol.get_internals()["fc_output"]
    with caplog.at_level(logging.WARNING, "neuron_adapters"):
        compiled = compile_symbol(cut, far, aux, INPUTS, flags=["--fp32-cast matmult"])
    if "avx512_bf16" in Path("/proc/cpuinfo").read_text():  # without it OpenVINO computes in float32, which agrees
        assert "left out" in caplog.text
        assert "__neuron_adapters_cast__" not in compiled[0].attr_dict()["_op0"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"inputs": None}, "inputs is a dictionary"),
        ({"inputs": {"image": X}}, "no argument 'image'. It is fed data"),
        ({"inputs": {"data": X[:, :2]}}, "conv"),
        ({"excl_node_names": ["nobody"]}, "no node 'nobody'"),
        ({"excl_node_names": ["conv", "bn", "act", "flat", "fc"]}, "nothing to compile"),
        ({"flags": ["--neuroncore-pipeline-core 2"]}, "Unknown compiler flag"),
        ({"--neuroncore-pipeline-cores": 0}, "from 1 to"),
        ({"optimise": True}, "no option 'optimise'"),
    ],
)
def test_refusals(change: dict[str, Any], says: str) -> None:
    symbol, args, aux = network()
    options = {"inputs": INPUTS, **change}
    inputs = options.pop("inputs")
    with pytest.raises(ValueError, match=says):
        compile_symbol(symbol, args, aux, inputs, **options)
    compiled = compile_symbol(symbol, args, aux, INPUTS)
    with pytest.raises(CompileError, match="compiled already"):
        compile_symbol(*compiled, INPUTS)


def test_work_dir(tmp_path: Path) -> None:
    compile_symbol(*network(), INPUTS, work_dir=tmp_path / "there")
    assert json.loads((tmp_path / "there" / "_op0-symbol.json").read_text())["nodes"]


def flip(array: mx.nd.NDArray, place: int) -> None:
    array[place] = (int(array[place].asscalar()) + 1) % 256


def reshaped_fc(text: str) -> str:
    return text.replace('"act_type": "relu"', '"act_type": "tanh"')


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda args: flip(args["_op0_neuronbin"], 1100), "does not match its content"),
        (lambda args: flip(args["_op0_neuronbin"], 8), "not a NEFF"),
        (lambda args: args["fc_weight"].__setitem__((0, 0), 9), "the weights fc_weight are not"),
        (lambda args: None, ""),
    ],
)
def test_checksums(monkeypatch: pytest.MonkeyPatch, damage: Callable[[Any], object], says: str) -> None:
    """K4: a damaged binary, other weights or another graph; only where it is asked for."""
    compiled, args, aux = compile_symbol(*network(), INPUTS)
    damage(args)
    run(compiled, args, aux)
    neuron_rt.init().close()
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    if says:
        with pytest.raises(ArtifactError, match=says):
            run(compiled, args, aux)
        assert neuron_adapters.describe().models == ()
        return
    run(compiled, args, aux)
    other = mx.sym.load_json(reshaped_fc(compiled.tojson()))
    with pytest.raises(ArtifactError, match="not the one that was compiled"):
        run(other, args, aux)


@pytest.mark.parametrize("value", ["-1", "0", "4097", "many", "2.5", ""])
def test_foreign_core_counts(value: str) -> None:
    """A file's own number is another program's word."""
    compiled, args, aux = compile_symbol(*network(), INPUTS)
    text = compiled.tojson().replace('"__model_opt_neuroncore__": "1"', f'"__model_opt_neuroncore__": "{value}"')
    with pytest.raises(mx.MXNetError, match="not a number of NeuronCores"):
        run(mx.sym.load_json(text), args, aux)


def test_loads_share_their_weights(tmp_path: Path) -> None:
    """K5: loads of one unchanged file are one executable; a write to one load's weights is that load's own."""
    symbol, args, aux = network(width=2048)
    compiled = compile_symbol(symbol, args, aux, INPUTS)
    mx.model.save_checkpoint(str(tmp_path / "m"), 0, *compiled)
    loads = [mx.model.load_checkpoint(str(tmp_path / "m"), 0) for _ in range(3)]

    def bound(load: Any) -> Any:
        arguments = {**load[1], "data": mx.nd.array(X), "softmax_label": mx.nd.zeros((1,))}
        return load[0].bind(ctx=mx.neuron(0), args=arguments, aux_states=load[2], grad_req="null")

    executors = [bound(load) for load in loads]
    results = [exe.forward()[0].asnumpy() for exe in executors]
    assert len({id(exe._executable) for exe in executors}) == 1
    assert all(np.array_equal(result, results[0]) for result in results)
    loads[1][1]["fc_bias"][:] = 1000 * np.arange(5)
    changed = executors[1].forward()[0].asnumpy()
    assert not np.allclose(changed, results[0])
    for exe in (executors[0], executors[2], bound(mx.model.load_checkpoint(str(tmp_path / "m"), 0))):
        assert np.array_equal(exe.forward()[0].asnumpy(), results[0])
    assert executors[0]._executable is executors[2]._executable is not executors[1]._executable
    symbol.save(str(tmp_path / "m-symbol.json"))
    compiled[1]["fc_bias"][:] = 1000 * np.arange(5)
    mx.model.save_checkpoint(str(tmp_path / "m"), 0, *compiled)  # another file of the same name
    assert not np.allclose(bound(mx.model.load_checkpoint(str(tmp_path / "m"), 0)).forward()[0].asnumpy(), results[0])


def test_memory_of_loads(run_script: Callable[..., str], tmp_path: Path) -> None:
    """K5: eight loads of 20 MB of weights take little more memory than one."""
    out = run_script("memory_of_loads.py", folder=tmp_path)
    first_load, later_loads = map(float, out.split())
    assert first_load > 15, out
    assert later_loads < 0.4 * first_load, out


def test_inputs_may_come_later(tmp_path: Path) -> None:
    """The seed document binds a compiled checkpoint with what is in the file, and gives forward() the data."""
    symbol, args, aux = network()
    wanted = run(symbol, args, aux)
    mx.model.save_checkpoint(str(tmp_path / "m"), 0, *compile_symbol(symbol, args, aux, INPUTS))
    sym, args, aux = mx.model.load_checkpoint(str(tmp_path / "m"), 0)
    exe = sym.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")
    assert exe.arg_dict["data"].shape == X.shape
    assert exe.arg_dict["softmax_label"].shape == (1,)
    np.testing.assert_allclose(exe.forward(data=X)[0].asnumpy(), wanted, rtol=1e-3, atol=1e-4)
    for name in ("fc_weight", "_op0_neuronbin"):
        with pytest.raises(ValueError, match=f"key `{name}` is missing"):
            sym.bind(
                ctx=mx.neuron(0), args={k: v for k, v in args.items() if k != name}, aux_states=aux, grad_req="null"
            )
    with pytest.raises(ValueError, match="key `data` is missing"):
        symbol.bind(
            ctx=mx.neuron(0), args={k: v for k, v in args.items() if k in symbol.list_arguments()}, grad_req="null"
        )


def test_a_file_cannot_ask_for_more_memory_than_there_is() -> None:
    compiled, args, aux = compile_symbol(*network(), INPUTS)
    text = compiled.tojson().replace("[1,3,8,8]", "[1000000,3,800000,80000]")
    with pytest.raises(mx.MXNetError):
        mx.sym.load_json(text).bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")
    with pytest.raises(mx.MXNetError, match="more than the machine has"):
        mx.sym.relu(mx.sym.var("data")).simple_bind(ctx=mx.neuron(0), grad_req="null", data=(1 << 20, 1 << 20))

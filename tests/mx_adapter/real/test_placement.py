"""SPEC P, C4, K: what is bound on mx.neuron(i) is placed as by the adapter's own API."""

from __future__ import annotations

import copy
import gc
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pytest

import neuron_adapters
import neuron_rt
from neuron_rt import ArtifactError, ModelNotLoadedError, NotEnoughNeuronCoresError


def place(model: Any) -> str:
    return " ".join(map(str, neuron_adapters.placement(model)))


def bind(net: Any, context: Any) -> Any:
    return net.symbol.bind(context, {**net.args, "data": net.x}, grad_req="null", aux_states=net.aux)


@pytest.mark.parametrize(
    ("variable", "value", "starts"),
    [("NEURON_RT_NUM_CORES", "13", (0, 2, 6, 9)), ("NEURONCORE_GROUP_SIZES", "2,4,3,4", (0, 1, 2, 3))],
)
def test_four_models(
    compiled: Callable[[int], Any], variable: str, value: str, starts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC P3, C4, P8: the four models of the guide, by NC and by group; the results are mxnet's."""
    monkeypatch.setenv(variable, value)
    nets = [compiled(cores) for cores in (2, 4, 3, 4)]
    if variable == "NEURONCORE_GROUP_SIZES":
        with pytest.warns(DeprecationWarning, match="NEURONCORE_GROUP_SIZES"):
            neuron_rt.init()
    executors = [bind(net, mx.neuron(start)) for net, start in zip(nets, starts)]
    assert [place(executor) for executor in executors] == ["NC0-NC1", "NC2-NC5", "NC6-NC8", "NC9-NC12"]
    for executor in executors:
        assert np.array_equal(executor.forward()[0].asnumpy(), nets[0].expected)  # SPEC K2, K6: mxnet computes


def test_not_enough(compiled: Callable[[int], Any], net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC P4: mxnet's error and the runtime's in one, with status 9; nothing leaks."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "4")
    model = compiled(2)
    for attempt in (
        lambda: bind(model, mx.neuron(3)),
        lambda: model.symbol.simple_bind(mx.neuron(3), grad_req="null", data=net.x.shape),
    ):
        with pytest.raises(mx.base.MXNetError, match="status 9") as caught:
            attempt()
        assert isinstance(caught.value, NotEnoughNeuronCoresError)
        assert caught.value.status == 9
        assert (caught.value.need, caught.value.start) == (2, 3)
        assert pickle.loads(pickle.dumps(caught.value)).status == 9
        assert not any(neuron_rt.current().use())
    with pytest.raises(RuntimeError, match="simple_bind error") as caught:
        net.symbol.simple_bind(mx.neuron(0), grad_req="null", data=(1, 2))
    assert not any(neuron_rt.current().use()), "even while somebody holds the error"


def test_compiled_on_a_cpu(compiled: Callable[[int], Any]) -> None:
    """A compiled graph on mx.cpu() goes where the runtime chooses, as with mx_neuron (SPEC P1)."""
    first, second = bind(compiled(2), mx.cpu()), bind(compiled(3), mx.cpu())
    assert (place(first), place(second)) == ("NC0-NC1", "NC2-NC4")
    assert np.array_equal(second.forward()[0].asnumpy(), compiled(2).expected)


def test_release(compiled: Callable[[int], Any], net: Any) -> None:
    """SPEC P6: the end of an executor frees its place at once, and so does unload."""
    gc.disable()
    try:
        executor = bind(compiled(2), mx.neuron(1))
        executor.forward()
        reshaped = executor.reshape(data=(1, 3, 8, 8))
        assert place(reshaped) == place(executor)
        assert neuron_rt.current().use()[:4] == (0, 1, 1, 0)
        del executor
        assert neuron_rt.current().use()[:4] == (0, 1, 1, 0)
        del reshaped
        assert not any(neuron_rt.current().use())
    finally:
        gc.enable()
    executor = bind(net, mx.neuron(0))
    neuron_adapters.unload(executor)
    assert place(executor) == ""
    assert not any(neuron_rt.current().use())
    with pytest.raises(ModelNotLoadedError):
        executor.forward()


def test_the_context() -> None:
    """mx.neuron(i): what it is called, and that arrays made in it are the CPU's."""
    context = mx.neuron(2)
    assert (repr(context), f"{context}", context.device_type, context.start_nc) == (
        "neuron(2)",
        "neuron(2)",
        "neuron",
        2,
    )
    assert isinstance(context, mx.Context)
    assert mx.neuron() == mx.neuron(0)
    assert len({context, mx.neuron(2)}) == 1
    assert context != mx.cpu(2)
    assert mx.cpu() != mx.neuron(0)
    assert mx.neuron(0) != mx.cpu()
    assert context != mx.neuron(3)
    with context:
        assert mx.current_context() is context
        assert mx.nd.zeros((2,)).context == mx.cpu()
    assert mx.current_context() == mx.cpu()
    for make in (
        lambda: mx.nd.ones((2,), ctx=context),
        lambda: mx.nd.array([1, 1], ctx=context),
        lambda: mx.nd.random.normal(shape=(2,), ctx=context),
    ):
        assert make().context == mx.cpu()
    assert copy.deepcopy(context) == context == pickle.loads(pickle.dumps(context))
    with pytest.raises(ValueError, match="whole number"):
        mx.neuron(-1)


def test_checkpoint(compiled: Callable[[int], Any], tmp_path: Path) -> None:
    """SPEC K1, K6: files keep the compiled nodes, and so does what is loaded."""
    model = compiled(3)
    prefix = str(tmp_path / "model")
    mx.model.save_checkpoint(prefix, 7, model.symbol, model.args, model.aux)
    symbol, args, aux = mx.model.load_checkpoint(prefix, 7)
    nodes = json.loads(symbol.tojson())["nodes"]
    assert [node["op"] for node in nodes if node["op"] != "null"] == ["_neuron_subgraph_op"]
    assert [node["name"] for node in nodes if node["op"] == "null"][-1] == "_op0_neuronbin"
    mx.model.save_checkpoint(str(tmp_path / "again"), 7, symbol, args, aux)
    for name in ("symbol.json", "0007.params"):
        assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / f"model-{name}").read_bytes()
    copies = [mx.sym.load_json(symbol.tojson()), pickle.loads(pickle.dumps(symbol)), copy.deepcopy(symbol)]
    for graph in (symbol, *copies):
        assert isinstance(graph, mx.sym.Symbol)
        assert graph.tojson() == model.symbol.tojson()
        assert graph.list_arguments() == [*model.symbol.list_arguments()]
        assert graph.list_arguments()[-1] == "_op0_neuronbin"
        shapes, outputs, states = graph.infer_shape(data=(4, 3, 8, 8))
        assert shapes[0] == (4, 3, 8, 8)
        assert shapes[-1] == args["_op0_neuronbin"].shape
        assert outputs == [(4, 5)]
        assert len(states) == len(graph.list_auxiliary_states()) == 2
        assert graph.infer_type(data="float32")[0][-1] is np.uint8
        executor = graph.bind(mx.neuron(0), {**args, "data": model.x}, grad_req="null", aux_states=aux)
        assert place(executor) == "NC0-NC2"
        assert np.array_equal(executor.forward()[0].asnumpy(), model.expected)


def test_checksums(compiled: Callable[[int], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC K4: what is not what was compiled is refused where that is asked for."""
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    model = compiled(2)
    assert np.array_equal(bind(model, mx.neuron(0)).forward()[0].asnumpy(), model.expected)
    damaged = model._replace(args={**model.args, "head_bias": model.args["head_bias"] + 1})
    with pytest.raises(ArtifactError, match="head_bias"):
        bind(damaged, mx.neuron(0))
    prefix = str(tmp_path / "model")
    mx.model.save_checkpoint(prefix, 0, damaged.symbol, damaged.args, damaged.aux)
    with pytest.raises(ArtifactError, match="head_bias"):
        mx.gluon.SymbolBlock.imports(f"{prefix}-symbol.json", ["data"], f"{prefix}-0000.params", ctx=mx.neuron(0))


def test_parts_of_a_compiled_graph(compiled: Callable[[int], Any]) -> None:
    """Outputs are taken, and a compiled graph goes on in another one."""
    symbol = compiled(2).symbol
    assert symbol.get_internals()["_op0_output"].tojson() == symbol[0].tojson() == symbol.tojson()
    renamed = symbol(data=mx.sym.var("image"))
    assert renamed.list_arguments()[0] == "image"
    assert "_neuron_subgraph_op" in renamed.tojson()
    assert symbol.list_arguments()[0] == "data"
    assert json.loads(symbol.get_internals()["data"].tojson())["nodes"][0]["op"] == "null"


def test_damaged_files_are_mxnets_errors(tmp_path: Path) -> None:
    """SPEC H2: what is not ours fails as it did."""
    for attempt in (
        lambda: mx.sym.load(str(tmp_path / "missing")),
        lambda: mx.sym.load_json('{"nodes": 3}'),
        lambda: mx.sym.load_json(
            '{"nodes": [{"op": "no_such", "name": "x", "inputs": []}], "arg_nodes": [], "heads": [[0, 0, 0]]}'
        ),
    ):
        with pytest.raises(mx.base.MXNetError) as caught:
            attempt()
        assert type(caught.value) is mx.base.MXNetError
    with pytest.raises(TypeError):
        mx.sym.load(3)


def test_inputs_may_come_later(compiled: Callable[[int], Any]) -> None:
    """The seed document binds a compiled checkpoint with what is in the file, and gives forward() the data."""
    net = compiled(2)
    executor = net.symbol.bind(ctx=mx.neuron(0), args=net.args, aux_states=net.aux, grad_req="null")
    assert np.array_equal(executor.forward(data=net.x)[0].asnumpy(), net.expected)
    incomplete = {name: array for name, array in net.args.items() if name != "head_weight"}
    with pytest.raises(ValueError, match="head_weight"):
        net.symbol.bind(ctx=mx.neuron(0), args=incomplete, aux_states=net.aux, grad_req="null")

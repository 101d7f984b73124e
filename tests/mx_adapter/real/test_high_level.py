"""Module and Gluon on NeuronCores (SPEC P7), and the compiler for the real mxnet's graphs."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mx_neuron
import mxnet as mx
import numpy as np
import pytest

import neuron_adapters
import neuron_rt
from neuron_rt import CompileError


def place(model: Any) -> str:
    return " ".join(map(str, neuron_adapters.placement(model)))


@pytest.fixture
def prefix(compiled: Callable[[int], Any], tmp_path: Path) -> str:
    model = compiled(3)
    mx.model.save_checkpoint(str(tmp_path / "model"), 0, model.symbol, model.args, model.aux)
    return str(tmp_path / "model")


def test_module(net: Any, prefix: str) -> None:
    """A compiled checkpoint in a Module: forward, predict, reshape, save."""
    module = mx.mod.Module.load(prefix, 0, context=mx.neuron(4), label_names=None)
    module.bind(data_shapes=[("data", (2, 3, 8, 8))], for_training=False)
    assert place(module) == "NC4-NC6"
    module.forward(mx.io.DataBatch([net.x]), is_train=False)
    assert np.array_equal(module.get_outputs()[0].asnumpy(), net.expected)
    many = mx.nd.concat(net.x, net.x, net.x[:1], dim=0)
    predicted = module.predict(mx.io.NDArrayIter(many, batch_size=2)).asnumpy()
    assert np.allclose(predicted, np.concatenate([net.expected, net.expected, net.expected[:1]]), atol=1e-5)
    module.forward(mx.io.DataBatch([net.x[:1]]), is_train=False)  # another shape
    assert np.allclose(module.get_outputs()[0].asnumpy(), net.expected[:1], atol=1e-5)
    module.save_checkpoint(f"{prefix}-again", 0)
    for name in ("symbol.json",):
        assert Path(f"{prefix}-again-{name}").read_bytes() == Path(f"{prefix}-{name}").read_bytes()
    again = mx.nd.load(f"{prefix}-again-0000.params")
    assert np.array_equal(
        again["arg:_op0_neuronbin"].asnumpy(), mx.nd.load(f"{prefix}-0000.params")["arg:_op0_neuronbin"].asnumpy()
    )
    assert again["arg:head_bias"].context == mx.cpu()
    with pytest.raises(mx.base.MXNetError, match="infer only"):
        mx.mod.Module.load(prefix, 0, context=mx.neuron(0), label_names=None).bind([("data", (2, 3, 8, 8))])


def meet(barrier: threading.Barrier) -> None:
    """Go on when both are here."""
    with contextlib.suppress(threading.BrokenBarrierError):
        barrier.wait()


def test_module_on_several_contexts(net: Any) -> None:
    """One executor a context, one CoreRange each."""
    module = mx.mod.Module(net.symbol, context=[mx.neuron(1), mx.neuron(5)], label_names=None)
    module.bind(data_shapes=[("data", (2, 3, 8, 8))], for_training=False)
    module.set_params(net.args, net.aux)
    module.forward(mx.io.DataBatch([net.x]))
    assert np.allclose(module.get_outputs()[0].asnumpy(), net.expected, atol=1e-5)
    assert place(module) == "NC1 NC5"
    assert [report.calls for report in neuron_adapters.describe().models] == [1, 1], "binding is no call"
    arrived = threading.Barrier(2, timeout=20)
    for executor in module._exec_group.execs:
        executor.set_monitor_callback(lambda *_: None if arrived.broken else meet(arrived))
    module.forward(mx.io.DataBatch([net.x]))
    assert not arrived.broken, "both run at once (SPEC P5)"
    neuron_adapters.unload(module)
    assert place(module) == ""
    assert not any(neuron_rt.current().use())


def test_module_on_a_cpu(net: Any) -> None:
    """SPEC H2: training on a CPU goes on as ever."""
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net.symbol, name="softmax"))
    module.fit(mx.io.NDArrayIter(net.x, mx.nd.array([0, 1]), batch_size=2), num_epoch=1)
    assert place(module) == ""
    assert neuron_rt.current() is None


@pytest.mark.parametrize("index", [None, 7])
def test_symbol_block(net: Any, prefix: str, index: int | None) -> None:
    """A compiled checkpoint as a SymbolBlock, on NeuronCores and where the runtime chooses."""
    context = None if index is None else mx.neuron(index)
    block = mx.gluon.SymbolBlock.imports(f"{prefix}-symbol.json", ["data"], f"{prefix}-0000.params", ctx=context)
    assert type(block) is mx.gluon.SymbolBlock
    assert place(block) == ("NC0-NC2" if index is None else "NC7-NC9")
    result = block(net.x)
    assert result.context == mx.cpu()
    assert np.allclose(result.asnumpy(), net.expected, atol=1e-5)
    plain = mx.gluon.SymbolBlock(net.symbol, mx.sym.var("data"))
    for name, parameter in plain.collect_params().items():
        parameter._load_init({**net.args, **net.aux}[name], mx.cpu())
    assert np.array_equal(result.asnumpy(), plain(net.x).asnumpy())
    assert place(plain) == ""
    with pytest.raises(mx.base.MXNetError, match="infer only"), mx.autograd.record():
        block(net.x)
    del block, result
    gc.collect()  # a block of gluon's refers to itself
    assert not any(neuron_rt.current().use())


def test_parameters_that_change(net: Any) -> None:
    """set_data and reset_ctx show at the next call."""
    block = mx.gluon.nn.HybridSequential()
    block.add(mx.gluon.nn.Dense(4, activation="relu"), mx.gluon.nn.Dense(2))
    block.initialize(mx.init.One(), ctx=mx.neuron(2))
    block.hybridize()
    x = mx.nd.ones((3, 5))
    block.hybridize(active=False)
    with pytest.raises(mx.base.MXNetError, match="hybridize"):
        block(x)
    block.hybridize()
    assert block(x).asnumpy().tolist() == [[20, 20]] * 3
    assert place(block) == "NC2"
    block[1].bias.set_data(mx.nd.array([1, 2]))
    assert block(x).asnumpy().tolist() == [[21, 22]] * 3
    block.collect_params().reset_ctx(mx.neuron(6))
    assert block(x).asnumpy().tolist() == [[21, 22]] * 3
    assert place(block) == "NC6"
    block.collect_params().reset_ctx([mx.neuron(0), mx.neuron(1)])
    with pytest.raises(mx.base.MXNetError, match="one context"):
        block(x)


def test_hybrid_block_on_a_cpu(net: Any) -> None:
    """SPEC H2: gluon on a CPU trains as ever."""
    block = mx.gluon.nn.Dense(2)
    block.initialize()
    block.hybridize()
    with mx.autograd.record():
        loss = block(mx.nd.ones((1, 3))).sum()
    loss.backward()
    assert block.weight.grad().asnumpy().tolist() == [[1, 1, 1]] * 2
    assert type(block._cached_op) is mx.ndarray.CachedOp
    assert neuron_rt.current() is None


def test_compile_a_block() -> None:
    """SPEC K1: mx_neuron.compile takes a HybridBlock and returns a block."""
    block = mx.gluon.nn.HybridSequential()
    block.add(mx.gluon.nn.Conv2D(4, 3), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Dense(2))
    block.initialize()
    x = mx.nd.random.uniform(shape=(2, 3, 6, 6))
    expected = block(x).asnumpy()
    compiled = mx_neuron.compile(block, inputs={"data": x}, **{"--neuroncore-pipeline-cores": 2})
    assert isinstance(compiled, mx.gluon.SymbolBlock)
    np.testing.assert_allclose(compiled(x).asnumpy(), expected, rtol=1e-3, atol=1e-4)
    assert place(compiled) == "NC0-NC1"
    with pytest.raises(CompileError):
        mx_neuron.compile(block, inputs={"other": 3}, unknown=1)
    with pytest.raises(TypeError):
        mx_neuron.compile(3)


@pytest.mark.parametrize("runs", [0, 1])
def test_export_of_a_compiled_block(tmp_path: Path, runs: int) -> None:
    """What mx_neuron.compile returns is written whole, before and after its first call, as scripts do it."""
    block = mx.gluon.nn.HybridSequential()
    block.add(mx.gluon.nn.Dense(3), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Dense(2))
    block.initialize()
    x = mx.nd.random.uniform(shape=(2, 6))
    expected = block(x).asnumpy()
    compiled = mx_neuron.compile(block, inputs={"data": x}, **{"--neuroncore-pipeline-cores": 2})
    for _ in range(runs):
        compiled(x)
    compiled.export(str(tmp_path / "made"), 0)
    again = mx.gluon.SymbolBlock.imports(f"{tmp_path}/made-symbol.json", ["data"], f"{tmp_path}/made-0000.params")
    again.export(str(tmp_path / "again"), 0)
    _symbol, args, _aux = mx.model.load_checkpoint(str(tmp_path / "again"), 0)
    (where,) = neuron_adapters.placement(again)
    assert where.nc_count == 2
    assert any(name.endswith("_neuronbin") for name in args)
    np.testing.assert_allclose(again(x).asnumpy(), expected, rtol=1e-3, atol=1e-4)


def test_compile_is_one_function(compiled: Callable[[int], Any]) -> None:
    """The names of the compiler, and that it serves this package's graphs too."""
    import mxnet.contrib.neuron as contrib

    import neuron_adapters.mx as own

    assert contrib is mx_neuron is mx.contrib.neuron
    assert mx_neuron.__version__
    symbol = own.sym.FullyConnected(own.sym.var("data"), num_hidden=2, name="fc")
    args = {"fc_weight": own.nd.ones((2, 3)), "fc_bias": own.nd.ones((2,))}
    compiled_symbol, _args, _aux = mx_neuron.compile(symbol, args, {}, {"data": own.nd.ones((1, 3))})
    assert isinstance(compiled_symbol, own.sym.Symbol)
    assert "_neuron_subgraph_op" in compiled_symbol.tojson()
    model = compiled(2)
    loaded = own.sym.load_json(model.symbol.tojson())
    assert loaded.tojson() == model.symbol.tojson()


def test_a_compiled_graph_on_a_gpu(compiled: Callable[[int], Any]) -> None:
    """As without mxnet: there are no NeuronCores."""
    model = compiled(1)
    with pytest.raises(mx.MXNetError, match="no NeuronCores"):
        model.symbol.bind(mx.gpu(0), {**model.args, "data": model.x}, grad_req="null", aux_states=model.aux)
    with pytest.raises(mx.MXNetError, match="no NeuronCores"):
        model.symbol.simple_bind(mx.gpu(0), grad_req="null", data=model.x.shape)

"""SymbolBlock, mx.contrib.neuron.compile, to_onnx and download."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from neuron_adapters.mx.base import MXNetError

import neuron_adapters
from neuron_adapters import mx
from neuron_rt import CompileError, ModelNotLoadedError, init

pytestmark = pytest.mark.usefixtures("own_runtime")

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(5, 4)).astype("f4")
WEIGHT, BIAS = RNG.normal(size=(3, 4)).astype("f4"), RNG.normal(size=3).astype("f4")
LABEL = "softmax_label"


def network() -> Any:
    fc = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="net_fc")
    bn = mx.sym.BatchNorm(fc, name="net_bn", fix_gamma=True, eps=1e-3)
    return mx.sym.SoftmaxOutput(bn, name="softmax")


def expected(rows: np.ndarray, bias: np.ndarray = BIAS) -> np.ndarray:
    scores = (rows @ WEIGHT.T + bias) / np.sqrt(1 + 1e-3)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture
def files(tmp_path: Path) -> str:
    args = {"net_fc_weight": WEIGHT, "net_fc_bias": BIAS, "net_bn_gamma": np.ones(3), "net_bn_beta": np.zeros(3)}
    aux = {"net_bn_moving_mean": np.zeros(3), "net_bn_moving_var": np.ones(3)}
    arrays = [{name: mx.nd.array(values) for name, values in part.items()} for part in (args, aux)]
    mx.model.save_checkpoint(str(tmp_path / "net"), 0, network(), *arrays)
    return str(tmp_path / "net")


def block_of(prefix: str, ctx: Any = None, **keywords: Any) -> Any:
    return mx.gluon.SymbolBlock.imports(
        f"{prefix}-symbol.json", ["data", LABEL], f"{prefix}-0000.params", ctx=ctx, **keywords
    )


def compiled(block: Any, cores: int = 2) -> Any:
    examples = {"data": ROWS[:2], LABEL: np.ones(2)}
    return mx.contrib.neuron.compile(block, inputs=examples, **{"--neuroncore-pipeline-cores": cores})


def call(block: Any, rows: np.ndarray = ROWS) -> np.ndarray:
    return block(mx.nd.array(rows), mx.nd.ones(len(rows))).asnumpy()  # type: ignore[no-any-return]


def places(model: Any) -> list[str]:
    return [str(place) for place in neuron_adapters.placement(model)]


def test_calls(files: str) -> None:
    block = block_of(files, mx.cpu())
    assert places(block) == []
    block.hybridize()
    first = block(mx.nd.array(ROWS), mx.nd.ones(5))
    call(block, -ROWS)
    np.testing.assert_allclose(first.asnumpy(), expected(ROWS), rtol=1e-4)  # not written to by the second call
    for rows in (ROWS[:2], ROWS[:1], ROWS):
        np.testing.assert_allclose(call(block, rows), expected(rows), rtol=1e-4)
    assert mx.gluon.nn.SymbolBlock is mx.gluon.SymbolBlock
    with pytest.raises(ValueError, match="takes 2 inputs"):
        block(mx.nd.array(ROWS))
    with pytest.raises(TypeError, match="NDArrays"):
        block(ROWS, mx.nd.ones(5))


def test_one_place_for_all_kinds_of_input(files: str) -> None:
    block = block_of(files, mx.neuron(3))
    other = compiled(block_of(files, mx.cpu()), 4)
    for rows in (ROWS[:2], ROWS, ROWS[:1]):
        np.testing.assert_allclose(call(block, rows), expected(rows), rtol=1e-4)
        np.testing.assert_allclose(call(other, rows), expected(rows), rtol=1e-4)
        assert (places(block), places(other)) == (["NC3"], ["NC4-NC7"])
    assert {str(model.placement[0]) for model in init().models()} == {"NC3", "NC4-NC7"}
    gc.disable()
    try:
        del block, other
        assert sum(init().use()) == 0
    finally:
        gc.enable()


def test_a_call_that_fails_keeps_the_place(files: str) -> None:
    block = compiled(block_of(files, mx.cpu()), 3)
    for _ in range(2):
        with pytest.raises(ValueError, match="net_fc"):
            call(block, np.ones((2, 9)))
        assert places(block) == ["NC0-NC2"]
    np.testing.assert_allclose(call(block), expected(ROWS), rtol=1e-4)
    assert places(block) == ["NC0-NC2"]
    assert init().use()[:4] == (1, 1, 1, 0)


def test_one_place_within_groups(files: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURONCORE_GROUP_SIZES", "3,4")
    with pytest.warns(DeprecationWarning, match="NEURONCORE_GROUP_SIZES"):
        init()
    block, placed = compiled(block_of(files, mx.cpu())), block_of(files, mx.neuron(1))
    for rows in (ROWS, ROWS[:2]):
        call(placed, rows)
        call(block, rows)
    assert (places(placed), places(block)) == (["NC3"], ["NC0-NC1"])


def test_many_kinds_of_input_are_not_all_kept(files: str) -> None:
    block = block_of(files, mx.neuron(0))
    for count in range(1, 21):
        rows = np.ones((count, 4), "f4")
        np.testing.assert_allclose(call(block, rows), expected(rows), rtol=1e-4)
    assert init().use()[0] == 16


def test_unload(files: str) -> None:
    block = block_of(files, mx.neuron(0))
    call(block)
    call(block, ROWS[:2])
    neuron_adapters.unload(block)
    assert sum(init().use()) == 0
    for rows in (ROWS, ROWS[:2], ROWS[:1]):
        with pytest.raises(ModelNotLoadedError):
            call(block, rows)


def test_contexts(files: str) -> None:
    block = block_of(files, [mx.neuron(1), mx.neuron(6)])
    for context in (mx.neuron(6), mx.neuron(1), mx.cpu()):
        out = block(mx.nd.array(ROWS, ctx=context), mx.nd.ones(5, ctx=context))
        assert out.context == context
    assert places(block) == ["NC6", "NC1"]
    bias = block.collect_params()["net_fc_bias"]
    assert bias.list_ctx() == [mx.neuron(1), mx.neuron(6)]
    assert bias.data(mx.neuron(6)) is bias.data()
    with pytest.raises(RuntimeError, match=r"cpu\(5\)"):
        bias.data(mx.cpu(5))
    block.collect_params().reset_ctx(mx.neuron(2))
    np.testing.assert_allclose(call(block), expected(ROWS), rtol=1e-4)
    assert places(block) == ["NC2"]
    block.reset_ctx(mx.cpu())
    call(block)
    assert places(block) == []


def test_parameters(files: str) -> None:
    block = block_of(files)
    parameters = block.collect_params()
    assert list(parameters) == [
        "net_fc_weight", "net_fc_bias", "net_bn_gamma", "net_bn_beta", "net_bn_moving_mean", "net_bn_moving_var",
    ]  # fmt: skip
    bias = parameters["net_fc_bias"]
    assert (bias.name, bias.shape, bias.dtype) == ("net_fc_bias", (3,), np.float32)
    assert list(block.collect_params(".*weight")) == ["net_fc_weight"]
    call(block)
    for change in (lambda: bias.set_data(mx.nd.array([5, 0, -5])), lambda: bias.data().__setitem__(0, 7)):
        change()
        np.testing.assert_allclose(call(block), expected(ROWS, bias.data().asnumpy()), rtol=1e-4)
    with pytest.raises(MXNetError, match=r"\(3,\), got \(7,\)"):
        bias.set_data(mx.nd.ones(7))


def test_blocks_of_a_file_share_its_weights(tmp_path: Path) -> None:
    """SPEC K5, also where the context changes."""
    prefix = str(tmp_path / "big")
    big = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=600, name="fc")
    args = {"fc_weight": mx.nd.random_uniform(shape=(600, 1000)), "fc_bias": mx.nd.zeros(600)}
    mx.model.save_checkpoint(prefix, 0, big, args, {})
    blocks = [mx.gluon.SymbolBlock.imports(f"{prefix}-symbol.json", "data", f"{prefix}-0000.params") for _ in range(2)]
    blocks[1].reset_ctx(mx.neuron(0))
    first, second = (block(mx.nd.ones((1, 1000))).asnumpy() for block in blocks)
    assert np.array_equal(first, second)
    shared = {
        id(executor._executable)
        for block in blocks
        for bound in block._cached_op._caches.values()
        for executor in bound._executors.values()
    }
    assert len(shared) == 1
    blocks[0].collect_params()["fc_bias"].set_data(mx.nd.ones(600))
    assert np.array_equal(blocks[1](mx.nd.ones((1, 1000))).asnumpy(), second)
    assert np.allclose(blocks[0](mx.nd.ones((1, 1000))).asnumpy(), first + 1)


def test_parameters_that_are_not_there(files: str, tmp_path: Path) -> None:
    block = mx.gluon.SymbolBlock.imports(f"{files}-symbol.json", ["data", LABEL])
    assert block.collect_params()["net_fc_bias"].shape is None
    with pytest.raises(RuntimeError, match="has not been initialized"):
        call(block)
    fresh = mx.gluon.SymbolBlock.imports(f"{files}-symbol.json", ["data", LABEL])
    fresh.initialize()
    assert call(fresh).shape == (5, 3)
    assert fresh.collect_params()["net_fc_weight"].shape == (3, 4)
    part = str(tmp_path / "part.params")
    mx.nd.save(part, {"arg:net_fc_bias": mx.nd.ones(3)})
    with pytest.raises(MXNetError, match="'net_fc_weight' is missing"):
        block.load_parameters(part)
    block.load_parameters(part, allow_missing=True)
    assert block.collect_params()["net_fc_bias"].shape == (3,)
    mx.nd.save(part, {**mx.nd.load(f"{files}-0000.params"), "arg:another": mx.nd.ones(1)})
    with pytest.raises(MXNetError, match="'another' loaded"):
        block.load_parameters(part)
    block.load_parameters(part, ignore_extra=True)
    np.testing.assert_allclose(call(block), expected(ROWS), rtol=1e-4)
    with pytest.raises(MXNetError, match="'softmax_label' is missing"):
        mx.gluon.SymbolBlock.imports(f"{files}-symbol.json", "data", f"{files}-0000.params")


def test_files(files: str, tmp_path: Path) -> None:
    block = compiled(block_of(files, mx.neuron(0)), 3)
    block.export(str(tmp_path / "out"), 0, block)  # the third argument is what a documented notebook hands over
    again = block_of(str(tmp_path / "out"), mx.neuron(5))
    np.testing.assert_allclose(call(again), expected(ROWS), rtol=1e-4)
    assert places(again) == ["NC5-NC7"]
    block = block_of(files)
    block.export(str(tmp_path / "plain"), 12)
    assert list(mx.nd.load(str(tmp_path / "plain-0012.params"))) == list(mx.nd.load(f"{files}-0000.params"))
    block.save_parameters(str(tmp_path / "own.params"))
    assert "fc_bias" in mx.nd.load(str(tmp_path / "own.params"))  # as MXNet: without what all names begin with
    for path in (tmp_path / "own.params", Path(f"{files}-0000.params")):
        fresh = mx.gluon.SymbolBlock(network(), [mx.sym.var("data"), mx.sym.var(LABEL)])
        fresh.load_parameters(str(path), ctx=mx.cpu())
        np.testing.assert_allclose(call(fresh), expected(ROWS), rtol=1e-4)


def test_graphs_of_blocks(files: str) -> None:
    symbol = mx.sym.load(f"{files}-symbol.json")
    data, label = mx.sym.var("data"), mx.sym.var(LABEL)
    whole = block_of(files)
    both = mx.gluon.SymbolBlock(
        [symbol, symbol.get_internals()["net_fc_output"]], [data, label], params=whole.collect_params()
    )
    outputs = both(mx.nd.array(ROWS), mx.nd.ones(5))
    assert isinstance(outputs, list)
    np.testing.assert_allclose(outputs[0].asnumpy(), expected(ROWS), rtol=1e-4)
    np.testing.assert_allclose(outputs[1].asnumpy(), ROWS @ WEIGHT.T + BIAS, rtol=1e-4, atol=1e-5)
    assert both.collect_params()["net_fc_bias"] is whole.collect_params()["net_fc_bias"]
    graphs = both(data, label)
    assert isinstance(graphs, list)
    assert mx.sym.Group(graphs).list_outputs() == [*symbol.list_outputs(), "net_fc_output"]
    on_top = whole(mx.sym.var("pixels"), mx.sym.var("truth"))
    assert on_top.list_arguments()[0] == "pixels"
    with pytest.raises(ValueError, match="variables"):
        mx.gluon.SymbolBlock(symbol, symbol)
    with pytest.raises(AttributeError, match="MXNet itself"):
        _ = mx.gluon.Trainer


def test_cast(files: str) -> None:
    block = block_of(files)
    block.cast("float16")
    kinds = {name: parameter.dtype for name, parameter in block.collect_params().items()}
    assert kinds["net_fc_weight"] is np.float16
    assert kinds["net_bn_gamma"] is np.float32  # as MXNet has it
    out = block(mx.nd.array(ROWS, dtype="float16"), mx.nd.ones(5))
    assert out.dtype is np.float16
    np.testing.assert_allclose(out.asnumpy(), expected(ROWS), rtol=2e-2, atol=2e-2)


def test_compile_of_a_block(files: str) -> None:
    block = block_of(files, mx.neuron(2))
    compiled_block = compiled(block, 3)
    assert isinstance(compiled_block, mx.gluon.SymbolBlock)
    np.testing.assert_allclose(call(compiled_block), expected(ROWS), rtol=1e-4)
    assert places(compiled_block) == ["NC2-NC4"]
    block.collect_params()["net_fc_bias"].set_data(mx.nd.array([9, 0, 0]))
    np.testing.assert_allclose(call(compiled_block), expected(ROWS), rtol=1e-4)  # it has copies
    with pytest.raises(CompileError, match="own parameters"):
        mx.contrib.neuron.compile(block, {}, inputs={"data": ROWS})
    with pytest.raises(TypeError, match="got int"):
        mx.contrib.neuron.compile(3)


def test_the_compilers_names() -> None:
    from neuron_adapters.mx.contrib import neuron

    assert mx.contrib.neuron is neuron
    assert {"mod", "gluon", "contrib", "test_utils", "to_onnx"} <= set(dir(mx))
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = mx.nothing_such


def test_the_import_brings_no_engine(run_script: Any) -> None:
    assert run_script("the_import_brings_no_engine.py").splitlines() == ["[]", "True True Executor"]


@pytest.mark.parametrize("cores", [None, 2])
def test_onnx(files: str, tmp_path: Path, run_onnx: Any, cores: int | None) -> None:
    symbol, args, aux = mx.model.load_checkpoint(files, 0)
    if cores:
        symbol, args, aux = mx.contrib.neuron.compile(
            symbol, args, aux, {"data": ROWS}, **{"--neuroncore-pipeline-cores": cores}
        )
    model = mx.to_onnx(symbol, {**args, **aux}, {"data": (5, 4)}, tmp_path / "net.onnx")
    assert onnx.load(tmp_path / "net.onnx") == model
    assert [value.name for value in model.graph.input] == ["data"]
    assert [value.name for value in model.graph.output] == ["softmax_output"]
    assert "net_fc_weight" in {tensor.name for tensor in model.graph.initializer}
    np.testing.assert_allclose(run_onnx(model, {"data": ROWS})[0], expected(ROWS), rtol=1e-4)
    loaded = mx.nd.load(f"{files}-0000.params")  # names as in the file
    assert mx.to_onnx(symbol, loaded, {"data": (5, 4)}).graph.node == model.graph.node
    with pytest.raises(MXNetError, match="net_fc_bias, net_fc_weight is neither"):
        mx.to_onnx(symbol, {}, {"data": (5, 4)})


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = "http://example.invalid/models/net%20one.json?raw=true"
    with pytest.raises(MXNetError, match="does not use the network"):
        mx.test_utils.download(url)
    Path("net one.json").write_text("{}")
    assert mx.test_utils.download(url) == "net one.json"
    with pytest.raises(MXNetError, match="network"):
        mx.test_utils.download(url, overwrite=True)
    os.mkdir("there")
    with pytest.raises(MXNetError, match="there/other"):
        mx.test_utils.download(url, fname="other", dirname="there")


def test_calls_from_many_threads(files: str) -> None:
    block = block_of(files, mx.neuron(1))

    def client(number: int) -> bool:
        rows = ROWS * number
        return all(np.allclose(call(block, rows), expected(rows), rtol=1e-3, atol=1e-5) for _ in range(20))

    with ThreadPoolExecutor(4) as clients:
        assert list(clients.map(client, range(4))) == [True] * 4


def test_a_forked_child_loads_its_own(files: str, run_script: Any) -> None:
    out = run_script("forked_child_loads_its_own.py", files, NEURON_RT_NUM_CORES="3").splitlines()
    assert out == ["refused", "refused", "refused", "(2, 3) (4,)", "parent"]

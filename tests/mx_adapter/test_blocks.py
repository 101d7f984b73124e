"""Gluon's blocks: the graphs, names, files and numbers of real MXNet's."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neuron_adapters.mx.gluon import contrib, loss, model_zoo, nn, rnn  # noqa: F401 - mx.gluon has them at first use

import neuron_adapters
from neuron_adapters import mx
from neuron_rt import init

pytestmark = pytest.mark.usefixtures("own_runtime")


@pytest.fixture
def answers(ask_oracle: Any) -> Any:
    return json.loads((ask_oracle("gluon") / "gluon.json").read_text())


def test_networks_of_the_zoo_are_mxnets(answers: Any, oracle: Any) -> None:
    """Graphs, names and shapes of parameters, their places in files, and what is printed."""
    for name, description in oracle("blocks").zoo(mx).items():
        assert description == answers["zoo"][name], name


def test_cells_make_mxnets_graphs(answers: Any, oracle: Any) -> None:
    for name, graph in oracle("blocks").unrolled(mx).items():
        assert graph == answers["cells"][name], name


def test_blocks_compute_and_export_what_mxnets_do(answers: Any, oracle: Any, ask_oracle: Any, tmp_path: Path) -> None:
    """With the files that MXNet wrote: operator by operator, as a graph, on a NeuronCore."""
    folder, blocks = ask_oracle("gluon"), oracle("blocks")
    expected = np.load(folder / "gluon.npz")
    for name, (block, shapes) in blocks.small(mx).items():
        inputs = blocks.inputs(mx, name, shapes)
        block.initialize()
        block(*inputs)
        block.load_parameters(str(folder / f"{name}.params"))
        results = [block(*inputs)]
        assert {"text": repr(block), "parameters": list(block.collect_params())} == answers["small"][name]
        block.hybridize()
        results.append(block(*inputs))
        block.reset_ctx(mx.neuron(1))
        results.append(block(*inputs))
        block.export(str(tmp_path / name))
        assert _file(tmp_path / name) == _file(folder / name), name
        for result in results:
            np.testing.assert_allclose(result.asnumpy(), expected[name], rtol=1e-3, atol=1e-4, err_msg=name)


def _file(prefix: Path) -> tuple[Any, dict[str, tuple[int, ...]]]:
    arrays = mx.nd.load(f"{prefix}-0000.params")
    nodes = json.loads(Path(f"{prefix}-symbol.json").read_text())["nodes"]
    for node in nodes:
        # MXNet counts how often a graph was made of a variable, and calls the initializer of a constant by its address.
        node["inputs"] = [place[:2] for place in node["inputs"]]
        if node["op"] == "broadcast_maximum":  # MXNet's own layer gives it an attribute that it does not have
            node.pop("attrs", None)
        attrs = node.get("attrs", {})
        if "onstant" in attrs.get("__init__", ""):
            del attrs["__init__"]
        if "__shape__" in attrs:  # a list in MXNet's deformable layers
            attrs["__shape__"] = attrs["__shape__"].replace("[", "(").replace("]", ")")
    return nodes, {key: array.shape for key, array in dict(arrays or {}).items()}


def test_placement_of_a_block() -> None:
    net = nn.HybridSequential()
    net.add(nn.Dense(4), nn.Dense(2))
    net.initialize(ctx=mx.neuron(2))
    with pytest.raises(mx.MXNetError, match="is not hybridized: a NeuronCore runs graphs"):
        net(mx.nd.ones((1, 3)))
    net.hybridize()
    assert net(mx.nd.ones((1, 3))).shape == (1, 2)
    assert [str(place) for place in neuron_adapters.placement(net)] == ["NC2"]
    gc.disable()
    try:
        del net
        assert sum(init().use()) == 0
    finally:
        gc.enable()


def test_a_block_is_compiled() -> None:
    net = nn.HybridSequential()
    net.add(nn.Conv2D(3, 3), nn.BatchNorm(), nn.Flatten(), nn.Dense(2))
    net.initialize()
    x = mx.nd.random_uniform(shape=(2, 1, 6, 6))
    expected = net(x).asnumpy()
    compiled = mx.contrib.neuron.compile(net, inputs={"picture": x}, **{"--neuroncore-pipeline-cores": 3})
    np.testing.assert_allclose(compiled(x).asnumpy(), expected, rtol=1e-3, atol=1e-5)
    assert [place.nc_count for place in neuron_adapters.placement(compiled)] == [3]


def test_parameters() -> None:
    net = nn.Dense(3, in_units=0, prefix="d_")
    with pytest.raises(mx.MXNetError, match="has not been initialized"):
        net(mx.nd.ones((1, 2)))
    net.initialize(mx.init.One())
    with pytest.raises(mx.gluon.parameter.DeferredInitializationError, match="first forward pass"):
        net.weight.data()
    assert net(mx.nd.ones((1, 2))).asnumpy().tolist() == [[2, 2, 2]]
    with pytest.warns(UserWarning, match="already initialized"):
        net.initialize()
    net.initialize(mx.init.Constant(2), force_reinit=True)
    assert net(mx.nd.ones((1, 2))).asnumpy().tolist() == [[4, 4, 4]]
    net.weight.set_data(mx.nd.zeros((3, 2)))
    assert net(mx.nd.ones((1, 2))).asnumpy().tolist() == [[0, 0, 0]]
    with pytest.raises(ValueError, match="invalid shape"):
        mx.gluon.Parameter("w", shape=(0, 3)).initialize()
    with pytest.raises(ValueError, match="shape"):
        net.weight.shape = (4, 2)
    with pytest.raises(mx.MXNetError, match="no gradients"):
        net.weight.grad()
    shared = nn.Dense(3, prefix="d_", params=net.params)
    assert shared.weight is net.weight
    net.cast("float16")
    assert net(mx.nd.ones((1, 2), dtype="float16")).dtype is np.float16
    constant = mx.gluon.Constant("c", [[1, 2]])
    assert constant.data().asnumpy().tolist() == [[1, 2]]
    assert constant.grad_req == "null"


def test_files_of_parameters(tmp_path: Path) -> None:
    def network(prefix: str, units: int = 2) -> Any:
        net = nn.HybridSequential(prefix=prefix)
        with net.name_scope():
            net.add(nn.Dense(3, in_units=2), nn.Dense(units, in_units=3))
        return net

    path, x = str(tmp_path / "net.params"), mx.nd.ones((1, 2))
    first = network("a_")
    first.initialize()
    expected = first(x).asnumpy()
    first.save_parameters(path)
    assert sorted(mx.nd.load(path)) == ["0.bias", "0.weight", "1.bias", "1.weight"]
    for save in (first.save_parameters, first.collect_params().save, lambda to: first.export(to[:-7])):
        first.hybridize()
        first(x)
        save(path)
        second = network("a_")
        second.load_parameters(path if Path(path).exists() else f"{path[:-7]}-0000.params")
        np.testing.assert_array_equal(second(x).asnumpy(), expected)
    first.save_parameters(path)
    with pytest.raises(ValueError, match=r"shape incompatible expected \(4, 3\) vs saved \(2, 3\)"):
        network("a_", 4).load_parameters(path)
    mx.nd.save(path, {"0.weight": mx.nd.ones((3, 2))})
    with pytest.raises(mx.MXNetError, match=r"'0.bias' is missing .*allow_missing"):
        network("a_").load_parameters(path)
    mx.nd.save(path, {**{key: mx.nd.ones((1,)) for key in ("0.more",)}})
    with pytest.raises(ValueError, match=r"'0.more' .*ignore_extra"):
        network("a_").load_parameters(path, allow_missing=True)
    half = network("a_")
    half.cast("float16")
    half.initialize()
    half.save_parameters(path)
    with pytest.raises(ValueError, match=r"dtype incompatible .*cast_dtype"):
        network("a_").load_parameters(path)
    again = network("a_")
    again.load_parameters(path, cast_dtype=True)
    assert again(x).dtype is np.float32


def test_blocks_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    class Branches(mx.gluon.Block):
        def __init__(self) -> None:
            super().__init__()
            with self.name_scope():
                self.first, self.second = nn.Dense(2), nn.Dense(2)

        def forward(self, x: Any, both: bool = True) -> Any:
            return [self.first(x), self.second(x)] if both else self.first(x)

    net = Branches()
    net.initialize()
    net.hybridize()
    seen: list[str] = []
    with net.first.register_forward_hook(lambda block, _inputs, _out: seen.append(block.name)):
        first, second = net(mx.nd.ones((3, 4)))
        assert first.shape == second.shape == (3, 2)
    net(mx.nd.ones((3, 4)), False)
    assert seen == [net.first.name]
    assert [type(block).__name__ for block in (net.first, net.second)] == ["Dense", "Dense"]
    with pytest.raises(TypeError, match="Changing attribute type"):
        net.first = 3  # type: ignore[assignment]
    plain = nn.HybridSequential()
    plain.add(nn.Dense(2), nn.Activation("relu"))
    plain.initialize()
    plain.summary(mx.nd.ones((3, 4)))
    assert "Total params: 10" in capsys.readouterr().out
    with pytest.raises(ValueError, match="must also be HybridBlock"):
        plain.add(net)
    assert len(plain[:1]) == 1
    with pytest.raises(mx.MXNetError, match=r"hybridize\(\) and then run"):
        plain.export("nowhere")
    with pytest.raises(ValueError, match="either NDArrays or Symbols"):
        plain(mx.sym.var("x"), mx.nd.ones((1, 1)))


def test_what_scripts_take_from_inside_a_parameter() -> None:
    net = mx.gluon.nn.Dense(2, in_units=3)
    net.initialize(mx.init.One(), ctx=[mx.neuron(0), mx.neuron(1)])
    copy = net.weight._reduce()
    assert (copy.context, copy.asnumpy().tolist()) == (mx.cpu(), [[1, 1, 1]] * 2)
    copy[:] = 0
    assert net.weight.data().asnumpy().min() == 1
    assert len(net.weight._grad or ()) == 2
    net.weight.grad_req = "null"
    assert net.weight._grad is None
    assert mx.gluon.nn.Dense(2, in_units=3).weight._grad is None


@pytest.mark.parametrize("context", [mx.cpu(), mx.neuron(0)])
def test_op_hooks_see_the_operators_of_graphs(context: mx.Context) -> None:
    inner = mx.gluon.nn.HybridSequential(prefix="net_")
    with inner.name_scope():
        inner.add(mx.gluon.nn.Dense(2, activation="relu", in_units=3), mx.gluon.nn.Dense(1, in_units=2))
    inner.initialize(mx.init.One(), ctx=context)
    net = mx.gluon.nn.Sequential()
    net.add(inner)
    x = mx.nd.array([[1, 2, 3]])
    seen: list[tuple[bytes, bytes, list[list[float]]]] = []
    net.register_op_hook(lambda name, op, array: seen.append((name, op, array.asnumpy().tolist())))
    if context == mx.cpu():
        net(x)
        assert not seen  # what is not a graph has no operators with names
    inner.hybridize()
    assert net(x).asnumpy().tolist() == [[12]]
    assert seen == [
        (b"net_dense0_fwd_output", b"FullyConnected", [[6, 6]]),
        (b"net_dense0_relu_fwd_output", b"Activation", [[6, 6]]),
        (b"net_dense1_fwd_output", b"FullyConnected", [[12]]),
    ]
    seen.clear()
    net.register_op_hook(lambda name, op, array: seen.append((name, op, array.shape)), monitor_all=True)
    net(x)
    assert [name.decode()[4:] for name, _op, _array in seen] == [
        "dense0_fwd_data", "dense0_fwd_weight", "dense0_fwd_bias", "dense0_fwd_output", "dense0_relu_fwd_input0",
        "dense0_relu_fwd_output", "dense1_fwd_data", "dense1_fwd_weight", "dense1_fwd_bias", "dense1_fwd_output",
    ]  # fmt: skip
    seen.clear()
    net.register_op_hook(None)
    assert net(x).asnumpy().tolist() == [[12]]
    assert not seen


def test_weights_of_the_zoo_are_read_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no squeezenet1.1-\*.params .*downloads no weights"):
        model_zoo.get_model("squeezenet1.1", pretrained=True)
    net = model_zoo.vision.squeezenet1_1(classes=3)
    net.initialize()
    net.hybridize()
    x = mx.nd.random_uniform(shape=(1, 3, 224, 224))
    expected = net(x).asnumpy()
    (tmp_path / "models").mkdir()
    net.save_parameters(str(tmp_path / "models" / "squeezenet1.1-33ba0f93.params"))
    again = model_zoo.get_model("SqueezeNet1.1", pretrained=True, classes=3, ctx=mx.neuron(0))
    again.hybridize()
    np.testing.assert_allclose(again(x).asnumpy(), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="resnet50 is not supported"):
        model_zoo.get_model("resnet50")


def test_a_graph_in_a_block(tmp_path: Path) -> None:
    """Its parameters go by the names that MXNet gives them in files, whatever the block is called."""

    def network() -> Any:
        class Net(mx.gluon.HybridBlock):
            def __init__(self) -> None:
                super().__init__()
                with self.name_scope():
                    inner = nn.HybridSequential()
                    with inner.name_scope():
                        inner.add(nn.Conv2D(4, 3), nn.BatchNorm())
                    data = mx.sym.var("data")
                    self.backbone = mx.gluon.SymbolBlock(inner(data), data, params=inner.collect_params())
                    self.body = nn.Conv2D(3, 1)

            def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803
                return self.backbone(self.body(x))

        return Net()

    first, second = network(), network()
    x = mx.nd.random_uniform(shape=(1, 2, 6, 6))
    first.initialize()
    expected = first(x).asnumpy()
    first.save_parameters(str(tmp_path / "net.params"))
    names = sorted(mx.nd.load(str(tmp_path / "net.params")))
    assert names[:2] == ["backbone.batchnorm0_beta", "backbone.batchnorm0_gamma"]
    second.load_parameters(str(tmp_path / "net.params"))
    for hybrid in (False, True):
        second.hybridize(hybrid)
        np.testing.assert_allclose(second(x).asnumpy(), expected, rtol=1e-4, atol=1e-6)


def test_what_a_block_is_given() -> None:
    class Sum(mx.gluon.HybridBlock):
        def hybrid_forward(self, F: Any, a: Any, b: Any) -> Any:  # noqa: N803
            return a + b

    ones = mx.nd.ones((2,))
    assert Sum()(ones, 3).asnumpy().tolist() == [4, 4]
    whole = Sum()
    whole.hybridize()
    for other in (3, mx.sym.var("a"), mx.nd.ones((2,), ctx=mx.cpu(1))):
        with pytest.raises(ValueError, match=r"Symbols or NDArrays|either NDArrays or Symbols|one context"):
            whole(ones, other)
    parts = mx.gluon.utils.split_data(mx.nd.arange(10), 4, even_split=False)
    assert [part.asnumpy().tolist() for part in parts] == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]


def test_files_of_block_save(ask_oracle: Callable[[str], Path], oracle: Any, tmp_path: Path) -> None:
    """MXNet's file is read, names included; this package's is MXNet's, and loads in a block of other names."""
    reference, module = ask_oracle("saved"), oracle("saved_blocks")
    module.network(mx)  # so that the names are others than in the file
    net = module.network(mx)
    net.load(str(reference / "net"))
    rows, expected = mx.nd.array(module.ROWS), np.load(reference / "answer.npy")
    np.testing.assert_allclose(net(rows).asnumpy(), expected, rtol=1e-4, atol=1e-5)
    net.save(str(tmp_path / "net"))
    ours, theirs = (json.loads((folder / "net-model.json").read_text()) for folder in (tmp_path, reference))
    assert ours == theirs
    again = module.network(mx)
    again.load(str(tmp_path / "net"))
    np.testing.assert_array_equal(again(rows).asnumpy(), net(rows).asnumpy())
    with pytest.raises(mx.MXNetError, match=r"net-model\.json: it does not describe the blocks of dense"):
        mx.gluon.nn.Dense(2).load(str(tmp_path / "net"))
    broken = json.dumps(ours).replace('"orig_name"', '"name"').replace('"name"', '"orig_name"', 1)  # of the inner ones
    (tmp_path / "net-model.json").write_text(broken)
    fresh = module.network(mx)
    name = fresh.name
    with pytest.raises(mx.MXNetError, match="does not describe"):
        fresh.load(str(tmp_path / "net"))
    assert fresh.name == name
    (tmp_path / "net-model.json").write_text('{"x": ' + "[" * 100000)
    with pytest.raises(mx.MXNetError, match="does not describe"):
        again.load(str(tmp_path / "net"))
    with pytest.raises(FileNotFoundError, match="nothing-model"):
        net.load(str(tmp_path / "nothing"))


@pytest.mark.parametrize("name", ["w", "w_bias", "w_gamma", "w_weight"])
def test_a_default_initializer_is_for_every_name(name: str) -> None:
    """As in MXNet: a parameter without an initializer of its own has that of ``initialize``, whatever its name."""
    parameters = mx.gluon.ParameterDict()
    parameter = parameters.get(name, shape=(3,))
    parameters.initialize(init=mx.init.Constant(4))
    assert parameter.data().asnumpy().tolist() == [4, 4, 4]
    other = mx.gluon.Parameter(name, shape=(50,))
    other.initialize()
    assert 0 < np.abs(other.data().asnumpy()).max() <= 0.07


def test_what_mxnet_asserts_of_blocks() -> None:
    net = mx.gluon.nn.Dense(2)
    net.initialize()
    net.hybridize()
    with pytest.raises(AssertionError, match="must not be hybridized"):
        net.summary(mx.nd.ones((1, 2)))
    weight = mx.sym.var("weight", stype="row_sparse")
    with pytest.raises(AssertionError, match="weight: sparse arrays"):
        mx.gluon.SymbolBlock(mx.sym.dot(mx.sym.var("data"), weight), mx.sym.var("data"))

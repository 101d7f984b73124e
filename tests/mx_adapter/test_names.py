"""Names that inference scripts use, and one error for what training needs."""

from __future__ import annotations

import importlib
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuron_adapters
from neuron_adapters import mx


def network(length: int) -> Any:
    table = mx.sym.Embedding(mx.sym.var("data"), input_dim=10, output_dim=4, name="table")
    return mx.sym.FullyConnected(mx.sym.sum(table, axis=1), num_hidden=2, name="head")


def test_modules_of_modules() -> None:
    for name in (
        "ndarray.ndarray.NDArray",
        "nd.NDArray",
        "symbol.symbol.Symbol",
        "image.image.imread",
        "base.mx_real_t",
    ):
        member: Any = mx
        for part in name.split("."):
            member = getattr(member, part)
    assert importlib.import_module("neuron_adapters.mx.ndarray.ndarray").NDArray is mx.nd.NDArray
    assert importlib.import_module("neuron_adapters.mx.symbol.symbol").Symbol is mx.sym.Symbol
    assert importlib.import_module("neuron_adapters.mx.image.image").imread is mx.image.imread


TRAINING = ["optimizer", "opt", "kv", "kvstore", "lr_scheduler", "gluon.Trainer",
            "gluon.contrib.estimator", "contrib.autograd", "nd.sgd_update", "sym.adam_update",
            "nd.contrib.group_adagrad_update", "nd.sparse.adam_update", "sym.op.lamb_update_phase1",
            "nd._internal._backward_dot", "autograd.Function"]  # fmt: skip


@pytest.mark.parametrize("name", TRAINING)
def test_what_training_needs_is_one_error(name: str) -> None:
    *place, last = name.split(".")
    member: Any = mx
    for part in place:
        member = getattr(member, part)
    assert not hasattr(member, last)
    with pytest.raises(mx.MXNetError, match=r"this package infers only.*MXNet") as error:
        getattr(member, last)
    assert isinstance(error.value, AttributeError)
    assert len(str(error.value)) < 200


def test_imports_of_what_training_needs() -> None:
    for text in ("from neuron_adapters.mx import optimizer", "import neuron_adapters.mx.kvstore"):
        with pytest.raises(mx.MXNetError, match="infers only") as error:
            exec(text)
        assert isinstance(error.value, ImportError)
    for refused in (mx.autograd.record, mx.autograd.train_mode, mx.autograd.backward, mx.autograd.grad):
        with pytest.raises(mx.MXNetError, match=r"no gradients|infer"):
            refused()
    x = mx.sym.var("x")
    for call in (lambda: x.gradient(["x"]), lambda: mx.mod.Module(x, ["x"], None).borrow_optimizer(None),
                 mx.gluon.Parameter("w").grad):  # fmt: skip
        with pytest.raises(mx.MXNetError, match="infers only"):
            call()


def test_scopes_of_inference() -> None:
    with mx.autograd.pause(), mx.autograd.predict_mode():
        assert not mx.autograd.is_recording()
        assert not mx.autograd.set_training(train_mode=False)
    mx.profiler.set_config(profile_all=True, filename="x.json")
    mx.profiler.set_state("run")
    assert "timeline" in mx.profiler.dumps()


def test_a_dictionary_of_parameters_with_a_prefix() -> None:
    shared = mx.gluon.ParameterDict("model_")
    block = mx.gluon.SymbolBlock(network(3), mx.sym.var("data"), shared)
    assert sorted(block.collect_params()) == ["head_bias", "head_weight", "table_weight"]
    assert shared.get("x", dtype="int32").name == "model_x"
    assert shared.get("x") is shared["model_x"]
    assert mx.gluon.ParameterDict("model_", shared=shared).get("x") is shared["model_x"]


def test_a_block_without_parameters(tmp_path: Path) -> None:
    (mx.sym.var("data") * 2).save(str(tmp_path / "head-symbol.json"))
    mx.nd.save(str(tmp_path / "head-0000.params"), {})
    block = mx.gluon.SymbolBlock.imports(f"{tmp_path}/head-symbol.json", ["data"], f"{tmp_path}/head-0000.params")
    assert block(mx.nd.ones((2,))).asnumpy().tolist() == [2, 2]
    block.load_parameters(f"{tmp_path}/head-0000.params")


def test_batches_for_several_contexts() -> None:
    batch = np.arange(12).reshape(6, 2)
    parts = mx.gluon.utils.split_and_load(batch, [mx.neuron(0), mx.neuron(1)])
    assert [(part.context, part.asnumpy()[:, 0].tolist()) for part in parts] == [
        (mx.neuron(0), [0, 2, 4]), (mx.neuron(1), [6, 8, 10]),
    ]  # fmt: skip
    uneven = mx.gluon.utils.split_data(mx.nd.array(batch), 4, even_split=False)
    assert [len(part) for part in uneven] == [2, 2, 1, 1]  # as MXNet 1.9.1
    assert [part.shape for part in mx.gluon.utils.split_data(mx.nd.array(batch), 2, batch_axis=1)] == [(6, 1)] * 2
    with pytest.raises(ValueError, match="evenly"):
        mx.gluon.utils.split_data(mx.nd.array(batch), 4)


def test_files_that_would_be_downloaded(tmp_path: Path) -> None:
    url = "https://example.com/models/labels.txt?x=1"
    with pytest.raises(mx.MXNetError, match="not downloaded"):
        mx.gluon.utils.download(url, path=str(tmp_path))
    (tmp_path / "labels.txt").write_text("cat")
    known = "9d989e8d27dc9e0ec3389fc855f142c3d40f0c50"
    for path in (tmp_path, tmp_path / "labels.txt"):
        assert mx.gluon.utils.download(url, str(path), sha1_hash=known) == f"{tmp_path}/labels.txt"
    with pytest.raises(mx.MXNetError, match="SHA-1"):
        mx.gluon.utils.download(url, str(tmp_path), sha1_hash="0" * 40)


def test_buckets() -> None:
    """Graphs of several lengths in one place, over the same parameters."""
    module = mx.mod.BucketingModule(lambda key: (network(key), ["data"], None), 7, context=mx.neuron(2))
    module.bind([("data", (2, 7))], for_training=False)
    weights = {"table_weight": mx.nd.ones((10, 4)), "head_weight": mx.nd.ones((2, 4)), "head_bias": mx.nd.zeros((2,))}
    module.set_params(weights, {})
    for length, factor in ((7, 1), (5, 1), (3, 2), (7, 2), (5, 2)):
        module.set_params({**weights, "head_weight": mx.nd.ones((2, 4)) * factor}, {})
        described = [mx.io.DataDesc("data", (2, length))]
        module.forward(mx.io.DataBatch([mx.nd.ones((2, length))], bucket_key=length, provide_data=described))
        assert module.get_outputs()[0].asnumpy().tolist() == [[4 * length * factor] * 2] * 2
        assert module.data_shapes == described
    assert {str(place) for place in neuron_adapters.placement(module)} == {"NC2"}
    assert sorted(module.get_params()[0]) == sorted(weights)


INITIALIZERS = {
    "Zero()": (0, 0), "One()": (1, 0), "Constant(3)": (3, 0), "Uniform(0.5)": (0, 0.2887), "Normal(0.2)": (0, 0.2),
    "Xavier()": (0, 0.0816), "Xavier('gaussian', 'in', 2)": (0, 0.1), "MSRAPrelu()": (0, 0.112), "Orthogonal()": (0, 0.1),
    "Mixed(['.*'], [mx.init.One()])": (1, 0), "Load({'arg:w_weight': mx.nd.ones((100, 200)) * 5})": (5, 0),
}  # fmt: skip


@pytest.mark.parametrize("text", INITIALIZERS)
def test_initializers(text: str) -> None:
    mx.random.seed(1)
    array = mx.nd.full((100, 200), -9)
    eval(f"mx.init.{text}")(mx.init.InitDesc("w_weight"), array)
    mean, deviation = INITIALIZERS[text]
    np.testing.assert_allclose([array.asnumpy().mean(), array.asnumpy().std()], [mean, deviation], atol=0.004)


def test_initializers_of_a_module() -> None:
    """A variable's own initializer decides; biases are zeros; an initializer is known by name and by its JSON."""
    gamma = mx.sym.var("gamma", shape=(1,), init=mx.init.Constant(0.25))
    out = mx.sym.FullyConnected(mx.sym.broadcast_mul(mx.sym.var("data"), gamma), num_hidden=2, name="head")
    module = mx.mod.Module(out, label_names=None)
    module.bind([("data", (2, 1))], for_training=False)
    module.init_params(mx.init.create(mx.init.Xavier(magnitude=2).dumps()))
    args, _aux = module.get_params()
    assert args["gamma"].asnumpy().tolist() == [0.25]
    assert mx.init.Constant(np.array([1.0, 2.0])).dumps() == '["constant", {"value": [1.0, 2.0]}]'
    assert args["head_bias"].asnumpy().tolist() == [0, 0]
    assert args["head_weight"].asnumpy().any()
    with pytest.raises(ValueError, match="no initializer"):
        mx.init.create("nope")


#: What MXNet 1.9.1 says: after a first batch, reset_local() and a second batch, of both and of the second.
METRICS = {
    ("acc", "classes"): (0.166667, 0.25),
    ("top_k_accuracy", "classes", ("top_k", 2)): (0.5, 0.5),
    ("f1", "two"): (0.4, 0.7),
    ("f1", "two", ("average", "micro")): (0.4, 0.666667),
    ("mae", "numbers"): (0.249225, 0.317626),
    ("mse", "numbers"): (0.091867, 0.157651),
    ("rmse", "numbers"): (0.303096, 0.387893),
    ("ce", "classes"): (1.089212, 0.774998),
    ("nll_loss", "classes"): (1.089212, 0.774998),
    ("perplexity", "classes", ("ignore_label", 1)): (2.971931, 2.522927),
    ("pearsonr", "numbers"): (0.683689, 0.308651),
    ("loss", "numbers"): (0.431918, 0.447697),
}


@pytest.mark.parametrize("case", METRICS, ids=lambda case: "-".join(map(str, case)))
def test_metrics(case: Any) -> None:
    rng = np.random.RandomState(0)
    batches = {
        kind: ([mx.nd.array(make(rng)) for _ in range(2)], [mx.nd.array(rng.rand(*shape)) for _ in range(2)])
        for kind, make, shape in (
            ("classes", lambda r: r.randint(0, 3, 6), (6, 3)),
            ("two", lambda r: r.randint(0, 2, 6), (6, 2)),
            ("numbers", lambda r: r.rand(6), (6,)),
        )
    }
    name, kind, *options = case
    metric = mx.metric.create(name, **dict(options))
    assert math.isnan(metric.get()[1])
    labels, outputs = batches[kind]
    metric.update(labels[:1], outputs[:1])
    metric.reset_local()
    metric.update(labels[1:], outputs[1:])
    np.testing.assert_allclose((metric.get()[1], metric.get_global()[1]), METRICS[case], atol=1e-6)
    both = mx.metric.create([metric, lambda label, pred: 7.0])
    assert both.get_name_value()[1][0].startswith("custom")
    with pytest.raises((ValueError, TypeError)):
        mx.metric.create(name, **dict(options), nope=1)


def test_drawings_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    data = mx.sym.var("data")
    bn = mx.sym.BatchNorm(mx.sym.FullyConnected(data, num_hidden=10, name="fc"), name="bn")
    mx.viz.print_summary(mx.sym.elemwise_add(bn, bn, name="sum"), {"data": (1, 4)})
    table = capsys.readouterr().out
    for row in (r"fc \(FullyConnected\) +\(10,\) +50 +data", r"bn \(BatchNorm\) +\(10,\) +20 +fc", "Total params: 70"):
        assert re.search(row, table), row
    mx.viz.print_summary(bn)
    assert "Total params: 0" in capsys.readouterr().out
    with pytest.raises(TypeError, match="takes a Symbol"):
        mx.viz.print_summary("x")
    with pytest.raises(ImportError, match="pip install graphviz"):
        mx.viz.plot_network(bn)


def test_small_modules() -> None:
    with mx.engine.bulk(10):
        assert mx.engine.set_bulk_size(15) == 10
    with mx.test_utils.environment("MXNET_HOME", "/somewhere"):
        assert mx.base.data_dir() == "/somewhere"

    @mx.util.use_np_shape
    class Shapes:
        def active(self) -> bool:
            return mx.is_np_shape()

    assert Shapes().active()
    assert not mx.is_np_shape()
    assert mx.util.use_np(lambda: (mx.is_np_shape(), mx.is_np_array()))() == (True, True)
    assert not mx.is_np_array()
    assert mx.contrib.nd.box_nms is mx.nd.contrib.box_nms
    from neuron_adapters.mx.contrib.amp import amp

    for refused in (amp.init, amp.convert_model):
        with pytest.raises(mx.MXNetError, match="this package"):
            refused()


def test_a_score() -> None:
    """An evaluation loop: batches, a metric, and the rows that fill up the last batch."""
    module = mx.mod.Module(mx.sym.SoftmaxOutput(mx.sym.var("data"), name="softmax"), context=mx.neuron(0))
    rows = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    batches = mx.io.NDArrayIter(rows, np.array([0, 1, 2, 0, 0, 1]), 3)
    module.bind(batches.provide_data, batches.provide_label, for_training=False)
    module.init_params()
    seen: list[int] = []
    scores = module.score(batches, ["acc", "ce"], batch_end_callback=lambda param: seen.append(param.nbatch))
    assert [name for name, _value in scores] == ["accuracy", "cross-entropy"]
    assert scores[0][1] == pytest.approx(5 / 6)
    assert seen == [0, 1]


def test_files_of_records(tmp_path: Path) -> None:
    """Written and read, by order and by key, also where a record holds the mark that begins one."""
    mark = b"\x0a\x23\xd7\xce"
    records = [b"", b"abc", mark, b"1234" + mark + b"5678" + mark + mark, b"x" + mark, bytes(range(256))]
    with mx.recordio.MXIndexedRecordIO(f"{tmp_path}/a.idx", f"{tmp_path}/a.rec", "w") as file:
        for number, record in enumerate(records):
            file.write_idx(number, record)
    plain = mx.recordio.MXRecordIO(f"{tmp_path}/a.rec", "r")
    assert [plain.read() for _ in records] == records
    assert plain.read() is None
    plain.reset()
    assert plain.read() == records[0]
    indexed = pickle.loads(pickle.dumps(mx.recordio.MXIndexedRecordIO(f"{tmp_path}/a.idx", f"{tmp_path}/a.rec", "r")))
    assert [indexed.read_idx(number) for number in (3, 0, 5)] == [records[3], records[0], records[5]]
    (tmp_path / "bad.rec").write_bytes((tmp_path / "a.rec").read_bytes()[:-9])
    bad = mx.recordio.MXRecordIO(f"{tmp_path}/bad.rec", "r")
    with pytest.raises(mx.MXNetError, match=r"bad\.rec is not an intact file of records"):
        [bad.read() for _ in records]
    for file in (plain, indexed, bad):
        file.close()


def test_pictures_in_records() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    for label in (3.0, [1.0, 2.0]):
        packed = mx.recordio.pack_img(mx.recordio.IRHeader(0, label, 7, 0), picture, 3, ".png")
        header, again = mx.recordio.unpack_img(packed)
        assert np.all(header.label == label)
        assert header.id == 7
        np.testing.assert_array_equal(again, picture)
    grey = mx.recordio.pack_img(mx.recordio.IRHeader(0, 1, 0, 0), picture[:, :, 0], 95, ".jpg")
    assert mx.recordio.unpack_img(grey)[1].shape == (4, 5)
    assert mx.image.imdecode(mx.recordio.unpack(grey)[1]).shape == (4, 5, 3)
    assert mx.image.imdecode(mx.recordio.unpack(grey)[1], flag=-1).shape == (4, 5, 1)
    with pytest.raises(mx.MXNetError, match="header"):
        mx.recordio.unpack(b"short")

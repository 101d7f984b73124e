"""Recurrent cells and metrics against the real MXNet: the graphs to the byte, the numbers, how they are written down."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx


@pytest.fixture(scope="session")
def answers(ask_oracle: Any) -> Any:
    return json.loads((ask_oracle("answers") / "answers.json").read_text())


def test_cells_make_the_graphs_that_mxnet_makes(answers: Any, oracle: Any) -> None:
    graphs = oracle("expressions").graphs(mx)
    assert sorted(graphs) == sorted(answers["graphs"])
    for name, text in graphs.items():
        assert text == answers["graphs"][name], name


def test_metrics_say_what_mxnet_says(answers: Any, oracle: Any) -> None:
    metrics = oracle("expressions").metrics(mx, np)
    for text, (local, total, name) in answers["metrics"].items():
        since = local if "Pearson" in text else total  # MXNet forgets it, and says 0
        assert metrics[text] == [pytest.approx(local, rel=1e-5), pytest.approx(since, rel=1e-5), name], text


def test_configurations_make_the_same_metric_again(answers: Any, oracle: Any) -> None:
    for text, config in oracle("expressions").configs(mx).items():
        expected = answers["configs"][text]
        if "TopK" in text:  # of which MXNet would make a metric with the number twice in its name
            expected = {**expected, "name": "top_k_accuracy"}
        assert config.items() >= expected.items(), text
        assert mx.metric.create(json.dumps(config)).get_config() == config


def test_own_metrics() -> None:
    @mx.metric.register
    class Half(mx.metric.EvalMetric):
        def __init__(self) -> None:
            super().__init__("half", share=0.5)

        def update(self, labels: Any, preds: Any) -> None:
            self.sum_metric += 0.5
            self.num_inst += 1

    metric = mx.metric.create("half")
    metric.update(None, None)
    assert metric.get() == ("half", 0.5)
    assert metric.get_config()["share"] == 0.5
    assert mx.metric.np(lambda label, pred: 3.0, name="three").name == "three"
    with pytest.raises(NotImplementedError, match="no configuration"):
        mx.metric.np(len).get_config()


def test_fused_weights_are_those_of_single_cells(tmp_path: Path) -> None:
    """A fused layer and the cells that it is divided into compute the same, from one checkpoint."""
    fused = mx.rnn.FusedRNNCell(3, 2, "lstm", bidirectional=True, prefix="f_")
    data = mx.sym.var("data")
    x = mx.nd.array(np.random.RandomState(0).rand(2, 4, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that NTC takes two transpositions
        joined = fused.unroll(4, data, merge_outputs=True)[0]
    module = mx.mod.Module(joined, label_names=None)
    module.bind([("data", x.shape)], for_training=False)
    module.init_params(mx.init.Uniform(0.5))
    args, aux = module.get_params()
    forget = fused.unpack_weights(args)["f_l0_i2h_f_bias"]
    assert forget.asnumpy().tolist() == [1, 1, 1]
    mx.rnn.save_rnn_checkpoint(fused, str(tmp_path / "m"), 0, joined, args, aux)
    assert "f_r1_h2h_c_weight" in mx.model.load_checkpoint(str(tmp_path / "m"), 0)[1]
    single = fused.unfuse()
    _symbol, loaded, _aux = mx.rnn.load_rnn_checkpoint(single, str(tmp_path / "m"), 0)
    outputs = [
        symbol.eval(mx.cpu(), data=x, **weights)[0].asnumpy()
        for symbol, weights in ((joined, args), (single.unroll(4, data, merge_outputs=True)[0], loaded))
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-5)
    packed = fused.pack_weights(fused.unpack_weights(args))
    np.testing.assert_array_equal(packed["f_parameters"].asnumpy(), args["f_parameters"].asnumpy())


def test_sentences_in_buckets() -> None:
    words = [["a", "b"], ["b", "c", "a"], ["a", "a"], ["c", "b", "b"], ["a"] * 9]
    numbers, vocabulary = mx.rnn.encode_sentences(words, invalid_label=0, start_label=1)
    assert numbers[:2] == [[1, 2], [2, 3, 1]]
    assert vocabulary == {"\n": 0, "a": 1, "b": 2, "c": 3}
    batches = mx.rnn.BucketSentenceIter(numbers, 2, buckets=[2, 3], invalid_label=0, layout="TN")
    assert batches.provide_data[0].shape == (3, 2)
    seen = {}
    for batch in batches:
        seen[batch.bucket_key] = batch
        assert batch.provide_data[0].shape == batch.data[0].shape == (batch.bucket_key, 2)
        np.testing.assert_array_equal(batch.label[0].asnumpy()[:-1], batch.data[0].asnumpy()[1:])
        assert not batch.label[0].asnumpy()[-1].any()
    assert sorted(seen) == [2, 3]
    with pytest.raises(ValueError, match="no word 'd'"):
        mx.rnn.encode_sentences([["d"]], vocabulary)


def test_cells_that_cannot() -> None:
    base = mx.rnn.LSTMCell(4)
    mx.rnn.ResidualCell(base)
    with pytest.raises(mx.MXNetError, match="modifies it"):
        base.begin_state()
    with pytest.raises(NotImplementedError, match="unroll"):
        mx.rnn.FusedRNNCell(4)(mx.sym.var("x"), [])
    with pytest.raises(ValueError, match="an input for each step"):
        mx.rnn.GRUCell(4).unroll(3, [mx.sym.var("x")])
    with pytest.raises(mx.MXNetError, match="infers only"):
        mx.rnn.do_rnn_checkpoint(base, "x")

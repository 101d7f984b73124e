"""A graph is read once, and what changes afterwards shows."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from neuron_adapters import mx


def calls_of(action):
    """How many functions of this project run, generators' turns included."""
    count = 0

    def profile(frame, event, _arg):
        nonlocal count
        file = frame.f_code.co_filename
        count += event == "call" and ("/neuron_adapters/" in file or "/neuron_rt/" in file)

    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def perceptron():
    hidden = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=16, name="hidden")
    scores = mx.sym.FullyConnected(mx.sym.Activation(hidden, act_type="relu", name="act"), num_hidden=4, name="scores")
    return mx.sym.SoftmaxOutput(scores, name="softmax")


def arrays_for(symbol, **shapes):
    rs = np.random.RandomState(0)
    inferred = zip(symbol.list_arguments(), symbol.infer_shape(**shapes)[0])
    return {name: mx.nd.array(rs.standard_normal(shape).astype("float32")) for name, shape in inferred}


@pytest.mark.parametrize("alive", [True, False])
def test_a_graph_is_walked_and_lowered_once(alive):
    """Binding it again costs few calls, whether or not the first executor is there."""
    symbol = perceptron()
    first = symbol.bind(mx.neuron(0), arrays_for(symbol, data=(2, 8)), grad_req="null")
    if not alive:
        del first
    arrays = arrays_for(symbol, data=(2, 8))
    assert calls_of(lambda: symbol.bind(mx.neuron(0), arrays, grad_req="null")) <= 410


def test_what_changes_after_a_bind_is_seen():
    """Symbols share nodes: attributes, names and inputs may change behind a symbol that was bound."""
    data = mx.sym.var("data")
    clipped = mx.sym.clip(data, a_min=0, a_max=1, name="clipped")
    doubled = clipped * 2
    array = {"data": mx.nd.array([-3.0, 0.5, 3.0])}
    before = doubled.bind(mx.neuron(0), array, grad_req="null")
    assert before.forward()[0].asnumpy().tolist() == [0, 1, 2]
    clipped._set_attr(a_max="2")
    after = doubled.bind(mx.neuron(0), array, grad_req="null")
    assert after.forward()[0].asnumpy().tolist() == [0, 1, 4]
    assert before.forward()[0].asnumpy().tolist() == [0, 1, 2]
    data._set_attr(__shape__="(3,)")
    assert doubled.infer_shape()[0] == [(3,)]
    clipped._entries[0].node.inputs[0].node.name = "renamed"
    assert doubled.list_arguments() == ["renamed"]
    assert doubled.infer_shape(renamed=(4,))[1] == [(4,)]


def test_a_plan_is_of_shapes_and_dtypes_and_reads_weights_anew():
    symbol = perceptron()
    for batch in (2, 3, 2):
        arrays = arrays_for(symbol, data=(batch, 8))
        arrays["scores_bias"][:] = np.arange(4) * batch
        hidden = np.maximum(
            arrays["data"].asnumpy() @ arrays["hidden_weight"].asnumpy().T + arrays["hidden_bias"].asnumpy(), 0
        )
        scores = hidden @ arrays["scores_weight"].asnumpy().T + arrays["scores_bias"].asnumpy()
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        (output,) = symbol.bind(mx.neuron(0), arrays, grad_req="null").forward()
        np.testing.assert_allclose(output.asnumpy(), expected, rtol=1e-4, atol=1e-6)

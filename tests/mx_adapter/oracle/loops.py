"""Graphs with loops and branches, made alike by the real MXNet and by this package: each takes the module ``mx``.

A graph comes with its inputs, and with how many rows of each output mean something (-1: all).
"""

import numpy as np

GRAPHS = {}


def graph(make):
    GRAPHS[make.__name__] = make
    return make


def draw(shape, seed=0, scale=1.0):
    return (np.random.RandomState(seed).standard_normal(shape) * scale).astype("float32")


@graph
def foreach_states(mx):
    outputs, states = mx.sym.contrib.foreach(
        lambda row, states: (row * 2 + states[0], [states[0] + row, row * states[1]]),
        mx.sym.var("data"),
        [mx.sym.var("first"), mx.sym.var("second")],
    )
    inputs = {"data": draw((5, 2, 3)), "first": draw((2, 3), 1), "second": draw((2, 3), 2)}
    return mx.sym.Group([outputs, *states]), inputs, None


@graph
def foreach_weights(mx):
    """A recurrent cell: its weights are made outside, the head's inside and outside."""
    weights = [mx.sym.var(name) for name in ("wx_weight", "wh_weight", "bias")]
    scale = mx.sym.exp(mx.sym.var("scale"), name="scaled")

    def cell(row, state):
        hidden = mx.sym.FullyConnected(row, weights[0], weights[2], num_hidden=4, name="fx")
        hidden = hidden + mx.sym.FullyConnected(state, weights[1], no_bias=True, num_hidden=4, name="fh")
        hidden = mx.sym.Activation(hidden, act_type="tanh")
        return [hidden, mx.sym.FullyConnected(hidden * scale, num_hidden=3, name="inside")], hidden

    embedded = mx.sym.Embedding(mx.sym.var("data"), input_dim=9, output_dim=3, name="embedded")
    outputs, state = mx.sym.contrib.foreach(cell, embedded, mx.sym.var("state"))
    head = mx.sym.FullyConnected(outputs[1], num_hidden=2, flatten=False, name="head")
    ids = np.array([[1, 2], [0, 8], [3, 3], [7, 5]], "float32")
    return mx.sym.Group([outputs[0], head, state]), {"data": ids, "state": draw((2, 4)), "scale": draw((2, 4), 3)}, None


@graph
def foreach_of_vectors(mx):
    """Data of one axis: an iteration takes an array of one number."""
    outputs, state = mx.sym.contrib.foreach(
        lambda rows, state: ([], state + rows[0] * rows[1]), [mx.sym.var("x"), mx.sym.var("y")], mx.sym.var("state")
    )
    assert outputs == []
    return state, {"x": draw((6,)), "y": draw((6,), 1), "state": draw((1,), 2)}, None


@graph
def foreach_nested(mx):
    kept = mx.sym.relu(mx.sym.var("offset"), name="kept")

    def outer(row, states):
        inner, last = mx.sym.contrib.foreach(lambda x, s: (x * s, s + x), row, states[0], name="inner")
        return inner + kept, [last]

    outputs, states = mx.sym.contrib.foreach(outer, mx.sym.var("data"), [mx.sym.var("state")], name="outer")
    inputs = {"data": draw((3, 4, 2)), "state": draw((2,), 1), "offset": draw((4, 2), 2)}
    return mx.sym.Group([outputs, states[0]]), inputs, None


@graph
def while_counts(mx):
    limit = mx.sym.var("limit")
    outputs, (last, total) = mx.sym.contrib.while_loop(
        lambda i, _total: mx.sym.broadcast_lesser(i, limit),
        lambda i, total: ([total + i, i * i], [i + 1, total + i]),
        [mx.sym.var("i"), mx.sym.var("total")],
        max_iterations=8,
    )
    inputs = {"i": np.array([1], "float32"), "total": np.array([0.5], "float32"), "limit": np.array([6], "float32")}
    return mx.sym.Group([*outputs, last, total]), inputs, [5, 5, -1, -1]


@graph
def while_to_the_end(mx):
    """As many iterations as are allowed, of a matrix."""
    weight = mx.sym.var("weight")
    outputs, states = mx.sym.contrib.while_loop(
        lambda x: mx.sym.sum(x) > -1e9,
        lambda x: (mx.sym.dot(x, weight, name="step"), [x * 0.5]),
        [mx.sym.var("x")],
        max_iterations=4,
    )
    return mx.sym.Group([outputs, states[0]]), {"x": draw((2, 3)), "weight": draw((3, 4), 1)}, None


def choice(mx, number):
    x, y, weight = mx.sym.var("x"), mx.sym.var("y"), mx.sym.var("weight")
    shared = mx.sym.tanh(x * y, name="shared")
    result = mx.sym.contrib.cond(
        mx.sym.sum(x) > 0,
        lambda: [mx.sym.dot(shared, weight, name="then"), shared],
        lambda: [mx.sym.log(y) + x, shared * 2],
    )
    inputs = {"x": np.full((2, 3), number, "float32"), "y": np.abs(draw((2, 3))) + 0.1, "weight": draw((3, 3), 1)}
    return mx.sym.Group(result), inputs, None


@graph
def cond_then(mx):
    return choice(mx, 0.3)


@graph
def cond_else(mx):
    return choice(mx, -0.3)

"""Long loops, made alike by the real MXNet and by this package: each takes the module ``mx``, as in ``loops``."""

import numpy as np
from loops import draw

GRAPHS = {}
STEPS = 70


def graph(make):
    GRAPHS[make.__name__] = make
    return make


@graph
def lstm(mx):
    """Weights from outside, and a head behind the loop; both states are outputs, too."""
    names = ("wx_weight", "wx_bias", "wh_weight", "wh_bias")
    x_weight, x_bias, h_weight, h_bias = (mx.sym.var(name) for name in names)

    def cell(row, states):
        gates = mx.sym.FullyConnected(row, x_weight, x_bias, num_hidden=32)
        gates = gates + mx.sym.FullyConnected(states[0], h_weight, h_bias, num_hidden=32)
        i, f, c, o = mx.sym.SliceChannel(gates, num_outputs=4)
        cell = mx.sym.sigmoid(f) * states[1] + mx.sym.sigmoid(i) * mx.sym.tanh(c)
        hidden = mx.sym.sigmoid(o) * mx.sym.tanh(cell)
        return hidden, [hidden, cell]

    outputs, states = mx.sym.contrib.foreach(cell, mx.sym.var("data"), [mx.sym.var("h"), mx.sym.var("c")])
    head = mx.sym.FullyConnected(outputs, num_hidden=3, flatten=False, name="head")
    inputs = {"data": draw((STEPS, 2, 5)), "h": draw((2, 8), 1), "c": draw((2, 8), 2)}
    return mx.sym.Group([head, outputs, *states]), inputs, None


@graph
def states_that_move(mx):
    """States are swapped, turned round and kept; outputs are states, rows and values from outside, some of them twice."""
    free = mx.sym.tanh(mx.sym.var("free"), name="free_value")

    def body(rows, states):
        a, b, c, kept = states
        return [rows[0], a, kept, rows[1] + kept, a, free * 1], [b, c, a, kept]

    data, states = [mx.sym.var("x"), mx.sym.var("y")], [mx.sym.var(name) for name in "abcd"]
    outputs, states = mx.sym.contrib.foreach(body, data, states)
    inputs = {"x": draw((STEPS, 3)), "y": draw((STEPS, 2), 1), **{name: draw((2,), ord(name)) for name in "abcd"}}
    return mx.sym.Group([*outputs, *states]), {**inputs, "free": draw((2, 2))}, None


@graph
def types(mx):
    """States of several types: a counter, a switch, half precision."""

    def body(row, states):
        count, most, half, small = states
        count, small = count + 2, small * 0 + mx.sym.cast(row > 0, dtype="uint8")
        most = mx.sym.broadcast_maximum(most, mx.sym.cast(row * 10, dtype="int64"))
        half = half * 0.5 + mx.sym.cast(row, dtype="float16")
        return [row * mx.sym.cast(count, dtype="float32"), half, most], [count, most, half, small]

    names = ("count", "most", "half", "small")
    outputs, states = mx.sym.contrib.foreach(body, mx.sym.var("data"), [mx.sym.var(name) for name in names])
    inputs = {
        "data": draw((STEPS, 3)),
        "count": np.array([1, -7, 5], "int32"),
        "most": np.array([-50, 0, 9], "int64"),
        "half": draw((3,), 1).astype("float16"),
        "small": np.array([3, 4, 255], "uint8"),
    }
    return mx.sym.Group([*outputs, *states]), inputs, None


@graph
def shapes(mx):
    """Operators that change shapes, of numbers, rows and matrices."""

    def body(rows, states):
        matrix = mx.sym.reshape(rows[0], shape=(2, 3, -1))
        turned = mx.sym.transpose(matrix, axes=(0, 2, 1))
        product = mx.sym.batch_dot(turned, matrix)
        both = mx.sym.concat(product, mx.sym.slice_axis(states[0], axis=2, begin=0, end=1), dim=2)
        kept = mx.sym.softmax(both, axis=-1)
        total = mx.sym.broadcast_add(mx.sym.sum(kept, axis=(1, 2), keepdims=True), mx.sym.reshape(rows[1], (1, 1, 1)))
        total = mx.sym.elemwise_add(states[1], total)
        top = mx.sym.topk(both, k=2, axis=2, ret_typ="value")
        return [kept, mx.sym.expand_dims(top, axis=0), total], [
            mx.sym.slice_axis(kept, axis=2, begin=1, end=None),
            total,
        ]

    outputs, states = mx.sym.contrib.foreach(
        body, [mx.sym.var("x"), mx.sym.var("y")], [mx.sym.var("matrix"), mx.sym.var("total")]
    )
    inputs = {"x": draw((STEPS, 2, 12)), "y": draw((STEPS,), 1), "matrix": draw((2, 4, 4)), "total": draw((2, 1, 1))}
    return mx.sym.Group([*outputs, *states]), inputs, None


@graph
def nested(mx):
    """A long loop in a long loop: the inner one reads the outer one's states and what is around both."""
    scale, table = mx.sym.relu(mx.sym.var("scale"), name="scaled"), mx.sym.var("table")

    def outer(row, states):
        def inner(x, s):
            return x * s[0] + scale, [mx.sym.tanh(s[0] + x + states[1]), s[1]]

        rows, last = mx.sym.contrib.foreach(
            inner, mx.sym.broadcast_add(table, row), [states[0], states[1]], name="inner"
        )
        return [rows, last[0]], [last[0], mx.sym.tanh(states[1] + row)]

    outputs, states = mx.sym.contrib.foreach(
        outer, mx.sym.var("data"), [mx.sym.var("s"), mx.sym.var("t")], name="outer"
    )
    inputs = {"data": draw((40, 2)), "s": draw((2,), 1), "t": draw((2,), 2), "table": draw((50, 2), 3)}
    return mx.sym.Group([scale, *outputs, *states]), {**inputs, "scale": draw((2,), 4)}, None


@graph
def decoder(mx):
    """A greedy decoder: an iteration looks up what the one before has chosen."""
    table, weight = mx.sym.var("table"), mx.sym.var("choose_weight")

    def body(row, states):
        word, hidden = states
        hidden = mx.sym.tanh(mx.sym.take(table, word) + hidden + row)
        scores = mx.sym.FullyConnected(hidden, weight, no_bias=True, num_hidden=11)
        word = mx.sym.argmax(scores, axis=1)
        return [word, scores], [word, hidden]

    outputs, states = mx.sym.contrib.foreach(body, mx.sym.var("data"), [mx.sym.var("word"), mx.sym.var("hidden")])
    inputs = {"data": draw((STEPS, 2, 6)), "word": np.array([3, 10], "float32"), "hidden": draw((2, 6), 1)}
    return mx.sym.Group([*outputs, *states]), {**inputs, "table": draw((11, 6), 2)}, None


@graph
def layers(mx):
    """Layers with weights: a convolution, normalisations, a fused recurrent layer."""

    def body(row, state):
        picture = mx.sym.Convolution(row, kernel=(3, 3), pad=(1, 1), num_filter=4, name="conv")
        picture = mx.sym.BatchNorm(picture, fix_gamma=False, name="norm")
        row = mx.sym.LayerNorm(mx.sym.mean(mx.sym.relu(picture), axis=(2,)) + state, name="layer")
        result = mx.sym.RNN(row, mode="gru", state_size=5, num_layers=1, name="gru")
        return result, mx.sym.tanh(row)

    outputs, state = mx.sym.contrib.foreach(body, mx.sym.var("data"), mx.sym.var("state"))
    inputs = {"data": draw((STEPS, 2, 3, 4, 5)), "state": draw((2, 4, 5), 1)}
    return mx.sym.Group([outputs, state]), inputs, None


@graph
def joined(mx):
    """What a loop gives goes into another loop, as data and from around it, and is an output, too."""
    first, last = mx.sym.contrib.foreach(
        lambda x, s: (x * 0.5 + s, mx.sym.tanh(s + x)), mx.sym.var("data"), mx.sym.var("state")
    )
    second, total = mx.sym.contrib.foreach(
        lambda x, s: (mx.sym.broadcast_sub(first, x), mx.sym.elemwise_add(s * 0.5, last)), first, last
    )
    inputs = {"data": draw((STEPS, 2)), "state": draw((2,), 1)}
    return mx.sym.Group([first, last, mx.sym.sum(second, axis=0), total]), inputs, None


@graph
def counting(mx):
    """A loop that ends before all iterations are made, with states of integers, and rows of a table at their places."""
    table = mx.sym.var("table")
    outputs, states = mx.sym.contrib.while_loop(
        lambda i, _s: i < 37,
        lambda i, s: (s + mx.sym.take(table, i), [i + 1, mx.sym.tanh(s) - 1]),
        [mx.sym.var("i"), mx.sym.var("s")],
        max_iterations=60,
    )
    inputs = {"i": np.array([2], "int32"), "s": draw((1, 3)), "table": draw((64, 3), 1)}
    return mx.sym.Group([outputs, *states]), inputs, [35, -1, -1]


@graph
def short(mx):
    """One iteration."""
    outputs, state = mx.sym.contrib.foreach(lambda x, s: (x * s, s + x), mx.sym.var("data"), mx.sym.var("state"))
    return mx.sym.Group([outputs, state]), {"data": draw((1, 2)), "state": draw((2,), 1)}, None

# ruff: noqa: T201 - run as a command, it prints
"""TensorFlow's operators that a compiled model may have, by name. Run as a module it examines all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from .tf_side import Case, examine
from .values import Arg

X = Arg("float32", (2, 4))
POSITIVE = Arg("float32", (2, 4), lo=0.1, hi=0.9)
_RNG = np.random.default_rng(1)
_SQUARE = tf.constant(_RNG.standard_normal((4, 4)), tf.float32)
_KERNEL = tf.constant(_RNG.standard_normal((3, 3, 1, 2)), tf.float32)
_TABLE = tf.constant(_RNG.standard_normal((5, 3)), tf.float32)


def _picture(x: Any) -> Any:
    return tf.reshape(tf.tile(x, [1, 4]), [2, 4, 4, 1])


def _named(room: Any, names: str) -> dict[str, Callable[..., Any]]:
    return {name: getattr(room, name) for name in names.split()}


def _along(name: str) -> Callable[..., Any]:
    return lambda x: getattr(tf.math, f"reduce_{name}")(x, 1)


FLOATS: dict[str, Callable[..., Any]] = {
    **_named(tf.math, "abs asinh atan ceil cos erf exp floor is_nan negative rint round sigmoid sign sin softplus"),
    **_named(tf.math, "softsign square tanh cumsum l2_normalize reciprocal_no_nan"),
    **_named(tf.nn, "relu relu6 elu selu gelu leaky_relu silu softmax log_softmax"),
    **{
        f"reduce_{name}": _along(name)
        for name in ["sum", "mean", "max", "min", "prod", "variance", "logsumexp", "euclidean_norm"]
    },
    "maximum": lambda x: tf.maximum(x, 0.5),
    "clip": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "floordiv": lambda x: x // 2.0,
    "square root of a square": lambda x: tf.sqrt(x * x + 1.0),
    "two to the power": lambda x: tf.pow(2.0, x),
    "greater": lambda x: x > 0.5,
    "equal": lambda x: tf.equal(x, 0.0),
    "where": lambda x: tf.where(x > 0, x, 0.0),
    "where not NaN": lambda x: tf.where(tf.math.is_nan(x), 0.0, x),
    "to int32": lambda x: tf.cast(x, tf.int32),
    "to int64": lambda x: tf.cast(x, tf.int64),
    "to bool": lambda x: tf.cast(x, tf.bool),
    "by float16": lambda x: tf.cast(tf.cast(x, tf.float16), tf.float32),
    "by float64": lambda x: tf.cast(tf.cast(x, tf.float64) * 1.0000001, tf.float32),
    "argmax": lambda x: tf.argmax(x, 1),
    "top_k": lambda x: tf.math.top_k(x, 2).values,
    "sort": lambda x: tf.sort(x, 1),
    "matmul": lambda x: tf.matmul(x, _SQUARE),
    "perceptron": lambda x: tf.matmul(tf.nn.relu(tf.matmul(x, _SQUARE)), _SQUARE),
    "conv2d, relu, pool": lambda x: tf.nn.max_pool2d(
        tf.nn.relu(tf.nn.conv2d(_picture(x), _KERNEL, 1, "SAME")), 2, 2, "SAME"
    ),
    "avg_pool": lambda x: tf.nn.avg_pool2d(_picture(x), 2, 2, "SAME"),
    "resize": lambda x: tf.image.resize(_picture(x), [7, 7]),
    "resize nearest": lambda x: tf.image.resize(_picture(x), [7, 7], "nearest"),
    "lrn": lambda x: tf.nn.lrn(_picture(x)),
    "pad": lambda x: tf.pad(x, [[1, 1], [0, 2]]),
    "strided": lambda x: x[:, ::-2] * 2,
    "concat": lambda x: tf.concat([x, x * 2], 1),
    "handed back": lambda x: (tf.identity(x), x + 1),
    "einsum": lambda x: tf.einsum("ij,kj->ik", x, x),
    "layer norm": lambda x: (
        (x - tf.reduce_mean(x, 1, True)) * tf.math.rsqrt(tf.math.reduce_variance(x, 1, True) + 1e-3)
    ),
    "times zero": lambda x: x * 0.0,
    "minus itself": lambda x: tf.maximum(x - x, 0.0),
    "relu of an overflow": lambda x: tf.minimum(tf.nn.relu(x * x * x * x * x * x * x * x), 6.0),
    "softmax of exp": lambda x: tf.nn.softmax(tf.exp(x * 10)),
}

#: Of numbers between 0 and 1: elsewhere they are NaN, or infinite, or the operators that follow lose that.
OF_POSITIVE: dict[str, Callable[..., Any]] = {
    **_named(tf.math, "acos asin atanh log log1p reciprocal rsqrt sqrt"),
    "clip of a root": lambda x: tf.clip_by_value(tf.sqrt(x), 0.0, 1.0),
    "relu of a logarithm": lambda x: tf.nn.relu(tf.math.log(x)),
    "maximum of a quotient": lambda x: tf.maximum(1.0 / x, 0.0),
    "x / x": lambda x: tf.nn.relu(x / x),
    "power": lambda x: tf.pow(x, 0.5),
}

INTEGERS: dict[str, Callable[..., Any]] = {
    "gather": lambda i: tf.gather(_TABLE, i),
    "mean of rows": lambda i: tf.reduce_mean(tf.gather(_TABLE, i), 1),
    "one_hot": lambda i: tf.one_hot(i, 5),
    "gather in rows": lambda i: tf.gather(tf.reshape(_TABLE[:2], [2, 3]), i, axis=1, batch_dims=1),
    "add": lambda i: i + 1,
    "multiply": lambda i: i * i,
    "negative": lambda i: -i,
    "floor division": lambda i: i // 3,
    "by a negative": lambda i: i // -3,
    "remainder": lambda i: i % 3,
    "division": lambda i: 7 // i,
    "to float": lambda i: tf.cast(i, tf.float32) / 10,
    "handed back": lambda i: (tf.identity(i), i + 1),
    "equal": lambda i: tf.equal(i, 3),
    "less": lambda i: i < 3,
    "sum": lambda i: tf.reduce_sum(i, 1),
    "max": lambda i: tf.reduce_max(i, 1),
    "maximum": lambda i: tf.maximum(i, 1),
    "abs": tf.abs,
    "sign": tf.sign,
    "cumsum": lambda i: tf.cumsum(i, 1),
    "clip": lambda i: tf.clip_by_value(i, 0, 3),
    "to int32": lambda i: tf.cast(i, tf.int32) + 0,
    "to int64": lambda i: tf.cast(i, tf.int64) + 0,
    "to bool": lambda i: tf.cast(i, tf.bool),
    "where": lambda i: tf.where(i > 2, i, tf.zeros_like(i)),
    "square": lambda i: tf.pow(i, tf.ones_like(i) * 2),
    "bitwise and": lambda i: tf.bitwise.bitwise_and(i, tf.ones_like(i)),
    "shift": lambda i: tf.bitwise.left_shift(i, tf.ones_like(i)),
    "mean": lambda i: tf.reduce_mean(i, 1),
    "product": lambda i: tf.reduce_prod(i, 1),
}
_READ_ROWS = ("gather", "mean of rows", "one_hot", "gather in rows")


def cases() -> Iterator[Case]:
    """All of them."""
    for name, function in FLOATS.items():
        yield Case(name, function, (X,))
    for name, function in OF_POSITIVE.items():
        yield Case(name, function, (POSITIVE,))
    for dtype in ("int32", "int64", "uint8", "int8", "int16"):
        for name, function in INTEGERS.items():
            limit = {"gather in rows": 3}.get(name, 5) if name in _READ_ROWS else 0
            yield Case(f"{name}[{dtype}]", function, (Arg(dtype, (2, 4), limit=limit, lo=1, hi=4),))


def main() -> int:
    """Examine all cases on all values, and print what came of each; 1 where an answer was wrong."""
    os.environ["NEURON_ADAPTERS_ENGINE"] = "openvino"
    wrong = 0
    for case in cases():
        outcome = examine(case)
        wrong += len(outcome.wrong)
        print(outcome, flush=True)
    print(f"{wrong} wrong answers")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

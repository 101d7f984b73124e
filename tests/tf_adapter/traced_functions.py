"""What can be traced: makers of a function or a model, an example, and the arguments of a call."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

load = tf.keras.models.load_model
RNG = np.random.default_rng(7)


def random(*shape: int, dtype: str = "float32") -> tf.Tensor:
    return tf.constant(RNG.random(shape), dtype)


def close(actual: Any, expected: Any, rtol: float = 1e-3, atol: float = 1e-4) -> None:
    """SPEC K3."""
    tf.nest.assert_same_structure(actual, expected)
    for left, right in zip(tf.nest.flatten(actual), tf.nest.flatten(expected)):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        np.testing.assert_allclose(tf.cast(left, "float64"), tf.cast(right, "float64"), rtol=rtol, atol=atol)


def three_in_five_out() -> tuple[Any, Any, Any]:
    inputs = [keras.layers.Input(3) for _ in range(3)]
    a, b, c = (keras.layers.Dense(3)(tensor) for tensor in inputs)
    total, other = a + b, a + c
    outputs = [keras.ops.sigmoid(total), total, other, keras.ops.tanh(other), keras.ops.sigmoid(other)]
    example = [random(1, 3) for _ in range(3)]
    return keras.Model(inputs, outputs), example, (example,)


def function_of_several() -> tuple[Any, Any, Any]:
    def func(a: Any, b: Any, c: Any) -> Any:
        return tf.nn.relu(a + b), tf.nn.sigmoid(b + c), a + b + c

    example = tuple(random(1, 8, 6) for _ in range(3))
    return func, example, example


def nested() -> tuple[Any, Any, Any]:
    def func(pair: Any, third: Any) -> Any:
        first, second = pair
        return {"sum": first + second, "more": (first * third, [second - third])}

    example = ([random(1, 8), random(1, 8)], random(1, 8))
    return func, example, example


def list_of_one() -> tuple[Any, Any, Any]:
    kernel = random(3, 3, 3, 8)

    def func(tensors: Any) -> Any:
        (tensor,) = tensors
        return tf.nn.conv2d(tensor, kernel, strides=1, padding="VALID")

    example = [random(1, 12, 12, 3)]
    return func, example, (example,)


def dictionary_by_name() -> tuple[Any, Any, Any]:
    def func(left: Any, right: Any) -> Any:
        return left @ right

    return func, {"left": random(2, 3), "right": random(3, 2)}, None


def dictionary_as_one() -> tuple[Any, Any, Any]:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model({"a": a, "b": b}, {"sum": a + b, "first": keras.layers.Dense(2)(a)})
    example = {"a": random(1, 4), "b": random(1, 4)}
    return model, example, (example,)


def half_precision() -> tuple[Any, Any, Any]:
    kernel = random(3, 3, 3, 4, dtype="float16")

    def func(x: Any) -> Any:
        return tf.nn.conv2d(x, kernel, strides=2, padding="SAME")

    example = random(1, 16, 16, 3, dtype="float16")
    return func, example, (example,)


def attention_layer() -> tuple[Any, Any, Any]:
    example = ([random(1, 8, 16), random(1, 5, 16), random(1, 5, 16)], [random(1, 8) > 0.5, random(1, 5) > 0.2])
    return keras.layers.Attention(), example, example


def a_tf_function() -> tuple[Any, Any, Any]:
    weight = tf.Variable(random(4, 2))
    example = random(3, 4)
    return tf.function(lambda x: tf.nn.softmax(x @ weight)), example, (example,)


def a_concrete_function() -> tuple[Any, Any, Any]:
    func, example, args = a_tf_function()
    concrete = func.get_concrete_function(tf.TensorSpec((3, 4)))
    concrete.keeps = func  # a function keeps no variable alive
    return concrete, example, args


def control_flow() -> tuple[Any, Any, Any]:
    def func(x: Any) -> Any:
        while tf.reduce_sum(x) < 100.0:
            x = x * 2.0
        return x

    example = random(2, 3)
    return func, example, (example,)


def recurrent() -> tuple[Any, Any, Any]:
    example = tf.constant(RNG.integers(0, 30, (2, 9)))
    layers = [keras.Input((9,)), keras.layers.Embedding(30, 8), keras.layers.LSTM(6), keras.layers.Dense(2)]
    return keras.Sequential(layers), example, (example,)


def image_network() -> tuple[Any, Any, Any]:
    example = random(1, 64, 64, 3)
    return keras.applications.MobileNetV2((64, 64, 3), weights=None, alpha=0.35), example, (example,)


CASES = [
    three_in_five_out, function_of_several, nested, list_of_one, dictionary_by_name, dictionary_as_one, half_precision,
    attention_layer, a_tf_function, a_concrete_function, control_flow, recurrent, image_network,
]  # fmt: skip

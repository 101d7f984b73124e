"""SPEC K: what a compiled model takes: its inputs, and batches of other sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.neuron as tfn
from traced_functions import attention_layer, close, load, nested, random, recurrent, three_in_five_out

from neuron_rt import CompileError, InputMismatchError


def test_wrong_inputs(models: Path, image: tf.Tensor) -> None:
    """What, where, expected, what to do; both the runtime's error and TensorFlow's."""
    model = load(models / "k1")
    for wrong, said in (
        ((image[:1, :4],), r"\[2, 8, 8, 3\] \(dimension 0 may vary\), got float32 of shape \[1, 4, 8, 3\]"),
        ((tf.cast(image, "float16"),), r"is float32 of shape \[2, 8, 8, 3\] \(dimension 0 may vary\), got float16"),
        ((image[:, :4],), r"got float32 of shape \[2, 4, 8, 3\]"),
        ((image, image), r"to be called with \(tensor\), got \(tensor, tensor\)"),
        ((), r"to be called with \(tensor\), got \(\)"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=said) as raised:
            model(*wrong)
        assert isinstance(raised.value, InputMismatchError)
        assert isinstance(raised.value, ValueError)
    assert np.array_equal(model(image.numpy().astype("float64")), model(image))
    assert np.array_equal(model(inputs=image), model(image, training=False))


@pytest.mark.parametrize("engine", ["auto", "framework"])
def test_dynamic_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, net: Any, engine: str) -> None:
    """NEURON_CC_FLAGS=--dynamic-batch-size: dimension 0 varies, through save and load."""
    monkeypatch.setenv("NEURON_CC_FLAGS", "--dynamic-batch-size")
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    tfn.trace(net, random(3, 8, 8, 3)).save(tmp_path / "m")
    model = load(tmp_path / "m")
    for rows in (1, 2, 3, 4, 6, 7):
        x = random(rows, 8, 8, 3)
        close(model(x), net(x))
    with pytest.raises(InputMismatchError, match="dimension 0 may vary"):
        model(random(2, 8, 4, 3))
    with pytest.raises(CompileError, match="batch as dimension 0"):
        tfn.trace(lambda x: x * 2, tf.constant(1.0))


def normalised(x: Any) -> Any:
    return x - tf.reduce_mean(x, 0)


def branching(x: Any) -> Any:
    return x * 2 if x.shape[0] == 1 else x


def product(a: Any, b: Any) -> Any:
    return tf.matmul(a, b)


def halves(x: Any) -> Any:
    return tf.reshape(x, (2, -1))


def until_large(x: Any) -> Any:
    while tf.reduce_sum(x) < 100.0:
        x = x * 2.0
    return x


def total(x: Any) -> Any:
    return tf.reduce_sum(x)


def lazy(x: Any) -> Any:
    """Differs from the original where a row of the batch is large: slices would, too."""
    return x + tf.nn.relu(tf.reduce_max(x) - 50.0)


@pytest.mark.parametrize(("engine", "flags"), [("auto", ""), ("auto", "--dynamic-batch-size"), ("framework", "")])
@pytest.mark.parametrize("make", [three_in_five_out, nested, recurrent, attention_layer])
def test_other_batches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[], tuple[Any, Any, Any]], engine: str, flags: str
) -> None:
    """SPEC K3: a model that takes any batch does so when it is compiled, as with tensorflow-neuron, through save and
    load; the answers are the model's own."""
    monkeypatch.setenv("NEURON_CC_FLAGS", flags)
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    func, example, args = make()
    model = tfn.trace(func, example)
    model.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    for rows in (1, 2, 3, 5):
        batch = tf.nest.map_structure(lambda leaf: tf.repeat(leaf[:1], rows, 0), args)
        expected = func(*batch)
        close(model(*batch), expected)
        close(loaded(*batch), expected)


@pytest.mark.parametrize("func", [normalised, lazy])
def test_rows_that_depend_on_each_other(monkeypatch: pytest.MonkeyPatch, func: Callable[..., Any]) -> None:
    """SPEC K3: such a batch is never sliced, also where the flag asks for it."""
    for flags in ("", "--dynamic-batch-size"):
        monkeypatch.setenv("NEURON_CC_FLAGS", flags)
        model = tfn.trace(func, random(2, 3))
        for rows in (1, 2, 3, 7):
            x = random(rows, 3) * 40
            x = tf.concat([x[:-1], x[-1:] * 4], 0)
            close(model(x), func(x))


@pytest.mark.parametrize(
    ("func", "example"),
    [(branching, (2, 3)), (product, (3, 3)), (halves, (2, 4)), (until_large, (2, 3)), (total, (2, 3))],
)
def test_one_batch_only(func: Callable[..., Any], example: tuple[int, ...]) -> None:
    """What takes other batches in another way, or not at all, is compiled for one."""
    arguments = (random(*example),) * (2 if func is product else 1)
    model = tfn.trace(func, arguments)
    close(model(*arguments), tf.function(func)(*arguments))
    for rows in (1, 4):
        with pytest.raises(InputMismatchError, match="--dynamic-batch-size"):
            model(*[random(rows, *example[1:])] * len(arguments))

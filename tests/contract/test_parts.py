"""Arrays of every framework are cut into parts and joined again, as DataParallel does over NeuronCores and machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuron_adapters.adapter import parts

X = np.arange(21.0, dtype=np.float32).reshape(7, 3)


def torch_arrays() -> list[Any]:
    import torch

    x = torch.from_numpy(X)
    return [x, x.half(), x.bfloat16(), x.T.contiguous().T, torch.from_numpy(X[:, :0])]


def tf_arrays() -> list[Any]:
    import tensorflow as tf

    x = tf.constant(X)
    return [x, tf.cast(x, tf.bfloat16), tf.ragged.constant([[1, 2], [3], [], [4], [5], [6], []])]


def mx_arrays() -> list[Any]:
    from neuron_adapters import mx

    x = mx.nd.array(X)
    return [x, x.astype("float16"), x[2:]]


def numpy_arrays() -> list[Any]:
    return [X, X[:, :0], np.asfortranarray(X), X.astype([("a", "f4")]), np.ma.masked_array(X, X > 3), X.astype(str)]


@pytest.mark.parametrize("arrays", [numpy_arrays, torch_arrays, tf_arrays, mx_arrays])
@pytest.mark.parametrize("dim", [0, -2])
def test_what_is_cut_is_joined(arrays: Callable[[], list[Any]], dim: int) -> None:
    for x in arrays():
        size = parts.rows_of(x, dim)
        assert size == int(x.shape[0])
        sizes = [min(3, size - first) for first in range(0, size, 3)]
        pieces = [parts.piece({"x": (x, None)}, dim, 3 * number, rows) for number, rows in enumerate(sizes)]
        whole = parts.join(pieces, sizes, dim)
        assert whole["x"][1] is None
        assert type(whole["x"][0]) is type(x)
        assert str(whole["x"][0]) == str(x)


def sparse_arrays() -> list[Any]:
    import tensorflow as tf
    import torch

    return [torch.from_numpy(X).to_sparse(), tf.sparse.from_dense(X)]


def test_what_cannot_be_cut_is_refused() -> None:
    for x in sparse_arrays():
        with pytest.raises(ValueError, match=r"cannot cut an input of type \w+ along dimension 0"):
            parts.piece([x], 0, 0, 3)

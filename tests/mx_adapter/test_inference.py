"""What follows from a few shapes and dtypes of a graph: the answers are those of MXNet 1.9.1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

DTYPES: list[tuple[str, dict[str, str], list[str | None], list[str | None]]] = [
    # graph, known dtypes, dtypes of the arguments, dtypes of the outputs
    ("relu(a)", {}, [None], [None]),
    ("relu(a) + b", {"b": "int8"}, ["int8", "int8"], ["int8"]),
    ("a * 2.5 + b", {"b": "int32"}, ["int32", "int32"], ["int32"]),
    ("where(c, a, b)", {"a": "float16"}, [None, "float16", "float16"], ["float16"]),
    ("where(c, a, b)", {"c": "float16"}, ["float16", None, None], [None]),
    ("Concat(a, b)", {"b": "int64"}, ["int64", "int64"], ["int64"]),
    ("stack(a, b) + c", {"c": "uint8"}, ["uint8", "uint8", "uint8"], ["uint8"]),
    ("broadcast_like(a, b)", {"a": "float16"}, ["float16", None], [None]),
    ("broadcast_like(a, b)", {"a": "float16", "b": "int8"}, ["float16", "int8"], ["float16"]),
    ("reshape_like(a, b) + c", {"c": "int8"}, [None, None, "int8"], ["int8"]),
    ("slice_like(a, b)", {"a": "float16"}, ["float16", None], [None]),
    ("gather_nd(a, b) + c", {"c": "float16"}, ["float16", None, "float16"], ["float16"]),
    ("batch_take(a, b)", {}, [None, "int32"], [None]),
    ("Convolution(a, b, c, kernel=(1,), num_filter=2)", {"b": "float16"}, [None, "float16", None], [None]),
    ("Convolution(a, b, c, kernel=(1,), num_filter=2)", {"a": "float16"}, ["float16"] * 3, ["float16"]),
    ("FullyConnected(a, b, c, num_hidden=2)", {"b": "float16"}, ["float16"] * 3, ["float16"]),
    ("SoftmaxOutput(a, b)", {"b": "float16"}, [None, "float16"], [None]),
    ("SequenceMask(a, b, use_sequence_length=True)", {"a": "int8"}, ["int8", "int8"], ["int8"]),
    ("InstanceNorm(a, b, c)", {}, ["float32"] * 3, ["float32"]),
    ("softmax(a) + b", {"b": "float16"}, [None, "float16"], ["float16"]),
    ("softmax_cross_entropy(a, b)", {"b": "float16"}, ["float16", "float16"], ["float16"]),
    ("amp_cast(a, dtype='float16')", {}, [None], [None]),
]
REFUSED_DTYPES: list[tuple[str, dict[str, str]]] = [
    ("take(a, b)", {"a": "float32"}),
    ("pick(a, b)", {"a": "float32"}),
    ("Embedding(a, b, input_dim=2, output_dim=2)", {"b": "float32"}),
    ("Dropout(a)", {}),
    ("Dropout(a) + b", {"b": "float32"}),
    ("one_hot(a, depth=2)", {}),
    ("split_v2(a, 2)", {}),
    ("BilinearSampler(a, b)", {}),
    ("contrib.ROIAlign(a, b, pooled_size=(1, 1), spatial_scale=1)", {"a": "float32"}),
    ("a + b", {"a": "float32", "b": "float16"}),
    ("BatchNorm(a)", {"a": "int32"}),
    ("BatchNorm(a, b)", {"a": "float16", "b": "float16"}),
    ("SoftmaxOutput(a, b)", {"a": "float32", "b": "int32"}),
    ("InstanceNorm(a, b, c)", {"a": "float16"}),
    ("batch_take(a, b)", {"b": "float32"}),
    ("softmax_cross_entropy(a, b)", {"a": "float32", "b": "int32"}),
]


def graph(text: str) -> Any:
    names: dict[str, Any] = {name: getattr(mx.sym, name) for name in dir(mx.sym) if not name.startswith("_")}
    with mx.name.NameManager():
        symbol = eval(text, {**names, **{name: mx.sym.var(name) for name in "abcd"}})
    return mx.sym.Group(list(symbol)) if isinstance(symbol, list) else symbol


def names(dtypes: Any) -> list[str | None]:
    return [None if dtype is None else np.dtype(dtype).name for dtype in dtypes]


@pytest.mark.parametrize(("text", "known", "arguments", "outputs"), DTYPES)
def test_dtypes(text: str, known: dict[str, str], arguments: list[str | None], outputs: list[str | None]) -> None:
    symbol = graph(text)
    partial = symbol.infer_type_partial(**known)
    assert [names(dtypes) for dtypes in partial[:2]] == [arguments, outputs]
    if None in (*arguments, *outputs):
        with pytest.warns(UserWarning, match="types of these arguments do not follow"):
            assert symbol.infer_type(**known) == (None, None, None)
    else:
        assert symbol.infer_type(**known) == partial


@pytest.mark.parametrize(("text", "known"), REFUSED_DTYPES)
def test_refused_dtypes(text: str, known: dict[str, str]) -> None:
    for infer in (graph(text).infer_type, graph(text).infer_type_partial):
        with pytest.raises(mx.MXNetError):
            infer(**known)

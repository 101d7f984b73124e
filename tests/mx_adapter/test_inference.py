"""What follows from a few shapes and dtypes of a graph: the answers are those of MXNet 1.9.1."""

from __future__ import annotations

import sys
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


SHAPES: list[tuple[str, dict[str, tuple[int, ...]], list[tuple[int, ...]], list[tuple[int, ...]]]] = [
    # graph, known shapes, shapes of the arguments, shapes of the outputs; () is unknown, 0 an unknown size
    ("a + b", {"a": (2, 0), "b": (0, 3)}, [(2, 3), (2, 3)], [(2, 3)]),
    ("relu(a) + b", {"b": (2, 3)}, [(2, 3), (2, 3)], [(2, 3)]),
    ("Dropout(a) + b", {"b": (2, 3)}, [(), (2, 3)], [(2, 3)]),
    ("expand_dims(a, axis=1) + b", {"b": (2, 1, 3)}, [(2, 3), (2, 1, 3)], [(2, 1, 3)]),
    ("Concat(a, b, dim=0)", {"a": (2, 3)}, [(2, 3), (0, 3)], [(2, 3)]),
    ("Concat(a, b, dim=0)", {"a": (0, 3), "b": (2, 0)}, [(0, 3), (2, 3)], [(0, 3)]),
    ("stack(a, b)", {"a": (2, 3)}, [(2, 3), ()], [(2, 2, 3)]),
    ("stack(a, b)", {"a": (2, 0)}, [(2, 0), ()], [()]),
    ("broadcast_add(a, b)", {"a": (2, 0, 4), "b": (1, 3, 1)}, [(2, 0, 4), (1, 3, 1)], [(2, 0, 4)]),
    ("broadcast_add(a, b)", {"a": (2, 3)}, [(2, 3), ()], [()]),
    ("Embedding(a, b, input_dim=7, output_dim=3)", {}, [(), ()], [()]),
    ("Embedding(a, b, input_dim=7, output_dim=3)", {"a": (2, 0)}, [(2, 0), (7, 3)], [(2, 0, 3)]),
    ("Convolution(a, b, c, kernel=(3, 3), num_filter=4)", {"c": (4,)}, [(), (), (4,)], [()]),
    ("Deconvolution(a, b, kernel=(3, 3), num_filter=4)", {"a": (0, 3, 5, 0)}, [(0, 3, 5, 0), (3, 4, 3, 3)],
     [(0, 4, 7, 0)]),
    ("where(a, b, c)", {"b": (3, 4)}, [(), (3, 4), ()], [()]),
    ("Reshape(a, shape=(4, 6))", {}, [()], [()]),
    ("Reshape(a, shape=(4, 6))", {"a": (2, 0, 4)}, [(2, 3, 4)], [(4, 6)]),
    ("gather_nd(a, b)", {"a": (4, 0), "b": (2, 6)}, [(4, 0), (2, 6)], [()]),
    ("max(a, axis=0)", {"a": (4, 0)}, [(4, 0)], [()]),
    ("sum(a, axis=0)", {"a": (4, 0)}, [(4, 0)], [(0,)]),
    ("pick(a, b)", {"a": (3, 5)}, [(3, 5), (3,)], [(3,)]),
    ("scatter_nd(a, b, shape=(3, 4))", {}, [(), ()], [(3, 4)]),
    ("LinearRegressionOutput(a, b)", {"a": (0, 5)}, [(0, 5), ()], [()]),
    ("SoftmaxOutput(a, b)", {"a": (2, 3, 4)}, [(2, 3, 4), (2, 3)], [(2, 3, 4)]),
    ("var('d', shape=(3, 0)) + 1", {"d": (0, 4)}, [(3, 0)], [(3, 0)]),
]  # fmt: skip
REFUSED_SHAPES: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    ("topk(a)", {}),
    ("sort(a)", {"a": (2, 0)}),
    ("Pad(a, mode='constant', pad_width=(0, 0, 0, 0, 1, 1, 1, 1))", {}),
    ("reshape_like(a, b)", {"a": (2, 3)}),
    ("dot(a, b)", {"a": (3, 0), "b": (4, 5)}),
    ("split(a, num_outputs=2)", {"a": (2, 0)}),
    ("FullyConnected(a, b, c, num_hidden=2)", {"a": (2, 0)}),
    ("take(a, b)", {"b": (2,)}),
    ("slice_like(a, b)", {"a": (0, 3), "b": (2, 3)}),
    ("broadcast_to(a, shape=(2, 3))", {"a": (0, 3)}),
    ("repeat(a, repeats=2)", {"a": (0, 3)}),
    ("Concat(a, b, dim=0) + c", {"a": (2, 3), "c": (5, 3)}),
]


@pytest.mark.parametrize(("text", "known", "arguments", "outputs"), SHAPES)
def test_shapes(text: str, known: Any, arguments: list[tuple[int, ...]], outputs: list[tuple[int, ...]]) -> None:
    symbol = graph(text)
    assert symbol.infer_shape_partial(**known)[:2] == (arguments, outputs)
    if any(not shape or 0 in shape for shape in (*arguments, *outputs)):
        with pytest.warns(UserWarning, match="shapes of these arguments do not follow"):
            assert symbol.infer_shape(**known) == (None, None, None)


@pytest.mark.parametrize(("text", "known"), REFUSED_SHAPES)
def test_refused_shapes(text: str, known: Any) -> None:
    for infer in (graph(text).infer_shape, graph(text).infer_shape_partial):
        with pytest.raises(mx.MXNetError):
            infer(**known)


def test_shapes_do_not_depend_on_dtypes() -> None:
    symbol = mx.sym.InstanceNorm(mx.sym.var("x", dtype="float16"))
    assert symbol.infer_shape(x=(1, 2, 3))[1] == [(1, 2, 3)]
    with pytest.raises(mx.MXNetError, match="float32 only"):
        symbol.infer_type()


def test_shapes_of_single_numbers() -> None:
    parts = mx.sym.split(mx.sym.var("x"), num_outputs=3, axis=0, squeeze_axis=True)
    with mx.np_shape():
        assert parts.infer_shape_partial(x=(3,))[1] == [()] * 3
        assert parts.infer_shape_partial()[1] == [None] * 3


def test_loops_in_loops_are_asked_once_each() -> None:
    """Where nothing is known of them, too."""
    asked = 0

    def nested(depth: int) -> Any:
        inner = nested(depth - 1) if depth else lambda x, s: (x + s, s)
        return lambda x, s: mx.sym.contrib.foreach(inner, x, s)

    def count(frame: Any, event: str, _argument: Any) -> None:
        nonlocal asked
        asked += event == "call" and frame.f_code.co_name == "dtypes"

    symbol = mx.sym.Group(list(nested(10)(mx.sym.var("x"), mx.sym.var("s"))))
    sys.setprofile(count)
    try:
        assert symbol.infer_type_partial() == ([None, None], [None, None], [])
    finally:
        sys.setprofile(None)
    assert asked < 200

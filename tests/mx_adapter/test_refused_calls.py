"""Calls that MXNet 1.9.1 refuses, though something could be computed: each is one clear error, on arrays and in graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

CALLS: list[tuple[str, list[tuple[int, ...]], dict[str, Any], str]] = [
    ("sum", [(2, 3)], {"axis": (0, 0)}, "each axis once"),
    ("mean", [(2, 3)], {"axis": (1, -1)}, "each axis once"),
    ("norm", [(2, 3)], {"axis": (0, 0)}, "each axis once"),
    ("squeeze", [(1, 1, 2)], {"axis": (0, 0)}, "each axis once"),
    ("moments", [(2, 3)], {"axes": ()}, "must name an axis"),
    ("broadcast_axis", [(1, 2)], {"axis": (0,), "size": (3, 4)}, "a size for each axis once"),
    ("broadcast_axis", [(2, 1)], {"axis": (-1,), "size": (3,)}, "must not be negative"),
    ("broadcast_like", [(2, 1), (3, 5)], {"lhs_axes": (1, 1), "rhs_axes": (0,)}, "as many axes"),
    ("ravel_multi_index", [(3, 2)], {"shape": (3, 4)}, "a row for each axis"),
    ("ravel_multi_index", [(2,)], {"shape": (3, 4)}, "2 axes"),
    ("image.normalize", [(2, 4, 4)], {"mean": 0.5, "std": 1}, "1 or 3 channels"),
    ("image.normalize", [(3, 4, 4)], {"mean": (0.5, 0.5), "std": 1}, "mean must have 1 number or 3"),
    ("contrib.box_nms", [(2, 6)], {"id_index": 1}, "different numbers of a row"),
    ("contrib.box_nms", [(2, 6)], {"score_index": 3}, "different numbers of a row"),
    ("contrib.box_nms", [(2, 5)], {}, "in a row"),
    ("contrib.box_iou", [(2, 5), (2, 4)], {}, "4 numbers along its last axis"),
    ("dot", [(3,), (3,)], {"transpose_a": True}, "vectors cannot be transposed"),
    ("slice_like", [(4, 4), (2,)], {}, "same number of axes"),
    ("scatter_nd", [(4,), (2, 3)], {"shape": (3, 4)}, "do not fit"),
    ("diag", [(2, 3, 4)], {"axis1": 2, "axis2": -1}, "must name two axes"),
    ("Pad", [(1, 1, 2, 2)], {"mode": "constant", "pad_width": (1,) * 8}, "zeros for the first two axes"),
    ("UpSampling", [(1, 2, 3)], {"scale": 2, "sample_type": "nearest"}, "4 axes"),
    ("ROIPooling", [(1, 2, 4, 4), (1, 4)], {"pooled_size": (2, 2), "spatial_scale": 1}, "5 numbers"),
    ("ROIPooling", [(1, 2, 4, 4), (1, 5)], {"pooled_size": (2, 2), "spatial_scale": 2}, "from 0 to 1"),
    ("repeat", [(2, 3)], {"repeats": -1}, "at least 0"),
    ("one_hot", [(2,)], {"depth": -1}, "at least 0"),
    ("gather_nd", [(2, 3), (2,)], {}, "at least 2 axes"),
]


@pytest.mark.parametrize(("name", "shapes", "attributes", "says"), CALLS)
def test_refused(name: str, shapes: list[tuple[int, ...]], attributes: dict[str, Any], says: str) -> None:
    def function(module: Any) -> Any:
        for part in name.split("."):
            module = getattr(module, part)
        return module

    with pytest.raises(mx.MXNetError, match=says):
        function(mx.nd)(*map(mx.nd.ones, shapes), **attributes)
    names = [f"x{place}" for place in range(len(shapes))]
    symbol = function(mx.sym)(*map(mx.sym.var, names), **attributes)
    with pytest.raises(mx.MXNetError, match=says):
        symbol.infer_shape(**dict(zip(names, shapes)))


def test_operators_on_sparse_arrays() -> None:
    with pytest.raises(AttributeError, match=r"mx\.nd\.sparse\.retain is not in this package: sparse arrays are not"):
        mx.nd.sparse.retain(mx.nd.ones((2, 2)), mx.nd.array([0]))


@pytest.mark.parametrize("name", ["softmax", "L2Normalization", "Dropout", "hard_sigmoid", "MakeLoss", "LeakyReLU"])
def test_integers_where_mxnet_computes_floats(name: str) -> None:
    """Their dtypes can be inferred, as in MXNet."""
    with pytest.raises(mx.MXNetError, match="floating-point numbers, got int32"):
        getattr(mx.nd, name)(mx.nd.ones((2, 3), dtype="int32"))
    symbol = getattr(mx.sym, name)(mx.sym.var("x"))
    assert np.dtype(symbol.infer_type(x="int32")[1][0]) == np.int32
    with pytest.raises(mx.MXNetError, match="floating-point numbers, got int32"):
        symbol.bind(mx.cpu(), {"x": mx.nd.ones((2, 3), dtype="int32")}, grad_req="null")


@pytest.mark.parametrize("name", ["np.frombuffer", "rnn.BaseConvRNNCell", "metric.check_label_shapes_of"])
def test_names_that_are_not_here_are_one_error(name: str) -> None:
    module, missing = name.split(".")
    with pytest.raises(mx.MXNetError, match=rf"mx\.{module}\.{missing} is not in this package") as caught:
        getattr(getattr(mx, module), missing)
    assert isinstance(caught.value, AttributeError)


@pytest.mark.parametrize("name", ["flip", "reverse", "cumsum"])
def test_axes_counted_from_the_back(name: str) -> None:
    """MXNet infers the shape, and then does not compute it."""
    with pytest.raises(mx.MXNetError, match="axis must be from 0 to 1"):
        getattr(mx.nd, name)(mx.nd.ones((2, 3)), axis=-1)
    assert getattr(mx.sym, name)(mx.sym.var("x"), axis=-1).infer_shape(x=(2, 3))[1] == [(2, 3)]

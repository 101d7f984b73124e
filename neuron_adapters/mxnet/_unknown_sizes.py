"""Operators that MXNet refuses where certain sizes of their inputs are not known.

MXNet counts with -1 in place of an unknown size, and some of its checks fail for that number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._rules import Shape, Shapes, axis_of

_Check = Callable[[Attributes, Shapes], bool]


def refused(op: str, attrs: Mapping[str, str], ins: Shapes) -> bool:
    """Whether MXNet refuses an operator because of a size, 0 here, that is not known."""
    check = _CHECKS.get(op)
    return check is not None and check(Attributes(attrs), ins)


def _both(ins: Shapes) -> tuple[Shape, Shape]:
    return ins[0] or (), ins[1] or ()


def _inner(at: Attributes, left: Shape, right: Shape) -> tuple[int, int]:
    """Return the sizes that a product of matrices sums over."""
    first = left[-2] if at.flag("transpose_a", default=False) else left[-1]
    second = right[-1] if at.flag("transpose_b", default=False) else right[-2]
    return first, second


def _dot(at: Attributes, ins: Shapes) -> bool:
    left, right = _both(ins)
    if not left or not right:
        return False
    first = left[0] if at.flag("transpose_a", default=False) else left[-1]
    second = right[-1] if at.flag("transpose_b", default=False) else right[0]
    return not first or not second


def _batches(_at: Attributes, ins: Shapes) -> bool:
    left, right = _both(ins)
    return len(left) >= 3 and len(left) == len(right) and left[:-2] != right[:-2]


def _products(at: Attributes, ins: Shapes) -> bool:
    left, right = _both(ins)
    if len(left) < 2 or len(left) != len(right):
        return False
    first, second = _inner(at, left, right)
    return left[:-2] != right[:-2] or first != second


def _connected(at: Attributes, ins: Shapes) -> bool:
    return at.flag("flatten", default=True) and 0 in (ins[0] or ())[1:]


def _at_axis(at: Attributes, data: Shape | None) -> int | None:
    """Return the size at the attribute ``axis``; None where the shape is not known."""
    return None if data is None else data[axis_of(at.integer("axis", 1), len(data))]


def _split(at: Attributes, ins: Shapes) -> bool:
    return at.count("num_outputs") > 1 and _at_axis(at, ins[0]) == 0


def _split_v2(at: Attributes, ins: Shapes) -> bool:
    return at.integer("sections", 0) != 1 and _at_axis(at, ins[0]) == 0


def _like_axes(at: Attributes, ins: Shapes) -> bool:
    data, like = _both(ins)
    axes = [axis_of(axis, len(data)) for axis in at.integers("axes", ())] if data else []
    axes = axes or list(range(min(len(data), len(like))))
    return bool(like) and any(not data[axis] and like[axis] for axis in axes if axis < len(like))


def _broadcast_like(at: Attributes, ins: Shapes) -> bool:
    data, like = _both(ins)
    if len(data) != len(like) or at.has("lhs_axes"):
        return False
    return any(size not in (1, other) for size, other in zip(data, like))


def _broadcast_to(at: Attributes, ins: Shapes) -> bool:
    data, wanted = ins[0], at.integers("shape", ())
    if data is None:
        return False
    return len(wanted) != len(data) or any(new and not old for old, new in zip(data, wanted))


def _repeat(at: Attributes, ins: Shapes) -> bool:
    data = ins[0] or ()
    return at.integer("repeats") > 1 and (_at_axis(at, data) == 0 if at.has("axis") and data else 0 in data)


def _diagonal(at: Attributes, ins: Shapes) -> bool:
    data = ins[0] or ()
    axes = (at.integer("axis1", 0), at.integer("axis2", 1)) if len(data) > 1 else (0,) if data else ()
    return any(not data[axis] for axis in axes)


def _pooled(at: Attributes, ins: Shapes) -> bool:
    data, kernel = ins[0] or (), at.integers("kernel", ())
    if at.flag("global_pool", default=False) or at.text("layout").endswith("C"):
        return False
    pads = at.integers("pad", ()) or (0,) * len(kernel)
    return any(not size and window > 2 * pad - 1 for size, window, pad in zip(data[2:], kernel, pads))


def _spatial(_at: Attributes, ins: Shapes) -> bool:
    return any(0 in (shape or ())[2:] for shape in ins)


_CHECKS: dict[str, _Check] = {
    "FullyConnected": _connected,
    "Pooling": _pooled,
    "Pooling_v1": _pooled,
    "SliceChannel": _split,
    "UpSampling": _spatial,
    "_contrib_arange_like": lambda at, ins: at.has("axis") and ins[0] is None,
    "_linalg_gemm2": _products,
    "_split_v2": _split_v2,
    "batch_dot": _batches,
    "broadcast_like": _broadcast_like,
    "broadcast_to": _broadcast_to,
    "depth_to_space": _spatial,
    "diag": _diagonal,
    "dot": _dot,
    "linalg_gemm2": _products,
    "repeat": _repeat,
    "slice_like": _like_axes,
    "space_to_depth": _spatial,
    "split": _split,
    "take": lambda _at, ins: ins[0] is None and ins[1] is not None,
}

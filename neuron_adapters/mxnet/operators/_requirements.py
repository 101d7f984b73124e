"""What MXNet requires of attributes and of the shapes of inputs, where the rest of an operator could do with less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._rules import Shape, axis_of

#: The least value of attributes that are numbers, or several numbers.
_LEAST = {
    "Convolution": {"num_filter": 1, "kernel": 1, "stride": 1, "dilate": 1, "num_group": 1},
    "Deconvolution": {"num_filter": 1, "kernel": 1, "stride": 1, "dilate": 1, "num_group": 1},
    "Embedding": {"input_dim": 1, "output_dim": 1},
    "Pooling": {"stride": 1},
    "UpSampling": {"scale": 1},
    "_contrib_BilinearResize2D": {"height": 1, "width": 1},
    "one_hot": {"depth": 0},
    "repeat": {"repeats": 0},
    "tile": {"reps": 0},
}
#: The number of axes of the inputs; 0 is any.
_RANKS: dict[str, tuple[int, ...]] = {
    "CTCLoss": (3, 2),
    "Crop": (4, 4),
    "ROIPooling": (4, 2),
    "SpatialTransformer": (4, 2),
    "UpSampling": (4,),
    "_contrib_PSROIPooling": (4, 2),
    "_contrib_ROIAlign": (4, 2),
    "_contrib_RROIAlign": (4, 2),
    "_contrib_box_decode": (3, 3),
    "_contrib_box_encode": (2, 0, 3, 3, 1, 1),
    "_contrib_index_copy": (0, 1),
    "_contrib_interleaved_matmul_encdec_qk": (3, 3),
    "_contrib_interleaved_matmul_encdec_valatt": (3, 3),
    "_contrib_interleaved_matmul_selfatt_qk": (3,),
    "_contrib_interleaved_matmul_selfatt_valatt": (3, 3),
    "_image_flip_left_right": (3,),
    "_image_flip_top_bottom": (3,),
    "_ravel_multi_index": (2,),
    "depth_to_space": (4,),
    "space_to_depth": (4,),
}
#: The size of the last axis of an input, by its place.
_LAST = {
    "ROIPooling": {1: 5},
    "SpatialTransformer": {1: 6},
    "_contrib_PSROIPooling": {1: 5},
    "_contrib_ROIAlign": {1: 5},
    "_contrib_RROIAlign": {1: 6},
    "_contrib_box_decode": {0: 4, 1: 4},
    "_contrib_box_encode": {2: 4, 3: 4},
    "_contrib_box_iou": {0: 4, 1: 4},
}


def require(op: str, attrs: Mapping[str, str], shapes: Sequence[Shape]) -> None:
    """Raise ValueError where MXNet refuses an operator with these attributes and shapes."""
    at = Attributes(attrs)
    for name, least in _LEAST.get(op, {}).items():
        numbers = at.integers(name, ())
        if any(number < least for number in numbers):
            raise ValueError(f"attribute {name} must be at least {least}, got {at.text(name)}")
    for place, (shape, rank) in enumerate(zip(shapes, _RANKS.get(op, ()))):
        if rank and len(shape) != rank:
            raise ValueError(f"input {place} must have {rank} axes, got {shape}")
    for place, size in _LAST.get(op, {}).items():
        if not shapes[place] or shapes[place][-1] != size:
            raise ValueError(f"input {place} must have {size} numbers along its last axis, got {shapes[place]}")
    check = _CHECKS.get(op)
    if check is not None:
        check(at, *shapes)


def _box_nms(at: Attributes, data: Shape) -> None:
    start, score, index = (at.integer(name, number) for name, number in _BOX_PARTS)
    if any(start <= place < start + 4 for place in (score, *([index] if index >= 0 else []))) or score == index:
        raise ValueError(
            "attributes coord_start, score_index and id_index must name different numbers of a row, "
            f"got {start}, {score} and {index}"
        )
    if len(data) < 2 or max(start + 3, score, index) >= data[-1] or min(start, score) < 0:
        raise ValueError(f"data must have the numbers {start} to {start + 3}, {score} and {index} in a row, got {data}")


_BOX_PARTS = (("coord_start", 2), ("score_index", 1), ("id_index", -1))


def _broadcast_axis(at: Attributes, _data: Shape) -> None:
    axes, sizes = at.integers("axis", ()), at.integers("size", ())
    if len(axes) != len(sizes) or len(set(axes)) < len(axes):
        raise ValueError(f"attributes axis and size must have a size for each axis once, got {axes} and {sizes}")
    if min((*axes, *sizes), default=0) < 0:
        raise ValueError(f"attributes axis and size must not be negative, got {axes} and {sizes}")


def _ravel(at: Attributes, data: Shape) -> None:
    sizes = at.integers("shape", ())
    if data[0] != len(sizes):
        raise ValueError(f"data must have a row for each axis of {sizes}, got {data}")


def _normalize(at: Attributes, data: Shape) -> None:
    if len(data) not in (3, 4) or data[-3] not in (1, 3):
        raise ValueError(f"data must be images (channels, height, width) of 1 or 3 channels, got {data}")
    for name in ("mean", "std"):
        count = len(at.numbers(name, (0.0,)))
        if count not in (1, data[-3]):
            raise ValueError(f"attribute {name} must have 1 number or {data[-3]}, got {count}")


def _images(_at: Attributes, data: Shape) -> None:
    if len(data) not in (3, 4) or data[-1] not in (1, 3):
        raise ValueError(f"data must be images (height, width, channels) of 1 or 3 channels, got {data}")


def _dot(at: Attributes, left: Shape, right: Shape) -> None:
    transposed = at.flag("transpose_a", default=False) or at.flag("transpose_b", default=False)
    if transposed and len(left) == len(right) == 1:
        raise ValueError("two vectors cannot be transposed")


def _diag(at: Attributes, data: Shape) -> None:
    if len(data) > 1 and axis_of(at.integer("axis1", 0), len(data)) == axis_of(at.integer("axis2", 1), len(data)):
        raise ValueError("attributes axis1 and axis2 must name two axes")


def _slice_like(at: Attributes, data: Shape, like: Shape) -> None:
    if not at.integers("axes", ()) and len(data) != len(like):
        raise ValueError(f"both inputs must have the same number of axes, got {data} and {like}")


def _scatter(at: Attributes, data: Shape, indices: Shape) -> None:
    sizes = at.integers("shape")
    if len(indices) < 2 or indices[0] > len(sizes) or data != (*indices[1:], *sizes[indices[0] :]):
        raise ValueError(f"data {data} and indices {indices} do not fit an array of {sizes}")


def _index_copy(_at: Attributes, old: Shape, index: Shape, new: Shape) -> None:
    if len(old) != len(new) or old[1:] != new[1:] or index[0] != new[0]:
        raise ValueError(f"new rows {new} and their places {index} do not fit {old}")


def _grid(at: Attributes, data: Shape) -> None:
    affine = at.text("transform_type") == "affine"
    if len(data) != (2 if affine else 4) or data[1] != (6 if affine else 2):
        raise ValueError(f"data must be (batch, 6), or a flow (batch, 2, height, width), got {data}")


def _batch_take(_at: Attributes, data: Shape, index: Shape) -> None:
    if len(data) < 2 or prod(data[:-1]) != prod(index):
        raise ValueError(f"indices {index} must have one for each row of data {data}")


def _gather(_at: Attributes, _data: Shape, index: Shape) -> None:
    if len(index) < 2:
        raise ValueError(f"indices must have at least 2 axes, got {index}")


def _box_iou(_at: Attributes, left: Shape, right: Shape) -> None:
    if min(len(left), len(right)) < 2:
        raise ValueError(f"both inputs must have at least 2 axes, got {left} and {right}")


def _regions(at: Attributes, _data: Shape, _regions: Shape) -> None:
    if not 0 <= at.number("spatial_scale") <= 1:
        raise ValueError(f"attribute spatial_scale must be from 0 to 1, got {at.text('spatial_scale')}")


def _upsampling(at: Attributes, data: Shape, *others: Shape) -> None:
    if at.text("sample_type") != "nearest":
        return
    height, width = (size * at.integer("scale") for size in data[2:])
    for shape in others:
        if len(shape) != 4 or height % shape[2] or width % shape[3]:
            raise ValueError(f"the sizes of {shape} must divide those of the output, {height} and {width}")
        if at.text("multi_input_mode") == "sum" and shape[1] != data[1]:
            raise ValueError(f"inputs that are summed must have the same channels, got {data} and {shape}")


def _broadcast_like(at: Attributes, _left: Shape, _right: Shape) -> None:
    left_axes, right_axes = at.integers("lhs_axes", ()), at.integers("rhs_axes", ())
    if at.has("lhs_axes") and at.has("rhs_axes") and len(left_axes) != len(right_axes):
        raise ValueError(f"attributes lhs_axes and rhs_axes must name as many axes, got {left_axes} and {right_axes}")


def _flipped(_at: Attributes, data: Shape) -> None:
    if data[-1] not in (1, 3):
        raise ValueError(f"data must be an image of 1 or 3 channels, got {data}")


def _labels(_at: Attributes, data: Shape, labels: Shape, *_lengths: Shape) -> None:
    if data[1] != labels[0]:
        raise ValueError(f"data {data} and labels {labels} must have one batch size")


def _cross_values(at: Attributes, keys: Shape, attention: Shape) -> None:
    if keys[0] != attention[2] or keys[1] * at.integer("heads") != attention[0]:
        raise ValueError(f"keys_values {keys} and attention {attention} do not fit for {at.integer('heads')} heads")


def _self_values(at: Attributes, keys: Shape, attention: Shape) -> None:
    if keys[0] != attention[1] or keys[0] != attention[2] or keys[1] * at.integer("heads") != attention[0]:
        raise ValueError(f"queries_keys_values {keys} and attention {attention} do not fit")


def _split_v2(at: Attributes, data: Shape) -> None:
    begins = at.integers("indices", ()) if at.integer("sections", 0) <= 0 else ()
    ends = [*begins[1:], data[axis_of(at.integer("axis", 1), len(data))]] if begins else []
    if any(begin < 0 or begin > end for begin, end in zip(begins, ends)):
        raise ValueError(f"attribute indices must grow within {ends[-1]}, got {begins}")


def _pad(at: Attributes, data: Shape) -> None:
    widths = at.integers("pad_width")
    if len(widths) == 2 * len(data) and (any(widths[:4]) or min(widths) < 0):
        raise ValueError(f"attribute pad_width must have zeros for the first two axes, and no less, got {widths}")


def _axes_once(name: str) -> Callable[[Attributes, Shape], None]:
    def check(at: Attributes, data: Shape) -> None:
        axes = [axis_of(axis, len(data)) for axis in at.integers(name, ())]
        if len(set(axes)) < len(axes):
            raise ValueError(f"attribute {name} must name each axis once, got {tuple(axes)}")

    return check


def _moments(at: Attributes, data: Shape) -> None:
    if at.has("axes") and not at.integers("axes"):
        raise ValueError("attribute axes must name an axis")
    _axes_once("axes")(at, data)


_CHECKS: dict[str, Callable[..., None]] = {
    "CTCLoss": _labels,
    "GridGenerator": _grid,
    "Pad": _pad,
    "ROIPooling": _regions,
    "UpSampling": _upsampling,
    "_contrib_PSROIPooling": _regions,
    "_contrib_ROIAlign": _regions,
    "_contrib_RROIAlign": _regions,
    "_contrib_box_iou": _box_iou,
    "_contrib_box_nms": _box_nms,
    "_contrib_index_copy": _index_copy,
    "_contrib_interleaved_matmul_encdec_valatt": _cross_values,
    "_contrib_interleaved_matmul_selfatt_valatt": _self_values,
    "_image_crop": _images,
    "_image_flip_left_right": _flipped,
    "_image_flip_top_bottom": _flipped,
    "_image_normalize": _normalize,
    "_ravel_multi_index": _ravel,
    "_split_v2": _split_v2,
    "batch_take": _batch_take,
    "broadcast_axis": _broadcast_axis,
    "broadcast_like": _broadcast_like,
    "diag": _diag,
    "dot": _dot,
    "gather_nd": _gather,
    "moments": _moments,
    "scatter_nd": _scatter,
    "slice_like": _slice_like,
    **dict.fromkeys(("max", "mean", "min", "nanprod", "nansum", "norm", "prod", "squeeze", "sum"), _axes_once("axis")),
}

#: The operators that have requirements.
REQUIRING = {*_LEAST, *_RANKS, *_LAST, *_CHECKS}

"""Cases of detectors and regions, recurrent and quantized layers, and of rules for integers and indexes."""

import numpy as np
from cases_arrays import ARITHMETIC, COMPARED, LOGICAL
from cases_layers import STATISTICS
from drawing import case, fixed, normal, positive, uniform, whole

# --- detection and regions

case("_contrib_MultiBoxPrior", normal(1, 2, 3, 4), sizes="(0.5, 0.25)", ratios="(1, 2, 0.5)")
case("_contrib_MultiBoxPrior", normal(1, 2, 5, 5), sizes="(0.9,)", ratios="(2,)", clip=True)
case("_contrib_MultiBoxPrior", normal(1, 2, 2, 3), sizes="[0.2, 0.4]", steps="(0.3, 0.2)", offsets="(0.1, 0.7)")


def boxes(*shape):
    def make(rs):
        middle, half = rs.uniform(0.2, 0.8, (*shape, 2)), rs.uniform(0.05, 0.3, (*shape, 2))
        return np.concatenate([middle - half, middle + half], -1).astype("float32")

    return make


def detections(batch, count, classes):
    def make(rs):
        ids = rs.randint(0, classes, (batch, count, 1))
        scores = rs.uniform(0, 1, (batch, count, 1))
        return np.concatenate([ids, scores, boxes(batch, count)(rs)], -1).astype("float32")

    return make


def shares(batch, classes, count):
    def make(rs):
        scores = rs.uniform(0, 1, (batch, classes, count))
        return (scores / scores.sum(1, keepdims=True)).astype("float32")

    return make


for attrs in [{}, {"threshold": 0.35}, {"nms_threshold": 0.2}, {"nms_threshold": -1}, {"force_suppress": True},
              {"nms_topk": 5}, {"nms_topk": 6, "threshold": 0.3, "nms_threshold": 0.3}, {"clip": False},
              {"variances": "(0.2, 0.2, 0.1, 0.1)"}, {"threshold": 0.99}]:  # fmt: skip
    case("_contrib_MultiBoxDetection", shares(2, 4, 20), normal(2, 80, scale=0.5), boxes(1, 20), **attrs)
case("_contrib_MultiBoxDetection", shares(1, 2, 12), normal(1, 48, scale=0.5), boxes(1, 12), nms_threshold=0.3)
case("_contrib_MultiBoxDetection", lambda _rs: np.full((1, 3, 12), 0.4, "float32"), normal(1, 48), boxes(1, 12))
for attrs in [{}, {"id_index": 0}, {"id_index": 0, "force_suppress": True}, {"topk": 4}, {"valid_thresh": 0.4},
              {"id_index": 0, "background_id": 0}, {"overlap_thresh": 0.2}, {"out_format": "center"},
              {"in_format": "center"}]:  # fmt: skip
    case("_contrib_box_nms", detections(2, 15, 3), **attrs)
case("_contrib_box_iou", boxes(2, 3), boxes(4))
case("_contrib_box_iou", boxes(3), boxes(4), format="center")
case("_contrib_box_decode", normal(2, 5, 4), boxes(1, 5), format="corner", std0=0.1, std1=0.1, std2=0.2, std3=0.2)
case("_contrib_box_decode", normal(2, 5, 4), boxes(1, 5), clip=0.5)
case("_contrib_AdaptiveAvgPooling2D", normal(1, 2, 7, 5))
case("_contrib_AdaptiveAvgPooling2D", normal(1, 2, 7, 5), output_size=3)
case("_contrib_AdaptiveAvgPooling2D", normal(1, 2, 7, 5), output_size="(2, 4)")
for attrs in [{"height": 7, "width": 9}, {"height": 3, "width": 2}, {"height": 7, "width": 9, "align_corners": False},
              {"scale_height": 2.0, "scale_width": 1.5}, {"height": 2, "width": 3, "align_corners": False},
              {"scale_height": 2.0, "scale_width": 2.0, "mode": "odd_scale"}, {"mode": "to_even_up"},
              {"mode": "to_odd_down"}]:  # fmt: skip
    case("_contrib_BilinearResize2D", normal(1, 2, 4, 5), **attrs)
case("_contrib_BilinearResize2D", normal(1, 2, 4, 5), normal(1, 2, 6, 7), mode="like")
ROIS = fixed([[0, 0, 0, 7, 7], [1, 2, 1, 6, 5], [0, 3.3, 2.2, 11.7, 9.4]])
case("ROIPooling", normal(2, 3, 8, 8), ROIS, pooled_size="(2, 2)", spatial_scale=1.0)
case("ROIPooling", normal(2, 3, 8, 8), ROIS, pooled_size="(3, 2)", spatial_scale=0.5)
case("ROIPooling", normal(2, 3, 8, 8), fixed([[-1, 0, 0, 3, 3], [1, 2, 1, 6, 5], [2, 0, 0, 4, 4], [-0.5, 1, 1, 5, 5],
     [0, 3.3, 2.2, 11.7, 9.4]]), pooled_size="(3, 2)", spatial_scale=1.0)  # fmt: skip
case("ROIPooling", normal(2, 3, 8, 8), fixed([[-1] * 5] * 3), pooled_size="(2, 2)", spatial_scale=1.0)
case("ROIPooling", normal(2, 3, 8, 8), ROIS, pooled_size="(2, 2)", spatial_scale=0.8)
for attrs in [{}, {"sample_ratio": 2}, {"sample_ratio": 2, "aligned": True}]:
    case("_contrib_ROIAlign", normal(2, 3, 8, 8), ROIS, pooled_size="(2, 3)", spatial_scale=0.7, **attrs)
case("BilinearSampler", normal(2, 3, 5, 6), uniform(2, 2, 4, 4, low=-1.2, high=1.2))
case("GridGenerator", normal(2, 6), transform_type="affine", target_shape="(4, 5)")
case("GridGenerator", normal(2, 2, 4, 5), transform_type="warp")
case("SpatialTransformer", normal(2, 3, 6, 6), normal(2, 6, scale=0.5), target_shape="(4, 5)", transform_type="affine",
     sampler_type="bilinear")  # fmt: skip

case("_image_to_tensor", whole(5, 6, 3, low=0, high=256, dtype="uint8"))
case("_image_to_tensor", whole(2, 5, 6, 3, low=0, high=256, dtype="uint8"))
case("_image_normalize", normal(3, 4, 5), mean="(0.1, 0.2, 0.3)", std="(0.5, 0.6, 0.7)")
case("_image_normalize", normal(2, 3, 4, 5), mean="(0.5,)", std="(0.25,)")

# --- recurrent layers

GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}


def recurrent(mode, layers, ways, states, *, width=5, hidden=4, length=6, batch=3, **projected):
    total, out = 0, projected.get("projection_size", hidden)
    for layer in range(layers):
        total += ways * GATES[mode] * hidden * ((width if layer == 0 else out * ways) + out + 2)
        total += ways * hidden * out * len(projected)
    inputs = [normal(length, batch, width), normal(total, scale=0.4), normal(layers * ways, batch, out)]
    inputs += [normal(layers * ways, batch, hidden)] if mode == "lstm" else []
    case("RNN", *inputs, mode=mode, state_size=hidden, num_layers=layers, bidirectional=ways == 2,
         state_outputs=states, p=0.0, **projected)  # fmt: skip


for mode in GATES:
    recurrent(mode, 1, 1, states=False)
    recurrent(mode, 1, 1, states=True)
    recurrent(mode, 2, 1, states=True)
    recurrent(mode, 1, 2, states=True)
    recurrent(mode, 3, 2, states=True)
for layers, ways in ((1, 1), (1, 2), (3, 1), (2, 2)):
    recurrent("lstm", layers, ways, states=True, projection_size=2)  # without states MXNet itself crashes

# --- ranges: start and step become the dtype first

for dtype in ("int32", "uint8", "float16", "float64", "float32"):
    case("_arange", start=1.5, stop=9.2, step=2.3, dtype=dtype)
    case("_arange", start=300, stop=-2.7, step=-40.6, repeat=2, dtype=dtype)

# --- cumulative sums
case("_np_cumsum", normal(3, 4))
case("_np_cumsum", normal(3, 4, 2), axis=1)
case("_np_cumsum", normal(3, 4), axis=1, dtype="float64")
case("_np_cumsum", whole(3, 4, dtype="int32"), axis=0)

# --- deformable convolutions, boxes and pictures

for attrs in [
    {},
    {"num_deformable_group": 2, "no_bias": True},
    {"stride": "(2, 2)", "dilate": "(2, 2)", "pad": "(2, 2)"},
]:
    groups, plain = attrs.get("num_deformable_group", 1), attrs.get("no_bias", False)
    out = (4, 4) if "stride" in attrs else (6, 7)
    size = (2, 4, 8, 9) if "stride" not in attrs else (2, 4, 7, 8)
    how = {"kernel": "(3, 3)", "num_filter": 4, **attrs}
    offset = normal(2, 18 * groups, *out, scale=1.5)
    inputs = [normal(4, 4, 3, 3), *([] if plain else [normal(4)])]
    case("_contrib_DeformableConvolution", normal(*size), offset, *inputs, **how)
    mask = uniform(2, 9 * groups, *out)
    case("_contrib_ModulatedDeformableConvolution", normal(*size), offset, mask, *inputs, **how)
case("_contrib_index_copy", normal(5, 3), fixed([3, 0], "int32"), normal(2, 3))
case("_contrib_index_copy", normal(5, 3), fixed([1, 4], "int64"), normal(2, 3))
case("_image_crop", whole(6, 7, 3, low=0, high=256, dtype="uint8"), x=2, y=1, width=3, height=4)
case("_image_crop", normal(2, 6, 7, 3), x=0, y=2, width=7, height=2)
# Of an odd size MXNet leaves the middle out.
case("_image_flip_left_right", whole(7, 6, 3, low=0, high=256, dtype="uint8"))
case("_image_flip_top_bottom", normal(6, 7, 3))


# --- region proposals


def proposals(batch, rows, columns, op="_contrib_MultiProposal", **attrs):
    anchors = 6
    info = [[rows * 16 - 20 * n, columns * 16 - 5 * n, 1 + 0.5 * n] for n in range(batch)]
    case(op, uniform(batch, 2 * anchors, rows, columns), normal(batch, 4 * anchors, rows, columns, scale=0.3),
         fixed(info), scales="(2, 4)", ratios="(0.5, 1, 2)", **attrs)  # fmt: skip


proposals(1, 5, 6, "_contrib_Proposal", rpn_post_nms_top_n=20, output_score=True)
proposals(1, 5, 6, "_contrib_Proposal", rpn_pre_nms_top_n=30, rpn_post_nms_top_n=40, threshold=0.5)
proposals(2, 4, 7, rpn_pre_nms_top_n=100, rpn_post_nms_top_n=12, output_score=True, rpn_min_size=40)
proposals(2, 4, 7, rpn_post_nms_top_n=200, threshold=0.3, iou_loss=True)


# --- quantized layers


def ranged(*limits):
    """Ranges, each an array of one number."""
    return [fixed([limit]) for limit in limits]


def small(*shape, dtype="int8", low=None, high=None):
    """Quantized numbers. Large weights overflow MXNet's sums of 16 bits on processors without VNNI."""
    info = np.iinfo(dtype)
    return whole(
        *shape, low=info.min + 1 if low is None else low, high=info.max + 1 if high is None else high, dtype=dtype
    )


for attrs in [{"out_type": "int8"}, {"out_type": "uint8"}, {"out_type": "auto"}]:
    case("_contrib_quantize_v2", normal(3, 4), min_calib_range=-1.5, max_calib_range=2.0, **attrs)
    case("_contrib_quantize_v2", uniform(3, 4, high=3.0), min_calib_range=0.0, max_calib_range=2.0, **attrs)
    if attrs["out_type"] != "uint8":
        case("_contrib_quantize_v2", normal(3, 4), **attrs)
case("_contrib_quantize_v2", uniform(3, 4), out_type="uint8")
case("_contrib_quantize_v2", small(3, 4), out_type="int8")
case("_contrib_quantize", normal(3, 4), *ranged(-3.0, 2.5), out_type="int8")
case("_contrib_quantize", uniform(3, 4), *ranged(0.0, 0.9), out_type="uint8")
case("_contrib_dequantize", small(3, 4), *ranged(-3.0, 2.5))
case("_contrib_dequantize", small(3, 4, dtype="uint8"), *ranged(0.0, 2.5))
for attrs in [{}, {"min_calib_range": -1.2, "max_calib_range": 1.1}]:
    case("_contrib_requantize", whole(3, 4, low=-(10**6), high=10**6, dtype="int32"), *ranged(-4e3, 4e3), **attrs)
case("_contrib_requantize", whole(3, 4, low=0, high=10**6, dtype="int32"), *ranged(-4e3, 4e3), out_type="uint8",
     min_calib_range=0.0, max_calib_range=1.5)  # fmt: skip
case("_contrib_quantized_conv", small(2, 4, 6, 6, dtype="uint8"), small(8, 4, 3, 3, low=-60, high=61), *ranged(0.0, 2.0, -0.5, 0.4),
     kernel="(3, 3)", num_filter=8, no_bias=True, pad="(1, 1)")  # fmt: skip
case("_contrib_quantized_conv", small(1, 4, 7, 6, dtype="uint8"), small(4, 4, 3, 3, low=-60, high=61), *ranged(0.0, 2.0, -0.5, 0.4),
     kernel="(3, 3)", num_filter=4, no_bias=True, stride="(2, 2)")  # fmt: skip
for dtype, low in (("int8", -2.0), ("uint8", 0.0)):
    case("_contrib_quantized_fully_connected", small(3, 6, dtype=dtype), small(5, 6, low=-60, high=61), small(5),
         *ranged(low, 2.0, -0.5, 0.4, -0.1, 0.2), num_hidden=5)  # fmt: skip
    case("_contrib_quantized_fully_connected", small(3, 2, 3, dtype=dtype), small(5, 6, low=-60, high=61), *ranged(low, 2.0, -0.5, 0.4),
         num_hidden=5, no_bias=True)  # fmt: skip
    for kind in ("max", "avg"):
        case("_contrib_quantized_pooling", small(2, 3, 6, 6, dtype=dtype), *ranged(low, 2.0), kernel="(2, 2)",
             stride="(2, 2)", pool_type=kind)  # fmt: skip
    case("_contrib_quantized_flatten", small(2, 3, 2, dtype=dtype), *ranged(low, 2.0))
case("_contrib_quantized_act", small(2, 3, 4, 4), *ranged(-2.0, 2.0), act_type="relu")
case(
    "_contrib_quantized_concat", small(2, 3, 2, 2), small(2, 1, 2, 2), *ranged(-2.0, 1.5, -0.5, 3.0), num_args=2, dim=1
)
case("_contrib_quantized_concat", small(2, 3, 2, 2, dtype="uint8"), small(2, 1, 2, 2), *ranged(0.0, 1.5, -0.5, 3.0),
     num_args=2, dim=1)  # fmt: skip
for dtype, low in (("int8", -2.0), ("uint8", 0.0)):
    case("_contrib_quantized_elemwise_add", small(2, 3, 4, 4, dtype=dtype), small(2, 3, 4, 4, dtype=dtype),
         *ranged(low, 2.03, low, 1.71), min_calib_range=low * 1.5, max_calib_range=3.17)  # fmt: skip
for attrs in [{"min_calib_range": -2.5, "max_calib_range": 2.5}, {}, {"enable_float_output": True}]:
    case("_contrib_quantized_elemwise_mul", small(2, 3), small(2, 3), *ranged(-2.0, 1.5, -0.5, 3.0), **attrs)
case("_contrib_quantized_batch_norm", small(2, 3, 4, 4), *STATISTICS, *ranged(-2.0, 1.5), min_calib_range=-4.1,
     max_calib_range=3.4, eps=1e-3)  # fmt: skip
case("_contrib_quantized_embedding", whole(2, 3, low=0, high=7), small(7, 4), *ranged(-0.5, 0.4), input_dim=7,
     output_dim=4)  # fmt: skip

# --- targets of detectors, position-sensitive regions, CTC, resized pictures

case("_contrib_box_encode", whole(2, 5, low=0, high=2), whole(2, 5, low=0, high=3), boxes(2, 5), boxes(2, 3),
     fixed([0.1, 0.0, 0.2, 0.0]), fixed([0.1, 0.1, 0.2, 0.2]))  # fmt: skip
for attrs in [{"threshold": 0.3}, {"threshold": 0.6, "is_ascend": True}, {"threshold": 1e-12, "topk": 2}]:
    case("_contrib_bipartite_matching", uniform(4, 3), **attrs)
    case("_contrib_bipartite_matching", uniform(2, 3, 5), **attrs)
for attrs in [{"pooled_size": 3, "group_size": 3}, {"pooled_size": 3}, {"pooled_size": 4, "group_size": 3}]:
    channels = 2 * (attrs.get("group_size", 0) or attrs["pooled_size"]) ** 2
    case("_contrib_PSROIPooling", normal(2, channels, 8, 8), ROIS, spatial_scale=0.5, output_dim=2, **attrs)
LABELS = fixed([[1, 2, 2, 0], [3, 1, 0, 0], [4, 4, 4, 4]])
case("CTCLoss", normal(9, 3, 5), LABELS)
case("CTCLoss", normal(9, 3, 5), fixed([[1, 2, 2, -1], [3, 1, -1, -1], [0, 0, 0, 0]]), blank_label="last")
case("CTCLoss", normal(9, 3, 5), LABELS, fixed([9, 5, 7]), fixed([3, 2, 4]), use_data_lengths=True,
     use_label_lengths=True)  # fmt: skip
case("CTCLoss", normal(4, 3, 5), LABELS)
for interp in (0, 1, 2, 3, 4):
    case("_image_resize", normal(7, 6, 3), size="(9, 5)", interp=interp)
case("_image_resize", normal(2, 7, 6, 3), size="(4, 3)")
case("_image_resize", normal(7, 6, 3), size=4)
case("_image_resize", normal(7, 6, 3), size="(4,)", keep_ratio=True)
case("_slice_assign", normal(5, 6), normal(2, 3), begin="(1, 2)", end="(3, 5)")
case("_slice_assign", normal(4, 3), normal(2, 3), begin="(None,)", end="(None,)", step="(2,)")
case("_slice_assign_scalar", normal(5, 6), begin="(1, None)", end="(3, 4)", scalar=2.5)
case("_slice_assign_scalar", normal(2, 3, 4), begin="(0, -2)", end="(1, None)", scalar=-1)

ROTATED = [
    [0, 5, 5, 6, 4, 30],
    [1, 2, 3, 8, 2, -45],
    [0, 0, 0, 0.2, 0.3, 90],
    [1, 9, 9, 30, 20, 10],
    [0, -20, -20, 3, 3, 0],
]
case("_contrib_RROIAlign", normal(2, 3, 10, 12), fixed(ROTATED), pooled_size="(2, 2)", spatial_scale=1.0)
case("_contrib_RROIAlign", normal(2, 3, 10, 12), fixed(ROTATED), pooled_size="(3, 4)", spatial_scale=0.5,
     sampling_ratio=2)  # fmt: skip


def anchors(count):
    def make(rs):
        middle, half = rs.uniform(0.1, 0.9, (count, 2)), rs.uniform(0.05, 0.3, (count, 2))
        return np.concatenate([middle - half, middle + half], 1)[None].astype("float32")

    return make


LABELS = fixed([
    [[1, 0.1, 0.1, 0.5, 0.5], [0, 0.3, 0.4, 0.9, 0.8], [-1, -1, -1, -1, -1]],
    [[2, 0.6, 0.2, 0.8, 0.7], [-1, -1, -1, -1, -1], [-1, -1, -1, -1, -1]],
    [[-1, -1, -1, -1, -1], [-1, -1, -1, -1, -1], [-1, -1, -1, -1, -1]],
])  # fmt: skip
for attrs in [
    {},
    {"negative_mining_ratio": 3},
    {"overlap_threshold": 0.3, "variances": "(0.1, 0.2, 0.3, 0.4)", "ignore_label": -2},
    {"overlap_threshold": 0, "negative_mining_ratio": 2.5, "negative_mining_thresh": 0.9},
]:
    case("_contrib_MultiBoxTarget", anchors(30), LABELS, normal(3, 4, 30), **attrs)
case("_contrib_BilinearResize2D", normal(1, 2, 4, 5), height=7, width=9, scale_width=2)
BOXES = normal(2, 6, 6)
for attrs in [{"topk": 0}, {"in_format": "center"}, {"out_format": "center"}]:
    case("_contrib_box_nms", BOXES, overlap_thresh=0.5, valid_thresh=-9, **attrs)

# --- integers and booleans, where MXNet has rules of its own

for op in ["abs", "ceil", "fix", "floor", "negative", "relu", "rint", "round", "sign", "square", "trunc"]:
    case(op, whole(3, 4, dtype="int64"))
    case(op, whole(3, 4, dtype="int32"))
for op in [*ARITHMETIC, *COMPARED, *LOGICAL, "power", "mod"]:
    case(f"broadcast_{op}", whole(3, 4, low=1, dtype="int64"), whole(3, 1, low=1, dtype="int64"))
for op in ["_plus_scalar", "_rminus_scalar", "_mul_scalar", "_div_scalar", "_power_scalar", "_rpower_scalar",
           "_maximum_scalar", "_hypot_scalar", "_mod_scalar", "_equal_scalar", "_greater_scalar",
           "_logical_and_scalar"]:  # fmt: skip
    case(op, fixed([True, False, True], "bool"), scalar=2)
    case(op, fixed([True, False, True], "bool"), scalar=2.5, is_int=False)
    case(op, whole(3, 4, low=1, dtype="int32"), scalar=3)
case("_plus_scalar", whole(3, 4, dtype="int8"), scalar=300)
case("_plus_scalar", whole(3, 4, dtype="int32"), scalar=1e10)
for dtype in ["int8", "int32", "int64", "uint8"]:
    case("_contrib_div_sqrt_dim", whole(3, 7, low=0, high=90, dtype=dtype))
    case("norm", whole(3, 4, low=1, dtype=dtype))
    case("norm", fixed([[2, 5, 5], [5, 5, 1]], dtype), axis=1)
    case("clip", whole(3, 4, low=0, high=9, dtype=dtype), a_min=-3, a_max=300)
    case("clip", whole(3, 4, low=0, high=9, dtype=dtype), a_min=1.5, a_max=6.5)
    case("clip", whole(3, 4, low=0, high=4, dtype=dtype), a_min=1, a_max=-0.5)
case("clip", whole(3, 4, dtype="int32"), a_min="nan", a_max=2)
case("clip", normal(3, 4), a_min="nan", a_max=0.5)
case("clip", normal(3, 4), a_min=-0.5, a_max="nan")
for scalar in [0.5, 1.5, 2]:
    case("smooth_l1", whole(3, 4, dtype="int32"), scalar=scalar)
for dtype in ["uint8", "int32"]:
    case("_image_normalize", whole(3, 4, 5, low=3, high=200, dtype=dtype), mean="(1.2, 2.0, 0.3)", std="(1.82,)")
    case("_image_normalize", whole(1, 4, 5, low=3, high=200, dtype=dtype), mean="(2.7,)", std="(2.9,)")
case("BatchNorm_v1", normal(2, 3, 4, 4), positive(3), normal(3), normal(3), positive(3), output_mean_var=True)

# --- what becomes an index, and what an answer is computed in

case("gather_nd", normal(4, 5), fixed([[2.7, -0.3, -1.3, 0.9], [1, 1, 1, 1]]))
case("gather_nd", normal(4, 5), fixed([[0, 0, 0, 3], [1.5, -0.5, -1.5, -5.0]]))
case("gather_nd", normal(4, 5), fixed([[-1, 0, -4, 3], [-5, 1, 2, -1]], "int8"))
case("_unravel_index", fixed([[3.0], [4.0], [7.0]]), shape="(3, 4)")
for op in ["softmax", "log_softmax", "softmin"]:
    case(op, fixed([[9e4, 0.0, 9e4, -3.0], [1.0, 2.0, 3.0, 4.0]]), dtype="float16")
    case(op, normal(3, 4, dtype="float16"), temperature=1e-5)
case("_eye", N=3, M=-1)
for include in [True, False]:
    for kind in ["avg", "sum"]:
        case("Pooling", normal(1, 2, 4, 5), kernel=(1, 1), stride=(2, 2), pool_type=kind, pooling_convention="full",
             count_include_pad=include)  # fmt: skip
        case("Pooling", normal(1, 2, 5, 6), kernel=(1, 2), stride=(3, 3), pool_type=kind, pooling_convention="full",
             count_include_pad=include)  # fmt: skip

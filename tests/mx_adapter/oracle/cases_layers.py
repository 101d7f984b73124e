"""Cases of layers: convolution, normalisation, products, shapes, indexing, losses, sequences, attention."""

from drawing import case, distinct, fixed, normal, positive, whole

# --- convolution and pooling

case("Convolution", normal(2, 3, 7, 7), normal(4, 3, 3, 3), normal(4), kernel="(3, 3)", num_filter=4)
case("Convolution", normal(2, 3, 7, 7), normal(4, 3, 3, 3), normal(4), kernel="(3,3)", num_filter=4, pad="(1,1)",
     stride="(2,2)")  # fmt: skip
case("Convolution", normal(2, 3, 8, 7), normal(4, 3, 3, 1), kernel="[3, 1]", num_filter=4, no_bias=True, pad="(1, 0)")
case(
    "Convolution",
    normal(1, 4, 7, 7),
    normal(6, 2, 3, 3),
    kernel="(3L, 3L)",
    num_filter=6,
    num_group=2,
    no_bias="True",
    dilate="(2, 2)",
)
case("Convolution", normal(1, 4, 7, 7), normal(4, 1, 3, 3), normal(4), kernel="(3, 3)", num_filter=4, num_group=4,
     pad="(1, 1)", workspace=1024, cudnn_off=False)  # fmt: skip
case("Convolution", normal(2, 3, 9), normal(4, 3, 3), normal(4), kernel="(3,)", num_filter=4, stride="(2,)")
case("Convolution", normal(2, 3, 9), normal(4, 3, 5), normal(4), kernel=5, num_filter=4, pad=2, layout="NCW")
case("Convolution", normal(1, 2, 5, 6, 5), normal(3, 2, 3, 3, 2), normal(3), kernel="(3, 3, 2)", num_filter=3,
     pad="(1, 0, 1)", layout="NCDHW")  # fmt: skip
case("Convolution_v1", normal(1, 3, 6, 6), normal(4, 3, 3, 3), normal(4), kernel="(3, 3)", num_filter=4, stride="(1,1)",
     pad="(0,0)", dilate="(1,1)")  # fmt: skip
DECONVOLUTION = [
    {"kernel": "(3, 3)", "num_filter": 4},
    {"kernel": "(3, 3)", "num_filter": 4, "stride": "(2, 2)", "pad": "(1, 1)"},
    {"kernel": "(3, 3)", "num_filter": 4, "stride": "(2, 2)", "pad": "(1, 1)", "adj": "(1, 1)"},
    {"kernel": "(4, 4)", "num_filter": 4, "stride": "(2, 2)", "pad": "(1, 1)", "no_bias": False},
    {"kernel": "(4, 4)", "num_filter": 4, "stride": "(2, 2)", "target_shape": "(10, 10)"},
    {"kernel": "(3, 3)", "num_filter": 4, "stride": "(2, 2)", "target_shape": "(10, 10)"},
    {"kernel": "(3, 3)", "num_filter": 4, "stride": "(2, 2)", "target_shape": "(8, 9)"},
    {"kernel": "(3, 3)", "num_filter": 4, "dilate": "(2, 2)", "pad": "(1, 0)"},
]
for attrs in DECONVOLUTION:
    size = int(attrs["kernel"][1])
    bias = [normal(4)] if attrs.get("no_bias") is False else []
    case("Deconvolution", normal(2, 3, 5, 5), normal(3, 4, size, size), *bias, **attrs)
case("Deconvolution", normal(2, 4, 5, 5), normal(4, 3, 4, 4), kernel="(4, 4)", num_filter=6, num_group=2,
     stride="(2, 2)", pad="(1, 1)")  # fmt: skip
case("Deconvolution", normal(2, 4, 5, 5), normal(4, 1, 4, 4), kernel="(4, 4)", num_filter=4, num_group=4,
     stride="(2, 2)", pad="(1, 1)", no_bias=True)  # fmt: skip
case("Deconvolution", normal(2, 3, 5), normal(3, 4, 3), kernel="(3,)", num_filter=4, stride="(2,)")
case("UpSampling", normal(1, 2, 3, 4), scale=2, sample_type="nearest", num_args=1)
case("UpSampling", normal(1, 2, 3, 4), scale=3, sample_type="nearest", num_args=1)
case("UpSampling", normal(1, 2, 4, 4), normal(1, 3, 2, 2), scale=2, sample_type="nearest", num_args=2)
case("UpSampling", normal(1, 2, 4, 4), normal(1, 2, 2, 2), scale=2, sample_type="nearest", num_args=2,
     multi_input_mode="sum")  # fmt: skip
case("UpSampling", normal(1, 2, 3, 4), normal(2, 1, 4, 4), scale=2, sample_type="bilinear", num_filter=2, num_args=2)
case("UpSampling", normal(1, 2, 3, 4), normal(2, 1, 5, 5), scale=3, sample_type="bilinear", num_filter=2, num_args=2)
POOLING = [
    {"kernel": "(2, 2)", "stride": "(2, 2)"},
    {"kernel": "(3, 3)", "stride": "(2, 2)", "pad": "(1, 1)"},
    {"kernel": "(3, 3)", "stride": "(2, 2)", "pooling_convention": "full"},
    {"kernel": "(3, 3)", "stride": "(2, 2)", "pad": "(1, 1)", "pooling_convention": "full"},
    {"kernel": "(2, 3)", "stride": "(3, 2)", "pad": "(0, 1)", "pooling_convention": "full"},
    {"kernel": "(3, 2)"},
    {"kernel": "(3, 3)", "global_pool": True},
    {"global_pool": "True"},
]
for kind in ["max", "avg", "sum", "lp"]:
    for attrs in POOLING:
        more = {"p_value": 2} if kind == "lp" else {}
        case("Pooling", normal(2, 3, 7, 8), pool_type=kind, **attrs, **more)
for attrs in POOLING[1:5]:
    case("Pooling", normal(2, 3, 7, 8), pool_type="avg", count_include_pad=False, **attrs)
for kind in ["max", "avg", "sum"]:
    case("Pooling_v1", normal(2, 3, 7, 8), kernel="(3, 3)", stride="(2, 2)", pad="(1, 1)", pool_type=kind)
    case("Pooling_v1", normal(2, 3, 7, 8), kernel="(3, 3)", stride="(2, 2)", pad="(1, 0)", pool_type=kind,
         pooling_convention="full")  # fmt: skip
case(
    "Deconvolution", normal(2, 3, 5), normal(3, 4, 3), kernel="(3,)", num_filter=4, stride="(2,)", target_shape="(7, 1)"
)
for kind in ["max", "avg", "sum", "lp"]:
    more = {"p_value": 2} if kind == "lp" else {}
    for attrs in [
        {"kernel": "(3,)", "stride": "(2,)", "pad": "(1, 0, 0)", "pooling_convention": "full"},
        {"kernel": "(2,)", "stride": "(3,)", "pad": "(0, 0, 0)", "pooling_convention": "same"},
        {"kernel": "(4,)", "stride": "(3, 3)", "pad": "(2,)"},
        {"pooling_convention": "same", "global_pool": True},
    ]:
        case("Pooling", normal(2, 3, 10), pool_type=kind, **attrs, **more)
    case("Pooling", normal(2, 10, 3), kernel=3, stride=2, pad="(0, 0, 0)", pooling_convention="same", layout="NWC",
         pool_type=kind, **more)  # fmt: skip
case("Pooling", normal(2, 3, 7, 8), pool_type="lp", kernel="(2, 2)", p_value=1)
case("Pooling", normal(2, 3, 7, 8), pool_type="lp", kernel="(2, 2)", p_value=3)
case("Pooling", normal(2, 3, 9), pool_type="avg", kernel="(3,)", stride="(2,)")
case("Pooling", normal(2, 3, 9), pool_type="max", kernel="(3,)", stride="(2,)", pad="(1,)")
case("Pooling", normal(1, 2, 5, 6, 5), pool_type="max", kernel="(2, 2, 2)", stride="(2, 2, 2)")
case("Pooling", normal(1, 2, 5, 6, 5), pool_type="avg", kernel="(3, 2, 2)", pad="(1, 0, 0)")
case("Pooling", normal(1, 3, 9), pool_type="max", kernel="(4,)", stride="(2,)", pooling_convention="full")
case("Pooling_v1", normal(2, 3, 7, 8), pool_type="max", kernel="(2, 2)", stride="(2, 2)")
case("Pooling_v1", normal(2, 3, 7, 8), pool_type="avg", kernel="(2, 2)", stride="(2, 2)")

# --- normalisation

STATISTICS = [normal(3), normal(3), normal(3), positive(3)]
for attrs in [{}, {"fix_gamma": False}, {"fix_gamma": False, "eps": 1e-5, "use_global_stats": True, "momentum": 0.9}]:
    case("BatchNorm", normal(2, 3, 4, 5), *STATISTICS, **attrs)
    case("BatchNorm_v1", normal(2, 3, 4, 5), *STATISTICS, **attrs)
case("BatchNorm", normal(2, 3), *STATISTICS, fix_gamma=False)
case("BatchNorm", normal(2, 4, 3), *STATISTICS, fix_gamma=False, axis=2)
case("BatchNorm", normal(2, 4, 5, 3), *STATISTICS, fix_gamma=False, axis=-1)
case("BatchNorm", normal(2, 3, 4, 5), *STATISTICS, fix_gamma=False, output_mean_var=True)
case("_contrib_BatchNormWithReLU", normal(2, 3, 4, 5), *STATISTICS, fix_gamma=False)
case("_contrib_SyncBatchNorm", normal(2, 3, 4, 5), *STATISTICS, fix_gamma=False, key="one")
case("InstanceNorm", normal(2, 3, 4, 5), normal(3), normal(3))
case("InstanceNorm", normal(2, 3, 6), normal(3), normal(3), eps=0.1)
case("LayerNorm", normal(2, 3, 8), normal(8), normal(8))
case("LayerNorm", normal(2, 3, 8), normal(3), normal(3), axis=1, eps=1e-3)
case("LayerNorm", normal(2, 3, 8), normal(8), normal(8), output_mean_var=True)
case("GroupNorm", normal(2, 4, 3, 3), normal(2), normal(2), num_groups=2)
case("GroupNorm", normal(2, 4, 5), normal(4), normal(4), num_groups=4, eps=1e-2)
for mode in ["instance", "channel", "spatial"]:
    case("L2Normalization", normal(2, 3, 4, 5), mode=mode)
case("L2Normalization", normal(2, 3), eps=1e-3)
case("LRN", normal(2, 6, 3, 3), nsize=3)
case("LRN", normal(2, 6, 3, 3), nsize=5, alpha=0.5, beta=0.5, knorm=1.0)

# --- products

case("FullyConnected", normal(4, 5), normal(3, 5), normal(3), num_hidden=3)
case("FullyConnected", normal(4, 5), normal(3, 5), num_hidden=3, no_bias=True)
case("FullyConnected", normal(2, 3, 4), normal(5, 12), normal(5), num_hidden=5)
case("FullyConnected", normal(2, 3, 4), normal(5, 4), normal(5), num_hidden=5, flatten=False)
case("FullyConnected", normal(2, 3, 4), normal(5, 4), num_hidden=5, flatten=False, no_bias=True)
case("dot", normal(3, 4), normal(4, 5))
case("dot", normal(4, 3), normal(4, 5), transpose_a=True)
case("dot", normal(3, 4), normal(5, 4), transpose_b=True)
case("dot", normal(4), normal(4))
case("dot", normal(2, 3, 4), normal(4, 5))
case("dot", normal(4, 2, 3), normal(4, 5, 2), transpose_a=True)
case("dot", normal(2, 3, 4), normal(2, 5, 4), transpose_b=True)
case("batch_dot", normal(2, 3, 4), normal(2, 4, 5))
case("batch_dot", normal(2, 4, 3), normal(2, 4, 5), transpose_a=True)
case("batch_dot", normal(2, 3, 4), normal(2, 5, 4), transpose_b=True)
case("batch_dot", normal(2, 4, 3), normal(2, 5, 4), transpose_a=True, transpose_b=True)
case("_linalg_gemm2", normal(2, 3, 4), normal(2, 4, 5), alpha=0.5)
case("linalg_gemm2", normal(3, 4), normal(5, 4), transpose_b=True)
case("_linalg_gemm2", normal(3, 2, 4), normal(4, 2, 5), axis=0)
case("_linalg_gemm", normal(2, 3, 4), normal(2, 4, 5), normal(2, 3, 5), alpha=0.5, beta=2.0)
case("_linalg_syrk", normal(2, 3, 4), alpha=0.5)
case("_linalg_syrk", normal(2, 3, 4), transpose=True)
case("khatri_rao", normal(2, 3), normal(4, 3), num_args=2)

# --- shapes

RESHAPES = [("(4, 6)", (2, 3, 4)), ("(-1,)", (2, 3, 4)), ("(0, -1)", (2, 3, 4)), ("(0, 0, 2, 2)", (2, 3, 4)),
            ("(-2,)", (2, 3, 4)), ("(2, -2)", (2, 3, 4)), ("(-2, 1, 1)", (2, 3, 4)), ("(-3, 4)", (2, 3, 4)),
            ("(-3, -3)", (2, 3, 4, 5)), ("(0, -3)", (2, 3, 4)), ("(-3, -2)", (2, 3, 4)),
            ("(-4, 1, 2, -2)", (2, 3, 4)), ("(2, -4, -1, 3, -2)", (2, 3, 4)), ("(0, 0, -4, 2, -1)", (2, 3, 4)),
            ("(0, -4, 12, -1, -2)", (2, 24, 3)), ("(-1, 0, 0)", (2, 3, 4)), ("[0,-1]", (2, 3, 4))]  # fmt: skip
for shape, data in RESHAPES:
    case("Reshape", normal(*data), shape=shape)
for shape, data in [("(-1, 0)", (10, 5, 4)), ("(0, -1)", (2, 3, 4)), ("(-3, 0)", (2, 3, 4)),
                    ("(-1, 2, -4, 0)", (6, 4)), ("(-1, 8, 0, 0)", (2, 8, 3, 4))]:  # fmt: skip
    case("Reshape", normal(*data), shape=shape, reverse=True)
case("reshape", normal(2, 3, 4), shape="(3, 8)")
case("Reshape", normal(2, 3, 4), target_shape="(2, 12)")
case("Reshape", normal(2, 3, 4), target_shape="(2, 0)")
case("reshape_like", normal(2, 6), normal(3, 4))
case("reshape_like", normal(2, 12, 3), normal(3, 4), lhs_begin=1, lhs_end=2, rhs_begin=0, rhs_end=2)
for op in ["Flatten", "flatten"]:
    case(op, normal(2, 3, 4, 5))
case("transpose", normal(2, 3, 4))
case("transpose", normal(2, 3, 4), axes="(1, 0, 2)")
case("SwapAxis", normal(2, 3, 4), dim1=0, dim2=2)
case("swapaxes", normal(2, 3, 4), dim1=1, dim2=2)
for axis in (0, 1, 3, -1, -2):
    case("expand_dims", normal(2, 3, 4), axis=axis)
case("squeeze", normal(1, 3, 1, 4))
case("squeeze", normal(1, 3, 1, 4), axis=0)
case("squeeze", normal(1, 3, 1, 4), axis="(0, -2)")
case("squeeze", normal(1, 1))
case("broadcast_to", normal(2, 1, 4), shape="(2, 3, 4)")
case("broadcast_to", normal(2, 1, 4), shape="(0, 3, 0)")
case("broadcast_axis", normal(2, 1, 1), axis=1, size=3)
case("broadcast_axes", normal(2, 1, 1), axis="(1, 2)", size="(3, 4)")
case("broadcast_like", normal(2, 1, 4), normal(2, 3, 4))
case("broadcast_like", normal(2, 1), normal(3, 5), lhs_axes="(1,)", rhs_axes="(0,)")
case("tile", normal(2, 3), reps="(2, 2)")
case("tile", normal(2, 3), reps="(2,)")
case("tile", normal(2, 3), reps="(2, 1, 2)")
case("repeat", normal(2, 3), repeats=2)
case("repeat", normal(2, 3), repeats=3, axis=1)
case("repeat", normal(2, 3), repeats=2, axis=-2)
case("reverse", normal(2, 3, 4), axis="(1,)")
case("flip", normal(2, 3, 4), axis="(0, 2)")
case("space_to_depth", normal(1, 2, 4, 6), block_size=2)
case("depth_to_space", normal(1, 8, 2, 3), block_size=2)
for mode in ["constant", "edge", "reflect"]:
    more = {"constant_value": 1.5} if mode == "constant" else {}
    case("Pad", normal(1, 2, 4, 5), mode=mode, pad_width="(0, 0, 0, 0, 1, 2, 3, 1)", **more)
case("pad", normal(1, 2, 3, 4, 5), mode="edge", pad_width="(0, 0, 0, 0, 1, 1, 0, 1, 2, 0)")
for attrs in [{}, {"k": 1}, {"k": -1}]:
    case("diag", normal(3, 4), **attrs)
    case("diag", normal(4), **attrs)
case("diag", normal(2, 3, 4), axis1=1, axis2=2)
case("diag", normal(2, 3, 4), axis1=0, axis2=2, k=1)
case("Crop", normal(1, 2, 6, 7), num_args=1, h_w="(3, 4)", offset="(1, 2)")
case("Crop", normal(1, 2, 6, 7), num_args=1, h_w="(3, 4)", center_crop=True)
case("Crop", normal(1, 2, 6, 7), normal(1, 3, 4, 4), num_args=2)
case("Crop", normal(1, 2, 6, 7), normal(1, 3, 4, 4), num_args=2, center_crop=True)

# --- joining and splitting

for dim in (0, 1, -1):
    case("Concat", normal(2, 3, 4), normal(2, 3, 4), num_args=2, dim=dim)
case("Concat", normal(2, 3), normal(2, 1), normal(2, 2), num_args=3)
case("concat", normal(2, 3), num_args=1, dim=1)
case("_rnn_param_concat", normal(3), normal(4), num_args=2, dim=0)
for axis in (0, 1, -1):
    case("stack", normal(2, 3), normal(2, 3), num_args=2, axis=axis)
case("SliceChannel", normal(2, 6, 3), num_outputs=3)
case("split", normal(2, 6, 3), num_outputs=2, axis=1)
case("split", normal(2, 3, 4), num_outputs=3, axis=1, squeeze_axis=True)
case("split", normal(2, 3, 4), num_outputs=4, axis=-1)
case("SliceChannel", normal(2, 3), num_outputs=1)
case("_split_v2", normal(2, 6, 3), indices="(0, 2, 3)", axis=1)
case("_split_v2", normal(2, 6, 3), indices="(0,)", axis=1, sections=3)
case("_split_v2", normal(2, 3, 4), indices="(0,)", axis=1, sections=3, squeeze_axis=True)

# --- indexing

case("slice", normal(5, 6, 4), begin="(1, 2)", end="(4, 5)")
case("slice", normal(5, 6, 4), begin="(None, 2, None)", end="(3, None, -1)")
case("slice", normal(5, 6), begin="(None, 4)", end="(None, 0)", step="(2, -2)")
case("slice", normal(5, 6), begin="(None, None)", end="(None, None)", step="(-1, None)")
case("slice", normal(5, 6), begin="(-3, 0)", end="(-1, 100)")
case("crop", normal(5, 6), begin="(1, 0)", end="(3, 2)")
case("slice_axis", normal(5, 6), axis=0, begin=1, end=3)
case("slice_axis", normal(5, 6), axis=-1, begin=-4, end="None")
case("slice_axis", normal(5, 6), axis=1, begin=0, end=-1)
case("slice_like", normal(5, 6), normal(3, 4))
case("slice_like", normal(5, 6), normal(3, 4), axes="(1,)")
case("slice_like", normal(5, 6, 2), normal(3, 4, 1), axes="(0, -1)")
for mode in ["clip", "wrap"]:
    case("take", normal(5, 3), whole(2, 4, low=-3, high=8), mode=mode)
    case("take", normal(2, 5, 3), whole(4, low=-3, high=8), mode=mode, axis=1)
case("take", normal(5, 3), whole(4, low=0, high=5, dtype="int32"), axis=-2)
case("take", normal(5, 3), whole(4, low=0, high=5), mode="raise")
case("batch_take", normal(4, 3), whole(4, low=0, high=3, dtype="int32"))
case("Embedding", whole(2, 4, low=0, high=7), normal(7, 3), input_dim=7, output_dim=3)
case("Embedding", whole(2, 4, low=-2, high=9, dtype="int32"), normal(7, 3), input_dim=7, output_dim=3, dtype="float32")
case("_contrib_SparseEmbedding", whole(2, 4, low=0, high=7), normal(7, 3), input_dim=7, output_dim=3)
case("choose_element_0index", normal(3, 4), whole(3, low=0, high=4))
case("gather_nd", normal(4, 5, 3), whole(2, 6, low=0, high=4))
case("gather_nd", normal(4, 5), whole(2, 2, 3, low=0, high=4, dtype="int64"))
case("gather_nd", normal(4, 5), whole(1, 3, low=0, high=4))
case("scatter_nd", normal(3), fixed([[0, 2, 1], [1, 3, 0]]), shape="(3, 4)")
for attrs in [{"axis": 1}, {"axis": -1, "keepdims": True}, {"axis": 0}]:
    shape = (3, 4) if attrs["axis"] == 1 else (4,) if attrs["axis"] == 0 else (3, 4)
    data = (3, 5, 4) if attrs["axis"] == 1 else (5, 4) if attrs["axis"] == 0 else (3, 4, 5)
    case("pick", normal(*data), whole(*shape, low=0, high=5), **attrs)
case("pick", normal(3, 4), whole(3, low=-3, high=7), mode="wrap")
case("pick", normal(3, 4), whole(3, low=-3, high=7))
case("_split_v2", normal(2, 3), indices="(0,)", axis=1, sections=1)
case("one_hot", whole(2, 3, low=-1, high=5), depth=4)
case("one_hot", whole(5, low=0, high=4, dtype="int32"), depth=4, on_value=2.0, off_value=-1.0)
case("one_hot", whole(5, low=0, high=4), depth=4, dtype="int32")
case("where", whole(3, 4, low=0, high=2), normal(3, 4), normal(3, 4))
case("where", whole(3, low=-1, high=2), normal(3, 4), normal(3, 4))
case("where", whole(3, 4, low=0, high=2, dtype="int32"), normal(3, 4), normal(3, 4))
case("_ravel_multi_index", fixed([[0, 1, 2], [3, 0, 2]]), shape="(3, 4)")
case("_unravel_index", fixed([3, 4, 10]), shape="(3, 4)")

# --- ordering

for kind in ["indices", "value", "both", "mask"]:
    case("topk", distinct(3, 6), k=2, ret_typ=kind)
    case("topk", distinct(3, 6), k=3, ret_typ=kind, axis=0, is_ascend=True)
case("topk", distinct(3, 6), k=4, ret_typ="value", axis="None")
case("topk", distinct(3, 6), k=4, axis=1, dtype="int32")
case("topk", distinct(3, 6), k=0, ret_typ="both")
for op in ["sort", "argsort"]:
    case(op, distinct(3, 6))
    case(op, distinct(3, 6), is_ascend=False)
    case(op, distinct(3, 6), axis=0)
    case(op, distinct(3, 6), axis="None")
case("sort", whole(3, 9))
case("argsort", distinct(3, 6), dtype="int32")
case("argsort", normal(4, 1))
case("topk", distinct(3, 40), k=0, ret_typ="both")
case("sort", whole(40, 3), axis=0, is_ascend=False)

# --- softmax and losses

for op in ["softmax", "log_softmax", "softmin"]:
    case(op, normal(2, 3, 4))
    case(op, normal(2, 3, 4), axis=1)
    case(op, normal(2, 3, 4), temperature=2.5)
    case(op, normal(2, 3, 4), dtype="float64")
case("softmax", normal(2, 3, 4), whole(2, 3, low=1, high=5, dtype="int32"), use_length=True)
case("softmax", normal(2, 3, 4), whole(2, 4, low=1, high=4, dtype="int64"), use_length=True, axis=1)
case("SoftmaxActivation", normal(2, 3, 4))
case("SoftmaxActivation", normal(2, 3, 4), mode="channel")
for op in ["SoftmaxOutput", "Softmax"]:
    case(op, normal(4, 5), whole(4, low=0, high=5))
case("SoftmaxOutput", normal(2, 3, 4), whole(2, 4, low=0, high=3), multi_output=True)
case("SoftmaxOutput", normal(2, 3, 4), whole(2, 3, low=0, high=3), preserve_shape=True)
case("SoftmaxOutput", normal(2, 3, 4), whole(2, 3, low=0, high=3), grad_scale=0.5, use_ignore=True, ignore_label=-1)
for op in ["LinearRegressionOutput", "MAERegressionOutput", "LogisticRegressionOutput"]:
    case(op, normal(4, 5), normal(4, 5))
case("SVMOutput", normal(4, 5), whole(4, low=0, high=5))
case("softmax_cross_entropy", normal(4, 5), whole(4, low=0, high=5))

# --- made of nothing

for op in ["_zeros", "_ones"]:
    case(op, shape="(2, 3)")
    case(op, shape="(4,)", dtype="int32")
case("_full", shape="(2, 3)", value=1.5)
case("_zeros_without_dtype", shape="(2, 3)", dtype=0)
case("_linspace", start=1, stop=3, num=5)
case("_linspace", start=1, stop=3, num=4, endpoint=False)
case("_arange", start=5)
case("_arange", start=1, stop=8, step=2)
case("_arange", start=0, stop=3, repeat=2, dtype="int32")
case("_arange", start=3, stop=0, step=-0.5)
case("_eye", N=3)
case("_eye", N=3, M=4, k=1)
case("_contrib_arange_like", normal(2, 3))
case("_contrib_arange_like", normal(2, 3), axis=1)
case("_contrib_arange_like", normal(2, 6), axis=-1, start=2, step=0.5, repeat=2)
case("_contrib_index_array", normal(2, 3))
case("_contrib_index_array", normal(2, 3, 2), axes="(1,)")

# --- sequences

for op in ["SequenceMask", "SequenceLast", "SequenceReverse"]:
    case(op, normal(5, 3, 2))
    case(op, normal(5, 3, 2), fixed([1, 5, 3]), use_sequence_length=True)
    case(op, normal(5, 3), fixed([2, 4, 1]), use_sequence_length=True)
case("SequenceMask", normal(3, 5, 2), fixed([1, 5, 3]), use_sequence_length=True, axis=1, value=-1e3)
case("SequenceMask", normal(3, 5), fixed([1, 5, 3], "int32"), use_sequence_length=True, axis=1)
case("SequenceLast", normal(3, 5, 2), fixed([1, 5, 3]), use_sequence_length=True, axis=1)
case("SequenceLast", normal(3, 5, 2), axis=1)

# --- attention

case("_contrib_interleaved_matmul_selfatt_qk", normal(5, 2, 24), heads=2)
case("_contrib_interleaved_matmul_selfatt_valatt", normal(5, 2, 24), normal(4, 5, 5), heads=2)
case("_contrib_interleaved_matmul_encdec_qk", normal(3, 2, 8), normal(5, 2, 16), heads=2)
case("_contrib_interleaved_matmul_encdec_valatt", normal(5, 2, 16), normal(4, 3, 5), heads=2)

"""Operators with attributes and inputs: what the real MXNet and the translation must agree on.

Imported by both interpreters; it knows neither framework.
"""

import zlib
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    op: str
    attrs: dict
    inputs: list
    name: str


CASES = []


def case(op, *inputs, **attrs):
    name = f"{op}-{sum(earlier.op == op for earlier in CASES)}"
    rs = np.random.RandomState(zlib.crc32(name.encode()))
    arrays = [np.ascontiguousarray(make(rs)) for make in inputs]
    CASES.append(Case(op, {key: str(value) for key, value in attrs.items()}, arrays, name))


def normal(*shape, scale=1.0, dtype="float32"):
    return lambda rs: (rs.standard_normal(shape) * scale).astype(dtype)


def uniform(*shape, low=0.0, high=1.0, dtype="float32"):
    return lambda rs: rs.uniform(low, high, shape).astype(dtype)


def positive(*shape):
    return uniform(*shape, low=0.1, high=3.0)


def whole(*shape, low=-4, high=5, dtype="float32"):
    return lambda rs: rs.randint(low, high, shape).astype(dtype)


def fixed(values, dtype="float32"):
    return lambda _rs: np.array(values, dtype)


def distinct(*shape):
    """No two equal."""
    return lambda rs: (rs.permutation(int(np.prod(shape))) - 3.0).reshape(shape).astype("float32")


# --- one array, element by element

ANY = ["abs", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "degrees", "erf", "exp", "expm1", "fix", "floor",
       "hard_sigmoid", "logical_not", "negative", "radians", "relu", "rint", "round", "sigmoid", "sign", "sin", "sinh",
       "softsign", "square", "tan", "tanh", "trunc"]  # fmt: skip
for op in ANY:
    case(op, normal(3, 4, scale=1.5))
    case(op, normal(2, 3, 2, 2, scale=0.01))
for op in ["log", "log10", "log1p", "log2", "rsqrt", "sqrt", "reciprocal", "rcbrt", "gamma", "gammaln"]:
    case(op, positive(3, 4))
    case(op, uniform(2, 5, low=2.0, high=9.0))
case("log1p", normal(3, 4, scale=1e-5))
case("expm1", normal(3, 4, scale=1e-5))
case("sinh", normal(3, 4, scale=3.0))
case("gamma", uniform(3, 4, low=-2.9, high=-0.1))
case("gammaln", uniform(3, 4, low=-2.9, high=-0.1))
for op in ["arccos", "arcsin", "arctanh", "erfinv"]:
    case(op, uniform(3, 4, low=-0.95, high=0.95))
case("erfinv", fixed([-0.9999, -0.99, -0.5, 0.0, 1e-4, 0.2, 0.999]))
case("arccosh", uniform(3, 4, low=1.01, high=5.0))
for op in ["round", "rint", "fix", "trunc", "floor", "ceil"]:
    case(op, fixed([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6, 3.0]))
for op in ["logical_not", "relu", "sign"]:
    case(op, fixed([0.0, -1.0, 2.0, 0.5]))
for op in ["_copy", "identity", "BlockGrad", "stop_gradient", "make_loss", "MakeLoss", "Dropout",
           "_contrib_div_sqrt_dim", "zeros_like", "ones_like", "shape_array",
           "size_array"]:  # fmt: skip
    case(op, normal(2, 3, 4))
for kind in ["relu", "sigmoid", "softrelu", "softsign", "tanh"]:
    case("Activation", normal(2, 3, 4, 4, scale=2.0), act_type=kind)
for kind in ["leaky", "elu", "selu", "gelu", "rrelu"]:
    case("LeakyReLU", normal(2, 3, 4, scale=2.0), act_type=kind)
case("LeakyReLU", normal(2, 3, 4))
case("LeakyReLU", normal(2, 3, 4), slope=0.1)
case("LeakyReLU", normal(2, 3, 4), act_type="elu", slope=0.7)
case("LeakyReLU", normal(2, 3, 4), act_type="rrelu", lower_bound=0.1, upper_bound=0.2)
case("LeakyReLU", normal(2, 3, 4, 4), uniform(3), act_type="prelu")
case("LeakyReLU", normal(2, 3, 4), uniform(1), act_type="prelu")
case("LeakyReLU", normal(4, 3), uniform(3), act_type="prelu")
case("clip", normal(3, 4), a_min=-0.5, a_max=0.7)
case("clip", whole(3, 4, dtype="int32"), a_min=-1, a_max=2)
case("hard_sigmoid", normal(3, 4, scale=3), alpha=0.3, beta=0.4)
case("smooth_l1", normal(3, 4), scalar=1.0)
case("smooth_l1", normal(3, 4), scalar=3.0)
case("_contrib_quadratic", normal(3, 4), a=0.5, b=2.0, c=-1.0)
case("Dropout", normal(3, 4), p=0.5, mode="training")
for dtype in ["float16", "float32", "float64", "int32", "int64", "int8", "uint8"]:
    case("Cast", uniform(3, 4, low=0, high=9), dtype=dtype)
case("Cast", normal(3, 4, scale=3), dtype="int32")
case("Cast", whole(3, 4, dtype="int32"), dtype="float32")
case("cast", fixed([0.0, 0.5, -1.0, 3.0]), dtype="bool")
case("amp_cast", normal(3, 4), dtype="float16")
case("amp_multicast", normal(3, 4), normal(3, 4, dtype="float16"), num_outputs=2)
case("amp_multicast", normal(3, 4), normal(3, 4, dtype="float16"), num_outputs=2, cast_narrow=True)

for op in ["_contrib_round_ste", "_contrib_sign_ste", "_contrib_gradientmultiplier", "_CrossDeviceCopy"]:
    case(op, normal(3, 4))
case("_contrib_gradientmultiplier", normal(3, 4), scalar=2.0)
case("cast_storage", normal(3, 4), stype="default")
case("_identity_with_attr_like_rhs", normal(3, 4), normal(3, 4))

# --- two arrays, and a number

ARITHMETIC = ["add", "sub", "mul", "div", "maximum", "minimum", "hypot"]
COMPARED = ["equal", "not_equal", "greater", "greater_equal", "lesser", "lesser_equal"]
LOGICAL = ["logical_and", "logical_or", "logical_xor"]
for op in ARITHMETIC:
    case(f"broadcast_{op}", normal(2, 3, 4), normal(1, 3, 1))
    case(f"broadcast_{op}", normal(2, 1), normal(1, 3))
for op in COMPARED + LOGICAL:
    case(f"broadcast_{op}", whole(2, 3, 4, low=-1, high=2), whole(1, 3, 1, low=-1, high=2))
case("broadcast_power", positive(2, 3), normal(2, 1))
case("broadcast_mod", normal(2, 3, scale=4), fixed([[2.0], [-1.5]]))
case("broadcast_mod", whole(2, 3), fixed([[0.0], [3.0]]))
case("broadcast_plus", normal(2, 3), normal(2, 1))
case("broadcast_minus", normal(2, 3), normal(2, 1))
for op in ["elemwise_add", "_plus", "_add", "_Plus", "elemwise_sub", "_minus", "_sub", "_Minus", "elemwise_mul",
           "_mul", "_Mul", "elemwise_div", "_div", "_Div", "_maximum", "_minimum", "_Maximum", "_hypot",
           "_grad_add"]:  # fmt: skip
    case(op, normal(2, 3, 4), normal(2, 3, 4))
for op in COMPARED + LOGICAL:
    case(f"_{op}", whole(2, 3, 4, low=-1, high=2), whole(2, 3, 4, low=-1, high=2))
    case(f"_{op}_scalar", whole(3, 4, low=-1, high=3), scalar=1)
    case(f"_{op}_scalar", whole(3, 4, low=-1, high=3), scalar=0.0)
case("_power", positive(2, 3), normal(2, 3))
case("_mod", normal(3, 4, scale=4), whole(3, 4, low=1))
for op in ["_plus_scalar", "_minus_scalar", "_rminus_scalar", "_mul_scalar", "_div_scalar", "_rdiv_scalar",
           "_maximum_scalar", "_minimum_scalar", "_hypot_scalar", "_PlusScalar", "_RMinusScalar",
           "_MulScalar"]:  # fmt: skip
    case(op, normal(3, 4), scalar=1.7)
    case(op, normal(2, 3, 4), scalar=-2)
case("_power_scalar", positive(3, 4), scalar=2.5)
case("_power_scalar", normal(3, 4), scalar=2)
case("_power_scalar", normal(3, 4), scalar=3.0)
case("_rpower_scalar", normal(3, 4), scalar=2.0)
case("_mod_scalar", normal(3, 4, scale=5), scalar=1.5)
case("_mod_scalar", normal(3, 4, scale=5), scalar=-2)
case("_rmod_scalar", positive(3, 4), scalar=7.0)
for dtype in ["int32", "int64", "float16", "float64"]:
    case("_plus_scalar", whole(3, 4, dtype=dtype), scalar=2)
    case("_mul_scalar", whole(3, 4, dtype=dtype), scalar=3.0, is_int=True)
    case("elemwise_add", whole(3, 4, dtype=dtype), whole(3, 4, dtype=dtype))
    case("broadcast_mul", whole(3, 4, dtype=dtype), whole(3, 1, dtype=dtype))
case("_plus_scalar", whole(3, 4, dtype="int32"), scalar=2.5, is_int=False)
case("_greater_scalar", whole(3, 4, dtype="int32"), scalar=1)
case("_equal", whole(3, 4, dtype="int32"), whole(3, 4, dtype="int32"))
for count in (1, 2, 4):
    case("add_n", *[normal(2, 3)] * count, num_args=count)
case("ElementWiseSum", normal(2, 3), normal(2, 3), num_args=2)

case("_scatter_plus_scalar", normal(3, 4), scalar=2.0)
case("_scatter_minus_scalar", normal(3, 4), scalar=2.0)
case("_scatter_elemwise_div", normal(3, 4), positive(3, 4))

# --- windows, factors of matrices, densities


def definite(*shape, dtype="float32"):
    """Symmetric matrices whose eigenvalues are positive."""

    def make(rs):
        parts = rs.standard_normal(shape)
        return (parts @ np.swapaxes(parts, -1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)

    return make


def dominant(*shape, dtype="float32"):
    """Matrices with a large diagonal."""
    return lambda rs: (rs.standard_normal(shape) + 3 * np.eye(shape[-1])).astype(dtype)


CORRELATION = [
    {},
    {"kernel_size": 1, "max_displacement": 4, "stride1": 2, "stride2": 2, "pad_size": 4},
    {"kernel_size": 3, "max_displacement": 3, "stride1": 2, "stride2": 2, "pad_size": 3, "is_multiply": False},
    {"kernel_size": 3, "max_displacement": 2, "pad_size": 2},
    {"max_displacement": 0},
    {"max_displacement": 1, "stride2": 3, "pad_size": 1},
]
for attrs in CORRELATION:
    case("Correlation", normal(2, 3, 9, 11), normal(2, 3, 9, 11), **attrs)
case("Correlation", normal(1, 2, 5, 5, dtype="float64"), normal(1, 2, 5, 5, dtype="float64"), pad_size=1)
case("im2col", normal(2, 3, 7, 6), kernel="(3, 3)")
case("im2col", normal(2, 3, 7, 6), kernel="(3, 2)", stride="(2, 1)", pad="(1, 0)")
case("im2col", normal(2, 3, 7, 6), kernel="(2, 3)", dilate="(2, 2)", pad="(1, 2)")
case("col2im", normal(2, 27, 20), kernel="(3, 3)", output_size="(7, 6)")
case("col2im", normal(2, 18, 20), kernel="(3, 2)", stride="(2, 1)", pad="(1, 0)", output_size="(7, 6)")
case("col2im", normal(2, 27, 6), kernel="(3, 3)", stride="(2, 3)", output_size="(8, 8)")
case("col2im", normal(2, 6, 8), kernel="(2, 3)", dilate="(2, 2)", stride="(2, 2)", pad="(1, 1)", output_size="(7, 6)")
for lower in (True, False):
    case("_linalg_potrf", definite(2, 4, 4), lower=lower)
    case("_linalg_potri", dominant(2, 4, 4), lower=lower)
    for side in (False, True):
        for op in ("_linalg_trmm", "_linalg_trsm"):
            other = normal(2, 5, 3) if side else normal(2, 3, 5)
            case(op, dominant(2, 3, 3), other, lower=lower, rightside=side, alpha=1.5)
            case(op, dominant(2, 3, 3), other, lower=lower, rightside=side, transpose=True)
for op in ("inverse", "det", "slogdet", "syevd", "sumlogdiag", "gelqf"):
    case(f"_linalg_{op}", definite(2, 3, 4, 4))
    case(f"_linalg_{op}", definite(3, 3, dtype="float64"))
case("_linalg_det", fixed([[1.0, 2.0], [2.0, 4.0]]))
case("_linalg_gelqf", normal(2, 3, 5))
for offset in (0, 2, -1):
    case("_linalg_extractdiag", normal(2, 4, 4), offset=offset)
    case("_linalg_makediag", normal(2, 3), offset=offset)
    for lower in (True, False):
        case("_linalg_extracttrian", normal(2, 4, 4), offset=offset, lower=lower)
        case("_linalg_maketrian", normal(2, 6), offset=offset, lower=lower)
case("_histogram", normal(5, 10, scale=2), bin_cnt=7, range="(-2.5, 4.1)")
case("_histogram", uniform(101), bin_cnt=10, range="(0.1, 1.0)")
case("_histogram", whole(40, dtype="int32"), bin_cnt=4, range="(-3, 3)")
case("_histogram", normal(40), bin_cnt=3, range="(1, 1)")
case("_histogram", normal(5, 10, scale=2), fixed([-3.0, -1.0, 0.0, 2.0, 5.0]))
case("_histogram", whole(40, dtype="uint8", low=0, high=12), fixed([0, 5, 10], "uint8"))
NEAR = [1.0, -2.0, 1e5, 0.0]
for more in (0.0, 1e-6, 0.5):
    case("_contrib_allclose", fixed(NEAR), fixed([number * (1 + more) for number in NEAR]))
    case("_contrib_allclose", fixed(NEAR, "float64"), fixed([number + more for number in NEAR], "float64"), atol=0.4)
case(
    "_contrib_allclose", whole(3, 4, dtype="int32", low=5, high=6), whole(3, 4, dtype="int32", low=5, high=7), rtol=0.3
)
case("_contrib_allclose", fixed([1.0, 5.0], "float16"), fixed([2.0, 5.0], "float16"), atol=0.9999)
for more in ({}, {"is_log": True}):
    case("_random_pdf_uniform", uniform(3, 5), fixed([0.0, -1.0, 0.5]), fixed([1.0, 2.0, 0.75]), **more)
    case("_random_pdf_normal", normal(3, 5, 2), normal(3), positive(3), **more)
    case("_random_pdf_gamma", positive(3, 5), positive(3), positive(3), **more)
    case("_random_pdf_exponential", positive(3, 5), positive(3), **more)
    case("_random_pdf_poisson", whole(3, 5, low=0, high=6), positive(3), **more)
    case(
        "_random_pdf_negative_binomial", whole(3, 5, low=0, high=6), positive(3), uniform(3, low=0.1, high=0.9), **more
    )
    case("_random_pdf_generalized_negative_binomial", whole(3, 5, low=0, high=6), positive(3), positive(3), **more)
    case("_random_pdf_dirichlet", uniform(2, 4, 3, low=0.1), positive(2, 3), **more)
    case("_random_pdf_dirichlet", uniform(3, low=0.1), positive(3), **more)

# --- dtypes and attributes that are rare

for dtype in ["float64", "float16", "int32"]:
    for op in ["argmax", "argmin"]:
        case(op, whole(2, 5, 3, low=0, high=90, dtype=dtype), axis=1)
    case("argmax_channel", whole(2, 5, low=0, high=90, dtype=dtype))
case("amp_cast", normal(3, 4, dtype="float64"), dtype="float16")
case("amp_cast", whole(3, 4, dtype="int32"), dtype="float16")
case("amp_multicast", whole(3, 4, dtype="int32"), normal(3, 4), normal(3, 4, dtype="float16"), num_outputs=3)
case("clip", normal(3, 4, scale=2), a_min=1, a_max=-0.5)
for op in ["degrees", "radians", "exp", "sqrt", "sin", "log1p", "_contrib_div_sqrt_dim", "smooth_l1"]:
    case(op, whole(3, 4, low=0, high=6, dtype="int32"))
case("_contrib_quadratic", whole(3, 4, dtype="int32"), a=0.5, b=2.0, c=-1.0)
case("smooth_l1", normal(3, 4), scalar=0)
case("_maximum_scalar", whole(3, 4, low=0, high=250, dtype="uint8"), scalar=-2)
case("mean", whole(3, 40, dtype="int32"), axis=1)
case("norm", whole(3, 4, dtype="int32"), ord=1, axis=1)
case("moments", whole(3, 4, dtype="int32"), axes="(1,)")
case("L2Normalization", normal(4))
case("squeeze", normal(1, 3, 1), axis="()")
case("broadcast_like", normal(2, 1, 4), normal(2, 3, 4), lhs_axes="(0,)")

# --- reductions

for op in ["sum", "mean", "prod", "max", "min", "nansum", "nanprod"]:
    case(op, normal(2, 3, 4))
    case(op, normal(2, 3, 4), axis=1)
    case(op, normal(2, 3, 4), axis="(0, 2)", keepdims=True)
    case(op, normal(2, 3, 4), axis="(-1,)", exclude=True)
    case(op, normal(2, 3, 4), axis="(1,)", exclude=True, keepdims=1)
case("sum", whole(2, 3, dtype="int32"), axis=1)
case("sum_axis", normal(2, 3), axis="()")
case("max_axis", normal(2, 3), axis=0)
case("nansum", fixed([[1.0, np.nan], [2.0, 3.0]]), axis=1)
case("nanprod", fixed([[1.0, np.nan], [2.0, 3.0]]), axis=1)
for order in (1, 2):
    case("norm", normal(2, 3, 4), ord=order)
    case("norm", normal(2, 3, 4), ord=order, axis=1)
    case("norm", normal(2, 3, 4), ord=order, axis="(0, 1)", keepdims=True)
for op in ["argmax", "argmin"]:
    case(op, normal(2, 3, 4), axis=1)
    case(op, normal(2, 3, 4), axis=-1, keepdims=True)
    case(op, normal(2, 3, 4))
    case(op, whole(3, 6, low=0, high=3), axis=1)
case("argmax_channel", normal(2, 5))
case("argmax_channel", normal(2, 5, 3, 4))
case("moments", normal(2, 3, 4), axes="(0, 2)")
case("moments", normal(2, 3, 4), axes="(1,)", keepdims=True)
case("multi_sum_sq", normal(2, 3), normal(4), num_arrays=2)

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

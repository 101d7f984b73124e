"""Cases of operators on arrays: element by element, windows and factors, rare dtypes, reductions."""

import numpy as np
from drawing import case, definite, dominant, fixed, normal, positive, uniform, whole

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

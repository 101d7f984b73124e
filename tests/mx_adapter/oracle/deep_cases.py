"""Deep NumPy's operators with attributes and inputs, arrays without axes too. It knows neither framework."""

import zlib

import numpy as np
from drawing import Case, distinct, fixed, normal, positive, uniform, whole
from variants import special

CASES = []


def case(op, *inputs, **attrs):
    name = f"{op}-{sum(earlier.op == op for earlier in CASES)}"
    rs = np.random.RandomState(zlib.crc32(name.encode()))
    arrays = [np.array(make(rs), order="C") for make in inputs]
    CASES.append(Case(op, {key: str(value) for key, value in attrs.items()}, arrays, name))


#: Operators of which MXNet's answer for NaN is a matter of chance.
MATRICES = {"_npi_cholesky", "_npi_svd", "_npi_solve", "_npi_eigh", "_npi_eigvalsh", "_npi_eigvals", "_npi_eig", "_npi_pinv",
            "_npi_pinv_scalar_rcond", "_npi_tensorinv", "_npi_tensorsolve", "_npi_percentile", "_npi_norm"}  # fmt: skip


def strange(case):
    """Its inputs with NaN, infinities and tiny numbers among those that are no integers."""
    if case.op in MATRICES or case.attrs.get("mode") in ("maximum", "minimum"):
        return case.inputs
    return [
        special(array, "mixed", f"{case.name} {index}")
        if array.dtype.kind == "f" and array.ndim and array.size
        else array
        for index, array in enumerate(case.inputs)
    ]


for name in ["cos", "sin", "tan", "exp", "expm1", "tanh", "sinh", "cosh", "arctan", "arcsinh", "cbrt", "ceil", "floor",
             "fix", "trunc", "rint", "sign", "square", "negative", "degrees", "radians", "absolute"]:  # fmt: skip
    case(f"_npi_{name}", normal(3, 4, scale=1.5))
    case(f"_npi_{name}", fixed(0.7))
for name in ["log", "log10", "log1p", "log2", "sqrt", "reciprocal"]:
    case(f"_npi_{name}", positive(3, 4))
for name in ["arccos", "arcsin", "arctanh"]:
    case(f"_npi_{name}", uniform(3, 4, low=-0.95, high=0.95))
case("_npi_arccosh", uniform(3, 4, low=1.01, high=5.0))
case("_npi_rint", fixed([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6, 3.0]))
case("_npi_around", fixed([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6, 3.0]))
case("_npi_around", normal(3, 4, scale=20), decimals=1)
for dtype in ("int32", "int64", "uint8", "int8"):
    for decimals in (-1, -2, -3, 1):
        numbers = [15, 25, 35, 47 if dtype == "uint8" else -47, 126, 5, 0]
        case("_npi_around", fixed(numbers, dtype), decimals=decimals)
case("_npx_relu", normal(3, 4))
case("_npx_sigmoid", normal(3, 4))
case("_np_copy", fixed(2.5))
for name in ["isnan", "isinf", "isfinite", "isposinf", "isneginf"]:
    case(f"_npi_{name}", fixed([1.0, np.nan, np.inf, -np.inf, 0.0]))
case("_npi_logical_not", whole(3, 4, low=-1, high=2))
case("_npi_nan_to_num", fixed([1.0, np.nan, np.inf, -np.inf]))
case("_npi_nan_to_num", fixed([1.0, np.nan, np.inf, -np.inf]), nan=2.0, posinf=7.0, neginf=-3.0)

for name in ["add", "subtract", "multiply", "true_divide"]:
    case(f"_npi_{name}", normal(2, 3, 4), normal(3, 1))
    case(f"_npi_{name}", normal(2, 3), fixed(1.5))
    if name != "true_divide":  # which MXNet has not implemented
        case(f"_npi_{name}", normal(2, 3), normal(2, 3, dtype="float64"))
    case(f"_npi_{name}", whole(2, 3, dtype="int32"), normal(2, 3))
    case(f"_npi_{name}_scalar", normal(2, 3), scalar=1.7, is_int=False)
    case(f"_npi_{name}_scalar", whole(2, 3, dtype="int32"), scalar=2, is_int=True)
case("_npi_true_divide", whole(2, 3, dtype="int32"), whole(2, 3, low=1, dtype="int32"))
case("_npi_power", positive(2, 3), normal(3))
case("_npi_mod", normal(2, 3, scale=4), whole(2, 3, low=1))
case("_npi_hypot", normal(2, 3), normal(3))
case("_npi_power_scalar", positive(2, 3), scalar=2.5, is_int=False)
case("_npi_rpower_scalar", normal(2, 3), scalar=2.0, is_int=False)
case("_npi_rsubtract_scalar", normal(2, 3), scalar=1.5, is_int=False)
case("_npi_rtrue_divide_scalar", positive(2, 3), scalar=1.5, is_int=False)
case("_npi_mod_scalar", normal(2, 3, scale=4), scalar=1.5, is_int=False)
case("_npi_rmod_scalar", positive(2, 3), scalar=7.0, is_int=False)
for name in ["equal", "not_equal", "greater", "greater_equal", "less", "less_equal"]:
    case(f"_npi_{name}", whole(2, 3, low=0, high=3), whole(3, low=0, high=3))
    case(f"_npi_{name}", whole(2, 3, low=0, high=3, dtype="int32"), whole(2, 1, low=0, high=3, dtype="int32"))
    case(f"_npi_{name}_scalar", whole(2, 3, low=0, high=3), scalar=1.0, is_int=False)
case("_npi_where", whole(2, 3, low=0, high=2, dtype="bool"), normal(2, 3), normal(3))
case("_npi_where", whole(3, low=0, high=2), normal(2, 3), fixed(0.5))
case("_npi_where_lscalar", whole(2, 3, low=0, high=2, dtype="bool"), normal(2, 3), scalar=1.5)
case("_npi_where_rscalar", whole(2, 3, low=0, high=2, dtype="bool"), normal(2, 3), scalar=1.5)
case("_npi_where_scalar2", whole(2, 3, low=0, high=2, dtype="bool"), x=1.5, y=-2.0)

case("_np_reshape", normal(2, 3, 4), newshape="(4, -1)")
case("_np_reshape", normal(1, 1), newshape="()")
for codes in ["(-2, -1)", "(-5, -2)", "(-2, -6, 3, -1, -2)", "(-4)", "(-2, -2, 2, -1)"]:
    case("_npx_reshape", normal(2, 6, 4), newshape=codes)
case("_npx_reshape", normal(1, 6, 4), newshape="(-3, -4)")
case("_npx_reshape", normal(8, 3, 3, 3), newshape="(-4, -5)", reverse=True)
case("_npx_reshape", normal(8, 4, 6), newshape="(-2, -1, 2, -6, -2)", reverse=True)
case("_np_squeeze", normal(1, 3, 1))
case("_np_squeeze", normal(1, 3, 1), axis="(2,)")
case("_np_transpose", normal(2, 3, 4))
case("_np_transpose", normal(2, 3, 4), axes="(1, 2, 0)")
case("_np_moveaxis", normal(2, 3, 4, 5), source="(0, 3)", destination="(2, 0)")
case("_np_moveaxis", normal(2, 3, 4), source="(-1,)", destination="(0,)")
case("_npi_broadcast_to", normal(3, 1), shape="(2, 3, 4)")
case("_npi_flip", normal(2, 3), axis="(1,)")
case("_npi_flip", normal(2, 3), axis="(0, 1)")
case("_np_roll", normal(3, 4), shift="(2,)")
case("_np_roll", normal(3, 4), shift="(1, -1)", axis="(0, 1)")
case("_npi_tril", normal(3, 4), k=-1)
case("_npi_concatenate", normal(2, 3), normal(2, 1), num_args=2, axis=1)
case("_npi_concatenate", normal(2, 3), normal(4, 3), num_args=2, axis=0)
case("_npi_stack", normal(2, 3), normal(2, 3), num_args=2, axis=-1)
case("_npi_stack", fixed(1.0), fixed(2.0), num_args=2, axis=0)
case("_npi_vstack", normal(3), normal(2, 3), num_args=2)
case("_npi_hstack", normal(2, 3), normal(2, 1), num_args=2)
case("_npi_dstack", normal(2, 3), normal(2, 3), num_args=2)

for name in ["_np_sum", "_np_prod", "_np_max", "_np_min", "_npi_mean", "_npi_var", "_npi_std"]:
    case(name, normal(2, 3, 4))
    case(name, normal(2, 3, 4), axis="(1,)")
    case(name, normal(2, 3, 4), axis="(0, -1)", keepdims=True)
for name in ["_np_sum", "_npi_mean"]:
    case(name, normal(6, 3), axis="(1,)")
    case(name, normal(6, 3), axis="(0,)")
case("_np_sum", whole(2, 3, low=0, high=2, dtype="bool"))
case("_np_sum", whole(2, 3, dtype="int32"), axis="(0,)", dtype="int64")
case("_npi_mean", whole(2, 3, dtype="int32"))
case("_npi_var", normal(2, 3, 4), axis="(1,)", ddof=1)
case("_np_any", whole(2, 3, low=0, high=2), axis="(0,)")
case("_np_all", whole(2, 3, low=0, high=2))
case("_npi_argmax", distinct(3, 4))
case("_npi_argmax", distinct(3, 4), axis=1)
case("_npi_argmin", distinct(3, 4), axis=0, keepdims=True)

case("_npi_matmul", normal(2, 3), normal(3, 4))
case("_npi_matmul", normal(5, 2, 3), normal(5, 3, 4))
case("_npi_matmul", normal(3), normal(5, 3, 4))
case("_npi_matmul", normal(2, 1, 2, 3), normal(4, 3, 2))
case("_np_dot", normal(2, 3), normal(3, 4))
case("_np_dot", normal(3), normal(3))
case("_np_dot", normal(2, 3), fixed(2.0))
case("_np_dot", normal(2, 4, 3), normal(3))
case("_np_dot", normal(2, 3), normal(5, 3, 4))
case("_npi_tensordot", normal(2, 3, 4), normal(4, 3, 5), a_axes_summed="(1, 2)", b_axes_summed="(1, 0)")
case("_npi_tensordot_int_axes", normal(2, 3, 4), normal(3, 4, 5), axes=2)
case("_npi_einsum", normal(2, 3), normal(3, 4), num_args=2, subscripts="ij,jk->ik")
case("_npi_einsum", normal(2, 3, 4), normal(2, 3, 4), num_args=2, subscripts="bij,bij->b")

case("_npi_zeros", shape="(2, 3)")
case("_npi_zeros", shape="()", dtype="int32")
case("_npi_ones", shape="(2,)", dtype="float64")
case("_npi_full_like", normal(2, 3), fill_value=2.5)
case("_npi_arange", start=5)
case("_npi_arange", start=1, stop=4, step=0.5)
case("_npi_eye", N=3, M=4, k=1)
case("_npi_identity", shape="(3, 3)")

for name in ["absolute", "square", "rint", "floor", "ceil", "around", "negative", "sign"]:
    case(f"_npi_{name}", fixed([-(2**62) - 3, 2**31 + 5, 7, -1], "int64"))
for dtype in ["float16", "float32", "int32", "uint8"]:
    case("_npi_arange", start=1, stop=4, step=0.5, dtype=dtype)
    case("_npi_arange", start=1.5, stop=6, step=1.5, dtype=dtype)
for dtype in ["int8", "int32", "int64"]:
    for name in ["_np_sum", "_np_prod", "_npi_mean", "_npi_var", "_npi_std"]:
        case(name, fixed([[-0.47, 1.7, 2.8], [-0.64, -0.62, 9.5]]), axis="(1,)", dtype=dtype)
    for name in ["_npi_var", "_npi_std"]:
        case(name, whole(3, 4, low=0, high=100, dtype=dtype))
        case(name, whole(3, 4, low=0, high=9, dtype=dtype), axis="(1,)", ddof=1)
        case(name, whole(3, 4, low=0, high=9, dtype=dtype), axis="(1,)", dtype="float64")
case("_npi_tril", normal(4))
case("_npi_tril", normal(4), k=-1)
case("_npi_clip", whole(3, 4, low=0, high=9, dtype="int8"), a_min=-300, a_max=300)
case("_npi_power", whole(3, 4, low=1, high=9, dtype="int64"), whole(4, low=1, dtype="int64"))
case("_npi_add_scalar", whole(3, 4, dtype="int32"), scalar=1e10, is_int=True)
case("_npi_mean", fixed([[-0.47, 0.1, 0.2], [0.0, 0.0, 0.0]]), axis="(1,)", dtype="bool")

# --- matrices


def posed(*shape):
    """Square matrices that are far from singular."""
    return lambda rs: (rs.standard_normal(shape) + 3 * np.eye(shape[-1])).astype("float32")


def definite(*shape):
    """Symmetric matrices that are positive."""

    def make(rs):
        data = rs.standard_normal(shape)
        return (data @ np.swapaxes(data, -1, -2) + np.eye(shape[-1])).astype("float32")

    return make


case("_npi_cholesky", definite(4, 4))
case("_npi_cholesky", definite(2, 3, 3))
case("_npi_svd", normal(3, 5))
case("_npi_svd", normal(2, 3, 3))
case("_npi_solve", posed(3, 3), normal(3, 2))
case("_npi_solve", posed(2, 3, 3), normal(2, 3))
case("_npi_eigh", definite(4, 4))
case("_npi_eigh", normal(2, 3, 3), UPLO="U")
case("_npi_eigvalsh", normal(4, 4))
case("_npi_eigvalsh", normal(4, 4), UPLO="U")
case("_npi_eigvals", fixed([[2.0, 1.0], [0.5, 3.0]]))
case("_npi_eig", fixed([[2.0, 1.0], [0.5, 3.0]]))
case("_npi_pinv", definite(2, 3, 3), fixed([1e-5, 1e-5]))
case("_npi_pinv_scalar_rcond", normal(3, 5))
case("_npi_pinv_scalar_rcond", definite(3, 3), hermitian=True, rcond=1e-6)
case("_npi_tensorinv", posed(6, 6), ind=1)
case("_npi_tensorinv", lambda rs: posed(6, 6)(rs).reshape(2, 3, 6), ind=2)
case("_npi_tensorsolve", lambda rs: posed(6, 6)(rs).reshape(2, 3, 6), normal(2, 3))
case("_npi_tensorsolve", lambda rs: posed(6, 6)(rs).reshape(6, 2, 3), normal(2, 3), a_axes="(0,)")
case("_npi_norm", normal(3, 4), axis=None, flag=-2, ord=2)
case("_npi_norm", normal(2, 3, 4), axis=None, flag=-2, keepdims=True)
case("_npi_norm", normal(2, 3, 4), axis="(0, 2)", flag=1)
case("_npi_norm", normal(3, 4), axis="(0, 1)", flag=2, keepdims=True)
for order in ["1", "2", "3", "0"]:
    case("_npi_norm", normal(2, 3, 4), axis="(1,)", flag=-1, ord=order)
for order in ["1", "-1", "inf", "-inf"]:
    case("_npi_norm", normal(3, 4), axis="(0, 1)", flag=-1, ord=order)
case("_npi_norm", normal(3, 4), axis="(0, 1)", flag=0, ord=2)
case("_npi_norm", normal(2, 3, 4), axis="(1, 2)", flag=0, ord=-2)
case("_np_trace", normal(3, 4))
case("_np_trace", normal(2, 3, 4), offset=1, axis1=2, axis2=1)
case("_np_trace", whole(3, 3, dtype="int32"))

# --- parts

case("_np_diag", normal(3, 4), k=1)
case("_np_diag", normal(3), k=-1)
case("_np_diagflat", normal(2, 2), k=1)
case("_np_diagonal", normal(2, 3, 4), offset=-1, axis1=1, axis2=2)
case("_np_diagonal", normal(3, 4))
for k in (1, 2, 3, -1):
    case("_npi_rot90", normal(2, 3, 4), k=k, axes="(0, 2)")
case("_npi_pad", normal(2, 3), pad_width="((1, 2), (0, 1))", constant_value=1.5)
for mode in ("edge", "reflect", "symmetric", "maximum", "minimum"):
    case("_npi_pad", normal(2, 3, 4), pad_width="((0, 0), (1, 2), (2, 1))", mode=mode)
case("_npi_pad", whole(2, 3, dtype="int32"), pad_width="((1, 1), (1, 1))", mode="edge")
case("_npi_insert_scalar", normal(4), val=5.0, int_ind=1, axis=0)
case("_npi_insert_scalar", normal(3, 4), normal(3), int_ind=-1, axis=1)
case("_npi_insert_slice", normal(3, 4), normal(2, 4), start=0, stop=2, step=1, axis=0)
case("_npi_hsplit", normal(2, 6), indices="[]", axis=1, sections=3)
case("_npi_hsplit", normal(2, 6), indices="[0, 1, 4]", axis=1, sections=0)
case("_npi_dsplit", normal(2, 3, 4), indices="[]", axis=2, sections=2)
case("_npi_column_stack", normal(3), normal(3, 2), num_args=2)
for rank in (1, 2, 3):
    for data in (fixed(1.5), normal(3), normal(2, 3)):
        case(f"_np_atleast_{rank}d", data, num_args=1)
case("_np_atleast_2d", fixed(1.5), normal(3), num_args=2)
case("_npi_diff", normal(3, 5))
case("_npi_diff", normal(3, 5), n=2, axis=0)
case("_npi_ediff1d", normal(2, 3))
case("_npi_ediff1d", normal(2, 3), to_end_scalar=1.0, to_begin_scalar=-2.0)
case("_npi_ediff1d", normal(4), normal(2), normal(1), to_begin_arr_given=True, to_end_arr_given=True)
case("_npi_average", normal(3, 4), weighted=False)
case("_npi_average", normal(3, 4), weighted=False, axis="(0,)", returned=True)
case("_npi_average", normal(3, 4), positive(3, 4), axis="(1,)")
case("_npi_average", normal(3, 4), positive(4), axis="(1,)", returned=True)
case("_npi_polyval", normal(4), normal(2, 3))
case("_npi_diag_indices_from", normal(3, 3))

# --- pairs, bits, arrays made from nothing

for name in ["arctan2", "copysign", "ldexp"]:
    case(f"_npi_{name}", normal(2, 3, 4), normal(3, 1))
    case(f"_npi_{name}_scalar", normal(2, 3), scalar=-1.5, is_int=False)
    case(f"_npi_r{name}_scalar", normal(2, 3), scalar=-1.5, is_int=False)
case("_npi_arctan2", fixed([0.0, 0.0, 1.0, -1.0, 0.0, 2.0, -2.0]), fixed([1.0, -1.0, 0.0, 0.0, 0.0, -2.0, -2.0]))
for name in ["bitwise_and", "bitwise_or", "bitwise_xor", "lcm"]:
    for dtype in ("int32", "int64", "uint8"):
        low = 0 if dtype == "uint8" else -9
        case(f"_npi_{name}", whole(2, 3, low=low, high=20, dtype=dtype), whole(3, low=low, high=20, dtype=dtype))
    case(f"_npi_{name}_scalar", whole(2, 3, low=-9, high=20, dtype="int32"), scalar=6)
case("_npi_bitwise_not", whole(2, 3, low=-9, high=20, dtype="int32"))
case("_npi_bitwise_not", whole(2, 3, low=0, high=2, dtype="bool"))
case("_npi_indices", dimensions="(2, 3)")
case("_npi_indices", dimensions="(2,)", dtype="float32")
case("_npi_logspace", start=0, stop=1, num=5)
case("_npi_logspace", start=0, stop=2, num=4, endpoint=False, base=2.0)
for name in ["blackman", "hamming", "hanning"]:
    case(f"_npi_{name}", M=5)
for method in ("linear", "lower", "higher", "midpoint", "nearest"):
    case("_npi_percentile", normal(3, 5), q_scalar=37.0, axis="(1,)", interpolation=method)
case("_npi_percentile", normal(3, 5), fixed([0, 50, 90], "int64"), keepdims=True)
case("_npi_percentile", normal(2, 3, 5), fixed([25, 75], "int64"), axis="(0, 2)")

"""PyTorch's operators of one tensor and of two, which take numbers of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

F = torch.nn.functional
Function = Callable[..., Any]
#: Operators of a tensor of floats, number by number.
ACTIVATIONS: dict[str, Function] = {
    name: getattr(F, name)
    for name in (
        "relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "hardtanh",
        "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink", "leaky_relu", "logsigmoid", "threshold",
        "glu", "rrelu",
    )
    if name not in {"threshold", "glu"}
} | {
    "threshold": lambda x: F.threshold(x, 0.5, -2.0),
    "glu": lambda x: F.glu(x[..., :4], -1),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "leaky_relu_steep": lambda x: F.leaky_relu(x, 2.0),
    "elu_2": lambda x: F.elu(x, 2.0),
    "softplus_beta": lambda x: F.softplus(x, beta=3.0, threshold=5.0),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.3])),
    "hardtanh_wide": lambda x: F.hardtanh(x, -100.0, 100.0),
}  # fmt: skip
UNARY: dict[str, Function] = {
    name: getattr(torch, name)
    for name in (
        "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg2rad", "digamma", "erf",
        "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "frac", "isfinite", "isinf", "isnan", "isneginf",
        "isposinf", "lgamma", "log", "log10", "log1p", "log2", "logical_not", "neg", "nan_to_num", "reciprocal",
        "round", "rsqrt", "sgn", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh",
        "trunc", "logit", "positive", "clone", "zeros_like", "ones_like", "i0",
    )
} | {
    "round_2": lambda x: torch.round(x, decimals=2),
    "sqrt_of_square": lambda x: (x * x).sqrt(),
    "pow_2": lambda x: x**2,
    "pow_3": lambda x: x**3,
    "pow_half": lambda x: x**0.5,
    "pow_-1": lambda x: x**-1,
    "pow_2.5": lambda x: x**2.5,
    "2_pow": lambda x: 2.0**x,
    "-2_pow": lambda x: (-2.0) ** x,
    "1_over": lambda x: 1 / x,
    "zero_over": lambda x: 0 / x,
    "add_1": lambda x: x + 1,
    "rsub": lambda x: 1 - x,
    "mul_0": lambda x: x * 0,
    "div_3": lambda x: x / 3,
    "div_0": lambda x: x / 0,
    "floor_divide_2": lambda x: x // 2,
    "floor_divide_-3": lambda x: x // -3,
    "remainder_3": lambda x: x % 3,
    "remainder_-3": lambda x: x % -3,
    "remainder_0.1": lambda x: x % 0.1,
    "fmod_3": lambda x: torch.fmod(x, 3),
    "fmod_0.1": lambda x: torch.fmod(x, 0.1),
    "trunc_divide_2": lambda x: torch.div(x, 2, rounding_mode="trunc"),
    "floor_div_mode": lambda x: torch.div(x, 3, rounding_mode="floor"),
    "clamp": lambda x: x.clamp(-1, 2),
    "clamp_min": lambda x: x.clamp(min=0),
    "clamp_max": lambda x: x.clamp(max=1),
    "clamp_wrong": lambda x: x.clamp(2, -1),
    "gt_0": lambda x: x > 0,
    "ge_half": lambda x: x >= 0.5,
    "eq_0": lambda x: x == 0,
    "ne_0": lambda x: x != 0,
    "eq_self": lambda x: x == x.clone(),
    "where_positive": lambda x: torch.where(x > 0, x, -x),
    "where_nonzero": lambda x: torch.where(x != 0, 1 / x, torch.zeros_like(x)),
    "masked_fill": lambda x: x.masked_fill(x < 0, 7),
    "masked_fill_inf": lambda x: x.masked_fill(x < 0, float("-inf")),
    "identity": lambda x: x,
    "identity_and_more": lambda x: (x, x + 1),
    "view_of_input": lambda x: x.t(),
    "bool": lambda x: x.bool(),
    "float": lambda x: x.float(),
    "half": lambda x: x.half(),
    "bfloat16": lambda x: x.bfloat16(),
    "double": lambda x: x.double(),
    "long": lambda x: x.long(),
    "int": lambda x: x.int(),
    "short": lambda x: x.short(),
    "char": lambda x: x.char(),
    "byte": lambda x: x.byte(),
    "half_and_back": lambda x: x.half().float(),
    "int_and_back": lambda x: x.int().float(),
    "long_and_back": lambda x: x.long().float(),
    "byte_and_back": lambda x: x.byte().float(),
    "bool_and_back": lambda x: x.bool().float(),
    "heaviside": lambda x: torch.heaviside(x, torch.tensor([0.5])),
    "copysign": lambda x: torch.copysign(torch.ones(3, 5), x),
    "lerp": lambda x: torch.lerp(x, x + 1, 0.3),
    "inf_minus": lambda x: x - x,
    "over_self": lambda x: x / x,
}  # fmt: skip
#: Those that make sense for integers and booleans as well.
WHOLE = (
    "relu", "abs", "neg", "sign", "square", "sgn", "logical_not", "add_1", "rsub", "mul_0", "div_3", "div_0",
    "floor_divide_2", "floor_divide_-3", "remainder_3", "remainder_-3", "fmod_3", "trunc_divide_2", "floor_div_mode",
    "pow_2", "pow_3", "clamp", "clamp_min", "gt_0", "ge_half", "eq_0", "ne_0", "where_positive", "masked_fill",
    "identity", "identity_and_more", "bool", "float", "half", "double", "long", "int", "short", "char", "byte", "exp",
    "sqrt", "floor", "view_of_input", "clone",
)  # fmt: skip
INTEGER_UNARY: dict[str, Function] = {
    "bitwise_not": torch.bitwise_not,
    "and_7": lambda x: x & 7,
    "or_8": lambda x: x | 8,
    "xor_5": lambda x: x ^ 5,
    "shift_left": lambda x: x << 2,
    "shift_right": lambda x: x >> 1,
    "times_itself": lambda x: x * x,
    "times_1000": lambda x: x * 1000,
    "plus_itself": lambda x: x + x,
    "float_times": lambda x: x * 1.5,
    "float_sum": lambda x: x.float().sum(-1),
}
BINARY: dict[str, Function] = {
    name: getattr(torch, name)
    for name in (
        "add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "pow", "maximum", "minimum", "fmax", "fmin",
        "atan2", "hypot", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "copysign",
        "nextafter", "logaddexp", "xlogy", "ldexp", "dot_like", "isclose", "equal_like", "float_power",
    )
    if not name.endswith("_like")
} | {
    "div_trunc": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    "div_floor": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "where_gt": lambda x, y: torch.where(x > y, x, y),
    "addcmul": lambda x, y: torch.addcmul(x, x, y, value=0.5),
    "addcdiv": lambda x, y: torch.addcdiv(x, x, y, value=0.5),
    "rounded_sum": lambda x, y: (x + y).round(),
    "rsub_and_relu": lambda x, y: torch.relu(x - y),
    "stack": lambda x, y: torch.stack([x, y]),
    "cat": lambda x, y: torch.cat([x, y], 1),
    "matmul_t": lambda x, y: x @ y.t(),
    "cosine_similarity": lambda x, y: F.cosine_similarity(x, y),
    "pairwise_distance": lambda x, y: F.pairwise_distance(x, y),
    "cdist": lambda x, y: torch.cdist(x, y),
    "mse_loss": lambda x, y: F.mse_loss(x, y),
    "l1_loss": lambda x, y: F.l1_loss(x, y),
    "smooth_l1_loss": lambda x, y: F.smooth_l1_loss(x, y),
    "swap": lambda x, y: (y, x),
    "outer": lambda x, y: torch.outer(x[0], y[0]),
    "einsum_ij_kj": lambda x, y: torch.einsum("ij,kj->ik", x, y),
    "einsum_ij_ij": lambda x, y: torch.einsum("ij,ij->i", x, y),
}  # fmt: skip
WHOLE_BINARY = (
    "add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "maximum", "minimum", "eq", "lt", "ge",
    "logical_and", "logical_xor", "div_trunc", "div_floor", "where_gt", "stack", "cat", "swap", "matmul_t", "pow",
)  # fmt: skip
INTEGER_BINARY: dict[str, Function] = {
    name: getattr(torch, name)
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "gcd")
}
REDUCTIONS: dict[str, Function] = {
    "sum": lambda x: x.sum(),
    "sum_-1": lambda x: x.sum(-1),
    "sum_0_keep": lambda x: x.sum(0, keepdim=True),
    "mean_-1": lambda x: x.mean(-1),
    "prod_-1": lambda x: x.prod(-1),
    "amax": lambda x: x.amax(-1),
    "amin": lambda x: x.amin(-1),
    "max": lambda x: x.max(),
    "min": lambda x: x.min(),
    "max_dim": lambda x: x.max(-1),
    "min_dim": lambda x: x.min(-1),
    "max_dim_values": lambda x: x.max(-1).values,
    "argmax": lambda x: x.argmax(-1),
    "argmax_all": lambda x: x.argmax(),
    "argmin": lambda x: x.argmin(-1),
    "argmax_keep": lambda x: x.argmax(1, keepdim=True),
    "aminmax": lambda x: torch.aminmax(x, dim=-1),
    "any": lambda x: x.any(-1),
    "all": lambda x: x.all(-1),
    "any_positive": lambda x: (x > 0).any(-1),
    "count_nonzero": lambda x: torch.count_nonzero(x, -1),
    "cumsum": lambda x: x.cumsum(-1),
    "cumprod": lambda x: x.cumprod(-1),
    "cummax": lambda x: x.cummax(-1),
    "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "sort": lambda x: x.sort(-1),
    "sort_values": lambda x: x.sort(-1, descending=True).values,
    "sort_stable": lambda x: torch.sort(x, dim=-1, stable=True),
    "argsort": lambda x: x.argsort(-1),
    "topk": lambda x: x.topk(2, -1),
    "topk_values": lambda x: x.topk(2, -1).values,
    "topk_smallest": lambda x: x.topk(2, -1, largest=False).values,
    "topk_1": lambda x: x.topk(1, -1),
    "kthvalue": lambda x: x.kthvalue(2, -1),
    "median": lambda x: x.median(-1),
    "mode": lambda x: x.mode(-1),
    "unique": lambda x: x.unique(),
    "nonzero": lambda x: x.nonzero(),
    "masked_select": lambda x: x.masked_select(x > 0),
    "diff": lambda x: x.diff(dim=-1),
    "trace": lambda x: x.trace(),
    "is_max": lambda x: x == x.max(),
    "is_last_max": lambda x: (x == x.amax(-1, keepdim=True)).float(),
}
FLOAT_REDUCTIONS: dict[str, Function] = {
    "mean": lambda x: x.mean(),
    "std": lambda x: x.std(-1),
    "var": lambda x: x.var(-1),
    "var_biased": lambda x: x.var(-1, unbiased=False),
    "var_mean": lambda x: torch.var_mean(x, -1),
    "norm": lambda x: x.norm(),
    "norm_-1": lambda x: x.norm(dim=-1),
    "norm_1": lambda x: x.norm(p=1, dim=-1),
    "norm_inf": lambda x: x.norm(p=float("inf"), dim=-1),
    "norm_3": lambda x: x.norm(p=3, dim=-1),
    "nansum": lambda x: x.nansum(-1),
    "nanmean": lambda x: x.nanmean(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "softmax": lambda x: x.softmax(-1),
    "softmax_0": lambda x: x.softmax(0),
    "log_softmax": lambda x: x.log_softmax(-1),
    "softmin": lambda x: F.softmin(x, -1),
    "softmax_argmax": lambda x: x.softmax(-1).argmax(-1),
    "softmax_masked": lambda x: x.masked_fill(x < 0, float("-inf")).softmax(-1),
    "softmax_min": lambda x: x.masked_fill(x < 0, torch.finfo(torch.float32).min).softmax(-1),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "layer_norm": lambda x: F.layer_norm(x, (5,)),
    "rms_norm": lambda x: F.rms_norm(x, (5,)),
    "rms_by_hand": lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
    "standardized": lambda x: (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True),
    "cross_entropy": lambda x: F.cross_entropy(x, torch.tensor([0, 1, 2])),
    "histc": lambda x: torch.histc(x, 4),
    "bincount": lambda x: torch.bincount(x.abs().long().reshape(-1), minlength=5),
    "bucketize": lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])),
    "quantile": lambda x: torch.quantile(x, 0.5, dim=-1),
    "inverse": lambda x: torch.linalg.inv(x[:, :3]),
}
MOVES: dict[str, Function] = {
    "transpose": lambda x: x.transpose(0, 1) * 1,
    "reshape": lambda x: x.reshape(5, 3) + 0,
    "flatten": lambda x: x.flatten(),
    "permute": lambda x: x.permute(1, 0),
    "flip": lambda x: x.flip(-1),
    "roll": lambda x: x.roll(2, -1),
    "roll_flat": lambda x: x.roll(2),
    "repeat": lambda x: x.repeat(2, 1),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 0),
    "expand": lambda x: x[:, None].expand(3, 2, 5),
    "tile": lambda x: x.tile(2),
    "split": lambda x: x.split(2, -1),
    "chunk": lambda x: x.chunk(3, -1),
    "unbind": lambda x: x.unbind(0),
    "slice": lambda x: x[:, 1:4],
    "slice_step": lambda x: x[:, ::2],
    "slice_back": lambda x: x[:, -2:],
    "slice_empty": lambda x: x[:, 3:3],
    "select_-1": lambda x: x[:, -1],
    "index_list": lambda x: x[[2, 0, 1]],
    "index_negative": lambda x: x[[-1, 0]],
    "index_pairs": lambda x: x[torch.tensor([0, 1]), torch.tensor([2, 3])],
    "index_select": lambda x: x.index_select(1, torch.tensor([0, 4])),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "tril": lambda x: x.tril(),
    "triu": lambda x: x.triu(1),
    "diagonal": lambda x: x.diagonal(),
    "diag_embed": lambda x: torch.diag_embed(x),
    "rot90": lambda x: x.rot90(),
    "unfold": lambda x: x.unfold(1, 3, 1),
    "pad": lambda x: F.pad(x, (1, 2)),
    "pad_value": lambda x: F.pad(x, (1, 0, 1, 1), value=4),
    "pad_negative": lambda x: F.pad(x, (-1, 2)),
    "pad_reflect": lambda x: F.pad(x[None], (2, 1), mode="reflect"),
    "pad_replicate": lambda x: F.pad(x[None], (2, 1), mode="replicate"),
    "pad_circular": lambda x: F.pad(x[None], (2, 1), mode="circular"),
    "assign": lambda x: _assigned(x),
    "assign_column": lambda x: _assigned_column(x),
    "index_fill": lambda x: x.index_fill(1, torch.tensor([1]), 3),
    "index_put": lambda x: x.index_put((torch.tensor([1]),), torch.tensor(2).to(x.dtype)),
    "index_add": lambda x: x.index_add(0, torch.tensor([0, 0, 1]), x),
    "scatter": lambda x: x.scatter(1, torch.tensor([[0], [1], [2]]), 9),
    "scatter_add": lambda x: x.scatter_add(1, torch.tensor([[0, 0], [1, 1], [2, 2]]), x[:, :2]),
    "meshgrid": lambda x: torch.meshgrid(x[0], x[1], indexing="ij"),
    "squeeze": lambda x: x[:, None].squeeze(1),
    "in_place": lambda x: x.clone().mul_(2).relu_(),
}


def _assigned(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[0] = 5
    return x


def _assigned_column(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[:, 2] = x[:, 1] + 1
    return x

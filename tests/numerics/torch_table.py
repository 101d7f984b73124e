"""The table of PyTorch's operators: for each how to build it, and the tensors that it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from .torch_side import Case
from .values import Arg

F, nn = torch.nn.functional, torch.nn
Function = Callable[..., Any]
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")

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


IMAGES: dict[str, Function] = {
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "max_pool2d_padded": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max_pool2d_indices": lambda x: F.max_pool2d(x, 2, return_indices=True),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "avg_pool2d_padded": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "lp_pool2d": lambda x: F.lp_pool2d(x, 2, 2),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 3),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 3),
    "global_mean": lambda x: x.mean((2, 3)),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
    "local_response_norm": lambda x: F.local_response_norm(x, 3),
    "pad_reflect2d": lambda x: F.pad(x, (1, 1, 2, 1), mode="reflect"),
    "pad_replicate2d": lambda x: F.pad(x, (1, 1, 2, 1), mode="replicate"),
    "unfold2d": lambda x: F.unfold(x, 2),
    "grid_sample": lambda x: F.grid_sample(x, torch.linspace(-1.2, 1.2, 18).view(1, 3, 3, 2), align_corners=False),
    **{
        f"interpolate_{mode}{'_corners' if corners else ''}": lambda x, mode=mode, corners=corners: F.interpolate(
            x, scale_factor=2 if not corners else None, size=(7, 5) if corners else None, mode=mode,
            **({"align_corners": corners} if mode in {"bilinear", "bicubic"} else {}),
        )
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area") for corners in (False, True)
    },
    "interpolate_down": lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True),
    "fold": lambda x: F.fold(F.unfold(x, 2), (6, 6), 2),
    "softmax2d": lambda x: x.softmax(1),
    "group_norm_2": lambda x: F.group_norm(x, 2),
    "instance_norm": lambda x: F.instance_norm(x),
}  # fmt: skip
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(5, 4), (3, 5)),
    "linear_no_bias": (lambda: nn.Linear(5, 4, bias=False), (3, 5)),
    "bilinear_self": (lambda: _Bilinear(), (3, 5)),
    "conv1d": (lambda: nn.Conv1d(4, 3, 3), (2, 4, 7)),
    "conv2d": (lambda: nn.Conv2d(4, 3, 3), (1, 4, 6, 6)),
    "conv2d_padded": (lambda: nn.Conv2d(4, 3, 3, padding=1, stride=2), (1, 4, 6, 6)),
    "conv2d_reflect": (lambda: nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"), (1, 4, 6, 6)),
    "conv2d_depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4), (1, 4, 6, 6)),
    "conv2d_dilated": (lambda: nn.Conv2d(4, 3, 2, dilation=2), (1, 4, 6, 6)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4)),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 3, 2, 2), (1, 4, 6, 6)),
    "conv_transpose2d_groups": (lambda: nn.ConvTranspose2d(4, 4, 3, 2, 1, groups=2), (1, 4, 6, 6)),
    "batch_norm": (lambda: nn.BatchNorm2d(4), (1, 4, 6, 6)),
    "layer_norm_affine": (lambda: nn.LayerNorm(5), (3, 5)),
    "group_norm": (lambda: nn.GroupNorm(2, 4), (1, 4, 6, 6)),
    "instance_norm_affine": (lambda: nn.InstanceNorm2d(4, affine=True), (1, 4, 6, 6)),
    "lstm": (lambda: nn.LSTM(5, 6, batch_first=True), (2, 4, 5)),
    "lstm_two_ways": (lambda: nn.LSTM(5, 6, 2, bidirectional=True, batch_first=True), (2, 4, 5)),
    "gru": (lambda: nn.GRU(5, 6, batch_first=True), (2, 4, 5)),
    "rnn_tanh": (lambda: nn.RNN(5, 6, batch_first=True), (2, 4, 5)),
    "rnn_relu": (lambda: nn.RNN(5, 6, batch_first=True, nonlinearity="relu"), (2, 4, 5)),
    "lstm_cell": (lambda: nn.LSTMCell(5, 6), (2, 5)),
    "gru_cell": (lambda: nn.GRUCell(5, 6), (2, 5)),
    "attention_layer": (lambda: _Self(nn.MultiheadAttention(8, 2, batch_first=True)), (2, 4, 8)),
    "transformer_layer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 4, 8)),
    "conv_norm_relu": (lambda: nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU()), (1, 4, 6, 6)),
    "linear_relu_linear": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2)), (3, 5)),
    "linear_max": (lambda: _Then(nn.Linear(5, 8), lambda x: x.amax(-1)), (3, 5)),
    "linear_gt": (lambda: _Then(nn.Linear(5, 8), lambda x: x > 0), (3, 5)),
    "linear_argmax": (lambda: _Then(nn.Linear(5, 8), lambda x: x.argmax(-1)), (3, 5)),
    "conv_pool": (lambda: nn.Sequential(nn.Conv2d(4, 3, 3), nn.MaxPool2d(2), nn.Sigmoid()), (1, 4, 6, 6)),
}


class _Then(nn.Module):
    def __init__(self, layer: nn.Module, function: Function) -> None:
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.layer(x))


class _Self(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x, x, x, need_weights=True)


class _Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Bilinear(5, 5, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x, x)


class _Embedding(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, ids: torch.Tensor) -> Any:
        return self.layer(ids)


IDS = Arg("int64", (3, 4), limit=7)
X = Arg("float32")
TABLE = Arg("float32", (7, 5))
Q = Arg("float32", (1, 2, 4, 8))
S = Arg("float32", (4, 5))


def _sdpa(**options: Any) -> Function:
    return lambda q, k, v, *mask: F.scaled_dot_product_attention(q, k, v, *mask, **options)


SEVERAL: dict[str, tuple[Function, tuple[Arg, ...]]] = {
    "gather_rows": (lambda x, i: x[i], (TABLE, IDS)),
    "gather_rows_and_back": (lambda x, i: torch.relu(x[i]).sum(-1), (TABLE, IDS)),
    "index_select_ids": (lambda x, i: x.index_select(0, i), (TABLE, Arg("int64", (4,), limit=7))),
    "gather": (lambda x, i: x.gather(1, i), (X, Arg("int64", (3, 2), limit=5))),
    "take_along_dim": (lambda x, i: torch.take_along_dim(x, i, 1), (X, Arg("int64", (3, 2), limit=5))),
    "take": (lambda x, i: x.take(i), (X, Arg("int64", (4,), limit=15))),
    "index_two": (lambda x, i, j: x[i, j], (X, Arg("int64", (4,), limit=3), Arg("int64", (4,), limit=5))),
    "index_three": (
        lambda x, i, j, k: x[i, j, k],
        (Arg("float32", (3, 5, 2)), *(Arg("int64", (4,), limit=limit) for limit in (3, 5, 2))),
    ),
    "index_outer": (
        lambda x, i, j: x[i, :, j],
        (Arg("float32", (3, 5, 2)), Arg("int64", (4,), limit=3), Arg("int64", (4,), limit=2)),
    ),
    "index_arange": (lambda x, i: x[torch.arange(3), i], (X, Arg("int64", (3,), limit=5))),
    "index_first_row": (lambda x, i: x[torch.tensor([0]), i], (X, Arg("int64", (3,), limit=5))),
    "index_third_row": (lambda x, i: x[torch.tensor([2]), i], (X, Arg("int64", (3,), limit=5))),
    "index_last_column": (lambda x, i: x[i, torch.tensor([-1])], (X, Arg("int64", (4,), limit=3))),
    "index_table": (
        lambda i, j: torch.arange(15.0).view(3, 5)[i, j], (Arg("int64", (4,), limit=3), Arg("int64", (4,), limit=5)),
    ),
    "index_flat": (lambda x, i: x.reshape(-1)[i], (X, Arg("int64", (4,), limit=15))),
    "index_offset": (lambda x, i: x[i + torch.tensor([0, 2, 4])], (TABLE, Arg("int64", (3,), limit=3))),
    "index_second": (lambda x, i: x[:, i], (X, Arg("int64", (4,), limit=5))),
    "index_mask": (lambda x, m: x * m, (X, Arg("bool"))),
    "embedding_functional": (lambda i, w: F.embedding(i, w), (IDS, TABLE)),
    "scatter_ids": (lambda x, i: x.scatter(1, i, 1.0), (X, Arg("int64", (3, 2), limit=5))),
    "scatter_add_ids": (lambda x, i: x.scatter_add(1, i, x), (X, Arg("int64", (3, 5), limit=5))),
    "index_put_ids": (lambda x, i: x.index_put((i,), torch.tensor(1.0)), (X, Arg("int64", (2,), limit=3))),
    "one_hot": (lambda i: F.one_hot(i, 7), (IDS,)),
    "one_hot_float": (lambda i: F.one_hot(i, 7).float() @ torch.ones(7, 2), (IDS,)),
    "gather_int32": (lambda x, i: x[i.long()], (TABLE, Arg("int32", (3,), limit=7))),
    "gather_uint8": (lambda x, i: x[i.long()], (TABLE, Arg("uint8", (3,), limit=7))),
    "gather_clamped": (lambda x, i: x[i.clamp(0, 6)], (TABLE, IDS)),
    "gather_remainder": (lambda x, i: x[i % 7], (TABLE, IDS)),
    "gather_shifted": (lambda x, i: x[i - 3], (TABLE, IDS)),
    "gather_truncated": (lambda x, i: x[i.long()], (TABLE, Arg("float32", (3,), lo=0, hi=6.9))),
    "where_bool": (lambda c, x, y: torch.where(c, x, y), (Arg("bool"), X, X)),
    "where_number": (lambda c, x: torch.where(c, x, 0.0), (Arg("bool"), X)),
    "where_inf": (lambda c, x: torch.where(c, x, float("-inf")), (Arg("bool"), X)),
    "masked_fill_bool": (lambda x, m: x.masked_fill(m, 0.0), (X, Arg("bool"))),
    "masked_softmax": (lambda x, m: x.masked_fill(m, float("-inf")).softmax(-1), (X, Arg("bool"))),
    "masked_softmax_1e9": (lambda x, m: x.masked_fill(m, -1e9).softmax(-1), (X, Arg("bool"))),
    "masked_softmax_min": (lambda x, m: x.masked_fill(m, torch.finfo(x.dtype).min).softmax(-1), (X, Arg("bool"))),
    "added_mask_min": (
        lambda x, m: (x + (1 - m.float()) * torch.finfo(torch.float32).min).softmax(-1), (X, Arg("int64", lo=0, hi=1)),
    ),
    "added_mask_1e4": (lambda x, m: (x + (1.0 - m.float()) * -1e4).softmax(-1), (X, Arg("int64", lo=0, hi=1))),
    "masked_max": (lambda x, m: x.masked_fill(m, float("-inf")).amax(-1), (X, Arg("bool"))),
    "masked_mean": (lambda x, m: (x * m).sum(-1) / m.sum(-1), (X, Arg("bool"))),
    "masked_mean_clamped": (lambda x, m: (x * m).sum(-1) / m.sum(-1).clamp(min=1e-9), (X, Arg("float32", lo=0))),
    "mean_pooling": (
        lambda x, m: (x[:, None] * m[..., None].float()).sum(1) / m.sum(-1, keepdim=True).clamp(min=1),
        (X, Arg("int64", lo=0, hi=1)),
    ),
    "sdpa": (_sdpa(), (Q, Q, Q)),
    "sdpa_causal": (_sdpa(is_causal=True), (Q, Q, Q)),
    "sdpa_scale": (_sdpa(scale=3.0), (Q, Q, Q)),
    "sdpa_bool": (_sdpa(), (Q, Q, Q, Arg("bool", (1, 1, 4, 4)))),
    "sdpa_bool_row": (_sdpa(), (Q, Q, Q, Arg("bool", (1, 1, 1, 4)))),
    "sdpa_float": (_sdpa(), (Q, Q, Q, Arg("float32", (1, 2, 4, 4)))),
    "sdpa_made": (
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m[:, None, None] > 0),
        (Q, Q, Q, Arg("int64", (1, 4), lo=0, hi=1)),
    ),
    "sdpa_min": (
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, (1.0 - m[:, None, None].float()) * -3.4028e38),
        (Q, Q, Q, Arg("int64", (1, 4), lo=0, hi=1)),
    ),
    "bmm": (torch.bmm, (Arg("float32", (2, 3, 4)), Arg("float32", (2, 4, 5)))),
    "baddbmm": (
        torch.baddbmm, (Arg("float32", (2, 3, 5)), Arg("float32", (2, 3, 4)), Arg("float32", (2, 4, 5))),
    ),
    "addmm": (torch.addmm, (S, Arg("float32", (4, 3)), X)),
    "addmm_beta_0": (lambda a, b, c: torch.addmm(a, b, c, beta=0), (S, Arg("float32", (4, 3)), X)),
    "mv": (torch.mv, (X, Arg("float32", (5,)))),
    "dot": (torch.dot, (Arg("float32", (5,)), Arg("float32", (5,)))),
    "einsum_batched": (
        lambda a, b: torch.einsum("bij,bjk->bik", a, b), (Arg("float32", (2, 3, 4)), Arg("float32", (2, 4, 5))),
    ),
    "matmul_integers": (torch.matmul, (Arg("int64", (3, 4)), Arg("int64", (4, 5)))),
    "conv2d_given": (F.conv2d, (Arg("float32", (1, 2, 5, 5)), Arg("float32", (3, 2, 3, 3)))),
    "linear_given": (F.linear, (X, Arg("float32", (4, 5)))),
    "broadcast_add": (torch.add, (X, Arg("float32", (5,)))),
    "broadcast_scalar": (torch.mul, (X, Arg("float32", ()))),
    "add_int_float": (torch.add, (X, Arg("int64"))),
    "mul_int_int32": (torch.mul, (Arg("int64"), Arg("int32"))),
    "mul_float_bool": (torch.mul, (X, Arg("bool"))),
    "add_uint8_int8": (torch.add, (Arg("uint8"), Arg("int8"))),
    "add_half_float": (torch.add, (Arg("float16"), X)),
    "gt_int_float": (torch.gt, (Arg("int64"), X)),
    "eq_int32_float": (torch.eq, (Arg("int32"), X)),
    "clamp_tensors": (torch.clamp, (X, X, X)),
    "lerp_tensors": (torch.lerp, (X, X, X)),
    "searchsorted": (lambda x: torch.searchsorted(torch.tensor([-1.0, 0.0, 1.0]), x), (X,)),
    "batch_norm_given": (
        lambda x, m, v: F.batch_norm(x, m, v), (Arg("float32", (3, 5)), Arg("float32", (5,)), Arg("float32", (5,), lo=0)),
    ),
    "layer_norm_given": (lambda x, w, b: F.layer_norm(x, (5,), w, b), (X, Arg("float32", (5,)), Arg("float32", (5,)))),
    "unused": (lambda x, _y: x + 1, (X, X)),
    "unused_int": (lambda x, _y: x + 1, (X, Arg("int64"))),
    "echo_ids": (lambda i, x: (i, x * 2), (Arg("int64"), X)),
    "and_bools": (lambda a, b: a & b, (Arg("bool"), Arg("bool"))),
    "xor_bools": (lambda a, b: a ^ b, (Arg("bool"), Arg("bool"))),
    "not_bool": (lambda a: ~a, (Arg("bool"),)),
    "sum_bools": (lambda a: a.sum(-1), (Arg("bool"),)),
    "mean_bools": (lambda a: a.float().mean(-1), (Arg("bool"),)),
    "cumsum_bools": (lambda a: a.cumsum(-1), (Arg("bool"),)),
    "position_ids": (lambda i: (i.ne(1).int().cumsum(1).type_as(i) * i.ne(1)).long() + 1, (IDS,)),
    "last_token": (
        lambda x, i: x[torch.arange(3), (i.eq(0).int().argmax(-1) - 1) % 5], (X, Arg("int64", (3, 5), lo=0, hi=3)),
    ),
    "clip_eos": (lambda x, i: x[torch.arange(3), i.to(torch.int).argmax(-1)], (X, Arg("int64", (3, 5), lo=0, hi=9))),
    "milliseconds": (lambda t: (t - 1700000000000).float() / 1000, (Arg("int64", lo=0, hi=9),)),
    "fourier": (lambda x: torch.cat([x.sin(), x.cos()], -1), (X,)),
    "random_hash": (lambda i: (i * 2654435761) % 1000, (Arg("int64", lo=0, hi=9),)),
}  # fmt: skip
EMBEDDINGS: dict[str, Callable[[], nn.Module]] = {
    "embedding": lambda: _Embedding(nn.Embedding(7, 4)),
    "embedding_padding": lambda: _Embedding(nn.Embedding(7, 4, padding_idx=0)),
    "embedding_bag": lambda: _Embedding(nn.EmbeddingBag(7, 4, mode="mean")),
    "embedding_linear": lambda: nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 3), nn.ReLU()),
    "embedding_max": lambda: _Then(nn.Embedding(7, 4), lambda x: x.amax(1)),
}


def _between_layers(function: Function) -> Callable[[], nn.Module]:
    """The operator in a network: what comes before computes its numbers, what comes behind may lose them."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = nn.Linear(5, 5), None
            with torch.no_grad():
                y = self._middle(torch.rand(3, 5))
            if y.is_floating_point() and y.dim():
                self.after = nn.Linear(y.shape[-1], 3)

        def _middle(self, x: torch.Tensor) -> torch.Tensor:
            y = function(self.before(x))
            return y if isinstance(y, torch.Tensor) else y[0]

        def forward(self, x: torch.Tensor) -> Any:
            y = self._middle(x)
            return y if self.after is None else torch.relu(self.after(y.float()))

    return Network


#: Where operators are defined, as a model that uses them would have it.
DOMAINS = {
    **dict.fromkeys(("acos", "asin", "atanh", "erfinv"), (-0.9, 0.9)),
    **dict.fromkeys(("acosh",), (1.1, 3.0)),
    **dict.fromkeys(
        (
            "log", "log10", "log1p", "log2", "rsqrt", "sqrt", "pow_half", "pow_2.5", "lgamma", "digamma", "pow",
            "float_power", "xlogy", "pow_-1", "norm_3", "lp_pool2d",
        ),
        (0.1, 3.0),
    ),
    "logit": (0.1, 0.9),
}  # fmt: skip


def _argument(name: str, dtype: str, shape: tuple[int, ...] = (3, 5)) -> Arg:
    lo, hi = DOMAINS.get(name, (-3.0, 3.0)) if dtype not in (*INTEGERS, "bool") else (-3.0, 3.0)
    return Arg(dtype, shape, lo=lo, hi=hi)


def _constantly(function: Function) -> Callable[[], Function]:
    return lambda: function


def cases() -> Iterator[Case]:
    """The whole table."""
    yield from _cases_of_floats()
    yield from _cases_of_integers()
    for name, function in IMAGES.items():
        yield Case(f"{name}[float32]", _constantly(function), (_argument(name, "float32", (1, 4, 6, 6)),))
    for name, (make, shape) in LAYERS.items():
        yield Case(f"{name}[float32]", make, (Arg("float32", shape),))
    for name, make in EMBEDDINGS.items():
        yield Case(f"{name}[int64]", make, (IDS,))
        yield Case(f"{name}[int32]", make, (Arg("int32", (3, 4), limit=7),))
    for name, (function, arguments) in SEVERAL.items():
        yield Case(name, _constantly(function), arguments)


def _cases_of_floats() -> Iterator[Case]:
    computing = {**ACTIVATIONS, **UNARY, **REDUCTIONS, **FLOAT_REDUCTIONS}
    for name, function in {**computing, **MOVES}.items():
        yield Case(f"{name}[float32]", _constantly(function), (_argument(name, "float32"),))
    for name, function in computing.items():
        yield Case(f"linear>{name}>linear", _between_layers(function), (X,))
    halves = {name: computing[name] for name in computing if name not in UNARY or name in WHOLE}
    for dtype in ("float16", "bfloat16", "float64"):
        for name, function in halves.items():
            yield Case(f"{name}[{dtype}]", _constantly(function), (_argument(name, dtype),))
    for name, function in BINARY.items():
        for dtype in ("float32", "float16", "float64"):
            arguments = (_argument(name, dtype), _argument(name, dtype))
            yield Case(f"{name}[{dtype}]", _constantly(function), arguments)


def _cases_of_integers() -> Iterator[Case]:
    for dtype in (*INTEGERS, "bool"):
        unary = {name: {**ACTIVATIONS, **UNARY}[name] for name in WHOLE} | REDUCTIONS | MOVES
        for name, function in {**unary, **(INTEGER_UNARY if dtype != "bool" else {})}.items():
            yield Case(f"{name}[{dtype}]", _constantly(function), (Arg(dtype),))
        for name, function in {**{name: BINARY[name] for name in WHOLE_BINARY}, **INTEGER_BINARY}.items():
            yield Case(f"{name}[{dtype}]", _constantly(function), (Arg(dtype), Arg(dtype)))

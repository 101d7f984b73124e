"""PyTorch's operators that take tensors of their own kinds."""

from __future__ import annotations

from typing import Any

import torch

from .torch_operators import Function
from .values import Arg

F = torch.nn.functional
IDS = Arg("int64", (3, 4), limit=7)
X = Arg("float32")
TABLE = Arg("float32", (7, 5))
Q = Arg("float32", (1, 2, 4, 8))
S = Arg("float32", (4, 5))


def _sdpa(**options: Any) -> Function:
    return lambda q, k, v, *mask: F.scaled_dot_product_attention(q, k, v, *mask, **options)


WITH_ARGUMENTS: dict[str, tuple[Function, tuple[Arg, ...]]] = {
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

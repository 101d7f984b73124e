"""PyTorch's layers, and networks of a layer and an operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .torch_operators import Function

F, nn = torch.nn.functional, torch.nn
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


EMBEDDINGS: dict[str, Callable[[], nn.Module]] = {
    "embedding": lambda: _Embedding(nn.Embedding(7, 4)),
    "embedding_padding": lambda: _Embedding(nn.Embedding(7, 4, padding_idx=0)),
    "embedding_bag": lambda: _Embedding(nn.EmbeddingBag(7, 4, mode="mean")),
    "embedding_linear": lambda: nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 3), nn.ReLU()),
    "embedding_max": lambda: _Then(nn.Embedding(7, 4), lambda x: x.amax(1)),
}


def between_layers(function: Function) -> Callable[[], nn.Module]:
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

"""The networks that are measured: a ResNet-50, a small BERT and a tiny perceptron, with random weights of one seed.

They stand for three sizes of work, about 80 ms, 12 ms and 15 us of one CPU a call. What the weights are changes no time
here, so nothing is downloaded.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

NAMES = ("resnet50", "bert", "tiny")
SEED = 20240607


class Bottleneck(nn.Module):
    """Three convolutions round a shortcut; the middle one is 3 x 3 and carries the stride."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            *convolution(inputs, width, 1, 1, relu=True),
            *convolution(width, width, 3, stride, relu=True),
            *convolution(width, outputs, 1, 1, relu=False),
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*convolution(inputs, outputs, 1, stride, relu=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class ResNet50(nn.Module):
    """Images of 3 x 224 x 224 in, 1,000 numbers out; 25.6 million weights, 4.1 GFLOP (as multiply-adds) an image."""

    def __init__(self) -> None:
        super().__init__()
        layers = [*convolution(3, 64, 7, 2, relu=True), nn.MaxPool2d(3, 2, 1)]
        inputs = 64
        for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for block in range(blocks):
                layers.append(Bottleneck(inputs, width, stride if block == 0 else 1))
                inputs = 4 * width
        self.features = nn.Sequential(*layers)
        self.classes = nn.Linear(inputs, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.features(x).mean((2, 3)))


def convolution(inputs: int, outputs: int, size: int, stride: int, *, relu: bool) -> list[nn.Module]:
    """A convolution without bias, its batch normalisation, and perhaps a ReLU."""
    layers = [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)]
    return [*layers, nn.ReLU()] if relu else layers


class Attention(nn.Module):
    """Self-attention of several heads; masked positions get nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape

        def split(y: torch.Tensor) -> torch.Tensor:
            return y.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

        scores = split(self.query(x)) @ split(self.key(x)).transpose(2, 3) * (width // self.heads) ** -0.5
        mixed = torch.softmax(scores + bias, -1) @ split(self.value(x))
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Encoder(nn.Module):
    """One layer of BERT: attention, then a perceptron, each added and normalised."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        x = self.first(x + self.attention(x, bias))
        return self.second(x + self.perceptron(x))


class SmallBert(nn.Module):
    """4 layers, width 256, 4 heads: token ids and a mask of 1 x 128 in, two numbers out."""

    def __init__(
        self, width: int = 256, heads: int = 4, layers: int = 4, words: int = 30522, length: int = 128
    ) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Parameter(torch.randn(1, length, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Encoder(width, heads) for _ in range(layers))
        self.classes = nn.Linear(width, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        bias = (1.0 - mask.to(torch.float32))[:, None, None, :] * -10000.0
        x = self.norm(self.words(ids) + self.places)
        for layer in self.layers:
            x = layer(x, bias)
        return self.classes(x[:, 0])


def make(name: str, batch: int = 1) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """The network ``name``, ready for inference, and example inputs for it. The same numbers at every call."""
    torch.manual_seed(SEED)
    if name == "resnet50":
        return ResNet50().eval(), (torch.rand(batch, 3, 224, 224),)
    if name in ("bert", "bert-base"):
        mask = torch.ones(batch, 128, dtype=torch.int64)
        mask[:, 100:] = 0
        bert = SmallBert() if name == "bert" else SmallBert(768, 12, 12)  # the size of BERT-base
        return bert.eval(), (torch.randint(0, 30522, (batch, 128)), mask)
    if name == "tiny":
        layers = (nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
        return nn.Sequential(*layers).eval(), (torch.rand(batch, 64),)
    raise ValueError(f"no network {name!r}; there are {', '.join(NAMES)}")


def make_keras(name: str) -> tuple[object, object]:
    """The network ``name`` in Keras, and an example input as an array. The same numbers at every call."""
    import keras
    import numpy

    keras.utils.set_random_seed(SEED)
    rng = numpy.random.default_rng(SEED)
    if name == "resnet50":
        return keras.applications.ResNet50(weights=None), rng.random((1, 224, 224, 3), dtype="float32")
    if name == "mobilenet":
        return keras.applications.MobileNetV2(weights=None), rng.random((1, 224, 224, 3), dtype="float32")
    if name == "lstm":  # unrolled: the engine takes no graph with a loop
        layers = [keras.Input((80,), dtype="int32"), keras.layers.Embedding(5000, 128)]
        layers += [keras.layers.LSTM(128, unroll=True), keras.layers.Dense(2)]
        return keras.Sequential(layers), rng.integers(0, 5000, (1, 80), dtype="int32")
    if name == "tiny":
        dense = keras.layers.Dense
        layers = [keras.Input((64,)), dense(128, activation="relu"), dense(128, activation="relu"), dense(10)]
        return keras.Sequential(layers), rng.random((1, 64), dtype="float32")
    raise ValueError(f"no Keras network {name!r}; there are resnet50, mobilenet, lstm and tiny")

"""Small networks with random weights, and one check, for the PyTorch examples beside this file."""

import torch
from _check import require

__all__ = ["difference", "image_network", "require", "vector_network"]


def image_network(width: int) -> torch.nn.Module:
    """A convolutional network: images of 3 x 64 x 64 in, 10 numbers out. ``width`` sets how much it computes."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(width, width, 3, padding=1),
        torch.nn.AdaptiveAvgPool2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(width * 16, 10),
    ).eval()


def vector_network(inputs: int = 64, outputs: int = 10) -> torch.nn.Module:
    """Two dense layers."""
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, 128),
        torch.nn.ReLU(),
        torch.nn.Linear(128, outputs),
    ).eval()


def difference(left: torch.Tensor, right: torch.Tensor) -> float:
    """The largest absolute difference of two tensors."""
    return (left - right).abs().max().item()

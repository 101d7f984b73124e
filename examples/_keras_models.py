"""Small networks with random weights, and one measure, for the Keras examples beside this file."""

import keras
import numpy as np
from _check import require

__all__ = ["difference", "image_network", "require", "vector_network"]


def image_network(width: int) -> keras.Model:
    """A convolutional network: images of 64 x 64 x 3 in, 10 numbers out. ``width`` sets how much it computes."""
    return keras.Sequential([
        keras.Input((64, 64, 3)),
        keras.layers.Conv2D(width, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(width, 3, padding="same"),
        keras.layers.AveragePooling2D(16),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ])  # fmt: skip


def vector_network(inputs: int = 64, outputs: int = 10) -> keras.Model:
    """Two dense layers."""
    return keras.Sequential([
        keras.Input((inputs,)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(outputs),
    ])  # fmt: skip


def difference(left: object, right: object) -> float:
    """The largest absolute difference of two tensors."""
    return float(np.max(np.abs(np.asarray(left, np.float64) - np.asarray(right, np.float64))))

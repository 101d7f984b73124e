"""Train a classifier of handwritten digits, and use it: the accuracy is the same with the adapter and without.

Training is Keras' own. The trained model is saved as a ``.keras`` file, loaded on NeuronCores, and evaluated there. It
is also compiled, and the compiled copy is evaluated. Then the loaded model is trained further: it is a Keras model as
any other, and its next call uses the new weights (SPEC H2, K2, K3).
"""

import os
import tempfile
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "4"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says little while it starts
os.environ["NEURON_CC_FLAGS"] = "--dynamic-batch-size"

import keras
import numpy as np
import tensorflow as tf
from _keras_models import difference, require, vector_network
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import neuron_adapters
import neuron_adapters.tf as tfn

EPOCHS = 15


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of right answers."""
    return float(np.mean(np.argmax(scores, axis=1) == labels))


def main() -> None:
    keras.utils.set_random_seed(0)
    pixels, labels = load_digits(return_X_y=True)
    pixels = (pixels / 16).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(pixels, labels, test_size=0.25, random_state=0)

    plain = vector_network(inputs=64, outputs=10)
    plain.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    plain.fit(x_train, y_train, epochs=EPOCHS, verbose=0)
    scores = plain.predict(x_test, verbose=0)
    expected = accuracy(scores, y_test)
    print(f"plain Keras         accuracy {expected:.4f} on {len(y_test)} digits")
    require(expected > 0.9, "the training went wrong")

    with tempfile.TemporaryDirectory() as folder:
        plain.save(Path(folder) / "digits.keras")
        placed = tf.keras.models.load_model(Path(folder) / "digits.keras")
        tfn.trace(plain, x_train[:32]).save(Path(folder) / "digits_compiled")
        compiled = tf.keras.models.load_model(Path(folder) / "digits_compiled")

    for how, model in (("loaded", placed), ("compiled", compiled)):
        there = model.predict(x_test, verbose=0)
        print(f"{how:8} on NCs     accuracy {accuracy(there, y_test):.4f}", end="  ")
        print(f"largest difference {difference(there, scores):.1e}")
        require(difference(there, scores) < 1e-4, f"the {how} model answers otherwise than plain Keras")
        require(accuracy(there, y_test) == expected, f"the {how} model has another accuracy than plain Keras")

    placed.fit(x_train, y_train, epochs=EPOCHS, verbose=0)
    again = keras.models.clone_model(placed)  # a plain copy
    again.set_weights(placed.get_weights())
    now = placed.predict(x_test, verbose=0)
    print(f"trained on, on NCs  accuracy {accuracy(now, y_test):.4f}")
    require(difference(now, scores) > 0.1, "the model on NeuronCores still uses the old weights")
    require(difference(now, again.predict(x_test, verbose=0)) < 1e-4, "the trained model differs from its plain copy")
    print(f"\n{neuron_adapters.describe()}")


if __name__ == "__main__":
    main()

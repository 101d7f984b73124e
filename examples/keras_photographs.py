"""A network of ``keras.applications`` on two photographs: uncompiled and compiled, beside plain Keras.

MobileNetV2 with random weights, so nothing is downloaded; the photographs come with scikit-learn. What was never
compiled gives Keras' own results, bit for bit at the same number of threads (SPEC K2). What was compiled agrees within
rounding (SPEC K3).
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "4"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says little while it starts

import keras
import tensorflow as tf
from _keras_models import difference, require
from sklearn.datasets import load_sample_images

import neuron_adapters
import neuron_adapters.tf as tfn

SIZE = 224
CALLS = 10


def photographs() -> tuple[list[str], tf.Tensor]:
    """The names of the photographs, and the pixels as MobileNetV2 takes them."""
    bunch = load_sample_images()
    pixels = tf.stack([tf.image.resize(image, (SIZE, SIZE)) for image in bunch.images])
    return [Path(name).stem for name in bunch.filenames], keras.applications.mobilenet_v2.preprocess_input(pixels)


def enliven(model: keras.Model, images: tf.Tensor) -> None:
    """Fit the batch normalisations to the images. With random weights all answers would be close to 0 otherwise."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)


def milliseconds(call: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> float:
    """The time of the fastest of some calls."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call(images)
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


def main() -> None:
    keras.utils.set_random_seed(0)
    names, images = photographs()
    plain = keras.applications.MobileNetV2(weights=None, input_shape=(SIZE, SIZE, 3), classifier_activation=None)
    enliven(plain, images)
    answer = plain(images)
    most = 1e-4 * float(tf.reduce_max(tf.abs(answer)))
    require(most > 1e-5, "the network says nothing about the photographs")

    with tempfile.TemporaryDirectory() as folder:
        plain.save(Path(folder) / "mobilenet.keras")
        placed = tf.keras.models.load_model(Path(folder) / "mobilenet.keras")
        tfn.trace(plain, images).save(Path(folder) / "mobilenet_compiled")
        compiled = tf.keras.models.load_model(Path(folder) / "mobilenet_compiled")

    print(f"plain Keras: {milliseconds(plain, images):.0f} ms for both photographs")
    for how, model in (("uncompiled", placed), ("compiled", compiled)):
        result = model(images)
        far = difference(result, answer)
        where = ", ".join(map(str, neuron_adapters.placement(model)))
        print(f"{how} on {where}: {milliseconds(model, images):.0f} ms, largest difference {far:.1e}")
        require(far < most, f"the {how} model answers otherwise than plain Keras")
        predicted = model.predict(images, verbose=0)
        require(difference(predicted, answer) < most, f"predict() of the {how} model differs from plain Keras")
        for name, own, there in zip(names, tf.argmax(answer, 1).numpy(), tf.argmax(result, 1).numpy()):
            require(own == there, f"{name}: class {there}, plain Keras says {own}")
    print(f"\n{neuron_adapters.describe()}\n")
    print(f"The classes of {' and '.join(names)} are those of plain Keras.")


if __name__ == "__main__":
    main()

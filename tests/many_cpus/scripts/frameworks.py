"""The three frameworks behind one face: networks saved, compiled and not, loaded, called.

No file imports an adapter before it is asked to: what a framework answers alone is computed without one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

SIZE, WIDTH = 64, 24
NEEDS = (1, 2, 3, 4)
SEEDS = {need: 10 + need for need in NEEDS}
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def image() -> np.ndarray:
    """The input, channels first."""
    return np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)


class Torch:
    """PyTorch; also networks of 25 MB of weights ("heavy-"), of which the engine holds no copies."""

    name = "torch"

    def import_framework(self) -> None:
        import torch

    def import_adapter(self) -> None:
        import neuron_adapters.torch

    def prepare(self, folder: Path) -> None:
        """Save a network for each number of NCs, compiled and not."""
        import torch

        self.import_adapter()
        example = torch.from_numpy(image())
        for need in NEEDS:
            torch.manual_seed(SEEDS[need])
            layers = [torch.nn.Conv2d(inputs, WIDTH, 3, padding=1) for inputs in (3, WIDTH, WIDTH)]
            network = torch.nn.Sequential(
                layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2],
                torch.nn.AvgPool2d(16), torch.nn.Flatten(), torch.nn.Linear(WIDTH * (SIZE // 16) ** 2, 10),
            ).eval()  # fmt: skip
            heavy = torch.nn.Sequential(
                *network[:5], torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(WIDTH * (SIZE // 4) ** 2, 1024)
            ).eval()
            flags = ["--neuroncore-pipeline-cores", str(need)]
            for kind, model in (("", network), ("heavy-", heavy)):
                torch.jit.save(torch.jit.trace(model, example), folder / f"torch-{kind}plain-{need}.pt")
                compiled = torch.neuron.trace(model, example, compiler_args=flags)
                torch.jit.save(compiled, folder / f"torch-{kind}compiled-{need}.pt")

    def load(self, folder: Path, kind: str, need: int, start: int) -> Any:
        """Load a model as a script does, which lets it land where it may."""
        import torch

        return torch.jit.load(folder / f"torch-{kind}-{need}.pt")

    def call(self, model: Any) -> np.ndarray:
        import torch

        with torch.no_grad():
            return model(torch.from_numpy(image())).numpy()

    def alone(self, folder: Path, kind: str, need: int, threads: int) -> np.ndarray:
        """What the framework answers without an adapter."""
        import torch

        torch.set_num_threads(threads)
        return self.call(torch.jit.load(folder / f"torch-{kind}-{need}.pt"))


class TensorFlow:
    """TensorFlow, with Keras."""

    name = "tf"

    def import_framework(self) -> None:
        import keras
        import tensorflow as tf

    def import_adapter(self) -> None:
        import neuron_adapters.tf

    def prepare(self, folder: Path) -> None:
        """Save a network for each number of NCs, compiled and not."""
        import keras
        import tensorflow as tf

        import neuron_adapters.tf as tfn

        for need in NEEDS:
            keras.utils.set_random_seed(SEEDS[need])
            network = keras.Sequential([
                keras.Input((SIZE, SIZE, 3)),
                *(keras.layers.Conv2D(WIDTH, 3, padding="same", activation="relu") for _layer in range(3)),
                keras.layers.AveragePooling2D(16), keras.layers.Flatten(), keras.layers.Dense(10),
            ])  # fmt: skip
            network.save(folder / f"tf-plain-{need}.keras")
            os.environ["NEURON_CC_FLAGS"] = f"--neuroncore-pipeline-cores={need}"
            tfn.trace(network, tf.constant(np.moveaxis(image(), 1, 3))).save(folder / f"tf-compiled-{need}")

    def load(self, folder: Path, kind: str, need: int, start: int) -> Any:
        """Load a model as a script does, which lets it land where it may."""
        import keras

        return keras.models.load_model(folder / f"tf-{kind}-{need}{'.keras' * (kind == 'plain')}")

    def call(self, model: Any) -> np.ndarray:
        import tensorflow as tf

        return np.asarray(model(tf.constant(np.moveaxis(image(), 1, 3)), training=False))

    def alone(self, folder: Path, kind: str, need: int, threads: int) -> np.ndarray:
        """What the framework answers without an adapter."""
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        return self.call(self.load(folder, kind, need, 0))


class MXNet:
    """The MXNet-style library, which the adapter brings along."""

    name = "mx"

    def import_framework(self) -> None:
        """The library is the adapter."""

    def import_adapter(self) -> None:
        import neuron_adapters.mx

    def prepare(self, folder: Path) -> None:
        """Save a network for each number of NCs, compiled and not."""
        from neuron_adapters import mx

        for need in NEEDS:
            mx.random.seed(SEEDS[need])
            net = mx.sym.var("data")
            for layer in range(3):
                net = mx.sym.Convolution(net, kernel=(3, 3), pad=(1, 1), num_filter=WIDTH, name=f"layer{layer}")
                net = mx.sym.Activation(net, act_type="relu")
            net = mx.sym.Pooling(net, kernel=(16, 16), stride=(16, 16), pool_type="avg")
            net = mx.sym.FullyConnected(net, num_hidden=10, name="scores")
            shapes, _outputs, _states = net.infer_shape(data=image().shape)
            weights = {
                name: mx.nd.random_normal(0, 0.1, shape)
                for name, shape in zip(net.list_arguments(), shapes) if name != "data"
            }  # fmt: skip
            mx.model.save_checkpoint(str(folder / f"mx-plain-{need}"), 0, net, weights, {})
            compiled = mx.contrib.neuron.compile(
                net, weights, {}, inputs={"data": mx.nd.zeros(image().shape)}, **{"--neuroncore-pipeline-cores": need}
            )
            mx.model.save_checkpoint(str(folder / f"mx-compiled-{need}"), 0, *compiled)

    def load(self, folder: Path, kind: str, need: int, start: int) -> Any:
        """The lines of the guide: load a checkpoint, and bind it to a context."""
        from neuron_adapters import mx

        return self._bind(folder, kind, need, mx.neuron(start))

    def call(self, model: Any) -> np.ndarray:
        from neuron_adapters import mx

        return model.forward(data=mx.nd.array(image()))[0].asnumpy()

    def alone(self, folder: Path, kind: str, need: int, threads: int) -> np.ndarray:
        """What the library answers on no NCs."""
        from neuron_adapters import mx

        return self.call(self._bind(folder, kind, need, mx.cpu()))

    def _bind(self, folder: Path, kind: str, need: int, context: Any) -> Any:
        from neuron_adapters import mx

        sym, args, aux = mx.model.load_checkpoint(str(folder / f"mx-{kind}-{need}"), 0)
        args["data"] = mx.nd.zeros(image().shape)
        return sym.bind(ctx=context, args=args, aux_states=aux, grad_req="null")


FRAMEWORKS = {framework.name: framework for framework in (Torch(), TensorFlow(), MXNet())}

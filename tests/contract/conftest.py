"""The adapters, as one test sees them: what it takes to load a model of each framework, and to call it."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

#: What every model of these tests is given, and what it answers: the sums of rows, as all its weights are 1.
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)
ANSWER = ROWS.sum(axis=1, keepdims=True)


class Adapter(Protocol):
    """One adapter. ``needs`` NCs a model was compiled for; 0: nobody compiled it."""

    name: str
    module: ModuleType
    plugin: str
    """AWS's import name, which the adapter provides."""
    replicates: bool
    """Whether the framework puts several replicas of a model of one NC (SPEC R3)."""

    def __init__(self, folder: Path) -> None:
        """``folder``: for files of models."""

    def load(self, needs: int) -> Any:
        """A model, placed where the runtime decides."""

    def load_at(self, start: int, needs: int) -> Any:
        """A model, placed at a visible NC. Not every framework can say so."""

    def call(self, model: Any) -> np.ndarray:
        """Its answer to ROWS."""


class Torch:
    name, plugin, replicates = "torch", "torch_neuron", False

    def __init__(self, folder: Path) -> None:
        import torch

        import neuron_adapters.torch as module

        self.torch, self.module, self._folder = torch, module, folder

    def _file(self, needs: int) -> str:
        path = self._folder / f"k{needs}.pt"
        if not path.exists():
            layer = self.torch.nn.Linear(4, 1, bias=False)
            self.torch.nn.init.ones_(layer.weight)
            rows = self.torch.from_numpy(ROWS)
            flags = ["--neuroncore-pipeline-cores", str(needs)]
            traced = self.module.trace(layer, rows, compiler_args=flags) if needs else self.torch.jit.trace(layer, rows)
            traced.save(str(path))
        return str(path)

    def load(self, needs: int) -> Any:
        return self.torch.jit.load(self._file(needs))

    def load_at(self, start: int, needs: int) -> Any:
        with self.module.experimental.neuron_cores_context(start):
            return self.load(needs)

    def call(self, model: Any) -> np.ndarray:
        with self.torch.no_grad():
            return model(self.torch.from_numpy(ROWS)).numpy()


class TensorFlow:
    name, plugin, replicates = "tf", "tensorflow_neuron", True
    load_at: Any = None

    def __init__(self, folder: Path) -> None:
        import keras
        import tensorflow as tf

        import neuron_adapters.tf as module

        self.keras, self.tf, self.module, self._folder = keras, tf, module, folder

    def _file(self, needs: int) -> str:
        path = self._folder / (f"k{needs}" if needs else "plain.keras")
        if not path.exists():
            keras = self.keras
            layers = [keras.Input((4,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
            model = keras.Sequential(layers)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("NEURON_CC_FLAGS", f"--neuroncore-pipeline-cores={needs}")
                (self.module.trace(model, self.tf.constant(ROWS)) if needs else model).save(str(path))
        return str(path)

    def load(self, needs: int) -> Any:
        return self.tf.keras.models.load_model(self._file(needs))

    def call(self, model: Any) -> np.ndarray:
        return np.asarray(model(self.tf.constant(ROWS)))


class MXNet:
    name, plugin, replicates = "mx", "mx_neuron", False

    def __init__(self, folder: Path) -> None:
        import neuron_adapters.mx as module

        self.module, self._folder = module, folder

    def _files(self, needs: int) -> str:
        mx, prefix = self.module, str(self._folder / f"k{needs}")
        if not os.path.exists(f"{prefix}-0000.params"):
            symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=1, no_bias=True, name="fc")
            args: Any = {"fc_weight": mx.nd.ones((1, 4))}
            if needs:
                flags = {"--neuroncore-pipeline-cores": needs}
                symbol, args, _aux = mx.contrib.neuron.compile(
                    symbol, args, {}, inputs={"data": mx.nd.array(ROWS)}, **flags
                )
            mx.model.save_checkpoint(prefix, 0, symbol, args, {})
        return prefix

    def _bound(self, context: Any, needs: int) -> Any:
        mx = self.module
        symbol, args, aux = mx.model.load_checkpoint(self._files(needs), 0)
        return symbol.bind(ctx=context, args={**args, "data": mx.nd.array(ROWS)}, aux_states=aux, grad_req="null")

    def load(self, needs: int) -> Any:
        return self._bound(self.module.cpu(), needs or 1)

    def load_at(self, start: int, needs: int) -> Any:
        return self._bound(self.module.neuron(start), needs)

    def call(self, model: Any) -> np.ndarray:
        return model.forward()[0].asnumpy()


@pytest.fixture(params=[Torch, TensorFlow, MXNet], ids=lambda kind: kind.name, scope="session")
def adapter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    return request.param(tmp_path_factory.mktemp(request.param.name))


@pytest.fixture(autouse=True)
def _own_runtime(own_runtime: None) -> None:
    """Each test has NCs of its own."""


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set variables, on a machine of 16 NCs unless said."""

    def set_variables(**values: str) -> None:
        for name, value in {"NEURON_ADAPTERS_INSTANCE": "16", **values}.items():
            monkeypatch.setenv(name, value)

    return set_variables


@contextlib.contextmanager
def deprecated() -> Iterator[None]:
    """NEURONCORE_GROUP_SIZES says that it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "NEURONCORE_GROUP_SIZES is deprecated", DeprecationWarning)
        yield

"""Keras models round what TensorFlow restores: one that was compiled, and a SavedModel that was never compiled.

Keras has two generations, and a model must be of the one that the script uses. So what such a model does is a class
without a base, and ``classes`` joins it with the ``Model`` of either.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

from neuron_adapters.tf import _placed
from neuron_adapters.tf._artifact import Artifact
from neuron_adapters.tf._executable import Executable
from neuron_adapters.tf._loaded_saved_model import CompiledSignature, PlacedFunction, variables
from neuron_adapters.tf._neuron_op import NeuronFunction
from neuron_adapters.tf._open_saved_model import Endpoint
from neuron_adapters.tf._structure import bind
from neuron_adapters.tf._weights import distributed
from neuron_rt import CompileError, Model

_thread = context.context()._thread_local_data  # ``is_eager`` says what ``executing_eagerly()`` does
_Tensor = ops.EagerTensor

if TYPE_CHECKING:
    import keras

    class CompiledModel(keras.Model):  # type: ignore[misc] # Keras has no types to go by
        """What ``trace`` returns, to type checkers: a compiled model of either generation of Keras."""

        aws_neuron_function: NeuronFunction
        on_neuron_ratio: float

        @property
        def signatures(self) -> dict[str, Any]:
            """See ``_Compiled``."""

        def save(self, filepath: str | os.PathLike[str], *args: Any, options: Any = None, **kwargs: Any) -> None:
            """See ``_Compiled``."""

        def export(self, filepath: str | os.PathLike[str], *args: Any, options: Any = None, **kwargs: Any) -> None:
            """See ``_Compiled``."""


class PlacedExecutable:
    """Runs a placed compiled model: holds its model of the runtime and its executable."""

    def __init__(self, model: Model, executable: Executable) -> None:
        self.model = model
        self.executable = executable
        self._orders: dict[Any, list[int] | None] = {}
        """For kinds of calls, where among a call's tensors those of the model are; None where they must be checked."""

    def __call__(self, own: Callable[..., Any], owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run on the NCs. Inside a larger function, TensorFlow's graph of the model runs instead."""
        if not _thread.is_eager:
            return own(owner, *args, **kwargs)
        model = self.model
        if len(args) == 1 and not kwargs and type(args[0]) is _Tensor:
            return self.executable(model.slot or model.pick(), args)
        kwargs.pop("training", None)
        leaves: list[Any] = []
        try:
            kind = _placed.kind_of(args, leaves), _placed.kind_of(kwargs, leaves)
        except _placed.NotInference:
            kind = None
        order = self._orders.get(kind)
        if order is not None:
            arrays = [_placed.array_of(leaves[index]) for index in order]
            return self.executable.on_arrays(model.slot or model.pick(), arrays)
        tensors = as_tensors(self.executable.artifact, args, kwargs)
        if any(not isinstance(tensor, _Tensor) for tensor in tensors):  # symbolic
            return own(owner, *args, **kwargs)
        result = self.executable(model.slot or model.pick(), tensors)
        if kind is not None and kind not in self._orders:
            self._learn(kind, args, kwargs, leaves)
        return result

    def _learn(self, kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: Sequence[Any]) -> None:
        """Remember the order of ``leaves`` in a call, if they are all it has and nothing in it is cast or sliced."""
        artifact = self.executable.artifact
        numbers = iter([_Number(index) for index in range(len(leaves))])
        call = _placed.filled(args, numbers), _placed.filled(kwargs, numbers)
        order = bind(artifact.signature, artifact.record.arguments, *call)
        whole = all(type(number) is _Number for number in order)
        if len(self._orders) >= _placed.MOST_KINDS:
            self._orders.clear()
        self._orders[kind] = order if whole and self.executable.fit([leaves[number] for number in order]) else None

    def on_leaves(self, leaves: Sequence[Any]) -> Any:
        """Run on the NCs on the tensors of a call, in the order in which they were compiled."""
        return self.executable(self.model.slot or self.model.pick(), _cast(self.executable.artifact, leaves))


class _Number(int):
    """The place of a tensor in a call, which stands in for it."""


def as_tensors(artifact: Artifact, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The tensors of a call's arguments, NumPy's doubles cast to what was compiled. Raises InputArgumentError."""
    return _cast(artifact, bind(artifact.signature, artifact.record.arguments, args, kwargs))


def _cast(artifact: Artifact, leaves: Sequence[Any]) -> list[Any]:
    return [
        leaf
        if tf.is_tensor(leaf) or not isinstance(leaf, (np.ndarray, np.generic, float, int))
        else _tensor(leaf, spec)
        for leaf, spec in zip(leaves, artifact.specs)
    ]


def _tensor(value: Any, spec: tf.TensorSpec) -> Any:
    array = np.asarray(value)
    if array.dtype == np.float64 and spec.dtype.is_floating:
        array = array.astype(spec.dtype.as_numpy_dtype)
    return tf.convert_to_tensor(array)


class _Compiled:
    """A compiled model, except for the ``keras.Model`` of either generation."""

    def __init__(self, artifact: Artifact, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)  # type: ignore[call-arg]
        self.__dict__["_neuron_artifact"] = artifact
        self.__dict__["aws_neuron_function"] = NeuronFunction(artifact, self)
        self.__dict__["on_neuron_ratio"] = artifact.record.on_neuron_ratio
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        placed = self.__dict__.get(_placed.KEY)
        if placed is None or _placed.observers:
            return _placed.run(type(self)._own, self, args, kwargs)
        return placed(type(self)._own, self, args, kwargs)  # as ``run`` does, without the call

    def _own(self, *args: Any, **kwargs: Any) -> Any:
        if any(_is_symbolic(leaf) for leaf in tf.nest.flatten((args, kwargs))):
            return super().__call__(*args, **kwargs)  # type: ignore[misc]
        kwargs.pop("training", None)
        artifact = self.__dict__["_neuron_artifact"]
        return artifact.function(*as_tensors(artifact, args, kwargs))

    def call(self, inputs: Any, *args: Any) -> Any:
        """Compute in a graph: Keras calls this for symbolic inputs."""
        artifact = self.__dict__["_neuron_artifact"]
        return artifact.function(*as_tensors(artifact, (inputs, *args), {}))

    @property
    def signatures(self) -> dict[str, Any]:
        """The signature for servers, by name, as ``tf.saved_model.load`` has it; it runs where the model does."""
        signatures: dict[str, Any] = self.__dict__.setdefault("_signatures", {})
        if not signatures:
            artifact, placed = self.__dict__["_neuron_artifact"], _placed.placed_of(self)
            signatures[artifact.key] = PlacedFunction(artifact.root().serving(), CompiledSignature(placed))
        return signatures

    def _trackable_children(self, save_type: str = "checkpoint", **_options: Any) -> dict[str, Any]:
        """The objects that are saved with an object that holds this model."""
        if save_type != "savedmodel":
            return {}
        return {"neuron_root": self.__dict__.setdefault("_root", self.__dict__["_neuron_artifact"].root())}

    def train_step(self, *_args: Any) -> Any:
        """Refused."""
        raise CompileError("A compiled model infers only. Train the original model, and compile it again.")

    def save(self, filepath: Any, *_args: Any, options: Any = None, **_kwargs: Any) -> None:
        """Write a SavedModel directory. TensorFlow and its servers open it without this package, too."""
        self.__dict__["_neuron_artifact"].save(directory(filepath, "A compiled model"), options)

    export = save

    def get_config(self) -> dict[str, Any]:
        """Refused: the model is a graph, not a list of layers."""
        raise NotImplementedError("A compiled model has no configuration: save() it as a SavedModel directory.")


class Restored:
    """The model of a SavedModel that was never compiled, except for the ``keras.Model`` of either generation."""

    _keras: Any
    _track_variable: Callable[[Any], None]

    def __init__(self, restored: Any, source: str) -> None:
        super().__init__()
        self.__dict__["_restored"] = restored
        self.__dict__["_endpoint"] = endpoint = Endpoint(restored, source)
        for variable in _variables(restored, endpoint.captured):
            self._track_variable(_as_keras(self._keras, variable))
        self.built = True
        if hasattr(restored, "aws_neuron_function"):
            self.__dict__["aws_neuron_function"] = PlacedFunction(restored.aws_neuron_function, self._on_ncs)

    def _on_ncs(self, *call: Any) -> Any:
        """Call a function of the object's on the NCs of the model."""
        placed = _placed.placed_of(self)
        if placed is None:
            return call[0](*call[1:])
        calls = self.__dict__.setdefault("_own_calls", {})
        if id(call[1]) not in calls:
            calls[id(call[1])] = _placed.Placed(placed.model, aws_compiled=placed.aws_compiled)
        return calls[id(call[1])](*call)

    @property
    def signatures(self) -> dict[str, Any]:
        """The object's signatures, by name; they run where the model does."""
        signatures: dict[str, Any] = self.__dict__.setdefault("_signatures", {})
        placed, restored = _placed.placed_of(self), self.__dict__["_restored"]
        if placed is None:
            return dict(restored.signatures)
        if not signatures:
            for name, function in restored.signatures.items():
                own = _placed.Placed(placed.model, variables(restored), placed.aws_compiled)
                signatures[name] = PlacedFunction(function, own)
        return signatures

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Call the object."""
        return self.__dict__["_endpoint"]((inputs,), {}, training)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _placed.run(type(self)._own, self, args, kwargs)

    def _own(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        if any(_is_symbolic(leaf) for leaf in tf.nest.flatten((args, kwargs))):
            return super().__call__(*args, training=training, **kwargs)  # type: ignore[misc]
        return self.__dict__["_endpoint"](args, kwargs, training)

    def save(self, filepath: Any, *_args: Any, options: Any = None, **_kwargs: Any) -> None:
        """Write a SavedModel directory."""
        restored = self.__dict__["_restored"]
        path = directory(filepath, "A model that was loaded from a SavedModel")
        tf.saved_model.save(restored, path, signatures=dict(restored.signatures) or None, options=options)

    export = save


@functools.cache
def classes(keras: Any) -> SimpleNamespace:
    """``Neuron``, for compiled models, and ``Loaded``, for SavedModels, of one generation of Keras."""

    class AwsNeuronModel(_Compiled, keras.Model):  # type: ignore[misc]
        """A compiled model: inference only. ``aws_neuron_function`` shows it as one NeuronOp; ``on_neuron_ratio`` is
        the share of its operators that run on NeuronCores."""

    class SavedModel(Restored, keras.Model):  # type: ignore[misc]
        """A SavedModel: its calls are those of the object in it, its weights are that object's variables."""

        _keras = keras

    for model_class in (AwsNeuronModel, SavedModel):
        model_class.__qualname__, model_class.__module__ = model_class.__name__, "neuron_adapters.tf"
    return SimpleNamespace(Neuron=AwsNeuronModel, Loaded=SavedModel)


def directory(filepath: Any, what: str) -> str:
    """``filepath`` as the name of a SavedModel directory. Raises CompileError for a Keras file."""
    path = str(os.fspath(filepath))
    if path.endswith((".keras", ".h5", ".hdf5")):
        raise CompileError(
            f"{what} is a TensorFlow graph, which {os.path.splitext(path)[1]} files do not hold, got {path!r}. "
            "Give the name of a directory: it becomes a SavedModel."
        )
    return path


def _variables(restored: Any, captured: set[int]) -> list[Any]:
    """The variables of a restored object that are read when it is called. Keras 3 exports each twice."""
    held = [variable for variable in variables(restored) if not distributed([variable])]
    return [variable for variable in held if id(variable.handle) in captured]


def _as_keras(keras: Any, variable: Any) -> Any:
    """A variable of TensorFlow's as one of Keras', in the same memory."""
    keras_variable = keras.Variable(
        tf.zeros([], variable.dtype),
        trainable=variable.trainable,
        dtype=variable.dtype.name,
        name=variable.name.partition(":")[0].replace("/", "_"),
        autocast=False,
    )
    keras_variable._value, keras_variable._shape = variable, tuple(variable.shape)
    return keras_variable


def _is_symbolic(leaf: Any) -> bool:
    return type(leaf).__name__ == "KerasTensor"

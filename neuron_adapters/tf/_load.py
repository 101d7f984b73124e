"""The hooks of ``load_model`` and ``tf.saved_model.load``, which place what they read, and of ``save``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from neuron_adapters.adapter.executable import Shared
from neuron_adapters.adapter.hooks import original
from neuron_adapters.adapter.progress import shown
from neuron_adapters.tf import _compile, _loaded_saved_model, _models, _open_saved_model, _placed, _weights
from neuron_adapters.tf._artifact import Artifact, write
from neuron_adapters.tf._executable import Executable
from neuron_adapters.tf._neuron_op import NeuronFunction
from neuron_rt import init

_executables: Shared[Executable] = Shared()


def wrap_load_model(keras: Any, load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``load_model``: what is loaded is placed, and SavedModel directories open too."""

    @shown("loading")
    def load_model(filepath: Any, *args: Any, **kwargs: Any) -> Any:
        config = init().config  # the runtime first: what can't be placed need not be read
        source = os.path.abspath(os.fspath(filepath)) if isinstance(filepath, (str, os.PathLike)) else ""
        if not source or not _open_saved_model.is_saved_model(source):
            return _placed_model(load(filepath, *args, **kwargs), source)
        key = _open_saved_model.key_of(source, config)
        executable = _executables.get(key)
        if executable is None:
            genuine = _open_saved_model.genuine(source, config)
            restored = _open_saved_model.restore(source, original(tf.saved_model.load), config)
            executable = _open_saved_model.executable_of(restored, source, config)
            if executable is None:
                own = load(filepath, *args, **kwargs) if keras.__name__ == "tf_keras" else None
                return _placed_model(own or _models.classes(keras).Loaded(restored, source), source, genuine)
        model = _models.classes(keras).Neuron(executable.artifact)
        _placed.place(model, _executable(executable, source), executable.artifact.record.replicas)
        _executables.keep(key, executable)
        return model

    return load_model


def _placed_model(model: Any, source: str, genuine: _open_saved_model.Genuine | None = None) -> Any:
    name = os.path.basename(source) or getattr(model, "name", "model")
    variables = [getattr(variable, "_value", variable) for variable in model.variables]  # of Keras 3, of Keras 2
    _place(model, name, source, variables, genuine)
    return model


def _place(
    thing: Any, name: str, source: str, variables: Sequence[Any], genuine: _open_saved_model.Genuine | None
) -> _placed.Placed:
    """Place a model that was not compiled here: never, or for the hardware."""
    weights = _weights.size_of(variables)
    if genuine is None:
        placed = _placed.Placed(_placed.new_model(name, 1, source, weights=weights), variables)
        _placed.place(thing, placed)
        return placed
    model = _placed.new_model(name, genuine.nc_count, source, weights=weights, why=genuine.why)
    placed = _placed.Placed(model, variables, optimize=True)
    placed.genuine = genuine
    _placed.place(thing, placed, genuine.replicas)
    return placed


def _executable(executable: Executable, source: str) -> _models.PlacedExecutable:
    cores = executable.artifact.record.pipeline_cores
    model = _placed.new_model(os.path.basename(source), cores, source, prepare=executable.prepare)
    return _models.PlacedExecutable(model, executable)


def wrap_load(load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``tf.saved_model.load``: the object's calls, and those of its signatures, run where it is placed."""

    @shown("loading")
    def load_saved_model(export_dir: Any, tags: Any = None, options: Any = None) -> Any:
        config = init().config
        source = os.path.abspath(os.fspath(export_dir))
        _open_saved_model.check(source, config)
        genuine = _open_saved_model.genuine(source, config)
        read = functools.partial(load, export_dir, tags, options)
        restored = read() if genuine is None else _open_saved_model.restore(source, lambda _path: read(), config)
        executable = _open_saved_model.executable_of(restored, source, config)
        if executable is None:
            placed: Any = _place(restored, os.path.basename(source), source, (), genuine)
        else:
            placed = _executable(executable, source)
            _placed.place(restored, placed, executable.artifact.record.replicas)
            restored.aws_neuron_function = NeuronFunction(executable.artifact, restored)
        _loaded_saved_model.run_on(restored, placed)
        _loaded_saved_model.callable_as_saved(restored)
        return restored

    return load_saved_model


def wrap_save(save: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``tf.saved_model.save``: a compiled model goes into the file with its record."""

    def save_compiled(obj: Any, export_dir: Any, signatures: Any = None, options: Any = None) -> None:
        artifact = _compile.artifact_of(obj)
        if artifact is None:
            save(obj, export_dir, signatures, options)
        elif signatures is None:
            artifact.save(export_dir, options)
        else:
            root = artifact.root()

            def own(signature: Any) -> Any:
                return root.serving() if isinstance(vars(signature).get("_artifact"), Artifact) else signature

            named = isinstance(signatures, dict)
            wanted = {key: own(signature) for key, signature in signatures.items()} if named else own(signatures)
            write(root, export_dir, wanted, options)

    return save_compiled

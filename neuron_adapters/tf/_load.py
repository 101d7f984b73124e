"""The hooks of ``load_model`` and ``tf.saved_model.load``, which place what they read, and of ``save``."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from neuron_adapters.adapter.executable import Shared
from neuron_adapters.adapter.hooks import original
from neuron_adapters.adapter.progress import shown
from neuron_adapters.tf import (
    _compile,
    _forked,
    _keras,
    _loaded_saved_model,
    _models,
    _open_saved_model,
    _placed,
    _weights,
)
from neuron_adapters.tf._artifact import Artifact, write
from neuron_adapters.tf._edits import Edits
from neuron_adapters.tf._executable import Executable
from neuron_adapters.tf._neuron_op import NeuronFunction, on_neuron_ratio
from neuron_adapters.tf._open_saved_model import AwsCompiled
from neuron_rt import Runtime, init

log = logging.getLogger("neuron_adapters")

_executables: Shared[Executable] = Shared()


def wrap_load_model(keras: Any, load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``load_model``: what is loaded is placed, and SavedModel directories open too."""

    @shown("loading")
    def load_model(filepath: Any, *args: Any, **kwargs: Any) -> Any:
        if _forked.lost_threads:
            _forked.warn()
        runtime = init()  # first: what can't be placed need not be read
        source = os.path.abspath(os.fspath(filepath)) if isinstance(filepath, (str, os.PathLike)) else ""
        if not source or not _open_saved_model.is_saved_model(source):
            return _place_loaded(runtime, keras, load(filepath, *args, **kwargs), source)
        weights = sorted(Path(source).glob("variables/*"))
        key, executable = _executables.find(runtime.config, os.path.join(source, "saved_model.pb"), *weights)
        if executable is None:
            aws_compiled = _open_saved_model.aws_compiled(source, runtime.config)
            restored = _open_saved_model.restore(source, original(tf.saved_model.load), runtime.config)
            executable = _open_saved_model.executable_of(restored, source, runtime.config)
            if executable is None:
                own = load(filepath, *args, **kwargs) if keras.__name__ == "tf_keras" else None
                model = own or _models.classes(keras).Loaded(restored, source)
                return _place_loaded(runtime, keras, model, source, aws_compiled)
            _executables.keep(key, executable)
        model = _models.classes(keras).Neuron(executable.artifact)
        _place_executable(runtime, model, executable, source)
        return model

    return load_model


def wrap_load(load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``tf.saved_model.load``: the object's calls, and those of its signatures, run where it is placed."""

    @shown("loading")
    def load_saved_model(export_dir: Any, tags: Any = None, options: Any = None) -> Any:
        if _forked.lost_threads:
            _forked.warn()
        runtime = init()
        config = runtime.config
        source = os.path.abspath(os.fspath(export_dir))
        _open_saved_model.check(source, config)
        aws_compiled = _open_saved_model.aws_compiled(source, config)
        read = functools.partial(load, export_dir, tags, options)
        restored = read() if aws_compiled is None else _open_saved_model.restore(source, lambda _path: read(), config)
        executable = _open_saved_model.executable_of(restored, source, config)
        if _weights.distributed(_loaded_saved_model.variables(restored)):
            return restored
        placed: Any
        if executable is None:
            if not _takes_cores(runtime, aws_compiled):
                return restored
            placed = _place(runtime, restored, source, (), aws_compiled)
        else:
            placed = _place_executable(runtime, restored, executable, source)
            restored.aws_neuron_function = NeuronFunction(executable.artifact, restored)
        _loaded_saved_model.run_on(restored, placed)
        return restored

    return load_saved_model


def _place_loaded(
    runtime: Runtime, keras: Any, loaded: Any, source: str, aws_compiled: AwsCompiled | None = None
) -> Any:
    """Place what ``load_model`` made of a file that was not compiled here, and return it. What is neither a model nor
    an object with functions, or has its variables on several devices, is the framework's alone."""
    if not _takes_cores(runtime, aws_compiled):
        return loaded
    model = isinstance(loaded, keras.Model)
    held = _weights.variables_of(loaded) if model else _loaded_saved_model.variables(loaded)
    restored = isinstance(loaded, _models.Restored)  # whose variables may be copies
    spread = _weights.distributed([*held, *_loaded_saved_model.variables(loaded)] if restored else held)
    if spread or not (model or hasattr(loaded, "signatures")):
        log.info("%s is not placed on NeuronCores: load_model() returned a %s", source, type(loaded).__name__)
    elif model:
        edits = None if restored else Edits(_keras.trains_around(keras))
        _place(runtime, loaded, source, held, aws_compiled, edits)
    else:
        _loaded_saved_model.run_on(loaded, _place(runtime, loaded, source, (), aws_compiled))
    return loaded


def _takes_cores(runtime: Runtime, aws_compiled: AwsCompiled | None) -> bool:
    """Whether what was not compiled here takes NCs: all does, or what the hardware's compiler made, as
    NEURON_ADAPTERS_PLACE says."""
    return aws_compiled is not None or runtime.config.place == "all"


def _place(
    runtime: Runtime,
    target: Any,
    source: str,
    variables: Sequence[Any],
    aws_compiled: AwsCompiled | None,
    edits: Edits | None = None,
) -> _placed.Placed:
    """Place what was not compiled here: never, or for the hardware."""
    name = os.path.basename(source) or getattr(target, "name", "model")
    weights = _weights.size_of(variables)
    if aws_compiled is None:
        model, replicas = _placed.new_model(name, 1, source, weights=weights), None
    else:
        cores, replicas = aws_compiled.nc_count, aws_compiled.replicas
        model = _placed.new_model(name, cores, source, weights=weights, why=aws_compiled.why)
        if hasattr(target, "aws_neuron_function"):
            vars(target)["on_neuron_ratio"] = on_neuron_ratio(target.aws_neuron_function.graph.as_graph_def())
    placed = _placed.Placed(model, variables, aws_compiled, edits)
    _placed.place(runtime, target, placed, replicas)
    return placed


def _place_executable(runtime: Runtime, target: Any, executable: Executable, source: str) -> _models.PlacedExecutable:
    record = executable.artifact.record
    model = _placed.new_model(os.path.basename(source), record.pipeline_cores, source, prepare=executable.prepare)
    placed = _models.PlacedExecutable(model, executable)
    _placed.place(runtime, target, placed, record.replicas)
    return placed


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

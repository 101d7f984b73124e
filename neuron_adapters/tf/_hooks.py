"""The hooks: ``load_model``, ``tf.saved_model.load`` and the calls of what they return (SPEC H1-H4)."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tensorflow as tf

from neuron_adapters.adapter.hooks import Patches, is_foreign
from neuron_adapters.adapter.progress import shown
from neuron_adapters.tf import _compile, _keras, _models, _operator, _placed, _restored, _saved_model, _weights
from neuron_adapters.tf._artifact import Artifact, write
from neuron_adapters.tf._executable import Executable
from neuron_adapters.tf._neuron_op import NeuronFunction
from neuron_rt import init

log = logging.getLogger("neuron_adapters")

REAL_PLUGINS = ("tensorflow_neuron", "tensorflow_neuronx")

_patches = Patches()
_originals: dict[Any, Any] = {}
_made: dict[Any, Any] = {}
F = TypeVar("F", bound=Callable[..., Any])


def install(modules: dict[str, Any]) -> bool:
    """Put the hooks in; ``modules`` are import names to provide, parents first. Once however often it is asked (H1).

    False where the real plug-in is installed: then the adapter steps aside (SPEC H4).
    """
    if _patches.installed:
        return True
    real = [name for name in REAL_PLUGINS if is_foreign(name, modules.get(name))]
    if real:
        log.warning("%s is installed here: neuron_adapters.tf steps aside and hooks nothing", " and ".join(real))
        return False
    kerases = _keras.generations()
    makers: dict[Any, Callable[[Any], Any]] = {
        tf.saved_model.load: lambda _load: _load_saved_model,
        tf.saved_model.save: lambda _original: _save,
    }
    for keras in kerases:
        makers[keras.models.load_model] = functools.partial(_loading, keras)
        makers[keras.models.save_model] = functools.partial(_keras.saving, keras)
        if keras.__name__ == "keras":  # Keras 2 knows how
            makers[keras.Input] = _keras.input_of_size
    hooks = {function: _hook(function, make) for function, make in makers.items()}
    hooks |= {function: _hook(function, _weights.listening) for function in _weights.assigning()}
    _operator.register()
    _weights.look_everywhere()  # what changed while nobody listened
    with _patches.recording():
        _patches.rebind(hooks)
        for keras in kerases:
            _patches.set(keras.Model, "__call__", _keras.called(keras.Model.__call__))
            make = keras.Model.make_predict_function
            _patches.set(keras.Model, "predict", _keras.predicting_arrays(keras.Model.predict))
            _patches.set(keras.Model, "make_predict_function", _keras.predicting(make))
        for backend in (tf.keras.backend, *(keras.backend for keras in kerases)):
            if not hasattr(backend, "set_learning_phase"):  # Keras 3
                _patches.set(backend, "set_learning_phase", _keras.set_learning_phase)
        _patches.provide(modules)
    return True


def _hook(function: Any, make: Callable[[Any], Any]) -> Any:
    """The hook of a function; the same each time."""
    if function not in _made:
        hook = _made[function] = functools.update_wrapper(make(function), function)
        _originals[hook] = function
    return _made[function]


def uninstall() -> None:
    """Put everything back. Models keep their places; their calls are Keras' own from then on (SPEC H1)."""
    _patches.revert()


def original(function: F) -> F:
    """The framework's own function behind a hook."""
    return _originals.get(function, function)  # type: ignore[no-any-return]


def _loading(keras: Any, load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``load_model``: what is loaded is placed, and SavedModel directories open too."""

    @shown("loading")
    def load_model(filepath: Any, *args: Any, **kwargs: Any) -> Any:
        config = init().config  # the runtime first: what can't be placed need not be read
        source = os.path.abspath(os.fspath(filepath)) if isinstance(filepath, (str, os.PathLike)) else ""
        if not source or not _saved_model.is_saved_model(source):
            return _placed_model(load(filepath, *args, **kwargs), source)
        key, executable = _saved_model.known(source, config)
        if executable is None:
            genuine = _saved_model.genuine(source, config)
            restored = _saved_model.restore(source, original(tf.saved_model.load), config)
            executable = _saved_model.executable_of(restored, source, config)
            if executable is None:
                own = load(filepath, *args, **kwargs) if keras.__name__ == "tf_keras" else None
                return _placed_model(own or _models.classes(keras).Loaded(restored, source), source, genuine)
        model = _models.classes(keras).Neuron(executable.artifact)
        _placed.place(model, _executable(executable, source), executable.artifact.record.replicas)
        _saved_model.keep(key, executable)
        return model

    return load_model


def _placed_model(model: Any, source: str, genuine: _saved_model.Genuine | None = None) -> Any:
    name = os.path.basename(source) or getattr(model, "name", "model")
    variables = [getattr(one, "_value", one) for one in model.variables]  # of Keras 3, of Keras 2
    _place(model, name, source, variables, genuine)
    return model


def _place(
    thing: Any, name: str, source: str, variables: Sequence[Any], genuine: _saved_model.Genuine | None
) -> _placed.Placed:
    """Place what was never compiled, or was for the hardware."""
    if genuine is None:
        placed = _placed.Placed(_placed.new_model(name, 1, source), variables)
        placed.model.weights = _weights.size_of(variables)
        _placed.place(thing, placed)
        return placed
    placed = _placed.Placed(_placed.new_model(name, genuine.nc_count, source), variables, optimize=True)
    placed.genuine = genuine
    placed.model.why = genuine.why
    placed.model.weights = _weights.size_of(variables)
    _placed.place(thing, placed, genuine.replicas)
    return placed


def _executable(executable: Executable, source: str) -> _models.PlacedExecutable:
    cores = executable.artifact.record.pipeline_cores
    placed = _models.PlacedExecutable(_placed.new_model(os.path.basename(source), cores, source), executable)
    placed.model.prepare = executable.prepare
    return placed


@shown("loading")
def _load_saved_model(export_dir: Any, tags: Any = None, options: Any = None) -> Any:
    """``tf.saved_model.load``: the object's calls, and those of its signatures, run where it is placed."""
    config = init().config
    source = os.path.abspath(os.fspath(export_dir))
    _saved_model.check(source, config)
    genuine = _saved_model.genuine(source, config)
    load = functools.partial(_originals[_load_saved_model], export_dir, tags, options)
    restored = load() if genuine is None else _saved_model.restore(source, lambda _path: load(), config)
    executable = _saved_model.executable_of(restored, source, config)
    if executable is None:
        placed: Any = _place(restored, os.path.basename(source), source, (), genuine)
    else:
        placed = _executable(executable, source)
        _placed.place(restored, placed, executable.artifact.record.replicas)
        restored.aws_neuron_function = NeuronFunction(executable.artifact, restored)
    _restored.run_on(restored, placed)
    _restored.callable_as_saved(restored)
    return restored


def _save(obj: Any, export_dir: Any, signatures: Any = None, options: Any = None) -> None:
    """``tf.saved_model.save``: a compiled model goes into the file with its record."""
    artifact = _compile.artifact_of(obj)
    if artifact is None:
        _originals[_save](obj, export_dir, signatures, options)
    elif signatures is None:
        artifact.save(export_dir, options)
    else:
        root = artifact.root()

        def own(signature: Any) -> Any:
            return root.serving() if isinstance(vars(signature).get("_artifact"), Artifact) else signature

        given = {key: own(one) for key, one in signatures.items()} if isinstance(signatures, dict) else own(signatures)
        write(root, export_dir, given, options)

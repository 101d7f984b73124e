"""Opens SavedModel directories of any origin as Keras models, and finds out what to call in them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from neuron_adapters.adapter.hooks import original
from neuron_adapters.files import savedmodel
from neuron_adapters.files.printable import one_line
from neuron_adapters.tf import _artifact, _neuron_op_graph
from neuron_adapters.tf._executable import Executable
from neuron_adapters.tf._file_graphs import quoted
from neuron_rt import ArtifactError, Config

#: Names that TensorFlow gives to outputs which have none.
_UNNAMED = re.compile(r"output_\d+")


def is_saved_model(path: Any) -> bool:
    """Whether ``path`` is a directory that Keras itself has no format for."""
    return (
        isinstance(path, (str, os.PathLike))
        and os.path.isdir(path)
        and not any(os.path.exists(os.path.join(path, name)) for name in ("config.json", "_METADATA"))
    )


def check(path: str, config: Config) -> None:
    """Compare a compiled model with its checksums where NEURON_RT_VALIDATE_HASH is set (SPEC K4). Raises ArtifactError
    where they differ. A model that was never compiled has no checksums."""
    if config.validate_hash and _artifact.is_compiled(Path(path)):
        _artifact.verify(Path(path))


def restore(path: str, load: Callable[[str], Any], config: Config) -> Any:
    """What ``load`` makes of a directory. Raises ArtifactError, in one line, where it is not a whole SavedModel."""
    try:
        names = os.listdir(path)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    if not {"saved_model.pb", "saved_model.pbtxt"} & set(names):
        raise ArtifactError(
            f"{path} is no SavedModel: it has no saved_model.pb. load_model() takes a .keras or .h5 file, or the "
            "directory that save() wrote."
        )
    check(path, config)
    try:
        restored = load(path)
    except Exception as error:
        raise _unreadable(path, error) from error
    if not isinstance(getattr(restored, "signatures", None), Mapping):  # TensorFlow restores unknown objects, too
        raise _unreadable(path, ValueError("what stands where its signatures should are none."))
    return restored


def _unreadable(path: str, error: Exception) -> ArtifactError:
    hint = "It is damaged, or was written for operators that this TensorFlow does not have."
    if "NeuronOp" in str(error) or "InferentiaOp" in str(error):
        hint = "It was compiled for the hardware. Compile the original model again, with neuron_adapters.tf."
    return ArtifactError(f"{path} cannot be read as a SavedModel: {one_line(error)} {hint}")


@dataclass
class AwsCompiled:
    """A SavedModel that the compiler for the hardware wrote: how it is placed, and the graphs that it runs."""

    nc_count: int
    replicas: int | None
    graphs: list[Any]
    """Kept, so that all loads and replicas share them (SPEC K5)."""

    why = "compiled for the hardware; TensorFlow runs the graph that it was compiled from"


def aws_compiled(path: str, config: Config) -> AwsCompiled | None:
    """Read a SavedModel with NeuronOps before it is restored (SPEC K6); None for any other. Raises ArtifactError where
    it is damaged, or holds no graph to run."""
    try:
        model = savedmodel.load(path, only_compiled=True)
    except OSError:
        return None
    if model is None:
        return None
    for node in model.nodes:
        problem = "its binary is no NEFF" if node.header is None else node.header.problem
        if config.validate_hash and problem:
            raise ArtifactError(
                f"{path}: {savedmodel.OP} {quoted(node.name)}: {problem}. The model is damaged or was changed: "
                "copy it again from where it came, or unset NEURON_RT_VALIDATE_HASH to run it all the same."
            )
    try:
        graphs = [_neuron_op_graph.of_bytes(node.definition) for node in model.nodes]
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    return AwsCompiled(model.nc_count, model.replicas, graphs)


def copy_for_replicas(path: str, target: str, replicas: int) -> None:
    """Copy a SavedModel with NeuronOps, for ``replicas`` NCs (SPEC R3), as tensorflow-neuron does."""
    model = saved_model_pb2.SavedModel.FromString(Path(path, "saved_model.pb").read_bytes())
    for meta_graph in model.meta_graphs:
        graph = meta_graph.graph_def
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                if node.op == savedmodel.OP:
                    node.attr["_automatic_multicore"].i = replicas
    # The contents alone: the original may be read-only. Its fingerprint is not that of the copy.
    shutil.copytree(path, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("fingerprint.pb"))
    for folder, _names, _files in os.walk(target):
        os.chmod(folder, 0o755)  # noqa: S103 - what any new directory has
    Path(target, "saved_model.pb").write_bytes(model.SerializeToString(deterministic=True))


def executable_of(restored: Any, path: str, config: Config) -> Executable | None:
    """The executable of the compiled model in ``restored``; None where it was never compiled. Raises ArtifactError."""
    artifact = _artifact.read(restored, path)
    return None if artifact is None else Executable.open(artifact, config.engine, path)


def read(path: str, config: Config) -> _artifact.Artifact:
    """The compiled model in a directory. Takes no NeuronCores. Raises ArtifactError, also where it was never
    compiled."""
    if not os.path.isdir(path):
        raise ArtifactError(f"{path} is not a directory, as a SavedModel is.")
    artifact = _artifact.read(restore(path, original(tf.saved_model.load), config), path)
    if artifact is None:
        raise ArtifactError(f"{path} was not compiled: tensorflow.neuron.trace compiles a model, its save() writes it.")
    return artifact


class Endpoint:
    """Calls a restored object: by its own call, by what Keras 3 exports, or by a signature."""

    def __init__(self, restored: Any, source: str) -> None:
        """Raises ArtifactError where there is nothing to call."""
        signatures = dict(restored.signatures)
        self._names: list[str] = []
        calls = (getattr(restored, name, None) for name in ("__call__", "serve"))
        self._function: Any = next((call for call in calls if hasattr(call, "concrete_functions")), None)
        if self._function is not None:
            concrete = self._function.concrete_functions
        else:
            name = "serving_default" if "serving_default" in signatures else next(iter(sorted(signatures)), None)
            if name is None:
                raise ArtifactError(f"{source} has nothing to call: neither a function of its own nor a signature.")
            self._function = signatures[name]
            concrete = [self._function]
            self._names = list(self._function.structured_input_signature[1])
            self._unnamed = all(_UNNAMED.fullmatch(output) for output in self._function.structured_outputs)
        self.captured = {id(value) for function in concrete for value, _placeholder in function.graph.captures}
        """Ids of what it reads, such as handles of variables."""
        self._structures = [function.structured_input_signature for function in concrete]
        self.graphs = [
            function.graph
            for function, structure in zip(concrete, self._structures)
            if not any(leaf is True for leaf in tf.nest.flatten(structure))
        ]
        """Those that a call for inference may run."""
        leaves = tf.nest.flatten(self._structures)
        self._kinds = {leaf.dtype for leaf in leaves if isinstance(leaf, tf.TensorSpec)}

    def structure_of(self, names: set[str]) -> tuple[Any, ...] | None:
        """The positional arguments of the object's own call for inference that takes tensors of these names; None where
        there is no such call."""
        for args, kwargs in () if self._names else self._structures:
            flags = [leaf for leaf in tf.nest.flatten(args) if isinstance(leaf, bool)]
            tensors = tuple(argument for argument in args if _specs(argument))
            if not kwargs and not any(flags) and sorted(spec.name for spec in _specs(tensors)) == sorted(names):
                return tensors
        return None

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None = None) -> Any:
        """Call the object for inference, unless ``training``."""
        args, kwargs = tf.nest.map_structure(self._cast, (args, kwargs))
        if self._names:
            return self._signature(args, kwargs)
        tensors = tf.nest.flatten((args, kwargs))
        for structure in self._structures:
            leaves = tf.nest.flatten(structure)
            flags = [leaf for leaf in leaves if isinstance(leaf, bool)]
            wanted = [leaf for leaf in leaves if isinstance(leaf, tf.TensorSpec)]
            if len(wanted) == len(tensors) and flags[:1] in ([], [bool(training)]):
                rest = iter(tensors)
                filled = [next(rest) if isinstance(leaf, tf.TensorSpec) else leaf for leaf in leaves]
                args, kwargs = tf.nest.pack_sequence_as(structure, filled)
                break
        return self._function(*args, **kwargs)

    def _signature(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a signature, whose tensors have names."""
        if len(args) == 1 and not kwargs and isinstance(args[0], dict) and set(args[0]) == set(self._names):
            kwargs, args = args[0], ()
        elif not kwargs:
            kwargs, args = dict(zip(self._names, tf.nest.flatten(args))), ()
        results = self._function(*args, **kwargs)
        if not self._unnamed:
            return results
        ordered = [results[name] for name in sorted(results, key=lambda name: int(name.rpartition("_")[2]))]
        return ordered[0] if len(ordered) == 1 else ordered

    def _cast(self, leaf: Any) -> Any:
        """Numbers in the precision that the object takes, as Keras 2 does it; integers as floating numbers where it
        takes no integers."""
        if isinstance(leaf, (np.ndarray, np.generic)):
            leaf = tf.convert_to_tensor(leaf)
        if not tf.is_tensor(leaf) or leaf.dtype in self._kinds:
            return leaf
        floating = [kind for kind in self._kinds if kind.is_floating]
        integer = [kind for kind in self._kinds if kind.is_integer]
        wanted = floating if leaf.dtype.is_floating else (integer or floating) if leaf.dtype.is_integer else []
        return tf.cast(leaf, wanted[0]) if len(wanted) == 1 else leaf


def _specs(structure: Any) -> list[tf.TensorSpec]:
    """The tensors of a structure; empty where it holds anything else."""
    leaves = tf.nest.flatten(structure)
    return leaves if all(isinstance(leaf, tf.TensorSpec) for leaf in leaves) else []

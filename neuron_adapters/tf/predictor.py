"""``tensorflow.neuron.predictor``, and ``tf.contrib.predictor`` of TensorFlow 1: a SavedModel as a function of
arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neuron_adapters.adapter.flags import say_once
from neuron_adapters.tf._tf1_api import RemovedName
from neuron_rt import CompileError

__all__ = ["from_saved_model"]

_INSTEAD = "load the SavedModel with tf.saved_model.load() and call its signature"


def from_saved_model(
    export_dir: str | os.PathLike[str],
    signature_def_key: str | None = None,
    signature_def: Any = None,
    input_names: Mapping[str, str] | None = None,
    output_names: Mapping[str, str] | None = None,
    tags: str | Sequence[str] | None = None,
    graph: Any = None,
    config: Any = None,
) -> Predictor:
    """The SavedModel in ``export_dir`` as a function of a dictionary of arrays, on NeuronCores of its own.

    ``signature_def_key``: which signature it calls, ``serving_default`` unless given. ``tags``: of the graph, as a list
    or with commas. ``config``, of a session, changes nothing. Raises CompileError for a signature that the file does
    not have, and for ``signature_def``, ``input_names``, ``output_names`` and ``graph``, which need a session.
    """
    unsupported = {
        "signature_def": signature_def, "input_names": input_names, "output_names": output_names, "graph": graph,
    }  # fmt: skip
    needless = [name for name, value in unsupported.items() if value is not None]
    if needless:
        raise CompileError(
            f"from_saved_model() takes no {needless[0]}, which means tensors of a session's graph, and no session of "
            "yours runs here. signature_def_key names a signature of the file."
        )
    if config is not None:
        say_once("config", "each model has sessions of its own, with the threads of its NeuronCores")
    return Predictor(os.fspath(export_dir), signature_def_key or "serving_default", tags)


class Predictor:
    """A signature of a SavedModel, as a function of arrays."""

    def __init__(self, export_dir: str, key: str, tags: str | Sequence[str] | None) -> None:
        self._loaded = tf.saved_model.load(export_dir, tags.split(",") if isinstance(tags, str) else tags)
        signatures = self._loaded.signatures
        if key not in signatures:
            names = ", ".join(sorted(signatures)) or "none"
            raise CompileError(
                f"{export_dir} has no signature {key!r}; it has {names}. signature_def_key names another."
            )
        self._call = signatures[key]
        self._specs: dict[str, tf.TensorSpec] = dict(self._call.structured_input_signature[1])

    @property
    def feed_tensors(self) -> dict[str, Any]:
        """What it takes, by name."""
        return dict(self._specs)

    @property
    def fetch_tensors(self) -> dict[str, Any]:
        """What it returns, by name."""
        return dict(self._call.structured_outputs)

    def __call__(self, input_dict: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """Compute the outputs for an array for each input. Raises ValueError for a name that is not an input's."""
        strange = sorted(set(input_dict) - set(self._specs))
        if strange:
            raise ValueError(
                f"The inputs of this predictor are {', '.join(sorted(self._specs))}, got {', '.join(strange)}."
            )
        tensors = {name: tf.constant(np.asarray(value), self._specs[name].dtype) for name, value in input_dict.items()}
        return {name: tensor.numpy() for name, tensor in self._call(**tensors).items()}

    def __repr__(self) -> str:
        return f"Predictor with feed tensors {self.feed_tensors} and fetch tensors {self.fetch_tensors}"


def __getattr__(name: str) -> RemovedName:
    if name.startswith("_"):
        raise AttributeError(name)
    return RemovedName(f"predictor.{name}", _INSTEAD)

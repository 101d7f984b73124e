"""``tensorflow.neuron.saved_model``: compiling a SavedModel on disk, the older way of tensorflow-neuron."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from neuron_adapters.adapter.compile import configuration
from neuron_adapters.adapter.flags import say_once, words
from neuron_adapters.adapter.hooks import original
from neuron_adapters.adapter.lowering import EXAMPLE, Trial, trials
from neuron_adapters.adapter.progress import shown
from neuron_adapters.tf import _compile, _open_saved_model
from neuron_adapters.tf._graphs import effect_of
from neuron_rt import CompileError

__all__ = ["compile"]

#: Documented arguments; for those that change nothing on an emulated core, the reason.
_ACCEPTED = {
    "batch_size": "",
    "dynamic_batch_size": "",
    "op_whitelist": "every operator is supported",
    "no_fuse_ops": "nothing is partitioned",
    "force_fuse_ops": "nothing is partitioned",
    "minimum_segment_size": "nothing is partitioned",
    "model_shape_feed_dict": "",
    "signature_def_key": "",
    "compiler_workdir": "",
    "compiler_args": "",
}
_USUAL = "serving_default"


@shown("compiling")
def compile(  # noqa: A001 - the documented name
    model_dir: str | os.PathLike[str],
    new_model_dir: str | os.PathLike[str],
    tags: str | Sequence[str] | None = None,
    model_feed_dict: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """Compile the serving signature of the SavedModel in ``model_dir`` into a new one; ``{'OnNeuronRatio': 1.0}``.

    ``model_feed_dict``: an example for each input, by its name in the signature; where it is missing, the signature's
    own shapes, ``batch_size`` (1) for a batch that may vary. ``model_shape_feed_dict``: shapes for the same.
    ``dynamic_batch_size``: let dimension 0 vary. ``signature_def_key``: another signature, whose name is kept.
    ``compiler_args``: compiler flags, after those of NEURON_CC_FLAGS. The result is called as the object in the file
    was, where that has a call of its own. Raises CompileError for names that the signature does not have, ArtifactError
    where ``model_dir`` is not a SavedModel.
    """
    unknown = sorted(set(kwargs) - set(_ACCEPTED))
    if unknown:
        raise CompileError(
            f"saved_model.compile() has no argument {unknown[0]!r}. Known: "
            f"{', '.join(sorted({'tags', 'model_feed_dict', *_ACCEPTED}))}."
        )
    for name, value in kwargs.items():
        if _ACCEPTED[name] and value is not None:
            say_once(name, _ACCEPTED[name])
    source = os.path.abspath(os.fspath(model_dir))
    restored = _open_saved_model.restore(source, lambda path: _load(path, tags), configuration())
    key, signature = _signature(restored, source, kwargs.get("signature_def_key"))
    examples = _examples(signature, model_feed_dict, kwargs.get("model_shape_feed_dict"), kwargs.get("batch_size") or 1)
    flag_words = words(kwargs.get("compiler_args"))
    if kwargs.get("dynamic_batch_size"):
        flag_words = [*flag_words, "--dynamic-batch-size"]
    flags = _compile.flags(flag_words, kwargs.get("compiler_workdir"))
    own = _own_call(restored, source, signature, examples) if key == _USUAL else None
    if own is None:
        artifact = _compile.artifact(_of_shapes(signature, examples), (), examples, flags, None)
    else:
        artifact = _compile.artifact(own.call, own.args, {}, flags, None, own.names)
    record = replace(artifact.record, key="" if key == _USUAL else key)
    artifact = replace(artifact, record=record)
    artifact.save(new_model_dir)
    return {"OnNeuronRatio": artifact.record.on_neuron_ratio}


def _load(path: str, tags: Any) -> Any:
    return original(tf.saved_model.load)(path, tags)


def _signature(restored: Any, source: str, key: str | None) -> tuple[str, Any]:
    """The signature to compile, and its name."""
    signatures = dict(restored.signatures)
    wanted = key or (_USUAL if _USUAL in signatures or len(signatures) != 1 else next(iter(signatures)))
    if wanted not in signatures:
        raise CompileError(
            f"{source} has no signature {wanted!r}; it has {', '.join(sorted(signatures)) or 'none'}. "
            "signature_def_key names another."
        )
    return wanted, signatures[wanted]


@dataclass
class _Call:
    """An object's own call, with examples, and the names that the signature has for its tensors."""

    call: Callable[..., Any]
    args: tuple[Any, ...]
    names: tuple[list[str], list[str]]


def _own_call(restored: Any, source: str, signature: Any, examples: Mapping[str, Any]) -> _Call | None:
    """The call of the object in the file that ``signature`` wraps. None where the object has none, where it refuses
    what the signature takes, or where two outputs cannot be told apart, since names are never guessed. Both are run to
    tell outputs apart, so the answer is None for a file whose graph does more than compute, too (SPEC F1)."""
    endpoint = _open_saved_model.Endpoint(restored, source)
    structure = endpoint.structure_of(set(examples))
    if structure is None or any(effect_of(graph.as_graph_def()) for graph in (signature.graph, *endpoint.graphs)):
        return None

    def call(*args: Any) -> Any:
        return endpoint(args, {}, training=False)

    def filled(tensors: Mapping[str, Any]) -> tuple[Any, ...]:
        args: tuple[Any, ...] = tf.nest.map_structure(lambda spec: tensors[spec.name], structure)
        return args

    wanted = set(signature.structured_outputs)
    outputs: list[set[str]] = []
    """For each output of the object's call, the names that it may have."""
    for trial in _values(examples):
        tensors = {name: tf.constant(array, examples[name].dtype) for name, array in zip(examples, trial.inputs)}
        try:
            wrapped, leaves = signature(**tensors), tf.nest.flatten(call(*filled(tensors)))
        except Exception:  # noqa: BLE001 - whatever either says to a rank or a value that it does not take
            if not outputs:  # the example
                return None
            continue
        matches = [{name for name in wanted if _same(wrapped[name], leaf)} for leaf in leaves]
        outputs = [before & now for before, now in zip(outputs or matches, matches)]
    if any(len(matches) != 1 for matches in outputs) or len(outputs) != len(wanted) or set().union(*outputs) != wanted:
        return None
    names = [spec.name for spec in tf.nest.flatten(structure)]
    return _Call(call, filled(examples), (names, [name for matches in outputs for name in matches]))


def _of_shapes(signature: Any, examples: Mapping[str, Any]) -> Any:
    """``signature``, or its graph as a function where it says other shapes than the examples have: only a call inside
    another graph insists on what it says."""
    specs = signature.structured_input_signature[1]
    if all(specs[name].shape.is_compatible_with(example.shape) for name, example in examples.items()):
        return signature
    graph = signature.graph

    def call(**tensors: Any) -> Any:
        here = ops.get_default_graph()
        inputs = {placeholder.name: here.capture(value) for value, placeholder in graph.captures}
        inputs |= {tensor.name: tensors[name] for name, tensor in zip(signature._arg_keywords, signature.inputs)}
        outputs = [output.name for output in graph.outputs]
        results = tf.graph_util.import_graph_def(graph.as_graph_def(), inputs, outputs, name="")
        return tf.nest.pack_sequence_as(signature.structured_outputs, results)

    return call


def _values(examples: Mapping[str, tf.Tensor]) -> Iterable[Trial]:
    """The examples, and others of their kind, of both signs and of several magnitudes, which tell outputs apart, and
    inputs from each other."""
    arrays = [example.numpy() for example in examples.values()]
    return [Trial(EXAMPLE, arrays)] if any(array.dtype.kind == "O" for array in arrays) else trials(arrays)


def _same(tensor: Any, leaf: Any) -> bool:
    if not tf.is_tensor(leaf) or tensor.dtype != leaf.dtype or tensor.shape != leaf.shape:
        return False
    return bool(np.array_equal(tensor.numpy(), leaf.numpy(), equal_nan=tensor.dtype.is_floating))


def _examples(
    signature: Any, feed: Mapping[str, Any] | None, shapes: Mapping[str, Any] | None, batch: int
) -> dict[str, Any]:
    """An example for each input of a signature."""
    specs = signature.structured_input_signature[1]
    feeds = {name.partition(":")[0]: value for name, value in (feed or shapes or {}).items()}
    by_node = {spec.name.partition(":")[0]: name for name, spec in specs.items()}
    feeds = {by_node.get(name, name): value for name, value in feeds.items()}
    if feeds and set(feeds) != set(specs):
        raise CompileError(
            f"The signature takes {', '.join(sorted(specs))}; the examples are for {', '.join(sorted(feeds))}."
        )
    examples = {}
    for name, spec in specs.items():
        if feed:
            examples[name] = tf.cast(feeds[name], spec.dtype)
        else:
            shape = feeds.get(name, _sizes(spec, batch))
            examples[name] = tf.convert_to_tensor(np.zeros(shape, spec.dtype.as_numpy_dtype))
    return examples


def _sizes(spec: tf.TensorSpec, batch: int) -> list[int]:
    """A shape for what the signature leaves open: ``batch`` for dimension 0, 1 for others."""
    if not spec.shape.rank:
        return []
    return [(1 if axis else batch) if size is None else size for axis, size in enumerate(spec.shape)]

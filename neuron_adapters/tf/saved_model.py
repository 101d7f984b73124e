"""``tensorflow.neuron.saved_model``: compiling a SavedModel on disk, the older way of tensorflow-neuron."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neuron_adapters._compiler import say_once
from neuron_adapters._engine import configuration
from neuron_adapters.tf import _compile, _saved_model
from neuron_rt import CompileError

__all__ = ["compile"]

#: Documented arguments that change nothing on an emulated core.
_ACCEPTED = {
    "batch_size": "the examples' shapes say it",
    "dynamic_batch_size": "--dynamic-batch-size in NEURON_CC_FLAGS says it",
    "op_whitelist": "every operator is supported",
    "no_fuse_ops": "nothing is partitioned",
    "force_fuse_ops": "nothing is partitioned",
    "minimum_segment_size": "nothing is partitioned",
    "model_shape_feed_dict": "",
    "signature_def_key": "",
    "compiler_workdir": "",
    "compiler_args": "",
}


def compile(  # noqa: A001 - the documented name
    model_dir: str | os.PathLike[str],
    new_model_dir: str | os.PathLike[str],
    tags: str | Sequence[str] | None = None,
    model_feed_dict: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """Compile the serving signature of the SavedModel in ``model_dir`` into a new one; ``{'OnNeuronRatio': 1.0}``.

    ``model_feed_dict``: an example for each input, by its name in the signature; where it is missing, the signature's
    own shapes, 1 for a batch that may vary. ``model_shape_feed_dict``: shapes for the same. ``compiler_args``: compiler
    flags, after those of NEURON_CC_FLAGS. Raises CompileError for names that the signature does not have, ArtifactError
    for what is no SavedModel.
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
    restored = _saved_model.restore(source, lambda path: _load(path, tags), configuration())
    signature = _signature(restored, source, kwargs.get("signature_def_key"))
    examples = _examples(signature, model_feed_dict, kwargs.get("model_shape_feed_dict"))
    artifact = _compile.artifact(
        signature, (), examples, _compile.flags(kwargs.get("compiler_args"), kwargs.get("compiler_workdir")), None
    )
    artifact.save(new_model_dir)
    return {"OnNeuronRatio": artifact.record.on_neuron_ratio}


def _load(path: str, tags: Any) -> Any:
    from neuron_adapters.tf._hooks import original

    return original(tf.saved_model.load)(path, tags)


def _signature(restored: Any, source: str, key: str | None) -> Any:
    signatures = dict(restored.signatures)
    wanted = key or ("serving_default" if "serving_default" in signatures or len(signatures) != 1 else None)
    if not signatures or (wanted is not None and wanted not in signatures):
        raise CompileError(
            f"{source} has no signature {wanted or 'serving_default'!r}; it has "
            f"{', '.join(sorted(signatures)) or 'none'}. signature_def_key names another."
        )
    return signatures[wanted] if wanted is not None else next(iter(signatures.values()))


def _examples(signature: Any, feed: Mapping[str, Any] | None, shapes: Mapping[str, Any] | None) -> dict[str, Any]:
    """An example for each input of a signature."""
    specs = signature.structured_input_signature[1]
    given = {name.partition(":")[0]: value for name, value in (feed or shapes or {}).items()}
    by_node = {spec.name.partition(":")[0]: name for name, spec in specs.items()}
    given = {by_node.get(name, name): value for name, value in given.items()}
    if given and set(given) != set(specs):
        raise CompileError(
            f"The signature takes {', '.join(sorted(specs))}; the examples are for {', '.join(sorted(given))}."
        )
    examples = {}
    for name, spec in specs.items():
        if feed:
            examples[name] = tf.cast(given[name], spec.dtype)
        else:
            shape = given.get(name, [1 if size is None else size for size in spec.shape] if spec.shape.rank else [])
            examples[name] = tf.convert_to_tensor(np.zeros(shape, spec.dtype.as_numpy_dtype))
    return examples

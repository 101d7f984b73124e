"""A compiled model as TensorFlow objects, and the SavedModel that they are saved as (SPEC K1).

It is a function of flat tensors, the variables that it reads (copies: the original may go on learning), the structure
in which users hand over arguments, and a record. In the file, the record is a function that returns two strings, so all
of it is plain TensorFlow: the file opens without this package, and keeps the record through any load and save.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

from neuron_adapters.adapter.hooks import original
from neuron_adapters.files.printable import damaged, one_line, printable
from neuron_adapters.files.record import Record
from neuron_adapters.files.savedmodel import OP
from neuron_adapters.tf._file_graphs import quoted
from neuron_adapters.tf._graphs import called_nodes
from neuron_adapters.tf._weights import is_variable, value_of
from neuron_rt import ArtifactError, CompileError

#: A file in the part of a SavedModel that TensorFlow leaves alone. ``sha256sum -c`` reads it, too.
CHECKSUMS = os.path.join("assets.extra", "neuron.sha256")
#: Bytes of it that are read. A line has a hundred.
_MOST_CHECKSUMS = 4 << 20


@dataclass
class Artifact:
    """A compiled model."""

    function: Any
    """A ConcreteFunction of flat tensors, in the order of ``tf.nest.flatten``."""
    weights: list[Any]
    """The variables it reads, in the order in which the engine's form numbers them."""
    signature: tuple[tuple[Any, ...], dict[str, Any]]
    """Positional and keyword arguments, with a TensorSpec for each tensor."""
    record: Record
    program: str = ""
    """The engine's form, empty where TensorFlow computes."""

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """The tensors the function takes."""
        return list(tf.nest.flatten(self.signature))

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """Names of inputs and outputs in the serving signature."""
        return [name for name, _shape, _dtype in self.record.inputs], list(self.record.output_names)

    @property
    def key(self) -> str:
        """The name of the serving signature."""
        return self.record.key or "serving_default"

    def of_replicas(self, count: int | None) -> Artifact:
        """A copy whose record asks for ``count`` replicas (SPEC R3)."""
        return replace(self, record=replace(self.record, replicas=count))

    def save(self, path: str | os.PathLike[str], options: Any = None) -> None:
        """Write a SavedModel."""
        root = self.root()
        write(root, path, {self.key: root.serving()}, options)

    def root(self) -> tf.Module:
        """The object that is saved as a SavedModel."""
        return _Root(self)


def write(root: Any, path: str | os.PathLike[str], signatures: Any, options: Any = None) -> None:
    """Save a compiled model's root with its checksums."""
    original(tf.saved_model.save)(root, os.fspath(path), signatures=signatures, options=options)
    _write_checksums(Path(path))


class _Root(tf.Module):  # type: ignore[misc]
    def __init__(self, artifact: Artifact) -> None:
        super().__init__()
        self.aws_neuron_function = artifact.function
        self.neuron_weights = artifact.weights
        texts = [artifact.record.dumps(), artifact.program]
        self.neuron_artifact = tf.function(lambda: [tf.constant(text) for text in texts], input_signature=[])
        self._names = artifact.names
        self._specs = artifact.specs
        args, kwargs = artifact.signature
        self.__call__.get_concrete_function(*args, **kwargs)

    @tf.function(autograph=False)
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.aws_neuron_function(*tf.nest.flatten((args, kwargs)))

    def serving(self) -> Any:
        """The signature for servers: tensors by name in and out."""
        function, (inputs, outputs) = self.aws_neuron_function, self._names

        # TensorFlow must not inline the compiled part: scripts freeze a signature and look for the call in it.
        @tf.function(autograph=False, experimental_attributes={"_noinline": True})
        def serving_default(**tensors: Any) -> dict[str, Any]:
            # Scripts look for a stateful call, and a model without weights has no state of its own.
            tf.raw_ops.Assert(condition=True, data=["compiled"])
            results = tf.nest.flatten(function(*(tensors[name] for name in inputs)))
            return dict(zip(outputs, (result for result in results if result is not None)))

        specs = {name: tf.TensorSpec(s.shape, s.dtype, name=name) for name, s in zip(inputs, self._specs)}
        return serving_default.get_concrete_function(**specs)


def snapshot(function: Any) -> tuple[Any, list[Any]]:
    """``function`` with copies of all that it captures, and those copies. Raises CompileError for what is compiled."""
    graph = function.graph
    captured = {placeholder.name: value for value, placeholder in graph.captures}
    weights = {
        name: tf.Variable(value_of(value) if value.dtype == tf.resource else value, trainable=False)
        for name, value in captured.items()
        if value.dtype != tf.resource or is_variable(value)
    }
    definition = graph.as_graph_def()
    if any(node.op == OP for node in called_nodes(definition)):
        raise CompileError("The model is compiled already, for the hardware. Compile the original one.")
    inputs = [tensor for tensor in graph.inputs if tensor.name not in captured]

    @tf.function(autograph=False)
    def copied(*tensors: Any) -> Any:
        here = ops.get_default_graph()
        input_map = dict(zip((tensor.name for tensor in inputs), tensors))
        for name, value in captured.items():
            if name not in weights:
                input_map[name] = here.capture(value)
            elif value.dtype == tf.resource:
                here.watch_variable(weights[name])
                input_map[name] = here.capture(weights[name].handle)
            else:
                input_map[name] = weights[name].read_value()
        outputs = tf.graph_util.import_graph_def(
            definition, input_map=input_map, return_elements=[tensor.name for tensor in graph.outputs], name=""
        )
        imported = iter(outputs)
        leaves = tf.nest.flatten(function.structured_outputs)
        results = [None if leaf is None else next(imported) for leaf in leaves]
        return tf.nest.pack_sequence_as(function.structured_outputs, results)

    concrete = copied.get_concrete_function(*(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in inputs))
    # TensorFlow forgets the functions that are called inside with the last function that holds them.
    concrete.neuron_inner_functions = list(getattr(graph, "_functions", {}).values())
    return concrete, list(weights.values())


def read(restored: Any, source: str) -> Artifact | None:
    """The compiled model in what TensorFlow restored; None where it was never compiled. Raises ArtifactError."""
    saved_record = getattr(restored, "neuron_artifact", None)
    if saved_record is None:
        return None
    try:
        record, program = _texts(saved_record)
        (call,) = restored.__call__.concrete_functions
        args, kwargs = call.structured_input_signature
        artifact = Artifact(
            function=restored.aws_neuron_function,
            weights=list(restored.neuron_weights),
            signature=(tuple(args), dict(kwargs)),
            record=Record.loads(record, is_dtype),
            program=program,
        )
        function, (inputs, outputs) = artifact.function, artifact.names
        if not all(isinstance(variable, tf.Variable) for variable in artifact.weights):
            raise ValueError("its weights are not variables")
        if len(inputs) != len(artifact.specs) or len(outputs) != len(function.outputs) or not inputs:
            raise ValueError(f"it names {inputs} and {outputs}, and the function takes and returns other numbers")
        if named(inputs) != inputs or named(outputs) != outputs:
            raise ValueError(f"{inputs} and {outputs} are no names for a signature")
    except Exception as error:
        raise ArtifactError(f"{source}: the record of the compilation cannot be read ({one_line(error)}).") from error
    return artifact


def _texts(function: Any) -> list[str]:
    """The strings that a function of a file returns. They are read from its graph: nothing runs (SPEC F1). Raises
    ValueError where they are not constants."""
    (concrete,) = function.concrete_functions
    texts = []
    for tensor in concrete.outputs:
        op = tensor.op
        while op.type == "Identity":
            op = op.inputs[0].op
        if op.type != "Const" or tensor.dtype != tf.string:
            raise ValueError(f"it is not a constant string, but computed by {quoted(op.type)}")
        (text,) = op.get_attr("value").string_val
        texts.append(text.decode())
    return texts


def is_dtype(name: str) -> bool:
    """Whether TensorFlow has a dtype of that name."""
    try:
        return bool(tf.as_dtype(name))
    except TypeError:
        return False


def is_compiled(path: Path) -> bool:
    """Whether the SavedModel in ``path`` looks compiled, without restoring it."""
    try:
        return (path / CHECKSUMS).exists() or b"neuron_artifact" in (path / "saved_model.pb").read_bytes()
    except OSError:
        return False


def verify(path: Path) -> None:
    """Compare the files with their checksums (SPEC K4). Raises ArtifactError where a file is not what was saved."""
    try:
        with (path / CHECKSUMS).open("rb") as opened:
            text = opened.read(_MOST_CHECKSUMS).decode()
    except (OSError, UnicodeDecodeError):
        raise damaged(
            f"{path} has no checksums ({CHECKSUMS}), so NEURON_RT_VALIDATE_HASH cannot check it. "
            "Compile and save it again, or unset the variable."
        ) from None
    recorded = {
        name: digest for digest, two_spaces, name in (line.partition("  ") for line in text.splitlines()) if two_spaces
    }
    actual = dict(_checksums(path))
    for name in sorted({*recorded, *actual}):
        if recorded.get(name) != actual.get(name):
            raise damaged(
                f"{path}: {printable(name)} is not the file that was saved: its checksum is "
                f"{(actual.get(name) or 'missing')[:12]}, recorded is {(recorded.get(name) or 'none')[:12]}. The model "
                "is damaged or was changed: compile it again, or unset NEURON_RT_VALIDATE_HASH to run it all the same."
            )


def _write_checksums(path: Path) -> None:
    file = path / CHECKSUMS
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(f"{digest}  {name}\n" for name, digest in _checksums(path)))


def _checksums(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and checksum of each file of the graph and the weights. TensorFlow may add files of its own."""
    for file in sorted([path / "saved_model.pb", *path.glob("variables/*"), *path.glob("assets/*")]):
        if file.is_file():
            digest = hashlib.sha256()
            with file.open("rb") as opened:
                while piece := opened.read(1 << 20):
                    digest.update(piece)
            yield file.relative_to(path).as_posix(), digest.hexdigest()


def named(names: Sequence[str]) -> list[str]:
    """Unique names that a signature may have, made of ``names``: x, x_1, x_2, and output_0, output_1."""
    unique: list[str] = []
    for name in names:
        plain = "".join(letter if letter.isalnum() else "_" for letter in name).lstrip("_") or "tensor"
        plain = plain if plain[0].isalpha() and plain.isascii() else f"tensor_{len(unique)}"
        stem, number = (plain, 0) if plain != "output_0" else ("output", 0)
        while plain in unique:
            number += 1
            plain = f"{stem}_{number}"
        unique.append(plain)
    return unique

"""A compiled model as TensorFlow's own things, and as the SavedModel that they become (SPEC K1).

A function of flat tensors, the variables that it reads (copies: the original may go on learning), the structure in
which users hand over arguments, and a record. Saved, all of it is plain TensorFlow: the record is a function that
returns two strings. So the file opens without this package, and carries on through whatever loads and saves it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
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

#: Files of a SavedModel that TensorFlow leaves alone; the sums in it are for ``sha256sum -c`` too.
CHECKSUMS = os.path.join("assets.extra", "neuron.sha256")
#: Bytes of it that are read: a line has a hundred.
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
    """The engine's form, empty where there is none."""

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
        """The same for ``count`` replicas (SPEC R3)."""
        return replace(self, record=replace(self.record, replicas=count))

    def save(self, path: str | os.PathLike[str], options: Any = None) -> None:
        """Write a SavedModel."""
        root = _Root(self)
        write(root, path, {self.key: root.serving()}, options)

    def root(self) -> tf.Module:
        """What a SavedModel is made of."""
        return _Root(self)


def write(root: Any, path: str | os.PathLike[str], signatures: Any, options: Any = None) -> None:
    """Save a compiled model's root with its checksums."""
    _original_save()(root, os.fspath(path), signatures=signatures, options=options)
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

        # Compiled is what TensorFlow cannot take apart: scripts freeze a signature and look for the call that is left.
        @tf.function(autograph=False, experimental_attributes={"_noinline": True})
        def serving_default(**tensors: Any) -> dict[str, Any]:
            # The call's name tells whether there is state in it, and a model without weights has none of its own.
            tf.raw_ops.Assert(condition=True, data=["compiled"])
            results = tf.nest.flatten(function(*(tensors[name] for name in inputs)))
            return dict(zip(outputs, (one for one in results if one is not None)))

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
        given = dict(zip((one.name for one in inputs), tensors))
        for name, value in captured.items():
            if name not in weights:
                given[name] = here.capture(value)
            elif value.dtype == tf.resource:
                here.watch_variable(weights[name])
                given[name] = here.capture(weights[name].handle)
            else:
                given[name] = weights[name].read_value()
        outputs = tf.graph_util.import_graph_def(
            definition, input_map=given, return_elements=[one.name for one in graph.outputs], name=""
        )
        made = iter(outputs)
        results = [None if one is None else next(made) for one in tf.nest.flatten(function.structured_outputs)]
        return tf.nest.pack_sequence_as(function.structured_outputs, results)

    made = copied.get_concrete_function(*(tf.TensorSpec(one.shape, one.dtype) for one in inputs))
    # TensorFlow forgets the functions that are called inside with the last function that holds them.
    made.neuron_inner_functions = list(getattr(graph, "_functions", {}).values())
    return made, list(weights.values())


def read(restored: Any, source: str) -> Artifact | None:
    """The compiled model in what TensorFlow restored; None where there is none. Raises ArtifactError."""
    said = getattr(restored, "neuron_artifact", None)
    if said is None:
        return None
    try:
        record, program = _texts(said)
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
        if not all(isinstance(one, tf.Variable) for one in artifact.weights):
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
    """K4. Raises ArtifactError where a file is not what was saved."""
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
    found = dict(_checksums(path))
    for name in sorted({*recorded, *found}):
        if recorded.get(name) != found.get(name):
            raise damaged(
                f"{path}: {printable(name)} is not the file that was saved: its checksum is "
                f"{(found.get(name) or 'missing')[:12]}, recorded is {(recorded.get(name) or 'none')[:12]}. The model "
                "is damaged or was changed: compile it again, or unset NEURON_RT_VALIDATE_HASH to run it all the same."
            )


def _write_checksums(path: Path) -> None:
    file = path / CHECKSUMS
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(f"{digest}  {name}\n" for name, digest in _checksums(path)))


def _checksums(path: Path) -> Iterator[tuple[str, str]]:
    """Of the graph and the weights; TensorFlow may add files of its own."""
    for file in sorted([path / "saved_model.pb", *path.glob("variables/*"), *path.glob("assets/*")]):
        if file.is_file():
            digest = hashlib.sha256()
            with file.open("rb") as opened:
                while piece := opened.read(1 << 20):
                    digest.update(piece)
            yield file.relative_to(path).as_posix(), digest.hexdigest()


def _original_save() -> Callable[..., Any]:
    return original(tf.saved_model.save)  # type: ignore[no-any-return]


def named(names: Sequence[str]) -> list[str]:
    """``names`` made fit for a signature, and each once: x, x_1, x_2, and output_0, output_1."""
    found: list[str] = []
    for name in names:
        plain = "".join(letter if letter.isalnum() else "_" for letter in name).lstrip("_") or "tensor"
        plain = plain if plain[0].isalpha() and plain.isascii() else f"tensor_{len(found)}"
        stem, number = (plain, 0) if plain != "output_0" else ("output", 0)
        while plain in found:
            number += 1
            plain = f"{stem}_{number}"
        found.append(plain)
    return found

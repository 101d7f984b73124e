"""``trace``: "compile" a model for the emulated NeuronCore: trace it, copy its weights, and fix what it needs (SPEC K).

Signatures and options are those of tensorflow-neuron. docs/tf.md has the table of what each option does here.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.util import nest

from neuron_adapters import __version__
from neuron_adapters.adapter.compile import decide, engine_choice
from neuron_adapters.adapter.flags import Flags, read_flags, say_once, words
from neuron_adapters.adapter.hooks import original
from neuron_adapters.adapter.placed import place_at_first_call
from neuron_adapters.adapter.progress import shown
from neuron_adapters.files.record import Leaf, Record
from neuron_adapters.tf import _batch, _forked, _lowering, _models, _open_saved_model, _placed
from neuron_adapters.tf._artifact import Artifact, named, snapshot
from neuron_adapters.tf._batch import Traced
from neuron_adapters.tf._errors import MulticoreArgumentError
from neuron_adapters.tf._executable import DYNAMIC, Executable, weight_arrays
from neuron_adapters.tf._graphs import effect_of
from neuron_adapters.tf._keras import module_of
from neuron_adapters.tf._neuron_op import counted, is_counted
from neuron_adapters.tf._structure import plain
from neuron_rt import CompileError, Engine, init

log = logging.getLogger("neuron_adapters")

FLAGS = "NEURON_CC_FLAGS"
#: Characters of names up to which a record says which operators are outside. With more, one NeuronOp is shown.
_LONGEST_OUTSIDE = 1 << 18
#: Flags of this compiler that mean something here, or ask for what is so anyway.
_HONOURED = frozenset({"--dump-prefix", DYNAMIC, "--must-compile"})


@shown("compiling")
def trace(
    func: Callable[..., Any],
    example_inputs: Any,
    subgraph_builder_function: Callable[[Any], bool] | None = None,
) -> _models.CompiledModel:
    """Compile ``func``, a keras.Model, a layer or a function, for NeuronCores; a keras.Model for inference.

    ``example_inputs``: a tensor or a list for ``func(example_inputs)``, a tuple for ``func(*example_inputs)``, a
    dictionary for ``func(**example_inputs)`` or, where ``func`` takes one argument, ``func(example_inputs)``; parts may
    be nested. Compiler flags come from NEURON_CC_FLAGS; pipeline cores are ``--neuroncore-pipeline-cores=4``. The
    result's weights are a copy: training ``func`` further changes nothing in it.

    It is placed at its first call. Raises CompileError for what can't be compiled, and whatever ``func`` raises.
    """
    args, kwargs = _arguments(func, example_inputs)
    compiled = artifact(func, args, kwargs, flags(), subgraph_builder_function)
    return model_of_artifact(compiled, keras_of(func), str(getattr(func, "name", None) or _name(func)))


def artifact(
    func: Any,
    args: Any,
    kwargs: Any,
    asked: Flags,
    subgraph_builder_function: Callable[[Any], bool] | None,
    names: tuple[list[str], list[str]] | None = None,
) -> Artifact:
    """``func``, compiled for calls like ``func(*args, **kwargs)``. ``names``: of its inputs and outputs for servers."""
    if _forked.lost_threads:
        _forked.warn()
    examples = args, kwargs
    dynamic = DYNAMIC in asked.words
    traced = _batch.trace(func, lambda signature: _traced(func, signature, examples), examples, asked=dynamic)
    names = names or _names(traced.signature, traced.function)
    compiled = _compiled(func, traced, asked, names, subgraph_builder_function)
    if (workdir := _flag(asked, "--workdir") or _flag(asked, "--dump-prefix")) is not None:
        _write_workdir(Path(workdir), compiled)
    return compiled


def flags(compiler_args: Any = None, workdir: Any = None) -> Flags:
    """The flags of NEURON_CC_FLAGS, and after them the arguments of an older call. Raises CompileError."""
    flag_words = [*words(os.environ.get(FLAGS)), *words(compiler_args)]
    return read_flags([*flag_words, "--workdir", os.fspath(workdir)] if workdir is not None else flag_words, _HONOURED)


def auto_multicore(model: Any, example_inputs: Any, num_cores: int = 1) -> _models.CompiledModel:
    """``model`` spread over ``num_cores`` NCs: calls go round robin (SPEC R3). A keras.Model for inference.

    ``model``: what trace() returned, what load_model() or tf.saved_model.load() made of such a file, or what trace()
    takes. Raises tf.errors.InvalidArgumentError for fewer than 1 NC, CompileError for a model of several NCs.
    """
    check_replicas(num_cores)
    placed = _placed.placed_of(model)
    if getattr(placed, "aws_compiled", None) is not None:
        return _aws_compiled_replicas(model, placed, num_cores)
    compiled = artifact_of(model)
    if compiled is None:
        args, kwargs = _arguments(model, example_inputs)
        compiled = artifact(model, args, kwargs, flags(), None)
    check_single(compiled.record.pipeline_cores, "The model")
    return model_of_artifact(compiled.of_replicas(num_cores), keras_of(model), str(getattr(model, "name", "model")))


def check_replicas(num_cores: object) -> None:
    """Raise tf.errors.InvalidArgumentError unless ``num_cores`` is a number from 1."""
    if not isinstance(num_cores, int) or isinstance(num_cores, bool) or num_cores < 1:
        raise MulticoreArgumentError(f"Num of cores for auto multicore has to be a number from 1, got {num_cores!r}.")


def check_single(cores: int, what: str) -> None:
    """Raise CompileError for a model of several NCs."""
    if cores > 1:
        raise CompileError(
            f"{what} was compiled for {cores} pipeline cores, and auto multicore works for "
            "models of one: compile it with --neuroncore-pipeline-cores=1."
        )


def analyze_model(func: Callable[..., Any], example_inputs: Any) -> dict[str, Any]:
    """Say which operators of ``func`` a NeuronCore runs: all, since an emulated core is a set of CPUs.

    Prints a summary, as tensorflow-neuron does, and returns it: ``percent_supported``, ``supported_count``,
    ``total_count``, ``supported_operators``, ``unsupported_operators``, ``operators``, ``operator_count``.
    """
    args, kwargs = _arguments(func, example_inputs)
    function = _traced(func, tf.nest.map_structure(_batch.spec, (args, kwargs)), (args, kwargs))
    operators = Counter(node.op for node in counted(function.graph.as_graph_def()))
    total = sum(operators.values())
    for name in sorted(operators):
        print(name)  # noqa: T201
    print(f"100.00% of all operations ({total} of {total}) are supported")  # noqa: T201
    return {
        "percent_supported": 100.0,
        "supported_count": total,
        "total_count": total,
        "supported_operators": set(operators),
        "unsupported_operators": [],
        "operators": sorted(operators),
        "operator_count": dict(operators),
    }


def artifact_of(model: Any) -> Artifact | None:
    """The compiled model behind ``model``, None where it was never compiled."""
    placed = _placed.placed_of(model)
    executable = getattr(placed, "executable", None)
    return executable.artifact if isinstance(executable, Executable) else None


def keras_of(func: Any) -> Any:
    """The generation of Keras that the result of compiling ``func`` belongs to."""
    return module_of(type(func)) or module_of(tf.keras.Model)


def model_of_artifact(artifact: Artifact, keras: Any, name: str) -> _models.CompiledModel:
    """A Keras model that runs ``artifact``. It is placed at its first call: most are saved and never run here."""
    model: _models.CompiledModel = _models.classes(keras).Neuron(artifact)
    executable = Executable.open(artifact, engine_choice(), name)
    runtime_model = _placed.new_model(name, artifact.record.pipeline_cores, "", prepare=executable.prepare)
    placed = _models.PlacedExecutable(runtime_model, executable)
    place_at_first_call(placed.model, lambda model: _placed.put(init(), model, artifact.record.replicas))
    _placed.attach(model, placed)
    return model


def _aws_compiled_replicas(model: Any, placed: Any, count: int) -> _models.CompiledModel:
    """``auto_multicore`` of a model that was compiled for the hardware: its file is opened once more."""
    check_single(placed.aws_compiled.nc_count, "The model")
    source = placed.model.file
    restored = _open_saved_model.restore(source, original(tf.saved_model.load), init().config)
    keras_model: _models.CompiledModel = _models.classes(keras_of(model)).Loaded(restored, source)
    if "on_neuron_ratio" in vars(model):
        keras_model.__dict__["on_neuron_ratio"] = model.on_neuron_ratio
    again_model = _placed.new_model(placed.model.name, 1, source, why=placed.model.why)
    again = _placed.Placed(again_model, aws_compiled=placed.aws_compiled)
    place_at_first_call(again.model, lambda model: _placed.put(init(), model, count))
    _placed.attach(keras_model, again)
    return keras_model


def _arguments(func: Any, example_inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of the call that the examples mean, as tensors."""
    example_inputs = plain(example_inputs)
    inputs = _signature_inputs(func)
    if inputs and not isinstance(example_inputs, dict):
        leaves = tf.nest.flatten(example_inputs)
        if len(leaves) != len(inputs):
            raise CompileError(
                f"The signature takes {', '.join(inputs)}, and example_inputs hold {len(leaves)} tensor(s)."
            )
        call: tuple[tuple[Any, ...], dict[str, Any]] = ((), dict(zip(inputs, leaves)))
    elif isinstance(example_inputs, tuple):
        call = (example_inputs, {})
    elif isinstance(example_inputs, dict) and _takes(func, example_inputs):
        call = ((), example_inputs)
    else:
        call = ((example_inputs,), {})
    leaves = tf.nest.flatten(call)
    if not leaves:
        raise CompileError("example_inputs is a tensor, or a tuple, list or dictionary with a tensor in it.")
    for leaf in leaves:
        if not isinstance(leaf, (tf.Tensor, tf.Variable, np.ndarray, np.generic, float, int)):
            raise CompileError(
                f"example_inputs hold tensors in tuples, lists and dictionaries, got {type(leaf).__name__}."
            )
    args, kwargs = tf.nest.map_structure(tf.convert_to_tensor, call)
    return args, kwargs


def _signature_inputs(func: Any) -> list[str]:
    """The names of a signature's arguments in the order of its inputs; empty for anything else. A signature takes its
    arguments by name, and scripts hand over lists."""
    positional, named_specs = getattr(func, "structured_input_signature", None) or ((), {})
    if positional or not named_specs:
        return []
    captured = {placeholder.name for _value, placeholder in func.graph.captures}
    nodes = [tensor.op.name for tensor in func.inputs if tensor.name not in captured]
    keys = {spec.name.partition(":")[0]: key for key, spec in named_specs.items()} | {key: key for key in named_specs}
    names = [keys.get(node, keys.get(node.removeprefix("serving_default_"))) for node in nodes]
    if len(set(names) - {None}) != len(named_specs):
        return list(named_specs)
    return [name for name in names if name is not None]


def _takes(func: Any, names: dict[str, Any]) -> bool:
    """Whether ``func`` has an argument for each name."""
    parameters = _parameters(func)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters) and not hasattr(func, "call"):
        return True
    return set(names) <= {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}


def _traced(func: Any, signature: Any, examples: Any) -> Any:
    """``func`` as a function of flat tensors. ``signature``: the arguments, with a TensorSpec for each tensor."""
    if not callable(func):
        raise CompileError(f"trace() takes a keras.Model, a layer or a function, got {type(func).__name__}.")
    is_keras = module_of(type(func)) is not None or isinstance(func, tf.keras.layers.Layer)
    if is_keras and not getattr(func, "built", True):
        args, kwargs = examples
        func(*args, **kwargs)  # makes its weights

    def flat(*tensors: Any) -> Any:
        here, named_here = tf.nest.pack_sequence_as(signature, tensors)
        return func(*here, **named_here)

    traced = tf.function(flat, autograph=not is_keras).get_concrete_function(*tf.nest.flatten(signature))
    allowed = (tf.Tensor, tf.TensorSpec, type(None))
    strange = [leaf for leaf in tf.nest.flatten(traced.structured_outputs) if not isinstance(leaf, allowed)]
    if strange:
        raise CompileError(f"{_name(func)} returns a {type(strange[0]).__name__}, and compiled models return tensors.")
    if not traced.outputs:
        raise CompileError(f"{_name(func)} returns no tensor.")
    return traced


def _compiled(
    func: Any,
    traced: Traced,
    flags: Flags,
    names: tuple[list[str], list[str]],
    builder: Callable[[Any], bool] | None,
) -> Artifact:
    """Snapshot a traced function, record what it takes, and lower it where an engine computes it."""
    function, weights = snapshot(traced.function)
    inputs = traced.examples
    input_names, output_names = names
    ratio, outside = _divided(function, builder)
    record = Record(
        pipeline_cores=flags.pipeline_cores,
        inputs=_leaves(input_names, inputs),
        output_names=tuple(output_names),
        arguments=tuple(_argument_names(func, traced.signature)),
        dynamic_batch=traced.varies,
        batchable=traced.rows_apart,
        compiler=f"neuron_adapters {__version__}",
        flags=flags.words,
        on_neuron_ratio=ratio,
        outside=outside,
    )
    artifact = Artifact(function, weights, traced.signature, record)
    runs: Callable[..., Any] | None = None

    def refuse() -> str:
        nonlocal runs
        inference = Executable(artifact, None, "").inference
        if isinstance(inference, str):
            return inference
        runs = inference.run_with(1)
        effect = effect_of(function.graph.as_graph_def())  # lowering runs it, and only a call of the user's may
        return f"its operator {effect} is not one that only computes" if effect else ""

    def lower(engine: Engine, cast: bool, compete: bool) -> tuple[_lowering.Form, str]:
        reference = lambda arrays: runs(*arrays)  # type: ignore[misc]
        weights = weight_arrays(artifact)
        converted = traced.fixed or function
        return _lowering.lower(engine, converted, weights, inputs, reference, compete=compete, bf16=cast)

    verdict = decide("TensorFlow", lower, bf16=flags.bf16, refuse=refuse)
    if verdict.form is None:
        return replace(artifact, record=replace(record, why=verdict.why))
    leaves = _leaves(record.output_names, verdict.form.outputs)
    record = replace(record, engine=verdict.engine, why=verdict.why, bf16=verdict.bf16, outputs=leaves)
    return replace(artifact, record=record, program=verdict.form.text)


def _leaves(names: Sequence[str], arrays: Sequence[Any]) -> tuple[Leaf, ...]:
    return tuple((name, tuple(array.shape), tf.as_dtype(array.dtype).name) for name, array in zip(names, arrays))


def _names(signature: Any, traced: Any) -> tuple[list[str], list[str]]:
    """Names for the serving signature, as tensorflow-neuron gives them: the keys of dictionaries, else input_1, input_2
    and output_1, output_2, whatever the model's layers are called."""
    args, kwargs = signature
    outputs = traced.structured_outputs
    if not isinstance(outputs, dict):
        outputs = tf.nest.flatten(outputs)
    return named(_paths(kwargs or (args if len(args) > 1 else args[0]), "input_")), named(_paths(outputs, "output_"))


def _argument_names(func: Any, signature: Any) -> list[str]:
    """Names of the arguments that were compiled, in the order in which ``func`` takes them."""
    args, kwargs = signature
    names = [parameter.name for parameter in _parameters(func)]
    order = [*_signature_inputs(func), *names, *kwargs]
    return [*_positional(func, len(args)), *dict.fromkeys(name for name in order if name in kwargs)]


def _positional(func: Any, count: int) -> list[str]:
    """Names of the first ``count`` positional arguments."""
    names = [
        parameter.name
        for parameter in _parameters(func)
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return [*names, *["inputs"] * count][:count]


def _parameters(func: Any) -> list[inspect.Parameter]:
    """The parameters of a function, or of a model's call."""
    target = func.call if isinstance(func, (tf.keras.layers.Layer, tf.Module)) and hasattr(func, "call") else func
    try:
        return list(inspect.signature(getattr(target, "python_function", target)).parameters.values())
    except (TypeError, ValueError):
        return []


def _paths(structure: Any, prefix: str) -> list[str]:
    """A name for each tensor of a structure, in the order of ``tf.nest.flatten``, as Keras 2 makes them: of the keys
    and numbers on the way to it."""
    names = []
    for path, leaf in nest.flatten_with_tuple_paths(structure):
        if leaf is not None:
            parts = [part + 1 if isinstance(part, int) else part for part in path] or [1]
            names.append((prefix if isinstance(parts[0], int) else "") + "_".join(map(str, parts)))
    return names


def _divided(function: Any, builder: Callable[[Any], bool] | None) -> tuple[float, tuple[str, ...]]:
    """The share of operators that ``subgraph_builder_function`` wants on NeuronCores, and the names of the others."""
    if builder is None:
        return 1.0, ()
    say_once("subgraph_builder_function", "the whole graph runs on the NeuronCore's CPUs, as one piece")
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    nodes = [node for node in frozen.graph.as_graph_def().node if is_counted(node)]
    outside = tuple(node.name for node in nodes if not builder(node))
    ratio = 1 - len(outside) / len(nodes) if nodes else 0.0
    return ratio, outside if sum(map(len, outside)) < _LONGEST_OUTSIDE else ()


def _flag(flags: Flags, name: str) -> str | None:
    """The value of a flag, None where it is not given."""
    for index, word in enumerate(flags.words):
        key, equals, value = word.partition("=")
        if key == name:
            return value if equals else flags.words[index + 1]
    return None


def _name(func: Any) -> str:
    return str(getattr(func, "__name__", type(func).__name__))


def _write_workdir(path: Path, artifact: Artifact) -> None:
    """Write the graph and the record into the compiler's work directory."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / "graph_def.pbtxt").write_text(str(artifact.function.graph.as_graph_def()))
        (path / "artifact.json").write_text(json.dumps(json.loads(artifact.record.dumps()), indent=2))
    except OSError as error:
        raise CompileError(f"--workdir {str(path)!r} cannot be written: {error.strerror}.") from error

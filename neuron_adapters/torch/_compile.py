"""``trace``: "compile" a model for the emulated NeuronCore: trace it, freeze it, and fix what it needs (SPEC K).

Signatures and options are those of torch_neuron.trace and torch_neuronx.trace. docs/torch.md has the table of what each
option does here.
"""

from __future__ import annotations

import enum
import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import torch

from neuron_adapters import __version__
from neuron_adapters.adapter.compile import decide, engine_choice, find_engine
from neuron_adapters.adapter.flags import Flags, read_flags, say_once
from neuron_adapters.adapter.lowering import TOLERANCE, seconds_of
from neuron_adapters.adapter.placed import model_of, place_at_first_call, remember
from neuron_adapters.adapter.progress import shown
from neuron_adapters.torch import _artifact, _context, _effects, _exported, _lowering, _placed, _separate, _traced
from neuron_adapters.torch._artifact import Artifact
from neuron_adapters.torch._executable import leaf_of, optimized
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._joining import fixed, joinable
from neuron_adapters.torch._open import open_executable
from neuron_adapters.torch._reread import give_back_freed_memory, twin
from neuron_adapters.torch._structure import flatten, map_tensors
from neuron_rt import CompileError, Engine, Model, PlacementRequest, init

log = logging.getLogger("neuron_adapters")


class Optimization(enum.Enum):
    """Passes of ``trace(optimizations=[...])``."""

    FLOAT32_TO_FLOAT16 = "float32_to_float16"
    """Tensors go in and out as float16; float32 is taken too. Computed in float32 from float16 weights."""


@overload
def trace(
    model: torch.nn.Module | Callable[..., Any],
    example_inputs: Any = None,
    *,
    compiler_args: Sequence[str] | str | None = None,
    compiler_timeout: int | None = None,
    compiler_workdir: str | os.PathLike[str] | None = None,
    subgraph_builder_function: Callable[[Any], bool] | None = None,
    minimum_segment_size: int = 2,
    single_fusion_ratio_threshold: float = 0.6,
    fallback: bool = True,
    dynamic_batch_size: bool = False,
    optimizations: Sequence[Optimization] | None = None,
    separate_weights: bool = False,
    verbose: int | str | None = None,
    format: Literal["torchscript"] = "torchscript",
    example_kwarg_inputs: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> torch.jit.ScriptModule: ...


@overload
def trace(
    model: torch.nn.Module | Callable[..., Any],
    example_inputs: Any = None,
    *,
    compiler_args: Sequence[str] | str | None = None,
    compiler_workdir: str | os.PathLike[str] | None = None,
    dynamic_batch_size: bool = False,
    optimizations: Sequence[Optimization] | None = None,
    format: Literal["pt2"],
    **kwargs: Any,
) -> torch.export.ExportedProgram: ...


@shown("compiling")
def trace(
    model: torch.nn.Module | Callable[..., Any],
    example_inputs: Any = None,
    *,
    compiler_args: Sequence[str] | str | None = None,
    compiler_timeout: int | None = None,
    compiler_workdir: str | os.PathLike[str] | None = None,
    subgraph_builder_function: Callable[[Any], bool] | None = None,
    minimum_segment_size: int = 2,  # noqa: ARG001 - nothing is partitioned
    single_fusion_ratio_threshold: float = 0.6,  # noqa: ARG001
    fallback: bool = True,  # noqa: ARG001 - every operator is supported
    dynamic_batch_size: bool = False,
    optimizations: Sequence[Optimization] | None = None,
    separate_weights: bool = False,
    verbose: int | str | None = None,  # noqa: ARG001
    format: str = "torchscript",  # noqa: A002 - what a user would call it
    example_kwarg_inputs: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> torch.jit.ScriptModule | torch.export.ExportedProgram:
    """Compile ``model`` (a module, function or bound method) for NeuronCores.

    ``example_inputs``: a tensor, or a tuple or list of arguments. ``example_kwarg_inputs``: arguments by their names,
    instead or besides; the compiled model takes all in the order of the signature.

    ``compiler_args``: compiler flags; pipeline cores are
    ``['--neuroncore-pipeline-cores', '4']``. ``dynamic_batch_size``: dimension 0 may vary, and is run in slices of the
    example's batch. ``format``: ``"torchscript"`` returns a torch.jit.ScriptModule, ``"pt2"`` a
    torch.export.ExportedProgram for ``torch.export.save``. Further keywords go to torch.jit.trace.

    The result is placed at its first call, or at once inside ``neuron_cores_context``. Raises CompileError for options
    it can't honour, and whatever torch.jit.trace raises.
    """
    flags = read_flags(compiler_args)
    inputs = () if example_inputs is None and example_kwarg_inputs is not None else _traced.arguments(example_inputs)
    half = _wants_half(optimizations)
    _say_ignored(kwargs, compiler_timeout, subgraph_builder_function)
    if format == "pt2":
        unwanted = {*kwargs} - {"strict"} | ({"example_kwarg_inputs"} if example_kwarg_inputs is not None else set())
        if unwanted:
            raise CompileError(f"format='pt2' takes no keywords of torch.jit.trace, got {', '.join(sorted(unwanted))}.")
        program = _export(model, inputs, flags, dynamic_batch_size, half)
        if compiler_workdir is not None:
            (work_folder(Path(compiler_workdir)) / "graph.txt").write_text(str(program.graph))
        return program
    if format != "torchscript":
        raise CompileError(f"format is 'torchscript' or 'pt2', got {format!r}.")
    choice = engine_choice()
    with _traced.fused_attention(allowed=find_engine(choice) is None):
        module = _traced.half_form(_traced.as_module(model)) if half else _traced.as_module(model)
        with _traced.with_names(module):
            if example_kwarg_inputs is not None:
                kwargs["example_kwarg_inputs"] = _traced.by_name(module, inputs, example_kwarg_inputs)
            traced = _traced.torchscript_of(module, inputs, kwargs)
        if example_kwarg_inputs is not None:
            inputs = _traced.in_order(traced, kwargs["example_kwarg_inputs"])
        frozen = _traced.frozen_form(traced)
    writes = _effects.writes(frozen)
    artifact = Artifact(
        pipeline_cores=flags.pipeline_cores,
        inputs=tuple(leaf_of(path, leaf) for path, leaf in flatten(inputs)),
        dynamic_batch=dynamic_batch_size,
        half=half,
        compiler=f"neuron_adapters {__version__}",
        flags=flags.words,
    )
    with torch.random.fork_rng(devices=[]):  # runs beyond those of torch.jit.trace draw no random numbers
        # A graph that writes is not run: what it writes to is saved as torch.jit.trace left it (SPEC K7).
        outputs = None if writes else _answer(frozen, inputs)
        batchable = not writes and _batchable(inputs, outputs) and fixed(frozen._c._get_method("forward"))
        if dynamic_batch_size and not batchable:
            raise CompileError(f"dynamic_batch_size=True {_not_batchable(inputs, writes)}")
        unknown = _ByPyTorch(optimize=False, seconds=0.0, steady=True)
        timing = unknown if writes else _by_pytorch(frozen, inputs, outputs)
        artifact = replace(artifact, batchable=batchable, optimize=timing.optimize)
        artifact = _lowered(artifact, frozen, inputs, outputs, timing, bf16=flags.bf16)
    if separate_weights:
        _separate.attach(frozen, traced, _traced.names_of_weights(module), artifact)
    artifact = artifact.sealed(frozen)
    artifact.attach(frozen)
    if compiler_workdir is not None:
        _write_workdir(Path(compiler_workdir), frozen, artifact)
    name = getattr(model, "__name__", type(model).__name__)
    _placed.place_compiled(frozen, open_executable(frozen, artifact, choice, name), name)
    return frozen


def with_dynamic_batch(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """torch_neuronx.dynamic_batch: let dimension 0 of a compiled module vary, from now on and in what is saved.

    Raises CompileError where the module is not compiled, or its inputs and outputs have no common batch.
    """
    executable = _placed.target_of(module)[2]
    if executable is None:
        raise CompileError(
            "dynamic_batch() takes a module that trace() compiled to TorchScript. A program of torch.export has it "
            "from trace(..., format='pt2', dynamic_batch_size=True)."
        )
    if not executable.artifact.batchable:
        raise CompileError(
            "dynamic_batch() needs every input and output to have the batch as dimension 0, and a model that writes "
            "neither to its buffers nor to its inputs."
        )
    replace(executable.artifact, dynamic_batch=True).attach(module)
    model = model_of(module)
    if model is not None:
        _placed.wrap(module, model, executable.with_dynamic_batch(dynamic=True))
    return module


def _not_batchable(inputs: tuple[Any, ...], writes: bool) -> str:
    if writes:
        return "runs a batch in slices, and this model writes to its buffers or its inputs, which each slice would do."
    shapes = [list(leaf.shape) for _path, leaf in flatten(inputs)]
    return (
        "needs every input and output to have the batch as dimension 0, and tensors only as outputs; "
        f"the example inputs have the shapes {shapes}."
    )


def _wants_half(optimizations: Sequence[Optimization] | None) -> bool:
    chosen = list(optimizations or ())
    unknown = [option for option in chosen if not isinstance(option, Optimization)]
    if unknown:
        raise CompileError(f"optimizations takes members of torch.neuron.Optimization, got {unknown[0]!r}.")
    return Optimization.FLOAT32_TO_FLOAT16 in chosen


def _say_ignored(kwargs: dict[str, Any], timeout: object, builder: object) -> None:
    if timeout is not None:
        say_once("compiler_timeout", "compilation is a trace in this process")
    if builder is not None:
        say_once("subgraph_builder_function", "the whole graph runs on the NeuronCore's CPUs, as one piece")
    for name in ("op_whitelist", "skip_compiler", "compiler_options"):
        if kwargs.pop(name, None) is not None:
            say_once(name, "there is no external compiler and nothing to partition")


def _answer(module: torch.jit.ScriptModule, inputs: tuple[Any, ...]) -> Any:
    with torch.no_grad():
        return module._c._get_method("forward")(*inputs)


class _ByPyTorch(NamedTuple):
    """How PyTorch runs a frozen graph. ``optimize``: its form optimised for this CPU agrees. ``seconds``: a call of its
    form, in one thread. ``steady``: it gives the same each time."""

    optimize: bool
    seconds: float
    steady: bool


def _by_pytorch(frozen: torch.jit.ScriptModule, inputs: tuple[Any, ...], outputs: Any) -> _ByPyTorch:
    """Look at how PyTorch runs ``frozen``, which returned ``outputs``. The optimised form, with its own copy of the
    weights, is gone before an engine makes another."""
    give_back_freed_memory()  # what tracing took
    seconds = _seconds_of_optimized(frozen, inputs, outputs)
    if seconds is not None:
        return _ByPyTorch(optimize=True, seconds=seconds, steady=True)
    seconds, again = _timed(frozen, inputs)
    return _ByPyTorch(optimize=False, seconds=seconds, steady=_agree(outputs, again))


def _seconds_of_optimized(frozen: torch.jit.ScriptModule, inputs: tuple[Any, ...], outputs: Any) -> float | None:
    """Those of the form optimised for this CPU; None where it does not agree."""
    try:
        fast = optimized(twin(frozen))  # which ends with it: nothing else is loaded with its twin
        seconds, answer = _timed(fast, inputs)
        return seconds if _agree(outputs, answer) and _agree_on_broken_numbers(frozen, fast, inputs) else None
    except RuntimeError:  # an operator that the optimised form does not know
        return None


def _timed(module: torch.jit.ScriptModule, inputs: tuple[Any, ...]) -> tuple[float, Any]:
    """The seconds that a call takes in one thread, once PyTorch has optimised the graph, and what it returned."""
    method = module._c._get_method("forward")
    answers: deque[Any] = deque(maxlen=1)
    with torch.no_grad():
        method(*inputs)
        with _lowering.one_thread():
            return seconds_of(lambda: answers.append(method(*inputs))), answers[0]


def _agree_on_broken_numbers(
    frozen: torch.jit.ScriptModule, fast: torch.jit.ScriptModule, inputs: tuple[Any, ...]
) -> bool:
    """Whether two forms give the same on inputs that are not finite: a convolution that is fused with what follows
    loses NaN (SPEC K3)."""
    methods = [module._c._get_method("forward") for module in (frozen, fast)]
    with torch.no_grad():
        return all(_agree(*(method(*trial) for method in methods)) for trial in _with_broken_numbers(inputs))


def _with_broken_numbers(inputs: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The inputs with NaN or infinity as the first number, or the last, of all that are floats; none where none is."""
    if not any(leaf.is_floating_point() for _path, leaf in flatten(inputs)):
        return
    for number in (float("nan"), float("inf")):
        for place in (0, -1):

            def broken(tensor: torch.Tensor, number: float = number, place: int = place) -> torch.Tensor:
                if not tensor.is_floating_point() or not tensor.numel() or tensor.layout is not torch.strided:
                    return tensor
                tensor = tensor.detach().clone(memory_format=torch.contiguous_format)
                tensor.view(-1)[place] = number
                return tensor

            yield tuple(map_tensors(broken, argument) for argument in inputs)


def _agree(outputs: Any, others: Any) -> bool:
    expected, actual = list(flatten(outputs)), list(flatten(others))
    return len(expected) == len(actual) and all(
        path == actual_path
        and wanted.dtype == tensor.dtype
        and wanted.shape == tensor.shape
        and torch.allclose(wanted, tensor, equal_nan=True, **TOLERANCE[False])
        for (path, wanted), (actual_path, tensor) in zip(expected, actual)
    )


def _lowered(
    artifact: Artifact,
    frozen: torch.jit.ScriptModule,
    inputs: tuple[Any, ...],
    outputs: Any,
    timing: _ByPyTorch,
    *,
    bf16: bool,
) -> Artifact:
    """Give ``frozen`` its form for the engine where the engine agrees and a call takes less than PyTorch's
    (``timing``); else note why not."""

    def lower(engine: Engine, cast: bool, compete: bool) -> tuple[Any, str]:
        if _effects.writes(frozen):
            raise CompileError("it writes to its buffers or its inputs, which only PyTorch does")
        if _effects.draws(frozen):
            raise CompileError("it answers differently each time: it draws random numbers")
        if not timing.steady:
            raise CompileError("it answers differently each time")
        give_back_freed_memory()  # that of PyTorch's form; the engine takes as much
        return _lowering.lower(engine, frozen, inputs, outputs, timing.seconds if compete else None, bf16=cast)

    verdict = decide("PyTorch", lower, bf16=bf16)
    if verdict.form is None:
        return replace(artifact, why=verdict.why)
    _artifact.attach(frozen, _artifact.PROGRAM, verdict.form.text)
    return replace(
        artifact,
        engine=verdict.engine,
        why=verdict.why,
        bf16=verdict.bf16,
        outputs=tuple(leaf_of(str(index), leaf) for index, leaf in enumerate(verdict.form.outputs)),
        structure=verdict.form.template.spec,
    )


def _batchable(inputs: tuple[Any, ...], outputs: Any) -> bool:
    """Whether inputs and outputs all have one batch as dimension 0."""
    leaves = [*flatten(inputs), *flatten(outputs)]
    same = len({leaf.shape[0] if leaf.dim() else None for _path, leaf in leaves}) == 1 and leaves[0][1].dim() > 0
    return same and joinable(outputs)


def _export(
    model: torch.nn.Module | Callable[..., Any],
    inputs: tuple[Any, ...],
    flags: Flags,
    dynamic: bool,
    half: bool,
) -> torch.export.ExportedProgram:
    """Compile ``model`` to a torch.export program: K1 in the format that replaces TorchScript."""
    name = getattr(model, "__name__", type(model).__name__)
    model = _traced.half_form(_traced.as_module(model)) if half else _traced.as_module(model)
    shapes = None
    if dynamic:
        if any(leaf.dim() == 0 for _path, leaf in flatten(inputs)):
            raise CompileError("dynamic_batch_size=True needs every input to have the batch as dimension 0.")
        batch = torch.export.Dim("batch", min=1)
        shapes = tuple(map_tensors(lambda _leaf: {0: batch}, argument) for argument in inputs)
        if _traced.takes_any_arguments(model):
            shapes = (shapes,)  # their forward takes *args
    modes = {part: part.training for part in model.modules()}
    try:
        program = torch.export.export(model.eval(), inputs, dynamic_shapes=shapes)
    finally:
        for part, training in modes.items():
            part.training = training
    compiled = Model(name, flags.pipeline_cores, FRAMEWORK, kind="torch")
    where = _context.current_place()
    if where != PlacementRequest():
        init().place(compiled, where)
    else:
        place_at_first_call(compiled, lambda model: init().place(model))
    remember(program, compiled)
    _exported.keep_record(program, Artifact(pipeline_cores=flags.pipeline_cores, half=half))
    return program


def work_folder(path: Path) -> Path:
    """The compiler's work directory, made where it is not there. Raises CompileError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CompileError(f"compiler_workdir={str(path)!r} cannot be made: {error.strerror}.") from error
    return path


def _write_workdir(path: Path, frozen: torch.jit.ScriptModule, artifact: Artifact) -> None:
    """Write the graph and the record into the compiler's work directory."""
    folder = work_folder(path)
    (folder / "graph.txt").write_text(str(frozen.inlined_graph))
    record = {"pipeline_cores": artifact.pipeline_cores, "inputs": artifact.inputs, "checksum": artifact.checksum}
    (folder / "artifact.json").write_text(json.dumps(record, indent=2))

"""torch_neuronx.bucket_model_trace: one module for several input shapes, each compiled."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from neuron_adapters.adapter.compile import engine_choice
from neuron_adapters.files.printable import one_line
from neuron_adapters.torch import _artifact, _compile, _context, _placed
from neuron_adapters.torch._artifact import BUCKET, Artifact
from neuron_adapters.torch._buckets import SELECT, Buckets
from neuron_adapters.torch._quiet import own_calls
from neuron_adapters.torch._reread import reread
from neuron_rt import CompileError


class BucketModelConfig:
    """How ``bucket_model_trace`` chooses a bucket.

    ``bucket_kernel``: a function that returns a function for torch.jit.script, or the scripted function: from the list
    of input tensors to the list of tensors for the bucket, and the bucket's number as a tensor. None: the smallest
    bucket that the inputs fit into; they are filled up with zeros at the end of each dimension.
    ``func_kwargs``: keywords for ``func``, a dictionary for all buckets or a list with one for each.

    Raises CompileError for a shared state, which is kept on the device between calls.
    """

    def __init__(
        self,
        bucket_kernel: Callable[..., Any] | None,
        *more: Any,
        shared_state_buffer: Sequence[torch.Tensor] | None = None,
        shared_state_buffer_preprocessor: Callable[..., Any] | None = None,
        func_kwargs: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        if more:
            raise TypeError(f"BucketModelConfig() takes the kernel by position; pass {more[0]!r:.80} by its name")
        if shared_state_buffer:
            raise CompileError("shared_state_buffer keeps state on the device between calls, which is not emulated.")
        if bucket_kernel is not None and not callable(bucket_kernel):
            raise CompileError(f"bucket_kernel is a function that returns the kernel, got {bucket_kernel!r}.")
        self.bucket_kernel = bucket_kernel
        self.shared_state_buffer = shared_state_buffer
        self.shared_state_buffer_preprocessor = shared_state_buffer_preprocessor
        self.func_kwargs = func_kwargs

    def keywords(self, count: int) -> list[Mapping[str, Any]]:
        """The keywords of ``func`` for each of ``count`` buckets. Raises CompileError."""
        kwargs = self.func_kwargs or {}
        keywords = [kwargs] * count if isinstance(kwargs, Mapping) else list(kwargs)
        if len(keywords) != count or not all(isinstance(entry, Mapping) for entry in keywords):
            raise CompileError(
                f"func_kwargs is a dictionary, or a list of one for each of the {count} buckets, got {kwargs!r:.200}."
            )
        return keywords


def bucket_model_trace(
    func: Callable[..., Any],
    example_inputs: Sequence[Any],
    bucket_config: BucketModelConfig,
    compiler_workdir: str | os.PathLike[str] | None = None,
    compiler_args: Sequence[str] | str | None = None,
) -> torch.jit.ScriptModule:
    """Compile the model that ``func`` returns for each of ``example_inputs`` into one module, which takes what the
    kernel of ``bucket_config`` takes.

    ``func``: a function that returns a model and its input_output_aliases, which must be empty. ``example_inputs``: a
    list with a tensor, or a tuple of tensors, for each bucket. Raises CompileError where the buckets do not go
    together, and what ``trace`` raises.
    """
    if not isinstance(bucket_config, BucketModelConfig):
        raise CompileError(f"bucket_config is a BucketModelConfig, got {type(bucket_config).__name__}.")
    if isinstance(func, torch.nn.Module) or not callable(func):
        raise CompileError(
            f"func is a function that returns a model and its input_output_aliases, got {type(func).__name__}: pass "
            "lambda: (model, {})."
        )
    examples = _examples(example_inputs)
    buckets = []
    for number, (example, keywords) in enumerate(zip(examples, bucket_config.keywords(len(examples)))):
        workdir = None if compiler_workdir is None else Path(compiler_workdir) / f"bucket{number}"
        buckets.append(_compiled(func(**keywords), example, workdir, compiler_args))
    module = _joined(bucket_config.bucket_kernel, buckets, examples)
    cores = max(_artifact.read(bucket)[1] for bucket in buckets)
    name = getattr(func, "__name__", "buckets")
    artifact = Artifact(pipeline_cores=cores, why="see its buckets").sealed(module)
    artifact.attach(module)
    _placed.place_compiled(module, Buckets(module, artifact, engine_choice(), name), name)
    return module


def _examples(example_inputs: Sequence[Any]) -> list[tuple[torch.Tensor, ...]]:
    """The inputs of each bucket. Raises CompileError."""
    if not isinstance(example_inputs, (list, tuple)) or not example_inputs:
        raise CompileError(
            f"example_inputs is a list with a tensor, or a tuple of tensors, for each bucket, got "
            f"{type(example_inputs).__name__}."
        )
    examples = [(inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs) for inputs in example_inputs]
    if len({len(example) for example in examples}) > 1 or not all(
        example and all(isinstance(tensor, torch.Tensor) for tensor in example) for example in examples
    ):
        raise CompileError("example_inputs has the same number of tensors for each bucket, at least one.")
    return examples


def _compiled(
    returned: Any, example: tuple[torch.Tensor, ...], workdir: Path | None, args: Sequence[str] | str | None
) -> torch.jit.ScriptModule:
    """A bucket, compiled and not placed. ``returned``: what the user's function returned."""
    model, aliases = returned if isinstance(returned, (tuple, list)) and len(returned) == 2 else (returned, None)
    if not callable(model):
        raise CompileError(f"func returned {type(returned).__name__}, expected a model and its input_output_aliases.")
    if aliases:
        raise CompileError("input_output_aliases keeps state on the device between calls, which is not emulated.")

    with _context.no_context():  # the whole is placed, not its parts
        return _compile.trace(model, example, compiler_args=args, compiler_workdir=workdir, strict=False)


def _joined(
    make_kernel: Callable[..., Any] | None, buckets: Sequence[torch.jit.ScriptModule], examples: Sequence[Any]
) -> torch.jit.ScriptModule:
    """One module of all buckets. Raises CompileError."""
    holder = torch.nn.Module()
    for number, bucket in enumerate(buckets):
        setattr(holder, BUCKET.format(number), torch.jit._recursive.wrap_cpp_module(bucket._c))
    neuron_kernel = _kernel(make_kernel)  # TorchScript finds it by this name
    if isinstance(neuron_kernel, torch.nn.Module):
        holder.neuron_kernel = neuron_kernel
    names = _names(buckets[0])
    with own_calls():
        module: Any = torch.jit.script(holder)
    try:
        if neuron_kernel is None:
            module.define(_kernel_by_shape(examples))
        own = neuron_kernel is None or isinstance(neuron_kernel, torch.nn.Module)
        module.define(_select("self.neuron_kernel" if own else "neuron_kernel", names))
        module.define(_forward(names, examples))
    except RuntimeError as error:
        raise CompileError(
            f"The buckets do not go together in TorchScript: {one_line(error)}. The kernel takes a list "
            "of tensors (List[torch.Tensor]) and returns one and the bucket's number; all buckets return the same type."
        ) from error
    return reread(module, own=False)


def _names(bucket: torch.jit.ScriptModule) -> list[str]:
    """Names of the arguments of ``bucket`` that TorchScript's source can have."""
    names = [argument.name for argument in bucket._c._get_method("forward").schema.arguments[1:]]
    return [name if name.isidentifier() else f"neuron_input{index}" for index, name in enumerate(names)]


def _kernel(make_kernel: Callable[..., Any] | None) -> Any:
    """The kernel as TorchScript; None where the shapes decide. Raises CompileError."""
    if make_kernel is None or isinstance(make_kernel, (torch.jit.ScriptFunction, torch.jit.ScriptModule)):
        return make_kernel
    kernel = make_kernel()
    if isinstance(kernel, (torch.jit.ScriptFunction, torch.jit.ScriptModule)):
        return kernel
    if not callable(kernel):
        raise CompileError(
            f"bucket_kernel returned {type(kernel).__name__}. It is a function that returns the kernel: a function "
            "that torch.jit.script takes."
        )
    try:
        return torch.jit.script(kernel)
    except (RuntimeError, TypeError, OSError) as error:
        name = getattr(kernel, "__name__", kernel)
        raise CompileError(f"torch.jit.script does not take the bucket kernel {name}: {one_line(error)}.") from error


def _select(kernel: str, names: Sequence[str]) -> str:
    """The method that runs the kernel, as TorchScript."""
    return f"""
def {SELECT}(self, {_parameters(names)}):
    neuron_chosen, neuron_number = {kernel}([{", ".join(names)}])
    return neuron_chosen, int(neuron_number)
"""


def _forward(names: Sequence[str], examples: Sequence[Sequence[torch.Tensor]]) -> str:
    """``forward``, as TorchScript."""
    lines = [
        f"def forward(self, {_parameters(names)}):",
        f"    neuron_chosen, neuron_number = self.{SELECT}({', '.join(names)})",
    ]
    for number, example in enumerate(examples):
        shapes = [f"neuron_chosen[{index}].size() == {list(tensor.shape)}" for index, tensor in enumerate(example)]
        fits = " and ".join([f"neuron_number == {number}", f"len(neuron_chosen) == {len(example)}", *shapes])
        parts = ", ".join(f"neuron_chosen[{index}]" for index in range(len(example)))
        lines += [f"    {'elif' if number else 'if'} {fits}:", f"        return self.{BUCKET.format(number)}({parts})"]
    lines += ["    else:", "        raise ValueError('The bucket kernel chose no bucket that its result fits')"]
    return "\n".join(lines) + "\n"


def _parameters(names: Sequence[str]) -> str:
    return ", ".join(f"{name}: Tensor" for name in names)


def _kernel_by_shape(examples: Sequence[Sequence[torch.Tensor]]) -> str:
    """The kernel that takes the smallest bucket and fills up with zeros, as TorchScript."""
    order = sorted(range(len(examples)), key=lambda number: sum(tensor.numel() for tensor in examples[number]))
    shapes = [[list(tensor.shape) for tensor in examples[number]] for number in order]
    return f"""
def neuron_kernel(self, tensors: List[Tensor]) -> Tuple[List[Tensor], int]:
    order: List[int] = {order}
    shapes: List[List[List[int]]] = {shapes}
    for number, bucket in zip(order, shapes):
        chosen: List[Tensor] = []
        for tensor, shape in zip(tensors, bucket):
            fits = tensor.dim() == len(shape)
            padding: List[int] = []
            for index in range(len(shape)):
                if fits:
                    more = shape[len(shape) - 1 - index] - tensor.size(len(shape) - 1 - index)
                    fits = more >= 0
                    padding += [0, more]
            if fits:
                chosen.append(torch.constant_pad_nd(tensor, padding, 0))
        if len(chosen) == len(bucket):
            return chosen, number
    return tensors, 0
"""

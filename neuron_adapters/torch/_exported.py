"""Programs of ``torch.export``: where they are placed, what runs there, and the record that a file has of it.

PyTorch's guards compare neither dtypes nor devices, and show their own variables. So the inputs of a program that was
compiled are checked as those of a TorchScript file are.
"""

from __future__ import annotations

import copy
import functools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from neuron_adapters.adapter.placed import model_of, remember
from neuron_adapters.files import bounded_json
from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.files.record import cores
from neuron_adapters.torch import _artifact, _context, _untrusted
from neuron_adapters.torch._artifact import Artifact
from neuron_adapters.torch._executable import leaf_of
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._inputs import Inputs
from neuron_adapters.torch._structure import flatten, map_tensors
from neuron_adapters.torch._untraced import untraced
from neuron_rt import Model, init

#: Where a .pt2 archive keeps the record of its compilation.
EXTRA_FILE = "neuron_artifact.json"
#: Where a program that was compiled keeps the record in memory.
_KEY = "_neuron_artifact"


def wrap_load(load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``torch.export.load``: the program takes its place."""

    def export_load(
        f: Any, *, extra_files: dict[str, Any] | None = None, expected_opset_version: dict[str, int] | None = None
    ) -> Any:
        return _load(load, f, extra_files, expected_opset_version)

    return export_load


def _load(
    load: Callable[..., Any],
    f: Any,
    extra_files: dict[str, Any] | None,
    expected_opset_version: dict[str, int] | None,
) -> Any:
    runtime = init()
    extra = {} if extra_files is None else extra_files
    own = EXTRA_FILE not in extra
    extra.setdefault(EXTRA_FILE, "")
    try:
        if _untrusted.asked():
            program = _untrusted.load_exported(
                f, load, extra_files=extra, expected_opset_version=expected_opset_version
            )
        else:
            program = load(f, extra_files=extra, expected_opset_version=expected_opset_version)
        record = extra[EXTRA_FILE]
    finally:
        if own:
            extra.pop(EXTRA_FILE, None)
    source = os.path.abspath(os.fspath(f)) if isinstance(f, (str, os.PathLike)) else ""
    artifact, checksum = _recorded(record, source or repr(f))
    if checksum is not None and runtime.config.validate_hash:
        _artifact.compare(checksum, lambda: _artifact.program_checksum(program, bounded=True), source or repr(f))
    if not record and runtime.config.place == "compiled":
        return program
    nc_count = 1 if artifact is None else artifact.pipeline_cores
    model = Model(os.path.basename(source) or "exported", nc_count, FRAMEWORK, kind="torch", file=source)
    runtime.place(model, _context.current_place())
    remember(program, model)
    if artifact is not None:
        keep_record(program, artifact)
    return program


def keep_record(program: torch.export.ExportedProgram, artifact: Artifact) -> None:
    """Let ``program`` check its inputs, and take ``artifact`` into its file. The inputs are those of its example."""
    inputs = tuple(leaf_of(path, leaf) for path, leaf in flatten(program.example_inputs[0]))
    names = set(program.graph_signature.user_inputs)
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    sizes = [size for value in values if isinstance(value, torch.Tensor) for size in value.shape]
    dynamic = not all(isinstance(size, int) for size in sizes)
    vars(program)[_KEY] = replace(artifact, inputs=inputs, dynamic_batch=dynamic)


def artifact_of(program: object) -> Artifact | None:
    """The record of a program that was compiled, or of its module; None of anything else."""
    artifact = getattr(program, "__dict__", {}).get(_KEY)
    return artifact if isinstance(artifact, Artifact) else None


def _recorded(record: str | bytes, source: str) -> tuple[Artifact | None, str | None]:
    """What a file says of an exported program, and its checksum; None and None where it has no record."""
    if not record:
        return None, None
    try:
        read = bounded_json.loads(record)
        half = bool(read.get("half", False))
        return Artifact(pipeline_cores=cores(read["pipeline_cores"]), half=half), str(read["checksum"])
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(f"{source}: the record of the compilation cannot be read ({one_line(error)}).") from None


def wrap_save(save: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``torch.export.save``: a compiled program goes into the file with its record."""

    def export_save(ep: Any, f: Any, *, extra_files: dict[str, Any] | None = None, **kwargs: Any) -> None:
        model, artifact = model_of(ep), artifact_of(ep)
        if model is not None:
            record = {
                "pipeline_cores": model.nc_count,
                "checksum": _artifact.program_checksum(ep),
                "half": artifact is not None and artifact.half,
            }
            extra_files = {**(extra_files or {}), EXTRA_FILE: json.dumps(record)}
        save(ep, f, extra_files=extra_files, **kwargs)

    return export_save


def wrap_module(unhooked: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``ExportedProgram.module``: the module runs where its program is placed."""

    @functools.wraps(unhooked)
    def module(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = unhooked(self, *args, **kwargs)
        model = model_of(self)
        if model is not None:
            run_on(result, model, artifact_of(self))
        return result

    return module


def wrap_copy(unhooked: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``__copy__`` and ``__deepcopy__`` of a program's module: a copy stays where its original is."""

    @functools.wraps(unhooked)
    def copied(self: Any, *args: Any) -> Any:
        twin = unhooked(self, *args)
        model = model_of(self)
        if model is not None and isinstance(twin, torch.nn.Module):
            run_on(twin, model, artifact_of(self))
        return twin

    return copied


def copy_program(program: Any) -> Any:
    """``ExportedProgram.__copy__``: Python's own way, and a copy stays where its original is."""
    return _twin(program, vars(program))


def deepcopy_program(program: Any, memo: dict[int, Any]) -> Any:
    """``ExportedProgram.__deepcopy__``."""
    return _twin(program, copy.deepcopy(vars(program), memo))


def _twin(program: Any, state: dict[str, Any]) -> Any:
    twin = object.__new__(type(program))
    vars(twin).update(state)
    model = model_of(program)
    if model is not None:
        remember(twin, model)
    return twin


def run_on(module: torch.nn.Module, model: Model, artifact: Artifact | None) -> None:
    """Let calls of an exported module run on ``model``'s NCs. Such a module has a class of its own; the model is looked
    up at the call, since classes live on until the next garbage collection and the place should not."""
    kind: Any = type(module)
    forward = kind.forward.__wrapped__ if hasattr(kind.forward, "target") else kind.forward  # a copy may have ours
    target = forward if artifact is None else _checked(forward, artifact)

    @functools.wraps(forward)
    @untraced
    def placed_forward(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        placed = model_of(self)
        if placed is None or torch._C._get_tracing_state() is not None:
            return forward(self, *args, **kwargs)
        return (placed.slot or placed.pick()).run(target, (self, *args), kwargs)

    placed_forward.target = target  # type: ignore[attr-defined]
    kind.forward = placed_forward
    if artifact is not None:
        vars(module)[_KEY] = artifact
    remember(module, model)


def target_of(module: Any) -> Callable[..., Any] | None:
    """What a program's module runs on its NCs; None for anything else."""
    target = getattr(getattr(type(module), "forward", None), "target", None)
    return None if target is None else functools.partial(target, module)


def takes_any_batch(module: Any, dim: int) -> bool:
    """Whether dimension ``dim`` of the inputs may vary: in a program that was compiled so, and in anything else."""
    artifact = artifact_of(module)
    return artifact is None or (artifact.dynamic_batch and dim == 0)


def _checked(forward: Callable[..., Any], artifact: Artifact) -> Callable[..., Any]:
    """``forward`` for inputs as they were compiled. Raises InputMismatchError."""
    inputs = Inputs(artifact, ())
    widen = artifact.half and all(dtype != "float16" for _path, _shape, dtype in artifact.inputs)

    def checked(module: Any, *args: Any, **kwargs: Any) -> Any:
        if not kwargs and not inputs.fit(args):
            inputs.batch_of(list(flatten(args)))
            if widen:
                args = map_tensors(lambda leaf: leaf.float() if leaf.dtype is torch.float16 else leaf, args)
        return forward(module, *args, **kwargs)

    return checked

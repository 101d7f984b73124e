"""Programs of ``torch.export``: where they are placed, what runs there, and the record that a file has of it."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import Any

import torch

from neuron_adapters.adapter.placed import model_of, remember
from neuron_adapters.files import bounded_json
from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.files.record import cores
from neuron_adapters.torch import _artifact, _context, _untrusted
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_rt import Model, init

#: Where a .pt2 archive keeps the record of its compilation.
EXTRA_FILE = "neuron_artifact.json"


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
    nc_count, checksum = _recorded(record, source or repr(f))
    if checksum is not None and runtime.config.validate_hash:
        _artifact.compare(checksum, lambda: _artifact.program_checksum(program, bounded=True), source or repr(f))
    if not record and runtime.config.place == "compiled":
        return program
    model = Model(os.path.basename(source) or "exported", nc_count, FRAMEWORK, kind="torch", file=source)
    runtime.place(model, _context.current_place())
    remember(program, model)
    return program


def _recorded(record: str | bytes, source: str) -> tuple[int, str | None]:
    """Pipeline cores and checksum of an exported program; 1 and None where it has no record."""
    if not record:
        return 1, None
    try:
        read = bounded_json.loads(record)
        return cores(read["pipeline_cores"]), str(read["checksum"])
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(f"{source}: the record of the compilation cannot be read ({one_line(error)}).") from None


def wrap_save(save: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``torch.export.save``: a compiled program goes into the file with its record."""

    def export_save(ep: Any, f: Any, *, extra_files: dict[str, Any] | None = None, **kwargs: Any) -> None:
        model = model_of(ep)
        if model is not None:
            record = {"pipeline_cores": model.nc_count, "checksum": _artifact.program_checksum(ep)}
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
            run_on(result, model)
        return result

    return module


def run_on(module: torch.nn.Module, model: Model) -> None:
    """Let calls of an exported module run on ``model``'s NCs. Such a module has a class of its own; the model is looked
    up at the call, since classes live on until the next garbage collection and the place should not."""
    kind = type(module)
    forward = kind.forward

    @functools.wraps(forward)
    def placed_forward(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        placed = model_of(self)
        if placed is None or torch._C._get_tracing_state() is not None:
            return forward(self, *args, **kwargs)
        return (placed.slot or placed.pick()).run(forward, (self, *args), kwargs)

    kind.forward = placed_forward
    remember(module, model)

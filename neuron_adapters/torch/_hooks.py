"""The hooks: ``torch.jit.load``, ``torch.export.load`` and what makes one module from another (SPEC H1-H4)."""

from __future__ import annotations

import functools
import json
import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.export

from neuron_adapters.adapter.hooks import Patches, is_foreign
from neuron_adapters.adapter.placed import model_of, remember
from neuron_adapters.adapter.progress import shown
from neuron_adapters.files import bounded_json, torchscript
from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.files.record import cores
from neuron_adapters.run import active
from neuron_adapters.torch import _artifact, _constants, _placed, _untrusted, experimental
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._torch_load import loading
from neuron_rt import Model, init

log = logging.getLogger("neuron_adapters")

REAL_PLUGINS = ("torch_neuron", "torch_neuronx")
#: Where a .pt2 archive keeps the record of its compilation.
EXTRA_FILE = "neuron_artifact.json"

#: What PyTorch raises for damaged archives: a message may be no UTF-8, and a size more than there is memory.
_UNREADABLE = (RuntimeError, UnicodeError, MemoryError, EOFError, IndexError, OverflowError)

_patches = Patches()
_originals: dict[Any, Any] = {}
_executables: weakref.WeakValueDictionary[tuple[object, ...], Executable] = weakref.WeakValueDictionary()
_loading = threading.RLock()  # a signal handler may load, too
F = TypeVar("F", bound=Callable[..., Any])


def install(modules: dict[str, Any], classes: Any, namespace: object) -> bool:
    """Put the hooks in; ``modules`` are import names to provide, parents first, ``namespace`` is what ``classes`` gets
    as ``neuron``. Once however often it is asked (SPEC H1).

    False where the real plug-in is installed: then the adapter steps aside (SPEC H4).
    """
    if _patches.installed:
        return True
    real = [name for name in REAL_PLUGINS if is_foreign(name, modules.get(name))]
    if real:
        log.warning("%s is installed here: neuron_adapters.torch steps aside and hooks nothing", " and ".join(real))
        return False
    hooks: dict[Any, Any] = {
        torch.jit.load: _jit_load,
        torch.jit.freeze: _derive(torch.jit.freeze),
        torch.jit.optimize_for_inference: _derive(torch.jit.optimize_for_inference),
        torch.export.load: _export_load,
        torch.export.save: _export_save,
    }
    if active():
        hooks[torch.load] = loading(torch.load)
    for function, hook in hooks.items():
        functools.update_wrapper(hook, function)
        _originals[hook] = function
    script_module = torch.jit._script.RecursiveScriptModule
    with _patches.recording():
        _patches.rebind(hooks)
        _patches.set(torch.export.ExportedProgram, "module", _exported_module(torch.export.ExportedProgram.module))
        for name in ("__copy__", "__deepcopy__"):
            _patches.set(script_module, name, _copied(getattr(script_module, name)))
        _patches.set(classes, "neuron", namespace)
        _patches.provide(modules)
    return True


def uninstall() -> None:
    """Put everything back. Models that are placed stay placed (SPEC H1)."""
    _patches.revert()


def original(function: F) -> F:
    """The framework's own function behind a hook."""
    return _originals.get(function, function)  # type: ignore[no-any-return]


@shown("loading")
def _jit_load(
    f: Any, map_location: Any = None, _extra_files: dict[str, Any] | None = None, _restore_shapes: bool = False
) -> Any:
    load = _originals[_jit_load]
    source = os.path.abspath(os.fspath(f)) if isinstance(f, (str, os.PathLike)) else ""
    # The runtime first: what can't be placed need not be read.
    config = init().config
    key = _identity(source) if source and map_location is None and not _extra_files and not _restore_shapes else None
    key = key and (*key, config.engine, config.validate_hash)
    executable = _executables.get(key) if key else None
    if executable is not None:  # K5: the same compiled file again, so the same weights
        module = torch.jit._recursive.wrap_cpp_module(executable.c_module.__copy__())
        _placed.place(module, source, executable)
        return module
    from neuron_adapters.torch import _genuine  # not before a file is read: importing the adapter is to be quick

    begin = f.tell() if not source and hasattr(f, "tell") and hasattr(f, "seek") else None

    def genuine() -> Any:
        if begin is not None:
            f.seek(begin)
        return _genuine.load(f, source, load, map_location, _extra_files, _restore_shapes)

    if (source or begin is not None) and _genuine.is_one(f):
        return genuine()
    if begin is not None:
        f.seek(begin)
    try:
        module = load(f, map_location, _extra_files, _restore_shapes)
    except _UNREADABLE as error:
        if isinstance(error, RuntimeError) and _genuine.is_meant(error) and (source or begin is not None):
            return genuine()
        if config.validate_hash:
            raise damaged(f"{source or repr(f)} cannot be read as a TorchScript file: {one_line(error)}") from error
        raise
    if (source or begin is not None) and _genuine.came_through(module):
        return genuine()
    artifact = _artifact.read(module, source or "the model")
    if artifact is not None:
        _check(module, source or "the model")
        if config.validate_hash:
            if source or begin is not None:
                torchscript.check_debug_information(f, source or repr(f))
            artifact.verify(module, source or "the model")
        executable = Executable.open(module, artifact, config.engine, source or "the model")
        if key:
            # The registered copy is nobody's: what the user sets on the module stays there.
            executable.c_module = module._c.__copy__()
    _placed.place(module, source, executable)
    if key and executable is not None:
        with _loading:
            _executables.setdefault(key, executable)
    return module


def _check(module: torch.jit.ScriptModule, source: str) -> None:
    """Raise ArtifactError where making a compiled module ready would crash: PyTorch does not compare its tensors with
    the memory that the file has for them."""
    try:
        _constants.check(module)
    except (ValueError, RuntimeError) as error:
        raise damaged(f"{source} is damaged: {one_line(error)}.") from error


def _identity(path: str) -> tuple[object, ...] | None:
    """What tells one state of a file from another."""
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _derive(function: Any) -> Any:
    """A hook of a function that makes one ScriptModule from another: the result stays where its source is."""

    def derive(mod: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(mod, *args, **kwargs)
        if isinstance(mod, torch.nn.Module) and isinstance(result, torch.jit.ScriptModule) and result is not mod:
            _placed.follow(mod, result)
        return result

    return derive


def _copied(function: Any) -> Any:
    """A hook of __copy__ and __deepcopy__: a copy stays where its original is."""

    @functools.wraps(function)
    def copied(self: Any, *args: Any) -> Any:
        twin = function(self, *args)
        _placed.follow(self, twin, same=True)
        return twin

    return copied


def _export_load(
    f: Any, *, extra_files: dict[str, Any] | None = None, expected_opset_version: dict[str, int] | None = None
) -> Any:
    load = _originals[_export_load]
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
    model = Model(os.path.basename(source) or "exported", nc_count, FRAMEWORK, kind="torch", file=source)
    runtime.place(model, experimental.current_place())
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


def _export_save(ep: Any, f: Any, *, extra_files: dict[str, Any] | None = None, **kwargs: Any) -> None:
    model = model_of(ep)
    if model is not None:
        record = {"pipeline_cores": model.nc_count, "checksum": _artifact.program_checksum(ep)}
        extra_files = {**(extra_files or {}), EXTRA_FILE: json.dumps(record)}
    _originals[_export_save](ep, f, extra_files=extra_files, **kwargs)


def _exported_module(unhooked: Callable[..., Any]) -> Callable[..., Any]:
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

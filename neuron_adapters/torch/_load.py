"""``torch.jit.load``: asks the readers of a file in order, and places what they read.

A file that is loaded already gives its executable (SPEC K5). One that torch-neuron compiled for the hardware PyTorch
cannot read, and any other it can.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from neuron_adapters.adapter.executable import Shared, identity
from neuron_adapters.adapter.progress import shown
from neuron_adapters.files import torchscript
from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.torch import _artifact, _aws_compiled, _constants, _placed
from neuron_adapters.torch._executable import Executable
from neuron_rt import Config, init

#: What PyTorch raises for damaged archives, whose messages may not be UTF-8 and whose sizes may exceed the memory.
_UNREADABLE = (RuntimeError, UnicodeError, MemoryError, EOFError, IndexError, OverflowError)

_executables: Shared[Executable] = Shared()


def wrap_load(load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``torch.jit.load``: what is loaded is placed (SPEC P1-P3)."""

    @shown("loading")
    def jit_load(
        f: Any, map_location: Any = None, _extra_files: dict[str, Any] | None = None, _restore_shapes: bool = False
    ) -> Any:
        config = init().config  # the runtime first: what can't be placed need not be read
        file = _File(f, load, (map_location, _extra_files, _restore_shapes), config)
        for read in (_loaded_before, _compiled_by_aws, _torchscript):
            module = read(file)
            if module is not None:
                return module
        raise AssertionError("the last reader returns a module or raises")

    return jit_load


class _File:
    """The arguments of a call of ``torch.jit.load``, and PyTorch's own function."""

    def __init__(self, f: Any, load: Callable[..., Any], options: tuple[Any, ...], config: Config) -> None:
        self.f = f
        self.config = config
        self.source = os.path.abspath(os.fspath(f)) if isinstance(f, (str, os.PathLike)) else ""
        self.name = self.source or "the model"
        self._load = load
        self._options = options
        self._begin = f.tell() if not self.source and hasattr(f, "tell") and hasattr(f, "seek") else None
        map_location, extra_files, restore_shapes = options
        plain = map_location is None and not extra_files and not restore_shapes
        state = identity(self.source) if self.source and plain else None
        self.key = None if state is None else (*state, config.engine, config.validate_hash)
        """Identifies the state of the file before it is read; None where loads share nothing."""

    @property
    def readable(self) -> bool:
        """Whether it can be read more than once."""
        return bool(self.source) or self._begin is not None

    def rewound(self) -> Any:
        """The file, at the position where the caller handed it over."""
        if self._begin is not None:
            self.f.seek(self._begin)
        return self.f

    def loaded(self) -> Any:
        """The module as PyTorch loads it."""
        return self._load(self.rewound(), *self._options)

    def loaded_as_compiled_by_aws(self) -> Any:
        """The module as the reader of torch-neuron's files loads it."""
        return _aws_compiled.load(self.rewound(), self.source, self._load, *self._options)


def _loaded_before(file: _File) -> Any:
    """The module of a compiled file that is loaded already: both share their weights (SPEC K5)."""
    executable = _executables.get(file.key)
    if executable is None:
        return None
    module = torch.jit._recursive.wrap_cpp_module(executable.c_module.__copy__())
    _placed.place(module, file.source, executable)
    return module


def _compiled_by_aws(file: _File) -> Any:
    """A file of torch-neuron's that PyTorch would read, since the plug-in's operators are registered by now."""
    return file.loaded_as_compiled_by_aws() if file.readable and _aws_compiled.is_known(file.f) else None


def _torchscript(file: _File) -> Any:
    """The module of any other file; of one of torch-neuron's, where PyTorch finds out only now."""
    try:
        module = file.loaded()
    except _UNREADABLE as error:
        if file.readable and isinstance(error, RuntimeError) and _aws_compiled.is_meant(error):
            return file.loaded_as_compiled_by_aws()
        if file.config.validate_hash:
            name = file.source or repr(file.f)
            raise damaged(f"{name} cannot be read as a TorchScript file: {one_line(error)}") from error
        raise
    if file.readable and _aws_compiled.came_through(module):
        return file.loaded_as_compiled_by_aws()
    executable = _executable(file, module)
    _placed.place(module, file.source, executable)
    if executable is not None:
        _executables.keep(file.key, executable)
    return module


def _executable(file: _File, module: torch.jit.ScriptModule) -> Executable | None:
    """The executable of a compiled module; None where it was never compiled. Raises ArtifactError where it is
    damaged."""
    artifact = _artifact.read(module, file.name)
    if artifact is None:
        return None
    try:
        _constants.check(module)
    except (ValueError, RuntimeError) as error:
        # PyTorch does not compare a file's tensors with the memory that it has for them, and would crash.
        raise damaged(f"{file.name} is damaged: {one_line(error)}.") from error
    if file.config.validate_hash:
        if file.readable:
            torchscript.check_debug_information(file.f, file.source or repr(file.f))
        artifact.verify(module, file.name)
    executable = Executable.open(module, artifact, file.config.engine, file.name)
    if file.key is not None:
        # Later loads copy this module, so what the user sets on theirs stays theirs.
        executable.c_module = module._c.__copy__()
    return executable

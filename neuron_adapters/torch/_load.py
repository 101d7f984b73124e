"""``torch.jit.load``: reads a file, finds or opens its executable, and places what was read.

A file that is loaded already gives its executable (SPEC K5). One that torch-neuron compiled for the hardware PyTorch
cannot read, and any other it can.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from neuron_adapters.adapter.executable import Shared, identity
from neuron_adapters.adapter.progress import shown
from neuron_adapters.files import torchscript
from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.torch import _artifact, _aws_compiled, _constants, _placed
from neuron_adapters.torch._artifact import Artifact
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._open import open_executable
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
        held = FRAMEWORK.forked is not None and FRAMEWORK.without_lost_threads
        return (held and held(), read_and_place(f, map_location, _extra_files, _restore_shapes))[1]

    def read_and_place(f: Any, map_location: Any, _extra_files: dict[str, Any] | None, _restore_shapes: bool) -> Any:
        runtime = init()  # first: what can't be placed need not be read
        own = partial(load, map_location=map_location, _extra_files=_extra_files, _restore_shapes=_restore_shapes)
        file = _File(f, own, runtime.config)
        key = state = executable = None
        if file.source and map_location is None and not _extra_files and not _restore_shapes:
            state = identity(file.source)
            key, executable = _executables.find(runtime.config, file.source)
        if executable is not None:  # loaded before: both share their weights (SPEC K5)
            module = torch.jit._recursive.wrap_cpp_module(executable.c_module.__copy__())
            cores = executable.artifact.pipeline_cores
        else:
            module = file.read()
            if module is None:
                return _aws_compiled.load(file.rewound(), file.source, file.load)
            artifact, cores = _artifact.read(module, file.name)
            if artifact is not None:
                executable = file.executable(module, artifact)
                if state is not None:
                    executable.hold_once(module, file.source, state)
                _executables.keep(None if executable.writes else key, executable)
        if executable is None and not _artifact.takes_cores(module, runtime.config):
            return module
        _placed.place(runtime, module, file.source, cores, executable)
        if executable is not None and executable.pages is not None:
            executable.pages.cover(module)
        return module

    return jit_load


class _File:
    """What a caller of ``torch.jit.load`` hands over: a path, or an open file."""

    def __init__(self, f: Any, load: Callable[[Any], Any], config: Config) -> None:
        """``load``: PyTorch's own function, with the caller's options."""
        self.f = f
        self.load = load
        self.source = os.path.abspath(os.fspath(f)) if isinstance(f, (str, os.PathLike)) else ""
        self.name = self.source or "the model"
        self._config = config
        self._begin = f.tell() if not self.source and hasattr(f, "tell") and hasattr(f, "seek") else None
        self._readable = bool(self.source) or self._begin is not None
        """Whether it can be read more than once."""

    def rewound(self) -> Any:
        """The file, at the position where the caller handed it over."""
        if self._begin is not None:
            self.f.seek(self._begin)
        return self.f

    def read(self) -> Any:
        """The module as PyTorch reads it; None for a file that torch-neuron compiled. PyTorch reads such a
        file only where the plug-in's operators are registered. Raises ArtifactError for a damaged file under
        NEURON_RT_VALIDATE_HASH."""
        if self._readable and _aws_compiled.registered and torchscript.mentions_operators(self.f):
            return None
        try:
            module = self.load(self.rewound())
        except _UNREADABLE as error:
            if self._readable and isinstance(error, RuntimeError) and _aws_compiled.is_meant(error):
                return None
            if self._config.validate_hash:
                name = self.source or repr(self.f)
                raise damaged(f"{name} cannot be read as a TorchScript file: {one_line(error)}") from error
            raise
        if self._readable and _aws_compiled.registered and _aws_compiled.came_through(module):
            return None
        return module

    def executable(self, module: torch.jit.ScriptModule, artifact: Artifact) -> Executable:
        """The executable of a compiled module. Raises ArtifactError where the module is damaged."""
        try:
            _constants.check(module)
        except (ValueError, RuntimeError) as error:
            # PyTorch does not compare a file's tensors with the memory that it has for them, and would crash.
            raise damaged(f"{self.name} is damaged: {one_line(error)}.") from error
        if self._config.validate_hash:
            if self._readable:
                torchscript.check_debug_information(self.f, self.source or repr(self.f))
            artifact.verify(module, self.name)
        executable = open_executable(module, artifact, self._config.engine, self.name)
        if not executable.writes:
            # Later loads copy this module, so what the user sets on theirs stays theirs.
            executable.c_module = module._c.__copy__()
        return executable

"""What a compiled module carries: its pipeline cores, inputs and checksum, as attributes of the module itself.

They survive save and load in TorchScript's own format, also inside a larger module, and plain PyTorch opens the file as
any other (SPEC K1). The record is JSON in an attribute; it is another program's word and is read as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.export

from neuron_adapters._record import Record
from neuron_rt import ArtifactError

ATTRIBUTE = "_neuron_artifact"
#: The engine's form of the model, beside the record.
PROGRAM = "_neuron_program"


class Artifact(Record):
    """The record as attributes of a module."""

    def attach(self, module: torch.jit.ScriptModule) -> None:
        """Write the record into ``module``."""
        attach(module, ATTRIBUTE, self.dumps())
        able_to_freeze(module)

    def sealed(self, module: torch.jit.ScriptModule) -> Artifact:
        """The same with the checksum of ``module``."""
        return replace(self, checksum=checksum(module))

    def verify(self, module: torch.jit.ScriptModule, source: str) -> None:
        """K4. Raises ArtifactError where the content is not what was compiled."""
        compare(self.checksum, checksum(module), source)


def attach(module: torch.jit.ScriptModule, name: str, text: str) -> None:
    """Let ``module`` carry ``text``, also through save and load."""
    c_module = module._c
    if c_module.hasattr(name):
        c_module.setattr(name, text)
    else:
        c_module._register_attribute(name, torch._C.StringType.get(), text)


def compare(recorded: str, found: str, source: str) -> None:
    """K4. Raises ArtifactError where a checksum is not the one that was recorded."""
    if found != recorded:
        raise ArtifactError(
            f"{source}: the checksum of the compiled model does not match its content "
            f"(recorded {recorded[:12] or 'none'}, found {found[:12]}). The file is damaged or was changed "
            "after compilation: compile it again, or unset NEURON_RT_VALIDATE_HASH to run it all the same."
        )


def read(module: torch.jit.ScriptModule, source: str = "the model") -> Artifact | None:
    """The record of a compiled module, None for one that was never compiled.

    Raises ArtifactError for a record that makes no sense.
    """
    c_module = module._c
    if not c_module.hasattr(ATTRIBUTE):
        return None
    try:
        return Artifact.loads(c_module.getattr(ATTRIBUTE), _is_dtype)
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise ArtifactError(f"{source}: the record of the compilation cannot be read ({error}).") from None


def embedded(module: torch.jit.ScriptModule, source: str = "the model") -> list[Artifact]:
    """The records of all compiled modules in ``module``, itself included."""
    found = (read(one, source) for one in module.modules() if isinstance(one, torch.jit.ScriptModule))
    return [artifact for artifact in found if artifact is not None]


def _is_dtype(name: str) -> bool:
    return isinstance(getattr(torch, name, None), torch.dtype)


def able_to_freeze(module: torch.jit.ScriptModule) -> None:
    """Frozen modules have lost ``training``, which freeze, train and eval want to see."""
    if not module._c.hasattr("training"):
        module._c._register_attribute("training", torch._C.BoolType.get(), False)  # noqa: FBT003


def checksum(module: torch.jit.ScriptModule) -> str:
    """SHA-256 over code, constants, state and the engine's form: what the module computes, not how the file is laid
    out."""
    code, constants = module.code_with_constants
    if module._c.hasattr(PROGRAM):
        code += str(module._c.getattr(PROGRAM))
    return _digest(code, {**constants.const_mapping, **dict(module.named_parameters()), **dict(module.named_buffers())})


def program_checksum(program: torch.export.ExportedProgram) -> str:
    """The same of an exported program."""
    return _digest(program.graph_module.code, {**program.state_dict, **program.constants})


def _digest(code: str, tensors: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(code.encode())
    for name in sorted(tensors):
        if not isinstance(tensors[name], torch.Tensor):
            digest.update(f"{name} {tensors[name]!r}".encode())
            continue
        tensor = tensors[name].detach().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy() if tensor.numel() else b"")
    return digest.hexdigest()

"""What a compiled module carries: its pipeline cores, inputs and checksum, as attributes of the module itself.

They survive save and load in TorchScript's own format, also inside a larger module, and plain PyTorch opens the file as
any other (SPEC K1). The record is JSON in an attribute. It comes out of a file, so it is not trusted.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.export

from neuron_adapters.files.printable import damaged, one_line, printable
from neuron_adapters.files.record import Record
from neuron_rt import ArtifactError, Config

ATTRIBUTE = "_neuron_artifact"
#: The engine's form of the model, beside the record.
PROGRAM = "_neuron_program"
#: What a module whose weights can be replaced carries besides: its graph without weights, and their names (_separate).
GRAPH, WEIGHTS = "_neuron_graph", "_neuron_weights"
#: The names of the buckets in a module that has some (_buckets).
BUCKET = "bucket{}"
_MOST_TEXT = 64 << 20
#: Most bytes to hash for each byte of memory, which tensors may share or repeat by a stride of 0; bytes that may be
#: hashed besides; bytes that are copied at once.
_MOST_TIMES, _SLACK, _PIECE = 16, 256 << 20, 16 << 20


class Artifact(Record):
    """The record as attributes of a module."""

    def attach(self, module: torch.jit.ScriptModule) -> None:
        """Write the record into ``module``."""
        attach(module, ATTRIBUTE, self.dumps())
        able_to_freeze(module)

    def sealed(self, module: torch.jit.ScriptModule) -> Artifact:
        """A copy with the checksum of ``module``."""
        return replace(self, checksum=checksum(module))

    def verify(self, module: torch.jit.ScriptModule, source: str) -> None:
        """Compare the content with what was compiled (SPEC K4). Raises ArtifactError where they differ."""
        compare(self.checksum, lambda: checksum(module, bounded=True), source)


def attach(module: torch.jit.ScriptModule, name: str, text: str) -> None:
    """Let ``module`` carry ``text``, also through save and load."""
    c_module = module._c
    if c_module.hasattr(name):
        c_module.setattr(name, text)
    else:
        c_module._register_attribute(name, torch._C.StringType.get(), text)


def compare(recorded: str, content: Callable[[], str], source: str) -> None:
    """Compare the checksum of ``content`` with the recorded one (SPEC K4). Raises ArtifactError where they differ, or
    where it cannot be computed."""
    try:
        actual = content()
    except Exception as error:
        raise damaged(f"{source}: what was compiled cannot be checked: {one_line(error)}.") from error
    if actual != recorded:
        raise damaged(
            f"{source}: the checksum of the compiled model does not match its content "
            f"(recorded {printable(recorded[:12]) or 'none'}, found {actual[:12]}). The file is damaged or was changed "
            "after compilation: compile it again, or unset NEURON_RT_VALIDATE_HASH to run it all the same."
        )


def read(module: torch.jit.ScriptModule, source: str = "the model") -> tuple[Artifact | None, int]:
    """The record of a module, None for one that was never compiled, and the NCs that the module needs: those of its
    record, else the most that a compiled module inside it needs, else 1.

    Raises ArtifactError for a record that makes no sense.
    """
    text = _text(module, source)
    if text is not None:
        artifact = _parsed(text, source)
        return artifact, artifact.pipeline_cores
    return None, max((record.pipeline_cores for record in embedded(module, source)), default=1)


def _text(module: torch.jit.ScriptModule, source: str) -> str | None:
    if not module._c.hasattr(ATTRIBUTE):
        return None
    try:
        return str(module._c.getattr(ATTRIBUTE))
    except (ValueError, RuntimeError) as error:  # not UTF-8
        raise _unreadable(source, error) from None


def _parsed(text: str, source: str) -> Artifact:
    try:
        return Artifact.loads(text, _dtypes().__contains__)
    except (TypeError, ValueError, KeyError) as error:
        raise _unreadable(source, error) from None


def _unreadable(source: str, error: Exception) -> ArtifactError:
    return damaged(f"{source}: the record of the compilation cannot be read ({one_line(error)}).")


def embedded(module: torch.jit.ScriptModule, source: str = "the model") -> list[Artifact]:
    """The records of all compiled modules in ``module``, itself included. A text that modules share is parsed once, and
    copied out of PyTorch once for each of them, up to _MOST_TEXT bytes (SPEC F2)."""
    artifacts: list[Artifact] = []
    known: dict[str, Artifact] = {}
    left = _MOST_TEXT
    for inner in module.modules():
        text = _text(inner, source) if isinstance(inner, torch.jit.ScriptModule) else None
        if text is None:
            continue
        left -= len(text)
        if left < 0:
            raise damaged(f"{source}: the records of the compilations in it have more than {_MOST_TEXT} bytes.")
        if text not in known:
            known[text] = _parsed(text, source)
        artifacts.append(known[text])
    return artifacts


def takes_cores(module: torch.jit.ScriptModule, config: Config) -> bool:
    """Whether a module that was not compiled takes NCs: all do, or those that hold a compiled one, as
    NEURON_ADAPTERS_PLACE says."""
    return config.place == "all" or bool(embedded(module))


@functools.cache
def _dtypes() -> frozenset[str]:
    """The names of PyTorch's dtypes. Asking PyTorch for an attribute of a name instead may import modules (SPEC F1)."""
    return frozenset(name for name, value in vars(torch).items() if isinstance(value, torch.dtype))


def able_to_freeze(module: torch.jit.ScriptModule) -> None:
    """Give a frozen module ``training`` back: freeze, train and eval read it, and freezing takes it out."""
    if not module._c.hasattr("training"):
        module._c._register_attribute("training", torch._C.BoolType.get(), False)  # noqa: FBT003


def checksum(module: torch.jit.ScriptModule, *, bounded: bool = False) -> str:
    """The SHA-256 of code, constants, state and the engine's form: it depends on what the module computes, not on how
    the file is laid out. ``bounded``: for a module out of a file, see ``_digest``."""
    code, tensors = "", {}
    composed = module._c.hasattr(WEIGHTS) or module._c.hasattr(BUCKET.format(0))
    if composed:
        module = torch.jit._recursive.wrap_cpp_module(module._c)  # which knows all that was added
    for name, inner in module.named_modules() if composed else [("", module)]:
        if not isinstance(inner, torch.jit.ScriptModule) or not inner._c._has_method("forward"):
            continue
        text, constants = inner.code_with_constants
        code += f"{name}{text}"
        for attribute in (PROGRAM, WEIGHTS):
            if inner._c.hasattr(attribute):
                code += str(inner._c.getattr(attribute))
        tensors.update({f"{name}{constant}": value for constant, value in constants.const_mapping.items()})
    tensors.update(module.named_parameters())
    tensors.update(module.named_buffers())
    return _digest(code, tensors, bounded)


def program_checksum(program: torch.export.ExportedProgram, *, bounded: bool = False) -> str:
    """The SHA-256 of an exported program."""
    return _digest(program.graph_module.code, {**program.state_dict, **program.constants}, bounded)


def _digest(code: str, tensors: Mapping[str, Any], bounded: bool) -> str:
    """The SHA-256 of code and tensors. ``bounded``: raise ValueError where tensors share memory, or repeat it by a
    stride of 0, so that there is much more to hash than the file holds (SPEC F2)."""
    digest = hashlib.sha256(code.encode())
    if bounded:
        own_tensors = [tensor for tensor in tensors.values() if isinstance(tensor, torch.Tensor)]
        memory = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in own_tensors}
        if sum(tensor.numel() * tensor.element_size() for tensor in own_tensors) > _SLACK + _MOST_TIMES * sum(
            memory.values()
        ):
            raise ValueError(f"its tensors are more than {_MOST_TIMES} times as large as the memory that they share")
    for name in sorted(tensors):
        if not isinstance(tensors[name], torch.Tensor):
            digest.update(f"{name} {tensors[name]!r}".encode())
            continue
        tensor = tensors[name].detach()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        for piece in _pieces(tensor):
            digest.update(piece.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _pieces(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the bytes of ``tensor`` in order. Where they do not lie in that order, they are copied piece by piece."""
    if not tensor.numel():
        return
    if tensor.is_contiguous() or tensor.numel() * tensor.element_size() <= _PIECE:
        yield tensor.contiguous()
    elif tensor.shape[0] == 1:
        yield from _pieces(tensor[0])
    else:
        rows = max(1, tensor.shape[0] * _PIECE // (tensor.numel() * tensor.element_size()))
        for part in tensor.split(rows):
            yield from _pieces(part)

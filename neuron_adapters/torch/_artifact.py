"""What a compiled module carries: its pipeline cores, inputs and checksum, as attributes of the module itself.

They survive save and load in TorchScript's own format, also inside a larger module, and plain PyTorch opens the file as
any other (SPEC K1). The record is JSON in an attribute; it is another program's word and is read as such.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
import torch.export

from neuron_rt import ArtifactError

ATTRIBUTE = "_neuron_artifact"
#: The engine's form of the model, beside the record.
PROGRAM = "_neuron_program"
VERSION = 1
MOST_CORES = 4096

#: One tensor of the inputs: where it stands in the arguments, its shape, its dtype ("float32").
Leaf = tuple[str, tuple[int, ...], str]


@dataclass(frozen=True)
class Artifact:
    """A compiled model's record."""

    pipeline_cores: int = 1
    inputs: tuple[Leaf, ...] = ()
    dynamic_batch: bool = False
    batchable: bool = False
    """Whether every input and output has the batch as dimension 0, so that slices can be run and joined."""
    half: bool = False
    """FLOAT32_TO_FLOAT16: takes float16 where float32 was compiled, answers in float16."""
    optimize: bool = False
    """Whether the form optimised for this CPU gave the same numbers when the model was compiled."""
    checksum: str = ""
    compiler: str = ""
    flags: tuple[str, ...] = field(default=())
    engine: str = ""
    """The engine whose form of the model travels with it; empty where PyTorch computes."""
    why: str = ""
    """Why that engine, or none."""
    bf16: bool = False
    """Whether a cast flag asked for bfloat16, and the engine agreed within its tolerance."""
    outputs: tuple[Leaf, ...] = ()
    structure: Any = None
    """The structure of the outputs (Template)."""

    @property
    def batch(self) -> int:
        """The compiled batch: dimension 0 of the inputs."""
        return self.inputs[0][1][0]

    def attach(self, module: torch.jit.ScriptModule) -> None:
        """Write the record into ``module``."""
        text = json.dumps({"version": VERSION, **asdict(self)})
        attach(module, ATTRIBUTE, text)
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
        return _parse(c_module.getattr(ATTRIBUTE))
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise ArtifactError(f"{source}: the record of the compilation cannot be read ({error}).") from None


def embedded(module: torch.jit.ScriptModule, source: str = "the model") -> list[Artifact]:
    """The records of all compiled modules in ``module``, itself included."""
    found = (read(one, source) for one in module.modules() if isinstance(one, torch.jit.ScriptModule))
    return [artifact for artifact in found if artifact is not None]


def _parse(text: object) -> Artifact:
    if not isinstance(text, str) or len(text) > 1 << 20:
        raise ValueError("it is no text of a sensible length")
    raw: Any = json.loads(text)
    if not isinstance(raw, dict) or raw.get("version") != VERSION:
        version = raw.get("version") if isinstance(raw, dict) else None
        raise ValueError(f"its version is {version!r}, this release reads {VERSION}")
    cores = raw["pipeline_cores"]
    if type(cores) is not int or not 1 <= cores <= MOST_CORES:
        raise ValueError(f"{cores!r} pipeline cores")
    inputs = _leaves(raw["inputs"])
    return Artifact(
        pipeline_cores=cores,
        inputs=inputs,
        dynamic_batch=bool(raw["dynamic_batch"]),
        batchable=bool(raw["batchable"]) and bool(inputs) and all(leaf[1] for leaf in inputs),
        half=bool(raw["half"]),
        optimize=bool(raw["optimize"]),
        checksum=str(raw["checksum"]),
        compiler=str(raw["compiler"]),
        flags=tuple(str(flag) for flag in raw["flags"]),
        engine=str(raw.get("engine", "")),
        why=str(raw.get("why", "compiled by an older release")),
        bf16=bool(raw.get("bf16")),
        outputs=_leaves(raw.get("outputs", ())),
        structure=raw.get("structure"),
    )


def _leaves(raw: Any) -> tuple[Leaf, ...]:
    """Raises ValueError for what is no list of tensors."""
    leaves = []
    for path, shape, dtype in raw:
        if not isinstance(getattr(torch, str(dtype), None), torch.dtype):
            raise ValueError(f"{dtype!r} is no dtype")
        sizes = tuple(int(size) for size in shape)
        if any(size < 0 for size in sizes):
            raise ValueError(f"{list(shape)!r} is no shape")
        leaves.append((str(path), sizes, str(dtype)))
    return tuple(leaves)


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

"""The record of a compiled model: what it needs, what it takes, what computes it. Every adapter writes it into its own
framework's files (SPEC K1).

It is JSON, and another program's word: it is read as such.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

VERSION = 1
MOST_CORES = 4096
_LONGEST = 1 << 20


#: One tensor: where it stands in the arguments or results, its shape, its dtype ("float32").
Leaf = tuple[str, tuple[int, ...], str]


@dataclass(frozen=True)
class Record:
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
    """The engine whose form of the model travels with it; empty where the framework computes."""
    why: str = ""
    """Why that engine, or none."""
    bf16: bool = False
    """Whether a cast flag asked for bfloat16, and the engine agreed within its tolerance."""
    outputs: tuple[Leaf, ...] = ()
    output_names: tuple[str, ...] = ()
    """Names of the outputs, where the framework's signatures have names."""
    arguments: tuple[str, ...] = ()
    """Names of the arguments, in the order in which the original takes them."""
    key: str = ""
    """The name of the signature for servers, where it is not the usual one."""
    structure: Any = None
    """The structure of the outputs, where the file does not say it."""
    on_neuron_ratio: float = 1.0
    """Share of the operators that run on NCs."""
    replicas: int | None = None
    """NCs that auto_multicore spreads the model over (SPEC R3); None where nobody has spoken."""

    @property
    def batch(self) -> int:
        """The compiled batch: dimension 0 of the inputs."""
        return self.inputs[0][1][0]

    def dumps(self) -> str:
        """As text."""
        return json.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def loads(cls, text: object, is_dtype: Callable[[str], bool]) -> Self:
        """Read what ``dumps`` wrote. Raises TypeError, ValueError, KeyError or RecursionError for what makes no
        sense."""
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError("it is no text of a sensible length")
        raw: Any = json.loads(text)
        if not isinstance(raw, dict) or raw.get("version") != VERSION:
            version = raw.get("version") if isinstance(raw, dict) else None
            raise ValueError(f"its version is {version!r}, this release reads {VERSION}")
        inputs = _leaves(raw["inputs"], is_dtype)
        replicas = raw.get("replicas")
        return cls(
            pipeline_cores=cores(raw["pipeline_cores"]),
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
            outputs=_leaves(raw.get("outputs", ()), is_dtype),
            output_names=tuple(str(name) for name in raw.get("output_names", ())),
            arguments=tuple(str(name) for name in raw.get("arguments", ())),
            key=str(raw.get("key", "")),
            structure=raw.get("structure"),
            on_neuron_ratio=float(raw.get("on_neuron_ratio", 1.0)),
            replicas=None if replicas is None else cores(replicas),
        )


def cores(value: object) -> int:
    """A number of NCs from a file. Raises ValueError."""
    if type(value) is not int or not 1 <= value <= MOST_CORES:
        raise ValueError(f"{value!r} NeuronCores")
    return value


def _leaves(raw: Any, is_dtype: Callable[[str], bool]) -> tuple[Leaf, ...]:
    """Raises ValueError for what is no list of tensors."""
    leaves = []
    for path, shape, dtype in raw:
        if not is_dtype(str(dtype)):
            raise ValueError(f"{dtype!r} is no dtype")
        sizes = tuple(int(size) for size in shape)
        if any(size < 0 for size in sizes):
            raise ValueError(f"{list(shape)!r} is no shape")
        leaves.append((str(path), sizes, str(dtype)))
    return tuple(leaves)

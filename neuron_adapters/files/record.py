"""The record of a compiled model: its NCs, its inputs, its engine. Every adapter writes it into its own framework's
files (SPEC K1).

It is JSON, and untrusted, since it comes from a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from neuron_adapters.files import bounded_json
from neuron_adapters.files.printable import printable

if TYPE_CHECKING:
    from typing_extensions import Self

VERSION = 1
MOST_CORES = 4096
#: Inputs or outputs of a model, and dimensions of each. No model has as many; an entry takes 2 bytes of a file and 100
#: of memory.
MOST_TENSORS, MOST_DIMENSIONS = 1 << 16, 64
_LONGEST = 1 << 20
_LARGEST_SIZE, _LONGEST_REASON = 1 << 63, 1000


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
    """The reason for that engine, or for none."""
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
    outside: tuple[str, ...] = ()
    """Nodes of the graph that were kept off NCs, for those who look at it."""
    replicas: int | None = None
    """NCs that auto_multicore spreads the model over (SPEC R3); None where it was not called."""

    @property
    def batch(self) -> int:
        """The compiled batch: dimension 0 of the inputs."""
        return self.inputs[0][1][0]

    def dumps(self) -> str:
        """The record as text."""
        return json.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def loads(cls, text: object, is_dtype: Callable[[str], bool]) -> Self:
        """Read what ``dumps`` wrote, of at most 1 MiB. Raises TypeError, ValueError or KeyError for anything else."""
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError(f"it is not a text of at most {_LONGEST} characters")
        raw: Any = bounded_json.loads(text)
        if not isinstance(raw, dict) or raw.get("version") != VERSION:
            version = raw.get("version") if isinstance(raw, dict) else None
            raise ValueError(f"its version is {printable(version, 40)}, this release reads {VERSION}")
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
            compiler=printable(raw["compiler"]),
            flags=tuple(str(flag) for flag in raw["flags"]),
            engine=printable(raw.get("engine", "")),
            why=printable(raw.get("why", "compiled by an older release"), _LONGEST_REASON),
            bf16=bool(raw.get("bf16")),
            outputs=_leaves(raw.get("outputs", ()), is_dtype),
            output_names=tuple(str(name) for name in raw.get("output_names", ())),
            arguments=tuple(str(name) for name in raw.get("arguments", ())),
            key=str(raw.get("key", "")),
            structure=raw.get("structure"),
            on_neuron_ratio=_share(raw.get("on_neuron_ratio", 1.0)),
            outside=tuple(str(name) for name in raw.get("outside", ())),
            replicas=None if replicas is None else cores(replicas),
        )


def cores(value: object) -> int:
    """Check a number of NCs from a file. Raises ValueError."""
    if type(value) is not int or not 1 <= value <= MOST_CORES:
        raise ValueError(f"{printable(value, 40)} is not a number of NeuronCores from 1 to {MOST_CORES}")
    return value


def _share(value: object) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{printable(value, 40)} is not a share from 0 to 1")
    return float(value)


def _leaves(raw: Any, is_dtype: Callable[[str], bool]) -> tuple[Leaf, ...]:
    """Read ``raw`` as a list of tensors. Raises ValueError for anything else."""
    leaves = []
    for path, shape, dtype in raw:
        if not isinstance(dtype, str) or not is_dtype(dtype):
            raise ValueError(f"{printable(dtype, 40)} is not a dtype")
        if len(shape) > MOST_DIMENSIONS or not all(type(size) is int and 0 <= size < _LARGEST_SIZE for size in shape):
            raise ValueError(f"{printable(list(shape), 40)} is not a shape")
        leaves.append((str(path), tuple(shape), dtype))
    return tuple(leaves)

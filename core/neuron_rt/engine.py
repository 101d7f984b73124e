"""Engines: libraries that execute a compiled model faster than the framework that it comes from (DESIGN 2).

An adapter lowers a model to a ``Program`` once. An ``Engine`` loads it onto CPUs as an ``Executable``,
which makes a ``Request`` for each run at a time. ``deployment`` does so for all NCs that run the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Constant(NamedTuple):
    """A constant of a program: where it is in this process's memory, and its size in bytes."""

    address: int
    size: int


@dataclass(frozen=True)
class Program:
    """A lowered model. ``text`` is the engine's own form of the graph, cut where it names a constant; constant *i*
    stands between pieces *i* and *i* + 1. ``owner`` keeps the constants' memory alive."""

    text: tuple[str, ...]
    constants: tuple[Constant, ...]
    packed_bytes: int = 0
    """Size of the constants that an executable has to copy into a layout of its own."""
    owner: object = field(repr=False, compare=False, default=None)

    @property
    def weights_bytes(self) -> int:
        """Size of all constants."""
        return sum(constant.size for constant in self.constants)


class Request(Protocol):
    """One run at a time of an executable. Tensors are given by address; their dtypes and shapes are the program's."""

    sizes: tuple[tuple[int, ...], tuple[int, ...]]
    """Bytes of each input and of each output."""

    def set_input(self, index: int, address: int) -> None:
        """Read input ``index`` from ``address``, from now on."""

    def set_output(self, index: int, address: int) -> None:
        """Write output ``index`` to ``address``, from now on."""

    def run(self) -> None:
        """Compute, and return when it is done. Raises EngineError."""


class Executable(Protocol):
    """A program that is loaded: its machine code and packed weights. They go with the last reference to it."""

    def request(self, cpus: frozenset[int]) -> Request:
        """Make a request that runs on ``cpus``. With one thread and one lane the calling thread computes, wherever it
        is bound, and requests take turns. Else threads of the engine compute: on ``cpus``, where these were named."""

    def runs_of_lanes(self) -> Callable[[], bool]:
        """Make what tells whether each lane has computed since now. One lane alone counts as having done so: whoever
        asks has seen it run."""


class Engine(Protocol):
    """A library that executes programs on CPUs."""

    name: str

    def worth_threads(self, program: Program) -> int:
        """How many threads ``program`` is worth. It depends on the program alone (SPEC K3)."""

    def why_not_tied(self) -> str:
        """Why a thread does not keep to the CPUs that it is tied to while it computes; empty where it does."""

    def callers_compute(self) -> bool:
        """Whether only calling threads compute: in a forked child of a process in which the engine had threads of its
        own. The child has not got them, and the engine does not know that."""

    def load(self, program: Program, threads: int, lanes: Sequence[frozenset[int]], *, bf16: bool) -> Executable:
        """Make ``program`` ready to run with ``threads`` threads a run, on each of ``lanes`` at once: a set of CPUs, or
        an empty one, which is not bound. ``bf16``: compute in bfloat16 where the CPU can.

        Raises EngineError, also where its threads do not stay on the CPUs of ``lanes`` (SPEC K8)."""

"""Runs a lowered graph: requests of the engine read and write the executor's own memory."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.adapter.compile import NOT_INSTALLED, engine_choice, find_engine
from neuron_adapters.adapter.executable import Shared, all_cpus, prepare
from neuron_adapters.adapter.guards import QUIET
from neuron_adapters.mxnet._backend import Plan
from neuron_rt import (
    CompileError,
    Computation,
    CpuSet,
    Deployment,
    Engine,
    NeuronConfigError,
    Request,
    RequestPool,
    Slot,
)

_shared: Shared[Executable] = Shared()


class Executable:
    """A plan with its weights, on all NCs of this process that run it (SPEC K5)."""

    def __init__(self, plan: Plan, weights: Sequence[memoryview], *, bf16: bool = False) -> None:
        """Raises CompileError where no engine is there, ValueError where the weights are not the plan's."""
        self.plan = plan
        self.deployment: Any = None  # a Deployment
        """The program on the NCs of this process; None where NumPy computes."""
        self._weights = weights
        engine = _engine()
        if plan.lowered is not None:
            program = plan.lowered.refreshed(weights).program(weights)
            self.deployment = Deployment(engine, program, bf16=bf16)

    @classmethod
    def of(cls, key: Hashable | None, plan: Plan, weights: Sequence[memoryview], *, bf16: bool = False) -> Executable:
        """Return the executable known by ``key`` where one is alive, else a new one; always a new one where ``key`` is
        None."""
        return _shared.of(key, lambda: cls(plan, weights, bf16=bf16))

    def prepare(self, slots: Sequence[Slot]) -> Computation:
        """Make ready to run on ``slots``; what computes there (``neuron_rt.runtime.Prepare``). Raises EngineError."""
        if self.deployment is None:
            return Computation("numpy", self.plan.why, sum(weight.nbytes for weight in self._weights))
        computation = prepare(slots, self, "it runs all graphs of MXNet's", None)
        assert isinstance(computation, Computation), "without a framework only an engine computes"
        return computation

    def everywhere(self) -> RequestPool:
        """Return a pool on all CPUs of this process, bound to none: that of ``mx.cpu()``. Raises EngineError."""
        if self.deployment is None:
            return RequestPool(_no_request, 1)
        pools: list[RequestPool] = self.deployment.pools([CpuSet("cpu", frozenset(), all_cpus())])
        return pools[0]

    def call(self, pool: RequestPool) -> Callable[[Sequence[int], Sequence[int]], bool]:
        """Create a new request of ``pool``; one that leaves all to NumPy where the compiled graph would write more, or
        less, than MXNet's outputs hold."""
        request = pool.request()
        room = [math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in self.plan.outputs]
        return Call(request) if list(request.sizes[1][:-1]) == room else _left_to_numpy


class Call:
    """A request that remembers the addresses it is set to."""

    __slots__ = ("_alarm", "_inputs", "_outputs", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        inputs, outputs = request.sizes
        self._inputs, self._outputs = [0] * len(inputs), [0] * (len(outputs) - 1)
        self._alarm = ctypes.c_float()
        request.set_output(len(self._outputs), ctypes.addressof(self._alarm))

    def __call__(self, inputs: Sequence[int], outputs: Sequence[int]) -> bool:
        """Run, from the addresses ``inputs`` to the addresses ``outputs``, which the caller keeps alive; whether the
        guards are quiet."""
        request = self._request
        if inputs != self._inputs:
            for index, address in enumerate(inputs):
                request.set_input(index, address)
            self._inputs = list(inputs)
        if outputs != self._outputs:
            for index, address in enumerate(outputs):
                request.set_output(index, address)
            self._outputs = list(outputs)
        request.run()
        return self._alarm.value <= QUIET  # NaN is not


def run(
    executable: Executable,
    pool: RequestPool,
    inputs: Sequence[int],
    outputs: Sequence[int],
    alive: object,  # noqa: ARG001 - the memory at those addresses, for as long as this runs: a caller may give up earlier
) -> bool:
    """Run once, by a request of ``pool``: after warm-up a call makes none. Whether the outputs are MXNet's (K3)."""
    idle = pool.idle
    try:
        call: Any = idle.pop()
    except IndexError:
        call = executable.call(pool)
    quiet: bool = call(inputs, outputs)
    idle.append(call)  # after an exception it is dropped: its addresses may be half set
    return quiet


def _left_to_numpy(_inputs: Sequence[int], _outputs: Sequence[int]) -> bool:
    return False


def _no_request() -> Request:
    raise AssertionError("NumPy computes")


def _engine() -> Engine:
    choice = engine_choice()
    if choice == "framework":
        raise NeuronConfigError.of(
            "NEURON_ADAPTERS_ENGINE", choice, "is not for MXNet models: without an engine nothing can run them",
            "auto or openvino",
        )  # fmt: skip
    engine = find_engine(choice)
    if engine is None:
        raise CompileError(NOT_INSTALLED.replace("[engine]", "[mx]"))
    return engine

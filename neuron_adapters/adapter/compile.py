"""Which engine computes a compiled model, and whether it deserves to: what every adapter's lowering has in common."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from neuron_rt import CompileError, Config, EngineError, Model, NeuronConfigError, current
from neuron_rt import engine as engines
from neuron_rt.execution import Slot

log = logging.getLogger("neuron_adapters")

#: SPEC K3: a compiled model's results against the original's, in float32 and with a cast flag.
TOLERANCE = {False: {"rtol": 1e-3, "atol": 1e-4}, True: {"rtol": 2e-2, "atol": 2e-2}}

#: The engine is taken from this speed on, the framework's graph being 1: around it, holding the framework's threads
#: back decides.
WORTH = 0.9

NOT_INSTALLED = "OpenVINO is not installed: pip install 'neuron-adapters[engine]'"


def configuration() -> Config:
    """The configuration, as the runtime read it where it has started; compiling alone takes no NeuronCores."""
    runtime = current()
    return Config.read() if runtime is None else runtime.config


def engine_choice() -> str:
    """NEURON_ADAPTERS_ENGINE."""
    return configuration().engine


def find_engine(choice: str) -> engines.Engine | None:
    """The engine of NEURON_ADAPTERS_ENGINE. Raises NeuronConfigError where it is asked for and not there."""
    engine = engines.find(choice)
    if engine is None and choice == engines.OPENVINO:
        raise NeuronConfigError.of(
            "NEURON_ADAPTERS_ENGINE", choice, "names an engine that cannot be used here",
            "auto or framework; or install it: pip install 'neuron-adapters[engine]'",
        )  # fmt: skip
    return engine


class Lowered(Protocol):
    """A lowered model in this process, as an adapter makes it."""

    deployment: engines.Deployment

    def call(self, station: engines.Station) -> Any:
        """A new request of ``station`` with its buffers, for its pool."""


def settle(model: Model, slots: Sequence[Slot], lowered: Lowered | None, why: str, framework: str | None) -> bool:
    """Let the engine run ``model`` on ``slots``, and give each its station; False where ``framework`` has to. Either
    way ``model`` says so. ``framework`` None: there is no other, so the engine has to. Raises EngineError then."""
    model.engine, model.why = model.kind, why
    if lowered is None:
        return False
    partly = any(len(slot.cpus) > 1 for slot in slots)
    if partly:
        model.why = "its NeuronCores are several CPUs but not all: the engine's helper threads cannot be tied there"
        if framework is not None:
            return False
        model.why += ", so one thread computes"
    everywhere = all_cpus()
    places = [
        engines.Place(
            slot.cpus or ("all" if slot.threads else slot.ncs),
            slot.cpus,
            1 if partly else slot.threads or everywhere,
        )
        for slot in slots
    ]
    try:
        stations = lowered.deployment.settle(places)
        for station in stations:
            if not station.pool:
                station.pool.append(lowered.call(station))
    except EngineError as error:
        if framework is None:
            raise
        log.warning("%s: OpenVINO cannot load it, so %s runs it: %s", model.name, framework, error)
        model.why = f"the engine cannot load it: {error}"
        return False
    for slot, station in zip(slots, stations):
        slot.station = station
    model.engine = lowered.deployment.engine.name
    model.weights = lowered.deployment.program.weights_bytes
    return True


def all_cpus() -> int:
    """How many CPUs the calling thread may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def race(engine: engines.Engine, rival: str, run_rival: Callable[[], object], run: Callable[[], object]) -> str:
    """How much faster the engine is, in words. Raises CompileError where it is not."""
    ratio = _seconds(run_rival) / _seconds(run)
    if ratio < WORTH:
        raise CompileError(f"{engine.name} took {1 / ratio:.2f} times as long as {rival} when it was compiled")
    return f"{ratio:.2f} times as fast as {rival} when it was compiled"


def _seconds(function: Callable[[], object], most: float = 0.4) -> float:
    """The quickest of some runs."""
    best, end = float("inf"), time.perf_counter() + most
    for _ in range(200):
        began = time.perf_counter()
        function()
        now = time.perf_counter()
        best = min(best, now - began)
        if now > end:
            break
    return best

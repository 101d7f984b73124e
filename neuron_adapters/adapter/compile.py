"""The verdict on a compiled model: an engine computes it or its framework does, and why (SPEC K2, K3)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from neuron_rt import CompileError, Config, Engine, NeuronConfigError, current, installed_engine

log = logging.getLogger("neuron_adapters")

F = TypeVar("F")

NOT_INSTALLED = "OpenVINO is not installed: pip install 'neuron-adapters[engine]'"


def configuration() -> Config:
    """The configuration, as the runtime read it where it has started; compiling alone takes no NeuronCores."""
    runtime = current()
    return Config.read() if runtime is None else runtime.config


def engine_choice() -> str:
    """NEURON_ADAPTERS_ENGINE."""
    return configuration().engine


def find_engine(choice: str) -> Engine | None:
    """The engine of NEURON_ADAPTERS_ENGINE. Raises NeuronConfigError where it is asked for and not there."""
    engine = installed_engine(choice)
    if engine is None and choice == "openvino":
        raise NeuronConfigError.of(
            "NEURON_ADAPTERS_ENGINE", choice, "names an engine that cannot be used here",
            "auto or framework; or install it: pip install 'neuron-adapters[engine]'",
        )  # fmt: skip
    return engine


@dataclass(frozen=True)
class Verdict(Generic[F]):
    """``form``: the model's form for ``engine``; None where the framework computes. ``why``: the reason for either.
    ``bf16``: whether a cast flag asked for bfloat16 and the results agreed."""

    form: F | None
    why: str
    engine: str = ""
    bf16: bool = False


def decide(
    framework: str,
    lower: Callable[[Engine, bool, bool], tuple[F, str]],
    *,
    bf16: bool,
    refuse: Callable[[], str] = str,
) -> Verdict[F]:
    """Decide what computes a model of ``framework``.

    ``lower(engine, bf16, compete)`` returns the form and why it was taken, and raises CompileError where the engine
    cannot run the model, does not agree, or, with ``compete``, is slower. ``refuse``: why no engine may be tried, or
    "". Raises CompileError where NEURON_ADAPTERS_ENGINE forbids the framework.
    """
    choice = engine_choice()
    if choice == "framework":
        return Verdict(None, "compiled under NEURON_ADAPTERS_ENGINE=framework")
    engine = find_engine(choice)
    if engine is None:
        return Verdict(None, f"when it was compiled, {NOT_INSTALLED}")
    if refusal := refuse():
        return Verdict(None, refusal)
    compete = choice != "openvino"
    if bf16:
        try:
            return Verdict(*lower(engine, True, compete), engine.name, bf16=True)  # noqa: FBT003
        except CompileError as error:
            log.warning("the cast to bfloat16 is left out: %s", error)
    try:
        return Verdict(*lower(engine, False, compete), engine.name)  # noqa: FBT003
    except CompileError as error:
        if not compete:
            message = f"{error} (NEURON_ADAPTERS_ENGINE={choice} forbids {framework}'s own graph)"
            raise CompileError(message) from error
        log.info("%s's own graph runs the compiled model: %s", framework, error)
        return Verdict(None, str(error))

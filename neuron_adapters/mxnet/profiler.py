"""``mx.profiler``: MXNet's switches, which record nothing here. ``neuron_adapters.timeline()`` shows who ran when."""

from __future__ import annotations

from typing import Any

__all__ = [
    "dump", "dump_profile", "dumps", "pause", "profiler_set_config", "profiler_set_state", "resume", "set_config",
    "set_state",
]  # fmt: skip


def set_config(**_options: Any) -> None:
    """Take MXNet's options; nothing is recorded."""


def set_state(state: str = "stop", profile_process: str = "worker") -> None:
    """Take "run" and "stop"; nothing is recorded."""


def pause(profile_process: str = "worker") -> None:
    """Do nothing."""


def resume(profile_process: str = "worker") -> None:
    """Do nothing."""


def dump(finished: bool = True, profile_process: str = "worker") -> None:
    """Write nothing."""


def dumps(reset: bool = False, **_how: Any) -> str:  # noqa: ARG001 - MXNet's signature
    """Return a sentence that says where the times are."""
    return "Profile: neuron_adapters records no operators; neuron_adapters.timeline() shows the calls of models.\n"


profiler_set_config = set_config
profiler_set_state = set_state
dump_profile = dump

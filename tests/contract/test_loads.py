"""A load is short to follow: it goes from the hook to the runtime and back without detours through other files."""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Adapter, TensorFlow, Torch


def changes_of_file(action: Callable[[], object]) -> int:
    """How often a function of this project is called or returns in another file than the one before."""
    files: list[str] = []

    def profile(frame: Any, event: str, _arg: object) -> None:
        file = frame.f_code.co_filename
        if event in ("call", "return") and ("/neuron_adapters/" in file or "/neuron_rt/" in file):
            files.append(file)

    gc.collect()  # what other tests left behind must not go in between
    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return sum(file != before for before, file in itertools.pairwise(files))


@pytest.mark.parametrize(
    ("adapter", "needs", "most"),
    [(Torch, 0, 33), (Torch, 1, 36), (TensorFlow, 0, 49), (TensorFlow, 1, 54)],  # MXNet's binds: tests/mx_adapter
    indirect=["adapter"],
)
def test_a_load_is_short(adapter: Adapter, needs: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second load, of what was never compiled or of what shares its executable with the first."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "framework")  # an engine's work is not counted
    # Once a process has loaded a file that AWS compiled, each file is looked at for its operators.
    monkeypatch.setattr("neuron_adapters.torch._aws_compiled.registered", set())
    models = [adapter.load(needs)]
    counts = [changes_of_file(lambda: models.append(adapter.load(needs))) for _ in range(3)]
    assert 20 < min(counts) <= most  # what another thread publishes may come in between

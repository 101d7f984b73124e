"""Damaged checkpoints, whole or compiled: always one error of ours or a run, never a crash, a hang or much memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(("seed", "validate"), [(1, "false"), (2, "true")])
def test_damaged_checkpoints(run_script: Callable[..., str], tmp_path: Path, seed: int, validate: str) -> None:
    variables = {"NEURON_RT_NUM_CORES": "1", "NEURON_RT_VALIDATE_HASH": validate}
    assert run_script("damaged_checkpoints.py", seed, folder=tmp_path, **variables) == "whole\n"

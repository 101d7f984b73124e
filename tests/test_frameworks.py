"""One process, three frameworks: one runtime, and each load continues where the last one stopped (SPEC C6, P1, P7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize("order", ["torch tf mx", "mx torch tf", "tf mx torch"])
def test_one_process_three_frameworks(run_script: Callable[..., str], tmp_path: Path, order: str) -> None:
    """In any order of imports and loads, with the same results before and after the others came."""
    out = run_script(
        "three_frameworks.py",
        *order.split(),
        folder=tmp_path,
        TF_CPP_MIN_LOG_LEVEL="3",
        NEURON_RT_NUM_CORES="1,1,1",
    )
    expected = [f"{name} NC{place}" for place, name in enumerate(order.split())]
    assert out.splitlines() == [*expected, f"{order} 3"]

"""Files that the real compilers wrote, and where they lie; runtimes of the tests' own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent))  # archives, saved_models, damage: what the tests of this folder share

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def simple() -> Path:
    """A SavedModel of tensorflow-neuron 2.5: a dense layer of 3 by 3, compiled for a batch of 1 that may vary."""
    return DATA / "tensorflow" / "simple" / "1"


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """A checkpoint of mx_neuron 1.8, three dense layers on an image of 28 by 28; ``input.npy`` lies beside it."""
    return DATA / "mxnet" / "compiled"


@pytest.fixture(autouse=True)
def _own_runtime(own_runtime: None) -> None:
    """Each test has NCs of its own."""


@pytest.fixture
def script(run_script: Callable[..., str]) -> Callable[..., str]:
    """Run a script, or a snippet, in a process of its own, warnings as errors but NumPy's about TensorFlow; returns
    what it printed."""
    head = "warnings.filterwarnings('ignore', '__array__ implementation', DeprecationWarning)\n"
    return lambda script, *arguments, **variables: run_script(
        script, *arguments, head=head, **{"TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    )

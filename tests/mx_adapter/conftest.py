"""The real MXNet's answers, computed by its own interpreter once a run, and translations run by the engine."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from openvino_core import openvino_core

from neuron_adapters.mxnet.name import NameManager

ROOT = Path(__file__).resolve().parents[2]
ORACLE = Path(__file__).parent / "oracle"
PYTHON = ROOT / ".venv-mxnet" / "bin" / "python"


@pytest.fixture(autouse=True)
def _own_runtime(own_runtime: None) -> None:
    """Each test has NCs of its own, and leaves none to the next one, which may be in another process."""


@pytest.fixture(autouse=True)
def _own_names() -> Iterator[None]:
    """Each test counts the names of its symbols from 0, whatever the tests before it made."""
    with NameManager():
        yield


def _oracle_module(name: str) -> ModuleType:
    """What both interpreters import: cases, or weights."""
    full = f"mx_oracle_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, ORACLE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        sys.path.insert(0, str(ORACLE))  # they import one another
        try:
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(ORACLE))
    return sys.modules[full]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "numbered_case" in metafunc.fixturenames:
        cases = _oracle_module("cases").CASES
        metafunc.parametrize("numbered_case", list(enumerate(cases)), ids=[case.name for case in cases])
    if "deep_case" in metafunc.fixturenames:
        cases = _oracle_module("deep_cases").CASES
        metafunc.parametrize("deep_case", list(enumerate(cases)), ids=[case.name for case in cases])
    if "onnx_case" in metafunc.fixturenames:
        module = _oracle_module("onnx_cases")
        metafunc.parametrize("onnx_case", [*module.CASES, *module.NETWORKS], ids=lambda case: case.name)
    if "quantized_case" in metafunc.fixturenames:
        cases = _oracle_module("quantized_networks").CASES
        names = [f"{number}-{name}" for number, (name, _how) in enumerate(cases)]
        metafunc.parametrize("quantized_case", list(enumerate(cases)), ids=names)
    if "special_case" in metafunc.fixturenames:
        chosen = _oracle_module("variants").chosen(_oracle_module("cases").CASES)
        metafunc.parametrize("special_case", chosen, ids=[case.name for _number, case in chosen])


@pytest.fixture(scope="session")
def ask_oracle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Run a script of the oracle, once for all workers; returns the folder with what it wrote."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def ask(script: str) -> Path:
        assert PYTHON.exists(), f"{PYTHON} is missing: make setup-mxnet"
        folder = shared / f"oracle-{script}"
        with open(shared / f"oracle-{script}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                folder.mkdir(exist_ok=True)
                done = subprocess.run(
                    [PYTHON, ORACLE / f"{script}.py", folder], capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stderr
                (folder / "done").touch()
        return folder

    return ask


@pytest.fixture(scope="session")
def run_onnx() -> Callable[..., list[np.ndarray]]:
    """Check a model and run it as the engine does: float32 is float32."""
    core = openvino_core()

    def run(model: Any, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        import onnx

        onnx.checker.check_model(model, full_check=True)
        read = core.read_model(model.SerializeToString(), b"")
        compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2})
        # The engine drops inputs that nothing reads.
        result = compiled({port.any_name: feed[port.any_name] for port in compiled.inputs})
        return [np.array(result[index]) for index in range(len(model.graph.output))]

    return run


@pytest.fixture(scope="session")
def oracle() -> Callable[[str], ModuleType]:
    """A module of the oracle that knows no framework."""
    return _oracle_module

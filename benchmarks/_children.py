"""Starts, asks and ends the child processes of a benchmark. None outlives it, and none can hang it."""

from __future__ import annotations

import atexit
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import Any

from _files import BenchmarkError, arrays, keras_arrays, model_file, mx_arrays, python_of
from _worker import KIND

START = 240.0  # seconds a child has to load and warm up
SLACK = 60.0  # seconds beyond its window that an answer may take
TICKS = os.sysconf("SC_CLK_TCK")
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_worker.py")

_folders: list[str] = []


def scratch() -> str:
    """A fresh private directory that is removed with this process."""
    if not _folders:
        atexit.register(lambda: [shutil.rmtree(folder, ignore_errors=True) for folder in _folders])
    _folders.append(tempfile.mkdtemp(prefix="neuron-benchmark-"))
    return _folders[-1]


def models_folder() -> str:
    """Where the model files are: that of BENCHMARK_MODELS, so that a whole run makes each once, or a fresh one."""
    if "BENCHMARK_MODELS" not in os.environ:
        os.environ["BENCHMARK_MODELS"] = scratch()
    return os.environ["BENCHMARK_MODELS"]


def environment(state: str, **variables: str) -> dict[str, str]:
    """This process's environment for a child, less what would configure Neuron, plus ``variables``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
    if "NEURON_ADAPTERS_ENGINE" in os.environ:  # which engine to measure is the user's choice
        kept["NEURON_ADAPTERS_ENGINE"] = os.environ["NEURON_ADAPTERS_ENGINE"]
    inductor = {"TORCHINDUCTOR_CACHE_DIR": os.path.join(models_folder(), "inductor")}
    inductor["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no pool of compilers that stays behind
    return {**kept, **inductor, "NEURON_ADAPTERS_STATE_DIR": state, "NEURON_ADAPTERS_INSTANCE": "host", **variables}


def model(
    network: str, way: str, *, clients: int = 1, cpus: Sequence[int] | None = None, **more: Any
) -> dict[str, Any]:
    """One entry of a child's ``models``. ``cpus``: bind its clients. ``batch`` and ``cores`` are those of the file."""
    folder, batch, cores = models_folder(), more.pop("batch", 1), more.pop("cores", 1)
    if way.startswith("keras"):
        inputs = keras_arrays(folder, network)
    else:
        inputs = mx_arrays(folder, network) if way.startswith("mx") else arrays(folder, network, batch)
    return {
        "network": network,
        "file": model_file(folder, network, KIND.get(way, "plain"), batch, cores),
        "inputs": inputs,
        "clients": clients,
        "cpus": None if cpus is None else list(cpus),
        **more,
    }


class Child:
    """A process that runs ``_worker.py``. Raises BenchmarkError wherever it does not do what it should."""

    def __init__(
        self,
        way: str,
        models: list[dict[str, Any]],
        env: dict[str, str],
        *,
        threads: int | None = None,
        cpus: Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        description = {
            "way": way,
            "models": models,
            "threads": threads,
            "cpus": None if cpus is None else list(cpus),
            "options": options or {},
        }
        self._errors = tempfile.TemporaryFile("w+", errors="replace")
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [python_of(way), "-W", "ignore", WORKER, json.dumps(description)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        atexit.register(self.stop)
        threading.Thread(target=self._read, daemon=True).start()

    def ready(self) -> None:
        """Wait until its models are warm."""
        self._answer(START)

    def say(self, order: str) -> None:
        """Give an order; its answer is fetched by ``answer``."""
        try:
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
        except OSError:
            raise BenchmarkError(self._last_words()) from None

    def answer(self, seconds: float) -> dict[str, Any]:
        """The answer to an order that takes ``seconds``."""
        return self._answer(seconds + SLACK)

    def cpu_seconds(self) -> float:
        """CPU time it has used so far, all its threads together."""
        try:
            with open(f"/proc/{self._process.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        """End it, whatever it is doing."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._errors.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self._process.kill()
            raise BenchmarkError(f"no answer in {seconds:.0f} s") from None
        if not line:
            raise BenchmarkError(self._last_words())
        return json.loads(line)

    def _last_words(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()
        return said[-1][:300] if said else f"it ended with exit status {code}"

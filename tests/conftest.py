"""What the tests of all adapters share: runtimes of their own, CPU time by thread, scripts in their own processes."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import neuron_rt

sys.path.insert(0, str(Path(__file__).parent))

from forkserver import Forkserver  # isort: skip

#: What TensorFlow says while its logging starts, whatever the level; PyTorch's CUDA build, where there is no CUDA.
NOISE = re.compile(
    r"WARNING: All log messages before absl|[IWE]\d{4} .*(oneDNN|cpu_feature_guard|rebuild TensorFlow)"
    r"|.*(triton not found|No CUDA runtime is found)"
)
ROOT = Path(__file__).resolve().parents[1]

# A background job has SIGINT ignored, and so have its children: the tests send it, wherever they run.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _cpu_ticks() -> dict[int, int]:
    """CPU ticks used so far by each thread of this process."""
    ticks = {}
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/self/task/{task}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
            ticks[int(task)] = int(fields[11]) + int(fields[12])
    return ticks


@pytest.fixture
def cpu_ticks() -> Callable[[], dict[int, int]]:
    return _cpu_ticks


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A state directory for each process of tests: nothing that serves on this machine holds their NCs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURON_ADAPTERS_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def own_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """NCs of the test's own, and none of the variables of whoever runs it."""
    _close_runtime()  # that of a test that has none of its own
    for name in [name for name in os.environ if name.startswith("NEURON")]:
        monkeypatch.delenv(name)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(state))
    yield
    _close_runtime()


def _close_runtime() -> None:
    runtime = neuron_rt.current()
    if runtime is not None:
        runtime.close()


@pytest.fixture(scope="session")
def forkserver() -> Iterator[Forkserver]:
    """What has imported TensorFlow and forks; nothing is started before the first script."""
    server = Forkserver()
    yield server
    server.end()


def script_code(script: str, room: Path) -> str:
    """What ``python -c`` runs: a snippet, or a file of the room's ``scripts`` (``"two_models.py"``), whose neighbours
    it may import."""
    if not script.endswith(".py"):
        return script
    path = room / "scripts" / script
    code = f"exec(compile({path.read_text()!r}, __file__, 'exec'))"
    return f"import sys; sys.path.append({str(path.parent)!r})\n__file__ = {str(path)!r}\n{code}\n"


@pytest.fixture
def run_script(tmp_path: Path, forkserver: Forkserver, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Run a script of the test's room, or a snippet, in a process of its own, warnings as errors but those that
    ``head`` filters; returns what it printed. ``arguments`` are its ``sys.argv[1:]``.

    ``imported``: TensorFlow has been imported there, and its import costs nothing. It is for scripts that only use it:
    not for those that are about imports and their order, hooks that are there first, or the memory of a process."""

    def run(
        script: str, *arguments: object, head: str = "", folder: Path | None = None, code: int = 0,
        imported: bool = False, **variables: str,
    ) -> str:  # fmt: skip
        env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
        env |= {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]),
            "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"),
            **variables,
        }
        source = "import warnings; warnings.simplefilter('error')\n" + head + script_code(script, request.path.parent)
        words = [str(argument) for argument in arguments]
        legacy = env.get("TF_USE_LEGACY_KERAS") == "1"
        names = ("tensorflow", "tf_keras", "keras") if legacy else ("tensorflow", "keras")  # what the adapter imports
        if imported:
            done = forkserver.run(names, source, env, folder or tmp_path, 280, *words)
        else:
            done = subprocess.run(
                [sys.executable, "-c", source, *words], env=env, cwd=folder or tmp_path, capture_output=True, text=True,
                timeout=280,
            )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        said = [line for line in done.stderr.splitlines() if not NOISE.match(line)]
        assert code or said == []
        return done.stdout if not code else done.stdout + done.stderr

    return run


def project_locks() -> dict[str, Any]:
    """The locks of this project's modules and classes."""
    locks = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("neuron_rt", "neuron_adapters"):
            owners: list[Any] = [module, *(value for value in vars(module).values() if isinstance(value, type))]
            for owner in owners:
                for key, value in list(vars(owner).items()):
                    lock = getattr(value, "_lock", value)
                    if isinstance(lock, type(threading.RLock())):
                        locks[f"{name}: {owner.__name__}.{key}"] = lock
    return locks


def held(locks: dict[str, Any]) -> list[str]:
    """Those that the calling thread holds."""
    return [name for name, lock in locks.items() if lock._is_owned()]


class Everywhere:
    """Exceptions at every bytecode, one at a time."""

    class Interruption(BaseException):
        """As KeyboardInterrupt: no ``except Exception`` holds it up."""

    #: Python 3.12 loses events of bytecodes, and crashes over them in threads.
    event = "line" if sys.version_info[:2] == (3, 12) else "opcode"

    def __call__(self, action: Callable[[], object], *paths: str, step: int = 1) -> Iterator[bool]:
        """Run ``action`` again and again, with an exception before its 1st, 2nd ... bytecode in the files ``paths``;
        whether it was interrupted. ``step``: one of so many bytecodes, others each time."""
        count, seen = -random.randrange(step), 0
        locks = project_locks()  # to look for them takes longer than most actions

        def tracer(frame: Any, event: str, _arg: object) -> Any:
            nonlocal seen
            if frame.f_code.co_filename not in paths:
                return None
            frame.f_trace_opcodes = self.event == "opcode"
            if event == self.event:
                seen += 1
                if seen == count:
                    raise self.Interruption
            return tracer

        interrupted = True
        while interrupted:
            count += step
            seen = 0
            before = sys.gettrace()
            sys.settrace(tracer)
            try:
                action()
                interrupted = False
            except self.Interruption:
                interrupted = True
            sys.settrace(before)
            assert interrupted or seen < count, "the exception was lost on its way"
            assert not held(locks if interrupted else project_locks()), "a lock is held for ever"
            yield interrupted
        assert count > (10 if self.event == "opcode" else 3), "the tracer saw no bytecode"


@pytest.fixture
def everywhere() -> Everywhere:
    return Everywhere()

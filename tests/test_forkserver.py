"""What a script finds and leaves in a child of a process that has imported TensorFlow is what it does on its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forkserver import Forkserver  # isort: skip

HEAD = "import warnings; warnings.simplefilter('error')\n"
CASES = {
    "prints": "import sys\nprint('out')\nprint('err', file=sys.stderr)\n",
    "fails": "def inner():\n    assert False, 'said'\ninner()\n",
    "fails twice": "try:\n    {}['x']\nexcept KeyError as error:\n    raise ValueError('y') from error\n",
    "makes no sense": "x =\n",
    "exits": "import sys\nsys.exit(3)\n",
    "says": "raise SystemExit('no such model')\n",
    "leaves": "import os\nprint('lost')\nos._exit(4)\n",
    "is killed": "import os\nos.kill(os.getpid(), 9)\n",
    "is ended": "import os\nos.kill(os.getpid(), 15)\n",
    "crashes": "import os\nos.abort()\n",
    "is interrupted": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(60)\n",
    "warns": "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=1)\n",
    "warns unseen": "import os\nopen(os.devnull)\n",
    "ends in a thread": "import threading\nthreading.Thread(target=lambda: 1 / 0, name='one').start()\n",
    "waits for a thread": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('end'))).start()\n",
    "has handlers": "import atexit\natexit.register(print, 'bye')\nraise ValueError\n",
    "has a hook": "import sys\nsys.excepthook = lambda *_error: print('mine')\nraise ValueError\n",
    "reads": "import sys\nprint(repr(sys.stdin.read()), sys.stdout.isatty(), sys.stdout.line_buffering)\n",
    "names": "print(sorted(globals()), __name__, __spec__, __loader__, __builtins__)\nimport __main__\nprint(__main__.__dict__ is globals())\n",
    "pickles": "import pickle\nclass C: pass\nprint(type(pickle.loads(pickle.dumps(C()))) is C)\n",
    "is asked": "import sys, os\nprint(sys.argv, sys.orig_argv[1:], sys.path, os.getcwd(), sys.flags)\n",
    "has variables": "import os\nprint({n: v for n, v in os.environ.items() if 'PYTEST' not in n}, flush=True)\nos.system('echo $NEURON_X')\n",
    "has signals": "import signal\nprint([signal.getsignal(n) for n in signal.valid_signals()], signal.pthread_sigmask(0, []))\n",
    "has files": "import os\nprint([n for n in range(100) if os.path.exists(f'/proc/self/fd/{n}')])\n",
    "imports nothing of ours": "import sys\nprint([n for n in sys.modules if n.startswith(('neuron', 'pytest', 'forkserver'))])\n",
    "finds a module here": "import beside\nprint(beside.x)\n",
    "limits": "import resource\nprint([resource.getrlimit(n) for n in range(resource.RLIM_NLIMITS)])\n",
    "imports": "import tensorflow as tf, keras\nprint(tf.keras.Model, keras.Model, (tf.ones(2) + 1).numpy())\n",
}


KERAS_3 = ("tensorflow", "keras")
KERAS_2 = ("tensorflow", "tf_keras", "keras")


@pytest.fixture
def env() -> dict[str, str]:
    """What the fixture ``run_script`` would give."""
    root = Path(__file__).parents[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
    path = os.pathsep.join([str(root / "core"), str(root)])
    return {**env, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "NEURON_X": "of this script"}


def same(forkserver: Forkserver, imports: tuple[str, ...], case: str, env: dict[str, str], folder: Path) -> None:
    source = HEAD + CASES[case]
    forked = forkserver.run(imports, source, env, folder, 60)
    fresh = subprocess.run(
        [sys.executable, "-c", source], env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    said = [line for line in fresh.stderr.splitlines() if "oneDNN" not in line and "absl::" not in line]
    assert (forked.returncode, forked.stdout, forked.stderr.splitlines()) == (fresh.returncode, fresh.stdout, said)


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_a_fresh_process(forkserver: Forkserver, tmp_path: Path, env: dict[str, str], case: str) -> None:
    """Output, traceback and exit code, a signal's included."""
    (tmp_path / "beside.py").write_text("x = 'beside'\n")
    same(forkserver, KERAS_3, case, env, tmp_path)


def test_keras_2(forkserver: Forkserver, tmp_path: Path, env: dict[str, str]) -> None:
    same(forkserver, KERAS_2, "imports", {**env, "TF_USE_LEGACY_KERAS": "1"}, tmp_path)


def test_the_cases_differ_from_each_other(run_script: Callable[..., str]) -> None:
    """What the test above compares is what it says, and the fixture sees it."""
    for case, code, said in [
        ("fails", 1, "AssertionError: said"),
        ("exits", 3, ""),
        ("is killed", -9, ""),
        ("warns", 1, "old"),
    ]:
        assert said in run_script(CASES[case], code=code, imported=True, TF_CPP_MIN_LOG_LEVEL="3")
        with pytest.raises(AssertionError):
            run_script(CASES[case], imported=True, TF_CPP_MIN_LOG_LEVEL="3")
    with pytest.raises(AssertionError):
        run_script(CASES["prints"], imported=True, TF_CPP_MIN_LOG_LEVEL="3")  # something on stderr


def test_pools_are_of_the_child(run_script: Callable[..., str]) -> None:
    """TensorFlow starts none before the script, and those that it starts are of the script's CPUs; random numbers
    differ."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU holds everything anyway")
    run = lambda count: run_script("alone.py", count, imported=True, TF_CPP_MIN_LOG_LEVEL="3").split()
    (pool, first), (larger, second), (again, third) = run(1), run(2), run(1)
    assert pool == again
    assert int(pool) < int(larger)
    assert len({first, second, third}) == 3


def test_what_is_read_at_import_is_the_scripts(forkserver: Forkserver, env: dict[str, str], tmp_path: Path) -> None:
    """Another process imports where it is not what it was; the adapters' own variables are not among it."""

    def run(**variables: str) -> list[str]:
        source = "import os, time; print(os.getppid(), time.tzname[0])"  # the time zone is read at import
        return forkserver.run(("numpy",), source, {**env, "TZ": "UTC0", **variables}, tmp_path, 60).stdout.split()

    first, zone = run()
    assert zone == "UTC"
    assert run(NEURON_X="another") == [first, zone]
    second, zone = run(TZ="XYZ1")
    assert zone == "XYZ"
    assert second != first
    assert run(TZ="XYZ1", NEURON_X="another") == [second, zone]
    assert run()[1] == "UTC"


def test_an_import_that_fails(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No module named 'no_such_module'"):
        Forkserver().run(("no_such_module",), "", env, tmp_path, 60)


def children(pid: int) -> Iterator[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in map(int, file.read().split()):
            yield child
            with contextlib.suppress(FileNotFoundError):
                yield from children(child)


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_a_script_that_hangs(env: dict[str, str], tmp_path: Path) -> None:
    """It is ended, and its process with it; the next script runs."""
    forkserver = Forkserver()
    before = set(children(os.getpid()))
    with pytest.raises(subprocess.TimeoutExpired):
        forkserver.run(("numpy",), "import time\nopen('started', 'w').close()\ntime.sleep(100)", env, tmp_path, 1)
    assert (tmp_path / "started").exists()
    assert set(children(os.getpid())) <= before
    assert forkserver.run(("numpy",), "print(1)", env, tmp_path, 60).stdout == "1\n"
    forkserver.end()
    assert set(children(os.getpid())) <= before


def test_nothing_is_left_when_the_tests_are_killed(env: dict[str, str], tmp_path: Path) -> None:
    """Neither the process that forks nor the script."""
    script = Path(__file__).parent / "scripts" / "owner.py"
    with subprocess.Popen([sys.executable, script], env=env, cwd=tmp_path) as owner:
        while len((tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else ()) < 2:
            assert owner.poll() is None
            time.sleep(0.02)
        owner.send_signal(signal.SIGKILL)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert gone(pids), pids

"""SPEC T2: servers with workers, test suites and notebooks."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"


def _ask(path: Path) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(60)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    return json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "gunicorn", "--workers", "2", "--bind", "unix:sock", "served:app"],
        ["-m", "uvicorn", "--workers", "2", "--uds", "sock", "served:asgi"],
    ],
    ids=lambda command: command[1],
)
def test_workers_have_their_own_ncs(python, command: list[str]) -> None:
    """Two workers of two NCs each, forked (gunicorn) or spawned (uvicorn); the server ends as it should."""
    shutil.copy(SCRIPTS / "served.py", python.folder)
    python.served(SCRIPTS / "make_checkpoint.py", code=0)
    start = [sys.executable, "-m", "neuron_adapters", "--cores", "2", *command]
    with subprocess.Popen(
        start, cwd=python.folder, env=python.env, stdout=-3, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            deadline = time.monotonic() + 100
            while len(list(python.folder.glob("worker-*.json"))) < 2 or not (python.folder / "sock").exists():
                assert server.poll() is None, server.stderr.read()
                assert time.monotonic() < deadline, server.stderr.read()
                time.sleep(0.05)
            answer = _ask(python.folder / "sock")
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=60) in (0, -signal.SIGTERM)
        finally:
            server.kill()
    workers = [json.loads(path.read_text()) for path in python.folder.glob("worker-*.json")]
    assert sorted(worker["ncs"] for worker in workers) == [[0, 1], [2, 3]]
    assert answer in workers
    assert answer["result"] == [[6.0, 6.0]]


def test_pytest(python) -> None:
    """A test suite for Inf1, hooks and all, under neuron-run -m pytest; what fails there fails as it should."""
    (python.folder / "test_theirs.py").write_text(
        "import mx_neuron\nimport mxnet as mx\nimport pytest\n"
        "@pytest.mark.parametrize('i', [0, 5])\ndef test_contexts(i):\n    assert mx.neuron(i).device_id == i\n"
        "def test_fails():\n    assert mx.neuron(1) == mx.neuron(2)\n"
    )
    done = python.served("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_theirs.py", code=1)
    assert "2 passed" in done.stdout
    assert "FAILED test_theirs.py::test_fails - assert neuron(1) == neuron(2)" in done.stdout


def test_notebook(python) -> None:
    """%load_ext neuron_adapters: for what is imported already, what will be, and for child processes."""
    env = {"IPYTHONDIR": str(python.folder / "ipython"), "PYTHONWARNINGS": "ignore"}
    assert python.plain(SCRIPTS / "notebook.py", env=env, code=0).stdout.splitlines()[-1] == "served []"

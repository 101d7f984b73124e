"""Scripts in children of a process that has imported what costs seconds, and has done nothing else (``Forkserver``).

A child is as a process of ``python -c``: environment, folder, ``sys.argv``, streams, signals, ``__main__``, threads,
and an end as the interpreter's own, with its tracebacks, exit codes and handlers. What it does not have is the import,
which it finds done. ``multiprocessing.forkserver`` gives none of this but the fork: its children have the server's
environment and streams, a ``__main__`` of functions, and end without the interpreter's own end.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import importlib.machinery
import json
import linecache
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path
from typing import Any


class Forkserver:
    """The processes that one test session forks from, one for each list of imports. They end with the session, and when
    this process ends in any other way, since their socket closes then."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, ...], tuple[dict[str, str], subprocess.Popen[bytes], socket.socket]] = {}

    def run(
        self, imports: tuple[str, ...], source: str, env: dict[str, str], cwd: Path, timeout: float, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """As ``python -c SOURCE ARGUMENTS``, with ``imports`` done. Where a variable that they may have read is not
        what it was when they were, they are done anew: these variables are few, and change seldom."""
        if imports in self._servers and self._servers[imports][0] != _fixed(env):
            self._end(imports)
        if imports not in self._servers:
            self._servers[imports] = _start(imports, _fixed(env))
        _env, _process, connection = self._servers[imports]
        request = json.dumps({"words": [source, *arguments], "env": env, "cwd": str(cwd)}).encode()
        with open(os.devnull) as nothing, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            try:
                connection.settimeout(timeout)
                socket.send_fds(connection, [request], [nothing.fileno(), out.fileno(), err.fileno()])
                code = int(connection.recv(64))
            except BaseException as error:  # pytest's own time-out too: the next script has a new process
                self._end(imports)
                if isinstance(error, TimeoutError):
                    raise subprocess.TimeoutExpired(source, timeout) from None
                raise
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(source, code, out.read(), err.read())

    def end(self) -> None:
        for imports in list(self._servers):
            self._end(imports)

    def _end(self, imports: tuple[str, ...]) -> None:
        _env, process, connection = self._servers.pop(imports)
        connection.close()
        process.wait()


def _fixed(env: dict[str, str]) -> dict[str, str]:
    """What a library may read while it is imported: all but the adapters' own variables, since adapters never are."""
    return {name: value for name, value in env.items() if not name.startswith(("NEURON", "PYTEST"))}


def _start(
    imports: tuple[str, ...], env: dict[str, str]
) -> tuple[dict[str, str], subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), *imports],
            env=env,
            cwd="/",
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        theirs.close()
        if ours.recv(64) != b"ready":
            ours.close()
            process.wait()
            err.seek(0)
            raise RuntimeError(f"import {', '.join(imports)}: {err.read().decode()}")
    return env, process, ours


def _serve(connection: socket.socket, imports: list[str]) -> tuple[dict[str, Any], list[int]]:
    """Import, and fork a child a request. Returns in each child, with its request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those that are waited for
    warnings.simplefilter("error")
    # The protobuf that TensorFlow 2.16 and 2.17 need, on Python 3.12 and later.
    warnings.filterwarnings("ignore", "Type google", DeprecationWarning)
    for name in imports:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page
    connection.send(b"ready")
    while True:
        request, files, _flags, _address = socket.recv_fds(connection, 1 << 20, 3)
        if not request:
            os._exit(0)
        pid = os.fork()
        if not pid:
            connection.close()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            return json.loads(request), files
        for file in files:
            os.close(file)
        ended = os.pidfd_open(pid)
        waiting: list[Any] = [ended, connection]
        if ended not in select.select(waiting, [], [])[0]:  # no reader is left
            os.kill(pid, signal.SIGKILL)
        os.close(ended)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        try:
            connection.send(str(code).encode())
        except BrokenPipeError:
            os._exit(0)


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Run the script as ``python -c`` does."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    source, *arguments = request["words"]
    sys.argv[:], sys.orig_argv[:] = ["-c", *arguments], [sys.executable, "-c", source, *arguments]
    sys.path[0] = ""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # Python's own generator does so by itself
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __loader__=importlib.machinery.BuiltinImporter, __annotations__={})
    if sys.version_info >= (3, 13):
        linecache.cache["<string>"] = len(source), None, source.splitlines(keepends=True), "<string>"
    try:
        exec(compile(source, "<string>", "exec", dont_inherit=True), main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without the frame of this function
        sys.excepthook(type(error), error, error.__traceback__)
        sys.excepthook = lambda *_error: None
        raise  # the interpreter ends as after any such error


if __name__ == "__main__":
    _become(*_serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]))

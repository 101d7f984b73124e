"""Checks what is installed and whether it loads. Each adapter is tried in a process of its own, since libraries
may hang, crash or end Python."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Literal

import neuron_adapters
import neuron_rt
from neuron_adapters.tools.shared.text import mask_unprintable, one_line

#: Import name, and the distributions that may provide it.
PACKAGES: dict[str, tuple[str, ...]] = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "tensorflow": ("tensorflow-cpu", "tensorflow", "tensorflow-cpu-aws", "tf-nightly", "intel-tensorflow"),
    "keras": ("keras",),
    "tf_keras": ("tf-keras",),
    "mxnet": ("mxnet", "mxnet-mkl", "mxnet-native"),
    "onnx": ("onnx",),
    "openvino": ("openvino",),
    "wrapt": ("wrapt",),
}

_LONGEST = 4000  # bytes of an answer; less than a pipe holds
_LONGEST_SHOWN = 400  # characters


@dataclass(frozen=True)
class Part:
    """Something that can load. ``framework``: the package that it serves; it should load where that is installed.
    ``needs``: packages that it requires where ``framework`` is not installed. ``extra``: the extra of this package.
    ``advice``: what to know before the extra is installed."""

    name: str
    code: str
    framework: str
    needs: tuple[str, ...]
    extra: str
    advice: str = ""


PARTS = (
    Part(
        "torch", "import neuron_adapters.torch as part", "torch", ("torch",), "torch",
        "the extra takes 5.6 GB, CUDA with it, unless PyTorch's CPU build is installed first "
        "(https://pytorch.org/get-started/locally, choose CPU)",
    ),
    Part("tf", "import neuron_adapters.tf as part", "tensorflow", ("tensorflow",), "tf"),
    Part(
        "mx", "import neuron_adapters.mx as part; part.executor\n"
        "if not there('mxnet'): from neuron_rt import OpenVINO; OpenVINO.instance()", "mxnet",
        ("numpy", "onnx", "openvino"), "mx",
    ),
    Part(
        "engine", "from neuron_rt import OpenVINO; OpenVINO.instance(); part = None", "openvino",
        ("openvino",), "engine",
    ),
)  # fmt: skip

#: Runs in a process of its own. Whatever the libraries print, the answer goes through a pipe of its own.
_PROBE = """
import importlib.util, json, logging, os, signal, sys, time
fd, patience, framework, needs, code, roots = json.loads(sys.argv[1])
signal.alarm(patience)  # should the doctor die meanwhile
sys.path[:] = [entry for entry in sys.path if entry] + roots
said = []
class Ear(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
logging.getLogger("neuron_adapters").addHandler(Ear())
def there(name):
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return (spec.origin or "") if spec is not None and spec.loader is not None else None
started = time.monotonic()
answer = {"origin": there(framework), "missing": []}
if answer["origin"] is None:
    answer["missing"] = [name for name in needs if there(name) is None]
if not answer["missing"]:
    try:
        names = {"there": there}
        exec(code, names)
        part = names["part"]
        answer["aside"] = "" if part is None or part.install() else (said or ["the real plug-in is installed"])[-1]
    except BaseException as error:
        answer["error"] = f"{type(error).__name__}: {error}"[:2000]
answer["seconds"] = time.monotonic() - started
os.write(fd, json.dumps(answer).encode()[:4000])
os.killpg(0, signal.SIGKILL)  # with all that the libraries have started
"""


@dataclass(frozen=True)
class Trial:
    """A part that was tried. ``text``: the result in one line; ``mend``: the command that would help."""

    part: Part
    state: Literal["loads", "aside", "missing", "broken"]
    text: str
    mend: str = ""
    seconds: float = 0.0


def version_of(package: str) -> tuple[str, str] | None:
    """Look up the distribution that provides an import name, and its version, without importing it."""
    for name in PACKAGES.get(package, (package,)):
        version = _version(name)
        if version is not None:
            return name, version
    return None


def duplicates() -> Iterator[tuple[str, ...]]:
    """Yield the distributions that own the same files, since both provide the same package: the one to keep first."""
    for names in PACKAGES.values():
        same = tuple(name for name in names if _version(name) is not None)
        if len(same) > 1:
            yield same


def _version(distribution: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution)
    return None


def shadows(directory: str) -> tuple[str, ...]:
    """List the files of ``directory`` that a script there would import in place of an installed package."""
    names = [name for name in PACKAGES if name not in {"onnx", "wrapt"}]
    files = [
        file for name in names for file in (f"{name}.py", f"{name}/__init__.py")
        if os.path.isfile(os.path.join(directory, file)) and version_of(name) is not None
    ]  # fmt: skip
    installed = os.path.basename(os.path.normpath(directory)) in {"site-packages", "dist-packages"}
    return () if installed else tuple(files)


def try_all(parts: Sequence[Part], patience: float) -> tuple[Trial, ...]:
    """Try to load each part, all at the same time, for ``patience`` seconds at most."""
    deadline = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        running = [(part, stack.enter_context(_started(part, patience))) for part in parts]
        return tuple(_end(part, trial, deadline, patience) for part, trial in running)


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[bytes]
    answer: int
    said: IO[bytes]


@contextlib.contextmanager
def _started(part: Part, patience: float) -> Iterator[_Running]:
    """Start a process that tries ``part``, and end it with the block. It writes its output to a file: a pipe would stay
    open for as long as a process that it started lives."""
    roots = [os.path.dirname(os.path.dirname(module.__file__ or "")) for module in (neuron_adapters, neuron_rt)]
    answer, give = os.pipe()
    with tempfile.TemporaryFile() as said:
        try:
            task = json.dumps([give, int(patience) + 5, part.framework, part.needs, part.code, roots])
            try:
                process = subprocess.Popen(  # noqa: S603 - this Python, this code
                    [sys.executable, "-c", _PROBE, task], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=said, pass_fds=[give], start_new_session=True,
                )  # fmt: skip
            finally:
                os.close(give)
            try:
                yield _Running(process, answer, said)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        finally:
            os.close(answer)


def _end(part: Part, running: _Running, deadline: float, patience: float) -> Trial:
    process = running.process
    installed = version_of(part.framework)
    again = f"pip install --force-reinstall {installed[0] if installed else ' '.join(part.needs)}"
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return Trial(part, "broken", f"did not load within {patience:g} s", again)
    os.set_blocking(running.answer, False)
    try:
        answer = json.loads(os.read(running.answer, _LONGEST))
    except (OSError, ValueError):
        how = f"exit code {process.returncode}"
        if process.returncode < 0:
            how = signal.Signals(-process.returncode).name
        return Trial(part, "broken", _shown(": ".join([f"ended Python ({how})", *_last_line(running.said)])), again)
    install = f"pip install 'neuron-adapters[{part.extra}]'"
    seconds = float(answer["seconds"])
    if answer["missing"]:
        text = "; ".join(filter(None, [f"{', '.join(answer['missing'])} not installed", part.advice]))
        return Trial(part, "missing", text, install, seconds)
    if "error" in answer:
        where = answer["origin"] or ""
        own = where and not {"site-packages", "dist-packages"} & set(where.split(os.sep))
        text = _shown(answer["error"]) + (f" ({part.framework} is {where})" if own else "")
        return Trial(part, "broken", text, install if "pip install" in text else again, seconds)
    if answer["aside"]:
        return Trial(part, "aside", _shown(answer["aside"]), seconds=seconds)
    return Trial(part, "loads", f"loads ({seconds:.1f} s)", seconds=seconds)


def _last_line(said: IO[bytes]) -> list[str]:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _LONGEST))
    return [line for line in said.read().decode(errors="replace").splitlines() if line.strip()][-1:]


def _shown(text: str) -> str:
    return mask_unprintable(one_line(text)[:_LONGEST_SHOWN])

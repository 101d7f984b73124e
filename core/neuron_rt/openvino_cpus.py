"""Where OpenVINO's threads run, where they are its own: a program of several threads, on CPUs that are named.

The library has no way to name CPUs. But a program that is compiled with ENABLE_CPU_PINNING takes CPUs that no other
program has reserved, and keeps to them. So all CPUs but those that are asked for are reserved, by tiny programs, while
it is compiled. In front of it a trial program is compiled and run in the same way, to look where the library's threads
go: Linux tells. The trial leaves its threads to the program, since the library gives the threads of a program that has
gone to the next one of the same shape. To the same end, a second ``ov::Core`` makes the tiny programs: when it goes,
the library drops all threads that no program has, with what they had reserved.

The library begins with the CPUs of the NUMA node that the calling thread is on, and it takes the main thread's mask for
that of the process. So a thread of its own does all this, which moves from node to node.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol

from neuron_rt.errors import EngineError
from neuron_rt.instance import machine_cpus
from neuron_rt.undo import Mutex, Undo

#: Seconds to wait for the trial program to show where its threads are. Other work may keep them from running.
_PATIENCE = 10.0
#: Rows and columns of a trial program's tensor: the library shares out its rows, a fraction of a millisecond's work.
_TRIAL = 1 << 10
_PORT = '<port id="{1}" precision="FP32"><dim>{0}</dim><dim>{0}</dim></port>'
_GRAPH = f"""<net name="m" version="11"><layers>
<layer id="0" name="a" type="Parameter" version="opset1"><data shape="{{0}},{{0}}" element_type="f32"/>
<output>{_PORT.format("{0}", 0)}</output></layer>
<layer id="1" name="b" type="Exp" version="opset1">
<input>{_PORT.format("{0}", 0)}</input><output>{_PORT.format("{0}", 1)}</output></layer>
<layer id="2" name="c" type="Result" version="opset1"><input>{_PORT.format("{0}", 0)}</input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
<edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>"""


def tiny(size: int = 1) -> bytes:
    """The graph of a program that computes a matrix of ``size`` rows."""
    return _GRAPH.format(size).encode()


class Library(Protocol):
    """What is used of ``openvino.OpenVINO`` here."""

    lib: Any
    core: Any

    def read(self, core: Any, text: bytes, weights: Any = None) -> Undo:
        """Read a graph; what is returned holds it, and frees it."""

    def compile(self, core: Any, model: Any, properties: dict[str, object]) -> Undo:
        """Compile a graph; what is returned holds it, and frees it."""

    def request_of(self, compiled: Undo) -> Undo:
        """Make a request; what is returned holds it, and frees it."""

    def new_core(self) -> Undo:
        """A core of its own; what is returned holds it, and frees it."""


def pinned(threads: int, *, lanes: int = 1, reserve: bool = False) -> dict[str, object]:
    """Properties of a program whose threads the library ties to CPUs, one to an SMT core."""
    return {
        "NUM_STREAMS": lanes,
        "INFERENCE_NUM_THREADS": threads * lanes,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": "YES",
        "ENABLE_CPU_RESERVATION": "YES" if reserve else "NO",
    }


#: Properties of a program that has no threads.
CALLER_COMPUTES: dict[str, object] = {"NUM_STREAMS": 0, "INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": "NO"}

#: One at a time: while CPUs are reserved, the library refuses any other program that has threads.
_guard = Mutex()


def alone(make: Callable[[], Undo]) -> Undo:
    """Call ``make``, which compiles a program that has threads."""
    return (_guard.hold(), make())[1]


def compiled_on(library: Library, threads: int, cpus: frozenset[int], make: Callable[[], Undo]) -> Undo:
    """Call ``make``, which compiles with ``pinned(threads)``, so that each thread of the program has an SMT core of
    ``cpus``. Raises EngineError where the library's threads do not go there (SPEC K8)."""
    results: list[Undo] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(alone(lambda: _compile(library, threads, cpus, make)))
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            errors.append(error.with_traceback(None))  # whose frames would hold the CPUs

    thread = threading.Thread(target=work, name="neuron_rt loading", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the interpreter is on its way out
        raise EngineError(f"no thread can be started to load it: {error}") from error
    thread.join()
    if errors:
        raise errors.pop()
    return results.pop()


def forget() -> None:
    """In a forked child: whoever held the lock is the parent's."""
    global _guard
    _guard = Mutex()


def _compile(library: Library, threads: int, cpus: frozenset[int], make: Callable[[], Undo]) -> Undo:
    _wait_for_main_thread()
    _drop_idle(library)
    nodes = _seats(library)
    wanted = [seat for node in nodes for seat in node if seat & cpus]
    if _takes_siblings:  # a thread to a core
        wanted = [seat for seat in wanted if min(seat) == min(_core_of(seat) & cpus)]
    wanted = wanted[:threads]
    if len(wanted) < threads:
        raise EngineError(f"{threads} threads have no room on CPUs {sorted(cpus)}")
    scratch = library.new_core()
    trial = library.read(scratch.args[0], tiny(_TRIAL))
    held = _hold_others(library, scratch, nodes, set(wanted))
    _go_to(next(node for node in nodes if wanted[0] in node))
    seen = _look(library, scratch, trial, threads, lambda seen: all(seat & seen for seat in wanted))
    if not all(seat & seen for seat in wanted):
        raise EngineError(f"OpenVINO's threads do not stay on CPUs {sorted(cpus)}: they were seen on {sorted(seen)}")
    compiled = make()
    del held, trial, scratch  # in this order
    return compiled


def _drop_idle(library: Library) -> None:
    """Have the library drop the threads of programs that have gone. It would give them, and the CPUs that they are tied
    to or not, to the next program of their shape, and never give back what that reserves."""
    scratch = library.new_core()
    graph = library.read(scratch.args[0], tiny())
    library.compile(scratch.args[0], graph.args[0], CALLER_COMPUTES)  # so the core has the plug-in
    del graph, scratch


def _seats(library: Library) -> list[list[frozenset[int]]]:
    """Where the library seats a thread, by NUMA node, in its order: on an SMT core, or on any CPU of one."""
    global _takes_siblings
    cores = _cores()
    if _takes_siblings is None:
        shared = any(len(core) > 1 for node in cores for core in node)
        seen = _first_two(library) if shared else frozenset[int]()
        _takes_siblings = any(len(core & seen) > 1 for node in cores for core in node)
    if not _takes_siblings:
        return cores
    return [[frozenset({cpu}) for cpu in sorted(frozenset().union(*node))] for node in cores]


def _first_two(library: Library) -> frozenset[int]:
    """The CPUs of two threads."""
    scratch = library.new_core()
    trial = library.read(scratch.args[0], tiny(_TRIAL))
    seen = _look(library, scratch, trial, 2, lambda seen: len(seen) > 1)
    del trial, scratch
    return seen


#: Whether the library takes one CPU of an SMT core after the other, as where it cannot tell cores apart.
_takes_siblings: bool | None = None


def _core_of(seat: frozenset[int]) -> frozenset[int]:
    return next(core for node in _cores() for core in node if seat <= core)


def _hold_others(
    library: Library, scratch: Undo, nodes: Sequence[Sequence[frozenset[int]]], wanted: set[frozenset[int]]
) -> list[Undo]:
    """Reserve all seats but those that are ``wanted``."""
    graph = library.read(scratch.args[0], tiny())
    held: list[Undo] = []
    free: list[Undo] = []
    for node in nodes:
        _go_to(node)
        for inside, run in groupby(node, wanted.__contains__):
            properties = pinned(1, lanes=len(list(run)), reserve=True)
            (free if inside else held).append(library.compile(scratch.args[0], graph.args[0], properties))
    return held


def _go_to(node: Sequence[frozenset[int]]) -> None:
    """Move the calling thread to a NUMA node."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, frozenset().union(*node))


def _look(
    library: Library, scratch: Undo, trial: Undo, threads: int, enough: Callable[[frozenset[int]], bool]
) -> frozenset[int]:
    """Run a trial program until ``enough`` is seen; the CPUs on which threads of the library's have shown. Where it has
    brought new ones, one of them must be among them: the others may serve other programs at the same time."""
    lib = library.lib
    before = tasks()
    compiled = library.compile(scratch.args[0], trial.args[0], pinned(threads))
    new = tasks() - before
    request = library.request_of(compiled)
    at: dict[int, int] = {}
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        lib.ov_infer_request_start_async(request.args[0])
        for _ in range(5):
            at.update(_tied(tasks()))
        lib.ov_infer_request_wait(request.args[0])
        if (not new or not new.isdisjoint(at)) and enough(frozenset(at.values())):
            break
    return frozenset(at.values())


def _tied(threads: Iterable[int]) -> dict[int, int]:
    """The CPU of each of ``threads`` that is tied to a single one."""
    masks: Iterator[tuple[int, set[int]]] = ((thread, _mask(thread)) for thread in threads)
    return {thread: min(mask) for thread, mask in masks if len(mask) == 1}


def _mask(thread: int) -> set[int]:
    with contextlib.suppress(OSError):  # it has ended
        return os.sched_getaffinity(thread)
    return set()


def _cores() -> list[list[frozenset[int]]]:
    """The SMT cores of this process by NUMA node."""
    usable = _mask(os.getpid()) or os.sched_getaffinity(0)
    nodes: dict[int, dict[int, set[int]]] = {}
    for cpu in sorted(machine_cpus(), key=lambda cpu: (cpu.node, cpu.core, cpu.index)):
        if cpu.index in usable:
            nodes.setdefault(cpu.node, {}).setdefault(cpu.core, set()).add(cpu.index)
    return [list(map(frozenset, cores.values())) for cores in nodes.values()]


def _wait_for_main_thread() -> None:
    """Wait until the main thread is not tied by a call: the library takes its CPUs for those of the process."""
    home = os.sched_getaffinity(0)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        mask = _mask(os.getpid())
        if not mask or mask >= home:
            return
        time.sleep(1e-3)


def tasks() -> set[int]:
    """Threads of this process that are not Python's."""
    try:
        every = {int(name) for name in os.listdir("/proc/self/task")}
    except OSError:
        return set()
    return every - {thread.native_id for thread in threading.enumerate()}

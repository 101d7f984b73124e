"""OpenVINO as an engine, through its C interface (openvino/c of the openvino package).

The C interface and not the Python one: it loads in milliseconds where the other takes a third of a second, and a call
costs half as much. Everything handed over is checked here: sizes, and where a program's constants are.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import logging
import os
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from neuron_rt import lifecycle, openvino_cpus
from neuron_rt.engine import Program
from neuron_rt.errors import EngineError
from neuron_rt.lifecycle import Step
from neuron_rt.openvino_cpus import CALLER_COMPUTES, alone, compiled_on, pinned, tasks, tiny
from neuron_rt.openvino_streams import Streams
from neuron_rt.openvino_work import worth_threads
from neuron_rt.undo import Mutex, Undo

log = logging.getLogger("neuron_rt")

T = TypeVar("T")
_Handle = ctypes.c_void_p
_REF = ctypes.byref

STARTED_BEFORE = (
    "other code in this process started OpenVINO first, so its threads do not stay on the CPUs of the NeuronCores: "
    "load a compiled model before that code runs"
)


class _Shape(ctypes.Structure):
    _fields_ = (("rank", ctypes.c_int64), ("dims", ctypes.POINTER(ctypes.c_int64)))


class OpenVINO:
    """The library, loaded once a process."""

    name = "openvino"
    _instance: OpenVINO | None = None
    _guard = Mutex()
    _started = False
    """Whether the library's threading has started; a forked child inherits that."""
    _foreign = False
    """Whether other code in this process had started it."""
    _has_threads = False
    """Whether the library has had threads of its own here."""
    _lost_threads = False
    """Whether it had them in the parent process: it gives them to programs, and waits for them for ever."""

    def __init__(self) -> None:
        self.lib: Any = _library()
        self.run: Any = self.lib.ov_infer_request_infer
        self.core: Any = self.handle("ov_core_create")
        self._byte_type = self._type_of_one_byte()

    @classmethod
    def instance(cls) -> OpenVINO:
        """The process's own. Raises EngineError where the library cannot be used."""
        return cls._instance or (cls._guard.hold(), cls._make())[1]

    @classmethod
    def _make(cls) -> OpenVINO:
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    def worth_threads(self, program: Program) -> int:
        """See neuron_rt.engine.Engine."""
        return worth_threads(program)

    def why_not_tied(self) -> str:
        """See neuron_rt.engine.Engine."""
        foreign = OpenVINO._foreign if OpenVINO._started else _bound_before()
        return STARTED_BEFORE if foreign else ""

    def callers_compute(self) -> bool:
        """See neuron_rt.engine.Engine."""
        return OpenVINO._lost_threads

    def load(self, program: Program, threads: int, lanes: Sequence[frozenset[int]], *, bf16: bool) -> Compiled:
        """See neuron_rt.engine.Engine."""
        text, weights = self._placed(program)
        model = self.read(self.core, text, weights.args[0] if weights is not None else None)
        hint = {"INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32"}
        if threads > 1 and all(lanes):
            (cpus,) = lanes
            OpenVINO._has_threads = True
            # Another thread compiles, and may go on when this one is interrupted: it keeps what it reads.
            compile_it = partial(self._compile_kept, (model, weights, program), {**pinned(threads), **hint})
            graph = self.read(self.core, tiny())
            # The library starts in one call of C, which no exception interrupts.
            self._started_with(partial(self.compile, self.core, graph.args[0], CALLER_COMPUTES))
            return Compiled(self, compiled_on(self, threads, cpus, compile_it), program, cpus)
        properties: dict[str, object] = {
            # 0: the calling thread alone computes. 1: it and helpers. More: threads of the library.
            "NUM_STREAMS": 0 if len(lanes) == threads == 1 else len(lanes),
            "INFERENCE_NUM_THREADS": threads * len(lanes),
            "ENABLE_CPU_PINNING": "NO",
            **hint,
        }
        compile_now = partial(self.compile, self.core, model.args[0], properties)
        if not properties["NUM_STREAMS"]:
            return Compiled(self, self._started_with(compile_now), program, None)
        OpenVINO._has_threads = True
        before = tasks()
        compiled = self._started_with(partial(alone, compile_now))
        return Compiled(self, compiled, program, Streams(tasks() - before, len(lanes)) if len(lanes) > 1 else None)

    def read(self, core: Any, text: bytes, weights: Any = None) -> Undo:
        """Read a graph; what is returned holds it, and frees it."""
        return self._create(
            self.lib.ov_model_free,
            "ov_core_read_model_from_memory_buffer",
            core,
            text,
            ctypes.c_size_t(len(text)),
            weights,
        )

    def compile(self, core: Any, model: Any, properties: dict[str, object]) -> Undo:
        """Compile a graph; what is returned holds it, and frees it."""
        words = [ctypes.c_char_p(str(word).encode()) for pair in properties.items() for word in pair]
        compiled = Undo(self.lib.ov_compiled_model_free, _Handle())
        into, count = _REF(compiled.args[0]), ctypes.c_size_t(len(words))
        status = self.lib.ov_core_compile_model(core, model, b"CPU", count, into, *words)
        self.check(status, "ov_core_compile_model")
        return compiled

    def _compile_kept(self, kept: tuple[Undo, Undo | None, Program], properties: dict[str, object]) -> Undo:
        return self.compile(self.core, kept[0].args[0], properties)

    def request_of(self, compiled: Undo) -> Undo:
        """Make a request; what is returned holds it, and frees it."""
        lib = self.lib
        return self._create(lib.ov_infer_request_free, "ov_compiled_model_create_infer_request", compiled.args[0])

    def new_core(self) -> Undo:
        """A core of its own; what is returned holds it, and frees it."""
        return self._create(self.lib.ov_core_free, "ov_core_create")

    def _create(self, free: Any, function: str, *args: Any) -> Undo:
        """Call ``function``, whose last argument is what it makes; ``free`` frees that."""
        result = Undo(free, _Handle())
        self.check(getattr(self.lib, function)(*args, _REF(result.args[0])), function)
        return result

    def _started_with(self, compile_model: Callable[[], T]) -> T:
        """Call ``compile_model``. The first call starts the library's threading."""
        return compile_model() if OpenVINO._started else (self._guard.hold(), self._start(compile_model))[1]

    def _start(self, compile_model: Callable[[], T]) -> T:
        if OpenVINO._started:
            return compile_model()
        OpenVINO._foreign = _bound_before()
        if OpenVINO._foreign:
            log.warning("%s", STARTED_BEFORE)
        try:
            return (_threads_left_alone(), compile_model())[1]
        finally:
            OpenVINO._started = True

    def check(self, status: int, what: str) -> None:
        """Raise EngineError for a status that is not 0."""
        if status:
            text = self.lib.ov_get_last_err_msg()
            lines = (text or b"").decode(errors="replace").strip().splitlines()
            raise EngineError(f"{what}: {lines[-1] if lines else 'no message'} (status {status})")

    def handle(self, function: str, *args: Any) -> Any:
        """Call a function of the library and return what it makes, its last argument."""
        handle = _Handle()
        self.check(getattr(self.lib, function)(*args, _REF(handle)), function)
        return handle

    def tensor(self, element_type: int, shape: Sequence[int], address: int) -> Any:
        """A tensor over memory that the caller keeps alive."""
        dims = (ctypes.c_int64 * len(shape))(*shape)
        return self.handle("ov_tensor_create_from_host_ptr", element_type, _Shape(len(shape), dims), _Handle(address))

    def size(self, tensor: Any) -> int:
        """A tensor's size in bytes."""
        size = ctypes.c_size_t()
        self.check(self.lib.ov_tensor_get_byte_size(tensor, _REF(size)), "ov_tensor_get_byte_size")
        return size.value

    def _placed(self, program: Program) -> tuple[bytes, Undo | None]:
        """The text with the offsets of its constants, and one tensor that spans all of them. Nothing reads the gaps."""
        constants = program.constants
        base = min((constant.address for constant in constants), default=0)
        end = max((constant.address + constant.size for constant in constants), default=0)
        text = program.text[0]
        for constant, piece in zip(constants, program.text[1:]):
            text += f' offset="{constant.address - base}" size="{constant.size}"{piece}'
        if not constants:
            return text.encode(), None
        return text.encode(), Undo(self.lib.ov_tensor_free, self.tensor(self._byte_type, (end - base,), base))

    def _type_of_one_byte(self) -> int:
        """The library's number for a type of one byte. Numbers of types differ between its versions."""
        buffer = ctypes.create_string_buffer(64)
        for number in range(1, 32):
            with contextlib.suppress(EngineError):  # not every number is a type
                tensor = self.tensor(number, (64,), ctypes.addressof(buffer))
                size = self.size(tensor)
                self.lib.ov_tensor_free(tensor)
                if size == len(buffer):
                    return number
        raise EngineError("the library has no type of one byte")


#: Programs with threads of the library's, and in a forked child those of its parent: to free one would wait for its
#: threads for ever.
_threaded: list[weakref.ref[Compiled]] = []
_inherited: list[Compiled] = []


class Compiled:
    """A program that OpenVINO has compiled for this CPU. Keeps the memory of its constants alive."""

    def __init__(
        self, library: OpenVINO, compiled: Undo, program: Program, computing: Streams | frozenset[int] | None
    ) -> None:
        """``compiled`` has the handle, and frees it. ``computing``: what computes, if not the calling thread: threads
        that are tied where they are needed, or those that the library has tied to a set of CPUs."""
        self._freeing = compiled  # the first attribute is dropped first, before the constants that it reads
        self._library = library
        self.computing = computing
        self.handle: Any = compiled.args[0]
        self._owner = program.owner
        if computing is not None:
            _threaded[:] = [reference for reference in _threaded if reference() is not None]
            _threaded.append(weakref.ref(self))
        self.inputs: tuple[tuple[int, tuple[int, ...], int], ...] = self._ports("input")
        self.outputs: tuple[tuple[int, tuple[int, ...], int], ...] = self._ports("output")
        self.sizes: tuple[tuple[int, ...], tuple[int, ...]] = (
            tuple(port[2] for port in self.inputs),
            tuple(port[2] for port in self.outputs),
        )

    def request(self, cpus: frozenset[int]) -> Request:
        """See neuron_rt.engine.Executable."""
        if self.computing is None:
            return Request(self._library, self)
        if isinstance(self.computing, Streams):
            return _StreamRequest(self._library, self, cpus, self.computing)
        return _PinnedRequest(self._library, self, cpus)

    def runs_of_lanes(self) -> Callable[[], bool]:
        """See neuron_rt.engine.Executable."""
        return self.computing.runs() if isinstance(self.computing, Streams) else lambda: True

    def _ports(self, kind: str) -> tuple[tuple[int, tuple[int, ...], int], ...]:
        """Type, shape and size in bytes of every input or output. Raises EngineError for a shape that is not fixed."""
        lib, library = self._library.lib, self._library
        count = ctypes.c_size_t()
        library.check(getattr(lib, f"ov_compiled_model_{kind}s_size")(self.handle, _REF(count)), f"{kind}s_size")
        ports = []
        for index in range(count.value):
            port = library.handle(f"ov_compiled_model_{kind}_by_index", self.handle, ctypes.c_size_t(index))
            try:
                number, shape = ctypes.c_int(), _Shape()
                library.check(lib.ov_port_get_element_type(port, _REF(number)), "ov_port_get_element_type")
                library.check(lib.ov_const_port_get_shape(port, _REF(shape)), "ov_const_port_get_shape")
                dims = tuple(shape.dims[axis] for axis in range(shape.rank))
                lib.ov_shape_free(_REF(shape))
            finally:
                lib.ov_output_const_port_free(port)
            scratch = library.tensor(number.value, dims, 64)  # it is measured and never read
            ports.append((number.value, dims, library.size(scratch)))
            lib.ov_tensor_free(scratch)
        return tuple(ports)


class Request:
    """One run at a time of a compiled program."""

    def __init__(self, library: OpenVINO, compiled: Compiled) -> None:
        self._freeing = Undo(library.lib.ov_infer_request_free, _Handle())  # first: it is dropped before ``compiled``
        self._library = library
        self._compiled = compiled
        self._infer = library.run
        self.sizes: tuple[tuple[int, ...], tuple[int, ...]] = compiled.sizes
        (handle,) = self._freeing.args
        status = library.lib.ov_compiled_model_create_infer_request(compiled.handle, _REF(handle))
        library.check(status, "ov_compiled_model_create_infer_request")
        self._handle: int = handle.value

    def set_input(self, index: int, address: int) -> None:
        """See neuron_rt.engine.Request."""
        self._set(self._library.lib.ov_infer_request_set_input_tensor_by_index, self._compiled.inputs, index, address)

    def set_output(self, index: int, address: int) -> None:
        """See neuron_rt.engine.Request."""
        self._set(self._library.lib.ov_infer_request_set_output_tensor_by_index, self._compiled.outputs, index, address)

    def run(self) -> None:
        """See neuron_rt.engine.Request."""
        status = self._infer(self._handle)
        if status:
            self._library.check(status, "ov_infer_request_infer")

    def _set(self, function: Any, ports: Sequence[tuple[int, tuple[int, ...], int]], index: int, address: int) -> None:
        number, shape, _size = ports[index]
        tensor = self._library.tensor(number, shape, address)
        try:
            self._library.check(function(self._handle, ctypes.c_size_t(index), tensor), function.__name__)
        finally:
            self._library.lib.ov_tensor_free(tensor)


class _StreamRequest(Request):
    """A request of a program of several lanes of one thread: a thread of the library computes, tied to ``cpus``
    meanwhile."""

    def __init__(self, library: OpenVINO, compiled: Compiled, cpus: frozenset[int], streams: Streams) -> None:
        super().__init__(library, compiled)
        self._cpus = cpus
        self._streams = streams

    def run(self) -> None:
        """See neuron_rt.engine.Request."""
        lib = self._library.lib
        status = (
            self._streams.done(self),
            # An interrupt, too, finds it ended: its memory is the caller's.
            Undo(lib.ov_infer_request_wait, self._handle),
            self._streams.start(self, self._cpus, lib.ov_infer_request_start_async, self._handle)
            or lib.ov_infer_request_wait(self._handle),
        )[2]
        self._library.check(status, "ov_infer_request_wait")


class _PinnedRequest(Request):
    """A request of a program whose threads the library has tied to ``cpus``. The calling thread is one of them. It is
    a thread of the runtime (``worker``), never the user's: the library unties it at the end, and here it is tied
    again."""

    def __init__(self, library: OpenVINO, compiled: Compiled, cpus: frozenset[int]) -> None:
        super().__init__(library, compiled)
        self._cpus = cpus

    def run(self) -> None:
        """See neuron_rt.engine.Request."""
        (Undo(os.sched_setaffinity, 0, self._cpus), super().run())


def _threads_left_alone() -> object:
    """Until what is returned is dropped, keep the library from tying its threads to CPUs.

    It ties every thread that computes to all CPUs, whatever that was tied to before, by way of oneTBB and hwloc. They
    look once at HWLOC_THISSYSTEM: with 0, hwloc binds no thread. It is set in the C environment, and only while the
    library starts, so that no child process sees it.
    """
    name = b"HWLOC_THISSYSTEM"
    libc = ctypes.PyDLL(None)
    before = os.environb.get(name)
    restored = Undo(libc.unsetenv, name) if before is None else Undo(libc.setenv, name, before, 1)
    return (restored, libc.setenv(name, b"0", 1))[0]


def _bound_before() -> bool:
    """Whether other code in this process has started the library's threading."""
    try:
        with open("/proc/self/maps") as maps:
            return any("libtbbbind" in line for line in maps)
    except OSError:
        return False


def _library() -> Any:
    spec = importlib.util.find_spec("openvino")
    folders = [Path(place) / "libs" for place in (spec.submodule_search_locations or ())] if spec is not None else []
    libraries = sorted(file for folder in folders for file in folder.glob("libopenvino_c.so*"))
    if not libraries:
        raise EngineError("the openvino package has no C library")
    try:
        return _typed(ctypes.CDLL(str(libraries[0])))
    except (OSError, AttributeError) as error:
        raise EngineError(f"{libraries[0].name}: {error}") from error


def _typed(lib: Any) -> Any:
    """Declare argument types where ctypes would cut a Python int to 32 bits."""
    handle, size = _Handle, ctypes.c_size_t
    lib.ov_get_last_err_msg.restype = ctypes.c_char_p
    for function in ("infer", "start_async", "wait"):
        getattr(lib, f"ov_infer_request_{function}").argtypes = [handle]
    lib.ov_core_read_model_from_memory_buffer.argtypes = [handle, ctypes.c_char_p, size, handle, handle]
    lib.ov_tensor_create_from_host_ptr.argtypes = [ctypes.c_int, _Shape, handle, handle]
    for function in ("set_input_tensor_by_index", "set_output_tensor_by_index"):
        getattr(lib, f"ov_infer_request_{function}").argtypes = [handle, size, handle]
    for function in (
        "ov_core_free", "ov_model_free", "ov_tensor_free", "ov_compiled_model_free", "ov_infer_request_free",
        "ov_output_const_port_free", "ov_shape_free",
    ):  # fmt: skip
        getattr(lib, function).argtypes = [handle]
        getattr(lib, function).restype = None
    return lib


def _forget() -> None:
    """A forked child makes its own: the library's threads are the parent's."""
    OpenVINO._instance = None
    OpenVINO._guard = Mutex()
    OpenVINO._lost_threads |= OpenVINO._has_threads or OpenVINO._foreign
    _inherited.extend(filter(None, (reference() for reference in _threaded)))
    openvino_cpus.forget()


lifecycle.in_child(Step.ENGINE, _forget)

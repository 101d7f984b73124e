"""Gives the memory of a file's constants back to the system once the engine has packed a copy of them.

PyTorch's own copy is needed for little: calls that the engine may not answer (SPEC K3), and whoever asks for the graph.
Until then its pages hold nothing. They are read from the file again when somebody asks, and then stay: the file is
held open, so it may be removed or replaced, and what is read must have the checksums that it had. A file that was
written to in place is an error that says so.

Whether the engine has copied a constant, only the engine knows. So the kernel is asked: a page that is read comes back
into memory (mincore(2)). The first calls without the pages are looked at, until each lane has run; where one has read a
page, all are read again and the call is repeated. Graphs that are lowered have no control flow, so later calls read
what the first one of a lane read.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import weakref
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import torch

from neuron_adapters.adapter.executable import identity
from neuron_adapters.files import zips
from neuron_adapters.files.printable import damaged
from neuron_adapters.torch._lowering import Compiled, _Call
from neuron_rt import Engine, Mutex, Program, RequestPool, Undo, opened

#: Least and most bytes in a constant that is given back.
_LEAST, _MOST = 1 << 16, 1 << 30
#: Bytes at the end of a file whose checksum is taken when it is loaded: an archive's directory, which has the checksums
#: of the members.
_TAIL = 1 << 18
#: Constants that are given back at once; other threads run in between.
_AT_ONCE = 8
_call: Any = partial.__call__
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MADV_DONTNEED, _MADV_NOHUGEPAGE = 4, 15

# PyDLL: with the interpreter lock held, so that no thread comes between looking whether it may and doing it.
_madvise = ctypes.PyDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_mincore = ctypes.PyDLL(None).mincore
_mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)

#: Bytes of the beginning of a constant by which its place in the file is found.
_EDGE = 64

_LAYER = re.compile(r'<layer id="([0-9]+)"')
_TABLE_READER = re.compile(r'<layer id="([0-9]+)"[^>]* type="Gather"')
_ARROW = re.compile(r'<edge from-layer="([0-9]+)"[^>]* to-layer="([0-9]+)"')


class Pages:
    """The pages of the constants of one file, as they lie in this process."""

    def __init__(self, program: Program, views: Sequence[memoryview], file: Undo, source: str) -> None:
        """``program``: reads the constants of the file, ``views``. ``file``: the file, open. ``source``: its name."""
        self._program = program
        self._views = views
        self._file = file
        self._source = source
        self._tail = _checksum_of_tail(file.args[0])
        self.kept = False
        """Whether they stay: PyTorch has needed them, or may."""
        self.drops: list[None] = []
        """An item each time that they were given back."""
        self.missing: list[None] = []
        """Not empty while they may be missing."""
        self.running: dict[int, int] = {}
        """How often the pages had been given back when a request began that is not proven, by its id(). One that was
        interrupted stays: it may have left a lane in the middle of a run."""
        self._executables: list[weakref.ref[Any]] = []
        self._lanes_ran: list[Callable[[], bool]] = []
        """What tells whether the lanes of each executable have run without the pages."""
        self._loading: set[object] = set()
        """A key for each executable that the engine is making of the constants."""
        self._ranges: list[_Range] = []
        """What is given back."""
        self._steps: list[Callable[[], object]] | None = None
        """What gives the pages back, once it is known."""
        self._mutex = Mutex()

    @classmethod
    def of(cls, module: torch.jit.ScriptModule, program: Program, source: str, state: object) -> Pages | None:
        """The pages of a module that was just loaded; None where they have to stay. ``state``: the file's, as
        ``executable.identity`` told it before the module was loaded."""
        owner: Any = program.owner  # as openvino_ir.Lowered.program makes it
        views: Sequence[memoryview] = owner[1]
        if not _has_constants_alone(module) or all(view.nbytes < _LEAST for view in views):
            return None
        try:
            file = opened(source, os.O_RDONLY | os.O_CLOEXEC)
            return cls(program, views, file, source) if identity(file.args[0]) == state else None
        except OSError:
            return None

    def keep(self) -> None:
        """Have the content in memory from now on, for whoever reads it by PyTorch. Raises ArtifactError where the file
        no longer has it."""
        self.kept = True
        if self._steps is not None:
            self._steps.clear()
        if self.missing:  # now that nothing is given back any more
            self._read()

    def drop(self) -> None:
        """Give the pages back, unless PyTorch has needed them."""
        if not self.kept:
            self._alone(self._drop)

    def _alone(self, function: Callable[[], Any]) -> Any:
        return (self._mutex.hold(), function())[1]

    def _drop(self) -> None:
        if self._loading or self.missing:
            return
        if self._steps is None:
            with contextlib.suppress(*zips.DAMAGED):  # it was written to: what is in memory is all there is
                self._ranges = self._choose()
            self._steps = self._steps_to_drop()
        self.kept = self.kept or not self._ranges
        if self.kept:
            self._steps.clear()
        # In C, with the interpreter lock held: ``keep`` empties the list before or after a part, never inside.
        steps = iter(self._steps)
        self._lanes_ran = [bool]  # no lane has
        while deque(map(_call, islice(steps, _AT_ONCE)), 1):
            pass
        self.watch()

    def watch(self) -> None:
        """Look from now on which lanes run."""
        self._executables = [reference for reference in self._executables if reference() is not None]
        live = [reference() for reference in self._executables]
        self._lanes_ran = [executable.runs_of_lanes() for executable in live if executable is not None]

    def proven(self) -> bool:
        """Whether each lane has run without the pages from beginning to end."""
        now = len(self.drops)
        return all(before == now for before in list(self.running.values())) and all(ran() for ran in self._lanes_ran)

    def untouched(self) -> bool:
        """Whether the pages are missing, and none has been read since they were given back."""
        if not self.missing:
            return False
        for range_ in self._ranges:
            address, size = range_.place()
            states = (ctypes.c_ubyte * (size // _PAGE))()
            if _mincore(address, size, states) or any(bytes(states)):
                return False
        return True

    def load(self, load: Callable[[], Any]) -> Any:
        """Call ``load``, which reads the constants, with all of them in memory."""
        return self._alone(partial(self._load, load))

    def _load(self, load: Callable[[], Any]) -> Any:
        key = object()
        return (Undo(self._loading.discard, key), self._with_all(key, load))[1]

    def _with_all(self, key: object, load: Callable[[], Any]) -> Any:
        self._loading.add(key)
        if self.missing:
            self._read()
        executable = load()
        self._executables.append(weakref.ref(executable))
        return executable

    def cover(self, module: torch.jit.ScriptModule) -> None:
        """Let ``module``, which has these constants, keep them when it is asked for its graph."""
        if not self.kept:
            vars(module)["_neuron_pages"] = self
            object.__setattr__(module, "__class__", _Covered)

    def _choose(self) -> list[_Range]:
        """The ranges to give back: whole pages of constants that lie in the file as they are, and that no table look-up
        reads. The first and last bytes of each stay. Raises one of zips.DAMAGED."""
        fd = self._file.args[0]
        if _checksum_of_tail(fd) != self._tail:
            raise ValueError("it was written to")
        members: dict[tuple[int, bytes], list[tuple[int, int]]] = {}
        with zips.opened(f"/proc/self/fd/{fd}") as packed:
            for entry in packed.infolist():
                if entry.file_size >= _LEAST and entry.compress_type == zipfile.ZIP_STORED:
                    offset = zips.offset(fd, entry)
                    key = entry.file_size, os.pread(fd, _EDGE, offset)
                    members.setdefault(key, []).append((offset, entry.CRC))
        tables = _tables(self._program)
        ranges = []
        for view in self._views:
            size = view.nbytes
            alike = members.get((size, view[:_EDGE].tobytes()), [])
            if len(alike) > 1:
                sum_ = zlib.crc32(view)
                alike = [member for member in alike if member[1] == sum_]
            address = _address(view)
            start, end = -address % _PAGE or _PAGE, size - ((address + size) % _PAGE or _PAGE)
            if (
                size <= _MOST
                and alike
                and start < end
                and not any(address < until and since < address + size for since, until in tables)
            ):
                ranges.append(_Range(view, start, end, *alike[0]))
        return ranges

    def _steps_to_drop(self) -> list[Callable[[], object]]:
        steps: list[Callable[[], object]] = [partial(self.missing.append, None), partial(self.drops.append, None)]
        for range_ in self._ranges:
            # A huge page would bring what is missing back as zeros, when the kernel makes one of what is around it.
            steps += [partial(_madvise, *range_.place(), advice) for advice in (_MADV_NOHUGEPAGE, _MADV_DONTNEED)]
        return steps

    def _read(self) -> None:
        """Read from the file what was given back. Other threads may do the same at once: it is the same."""
        fd = self._file.args[0]
        for view, start, end, offset, checksum in self._ranges:
            try:
                content = os.pread(fd, view.nbytes, offset)
                why = "" if zlib.crc32(content) == checksum else "they are others"
            except OSError as error:
                why = str(error.strerror)
            if why or len(content) != view.nbytes:
                raise damaged(
                    f"{self._source} was written to after it was loaded, and PyTorch needs its weights again for this "
                    f"({why}). Load it again. To replace a file in use, write another one and rename it."
                )
            view[start:end] = memoryview(content)[start:end]
        self.missing.clear()


class _Range(NamedTuple):
    """Whole pages of a constant, from ``start`` to ``end`` in ``view``. The whole constant is at ``offset`` in the file
    and has ``checksum``."""

    view: memoryview
    start: int
    end: int
    offset: int
    checksum: int

    def place(self) -> tuple[int, int]:
        """Address and size."""
        return _address(self.view) + self.start, self.end - self.start


class Packed:
    """A lowered model of which the engine's copy of the constants is enough."""

    def __init__(self, compiled: Compiled, pages: Pages) -> None:
        self._compiled = compiled
        self._pages = pages
        self.deployment = compiled.deployment
        self.deployment.engine = _Loading(self.deployment.engine, pages)

    def call(self, pool: RequestPool) -> Callable[[Sequence[torch.Tensor]], Any]:
        """A new request of ``pool`` (``_lowering.Compiled.call``)."""
        return _Unproven(self._compiled, pool, self._pages)


class _Loading:
    """An engine that finds all constants in memory (``neuron_rt.Engine``)."""

    def __init__(self, engine: Engine, pages: Pages) -> None:
        self.name = engine.name
        self._engine = engine
        self._pages = pages

    def worth_threads(self, program: Program) -> int:
        """See neuron_rt.Engine."""
        return self._engine.worth_threads(program)

    def why_not_tied(self) -> str:
        """See neuron_rt.Engine."""
        return self._engine.why_not_tied()

    def callers_compute(self) -> bool:
        """See neuron_rt.Engine."""
        return self._engine.callers_compute()

    def load(self, program: Program, threads: int, lanes: Sequence[frozenset[int]], *, bf16: bool) -> Any:
        """See neuron_rt.Engine."""
        return self._pages.load(partial(self._engine.load, program, threads, lanes, bf16=bf16))


class _Unproven(_Call):
    """A request of which it is not known yet that it does without the pages. Once it is, it is a plain one."""

    def __init__(self, compiled: Compiled, pool: RequestPool, pages: Pages) -> None:
        super().__init__(compiled, pool)
        self._pages = pages

    def __call__(self, leaves: Sequence[torch.Tensor]) -> Any:
        """Run, and again where it may have read what was missing."""
        pages = self._pages
        while True:
            missing, drops = bool(pages.missing), len(pages.drops)
            pages.running[id(self)] = drops
            result = super().__call__(leaves)
            whole = drops == len(pages.drops)
            if not missing and whole:
                break
            if pages.untouched():
                if not whole:  # its lane may have read them before they were given back
                    pages.watch()
                del pages.running[id(self)]
                if missing and whole and pages.proven():
                    self.__class__ = _Call  # type: ignore[assignment]
                return result
            if pages.missing:
                pages.keep()
        del pages.running[id(self)]
        if pages.kept:
            self.__class__ = _Call  # type: ignore[assignment]
        else:
            pages.drop()
        return result


_SCRIPT_MODULE: Any = torch.jit.RecursiveScriptModule  # type: ignore[attr-defined]


class _Covered(_SCRIPT_MODULE):  # type: ignore[misc]
    """A module that PyTorch loaded, while its constants may be missing. They are read again when its graph is asked
    for, and then it is PyTorch's own again. What asks for less comes first."""

    @property
    def _c(self) -> Any:
        own = self.__dict__
        pages = own.get("_neuron_pages")
        if pages is not None:
            pages.keep()
            object.__setattr__(self, "__class__", _SCRIPT_MODULE)
            own.pop("_neuron_pages", None)
        return own["_c"]

    @property
    def original_name(self) -> str:
        """The name of the class that it was made from."""
        return str(vars(self)["_c"]._type().name())

    def __getattr__(self, name: str) -> Any:
        c_module = vars(self)["_c"]
        if name == "training" and c_module.hasattr(name):
            return c_module.getattr(name)
        if c_module.hasattr(name) or c_module._has_method(name):
            return super().__getattr__(name)
        return torch.nn.Module.__getattr__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        c_module = vars(self)["_c"]
        if name == "training" and c_module.hasattr(name):
            c_module.setattr(name, value)  # by train() and eval()
        elif c_module.hasattr(name) or name in self._modules or name in self._concrete_type.get_constants():
            super().__setattr__(name, value)
        else:
            super(_SCRIPT_MODULE, self).__setattr__(name, value)


_Covered.__name__ = _Covered.__qualname__ = _SCRIPT_MODULE.__name__
_Covered.__module__ = _SCRIPT_MODULE.__module__


def _has_constants_alone(module: torch.jit.ScriptModule) -> bool:
    """Whether the graph of ``forward`` is all that leads to tensors."""
    types = {kind.kind() for kind in module._c._type().containedTypes()}
    return module._c._method_names() == ["forward"] and types <= {"StringType", "BoolType", "IntType", "FloatType"}


def _tables(program: Program) -> list[tuple[int, int]]:
    """Where the constants lie that the engine reads row by row, in place."""
    readers = {number for piece in program.text for number in _TABLE_READER.findall(piece)}
    read = {constant for constant, reader in _ARROW.findall(program.text[-1]) if reader in readers}
    layers = [_LAYER.findall(piece)[-1:] for piece in program.text[:-1]]
    return [(address, address + size) for layer, (address, size) in zip(layers, program.constants) if read & {*layer}]


def _checksum_of_tail(fd: int) -> int:
    """Raises OSError."""
    size = os.fstat(fd).st_size
    return zlib.crc32(os.pread(fd, _TAIL, max(0, size - _TAIL)), size & 0xFFFFFFFF)


def _address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_ubyte.from_buffer(view))

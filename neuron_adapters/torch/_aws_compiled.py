"""Opens files that the real torch-neuron compiled: they show their graph and are placed, and cannot run (SPEC K6).

PyTorch cannot read such a file, since the plug-in registers a class and operators of its own. The operators are
registered from Python. The class is replaced by a TorchScript class with the same state, which is put beside the file's
own code.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import torch

from neuron_adapters.adapter.placed import remember
from neuron_adapters.files import torchscript
from neuron_adapters.files.pickles import PickledObject
from neuron_adapters.files.printable import damaged, one_line, printable
from neuron_adapters.files.torchscript import CLASSES, Archive
from neuron_adapters.torch import _context
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._placed import PlacedMethod
from neuron_rt import ArtifactError, Model, init

#: Replaces the plug-in's prefix in the files. Both have one length, so nothing else moves.
_OURS = "__torch__.torch.classes_neuron."
_RENAMED = [
    (CLASSES.encode(), _OURS.encode()),
    (CLASSES[:-1].encode() + b"\n", _OURS[:-1].encode() + b"\n"),  # as pickles write it
]
_CLASS = re.compile(re.escape(CLASSES) + r"(\w+)")
_COUNTED = re.compile(r"forward(_v2)?(?:_([1-9]\d{0,2}))?", re.ASCII)
_MOST_OUTPUTS = 256
_AGAIN = "Compile the original model again, with torch.neuron.trace of neuron_adapters."
_MOST_NESTED, _MOST_TYPES = 16, 1 << 10
#: Classes of the plug-in's that a file mentions. The plug-in has one; its replacement is as long as the type of its
#: state.
_MOST_CLASSES = 16

_library: Any = None
registered: set[str] = set()
"""The plug-in's operators that are registered by now: PyTorch reads files that call only those."""
_guard = threading.RLock()


def is_meant(error: RuntimeError) -> bool:
    """Whether PyTorch failed to read a file because only the plug-in knows its class or operators."""
    return "torch.classes.neuron" in str(error) or "neuron::forward" in str(error)


def came_through(module: torch.jit.ScriptModule) -> bool:
    """Whether PyTorch has read such a file nevertheless, since it reads more than an archive's directory says."""
    return any(map(_is_compiled, module.modules()))


def load(f: Any, source: str, read: Callable[[Any], Any]) -> torch.jit.ScriptModule:
    """Open a file of the plug-in's, and place it. ``read``: PyTorch's own ``torch.jit.load``. Raises ArtifactError for
    a file that cannot be opened."""
    named = source or "the file"
    archive = torchscript.load(f, named)
    try:
        _define(archive.operators)
        module: torch.jit.ScriptModule = read(io.BytesIO(_rewritten(archive)))
    except Exception as error:
        raise damaged(
            f"{named} was compiled by torch-neuron for the hardware, and cannot be opened: {one_line(error)}. {_AGAIN}"
        ) from error
    _place(module, archive, source, named)
    return module


def _place(module: torch.jit.ScriptModule, archive: Archive, source: str, named: str) -> None:
    name = os.path.basename(source) or str(module.original_name)
    why = "compiled for the hardware: it can be looked at, not run"
    model = Model(name, archive.nc_count, FRAMEWORK, kind="torch", file=source, why=why)
    init().place(model, _context.current_place())
    refusal = _Refusal(_why(named))
    for inner in _callers(module):
        if isinstance(inner, torch.jit.ScriptModule):
            for name in inner._c._method_names():
                inner.__dict__[name] = PlacedMethod(model, inner._c._get_method(name), refusal)
    for name in ("save", "save_to_buffer"):
        module.__dict__[name] = _Refusal(
            f"{named} was compiled for the hardware, which would not read what is saved here: copy the file itself."
        )
    remember(module, model)


def _callers(module: torch.jit.ScriptModule) -> list[torch.nn.Module]:
    """The module and those in it that are compiled, or hold a compiled module."""
    modules = dict(module.named_modules())
    callers = {""}
    for name, inner in modules.items():
        if _is_compiled(inner):
            parts = name.split(".")
            callers.update(".".join(parts[: index + 1]) for index in range(len(parts)))
    return [inner for name, inner in modules.items() if name in callers]


def _is_compiled(module: torch.nn.Module) -> bool:
    """Whether methods of the module itself call the plug-in's operators.

    Its graphs are searched without inlining, which multiplies what a small file says, and without printing, for which
    PyTorch reads debug information that it otherwise never looks at and that may be damaged."""
    if not isinstance(module, torch.jit.ScriptModule):
        return False
    graphs = (module._c._get_method(name).graph for name in module._c._method_names())
    return any(graph.findNode(f"neuron::{name}") is not None for graph in graphs for name in tuple(registered))


class _Refusal:
    """Refuses a call that cannot be made."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise ArtifactError(self._text)


def _why(named: str) -> str:
    return (
        f"{named} was compiled by torch-neuron for the hardware: its weights exist only in the hardware's own layout, "
        f"so it cannot run here. {_AGAIN}"
    )


def _define(operators: tuple[str, ...]) -> None:
    """Register the plug-in's operators with PyTorch, which cannot remove them again."""
    global _library
    with _guard:
        for name in operators:
            if name in registered:
                continue
            match = _COUNTED.fullmatch(name)
            count = int(match[2]) if match and match[2] else None
            if match is None or (count is not None and not 1 <= count <= _MOST_OUTPUTS):
                raise ValueError(
                    f"its code calls neuron::{printable(name, 80)}, which no known release of the plug-in has"
                )
            result = "Tensor[]" if count is None else "Tensor" if count == 1 else f"({', '.join(['Tensor'] * count)})"
            if _library is None:
                _library = torch.library.Library("neuron", "FRAGMENT")
            for overload, extra in (("", 1),) if match[1] else (("", 3), (".aliased", 5)):
                rest = "".join(f", Any _{index + 1}" for index in range(extra))
                _library.define(f"{name}{overload}(Tensor[] _0{rest}) -> {result}")
                _library.impl(f"{name}{overload}", _refuse, "CompositeExplicitAutograd")
            registered.add(name)


def _refuse(*_args: Any) -> NoReturn:
    raise ArtifactError(_why("The model"))


def _rewritten(archive: Archive) -> bytes:
    """The archive with TorchScript's own class for each of the plug-in's."""
    states = {part.class_name: part.state for part in archive.compiled if part.class_name}
    mentioned = {name for text in archive.code.values() for name in _CLASS.findall(text)}
    if len(mentioned) > _MOST_CLASSES:
        raise ValueError(f"its code has {len(mentioned)} classes of the plug-in's")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        for name, body in archive.members.items():
            if name.endswith((".py", ".pkl")):
                for old, new in _RENAMED:
                    body = body.replace(old, new)  # noqa: PLW2901
            packed.writestr(f"{archive.root}/{name}", body)
        if mentioned:
            text = "".join(_class(name, _type_of(states.get(name, 0))) for name in sorted(mentioned))
            packed.writestr(f"{archive.root}/code/__torch__/torch/classes_neuron.py", text)
    return buffer.getvalue()


def _class(name: str, state: str) -> str:
    full = f"{_OURS}{name}"
    return (
        f"class {name}:\n"
        f"  state : {state}\n"
        f"  def __getstate__(self: {full}) -> {state}:\n"
        f"    state = self.state\n"
        f"    return state\n"
        f"  def __setstate__(self: {full},\n"
        f"    state: {state}) -> NoneType:\n"
        f"    self.state = state\n"
        f"    return None\n"
    )


def _type_of(state: Any) -> str:
    """TorchScript's type of a state. Raises ValueError, also for one that takes more than _MOST_TYPES words: tuples may
    hold one tuple many times, which holds another many times, and each is spelt out each time (SPEC F2)."""
    return _spelt(state, itertools.count(), 0)


def _spelt(value: Any, words: Iterator[int], depth: int) -> str:
    if depth > _MOST_NESTED or next(words) >= _MOST_TYPES:
        raise ValueError(
            f"the type of its state is nested more than {_MOST_NESTED} deep or has more than {_MOST_TYPES} words"
        )
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float"), (bytes, "str"), (type(None), "NoneType")):
        if isinstance(value, kind):
            return name
    if isinstance(value, tuple):
        return f"Tuple[{', '.join(_spelt(item, words, depth + 1) for item in value) or '()'}]"
    if isinstance(value, list):
        return f"List[{_spelt(value[0], words, depth + 1) if value else 'int'}]"
    if isinstance(value, dict):
        key, item = next(iter(value.items()), (b"", 0))
        return f"Dict[{_spelt(key, words, depth + 1)}, {_spelt(item, words, depth + 1)}]"
    if isinstance(value, PickledObject) and "_rebuild_tensor" in value.name:
        return "Tensor"
    raise ValueError(f"the state of its class holds a {printable(getattr(value, 'name', type(value).__name__))}")

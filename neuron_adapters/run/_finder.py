"""Import names and hooks for scripts that know nothing of this package. No framework is imported that the script does
not import; what is really installed always comes first (SPEC H3, H4).

Two finders stand in ``sys.meta_path``: the first sees frameworks being imported and lets the adapter's hooks in once
they are complete; the last answers for names that no other finder knows.

Every Python under ``neuron-run`` imports this module when it starts, so it brings next to nothing along.
"""

from __future__ import annotations

import importlib
import sys
from _thread import get_ident
from importlib.machinery import ModuleSpec, SourceFileLoader

from neuron_adapters import adapter
from neuron_adapters.run._names import DISTRIBUTIONS, FRAMEWORKS, MARKS, PROVIDED, TOGETHER, TWINS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType
    from typing import Any

#: Modules to watch for, and the framework whose hooks they bring.
_WATCHED = {module: framework for framework in FRAMEWORKS for module in TOGETHER.get(framework, (framework,))}
_WATCHED["pkg_resources"] = "pkg_resources"  # no framework, but older scripts ask it for versions
_running: set[str] = set()


class First:
    """Watches frameworks being imported, and knows the twins of modules that are there already."""

    def __init__(self) -> None:
        self._asking: set[tuple[int, str]] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if name in _WATCHED or name in PROVIDED:
            spec = self._found_by_others(name, path, target)
            if name in PROVIDED and spec is not None and spec.loader is None:
                return _spec(name, _provided)  # a folder of that name, which an installed package would come before
            # A loader that was made for this module alone.
            if name in _WATCHED and spec is not None and isinstance(spec.loader, SourceFileLoader):
                vars(spec.loader)["exec_module"] = _Watch(spec.loader).execute
            return spec
        top, dot, rest = name.partition(".")
        if dot and top in TWINS and _is_twin(sys.modules.get(top)):
            return _twin(name, f"{TWINS[top]}.{rest}")
        return None

    def _found_by_others(self, name: str, *args: Any) -> ModuleSpec | None:
        asking = get_ident(), name
        if asking in self._asking:  # another finder asks all finders in turn
            return None
        self._asking.add(asking)
        try:
            for finder in list(sys.meta_path):
                find: Any = None if finder is self else getattr(finder, "find_spec", None)
                spec: ModuleSpec | None = find(name, *args) if find else None
                if spec is not None:
                    return spec
        finally:
            self._asking.discard(asking)
        return None


class _Watch:
    """One execution of a watched module."""

    def __init__(self, loader: SourceFileLoader) -> None:
        self._loader = loader

    def execute(self, module: ModuleType) -> None:
        """Execute the module, and let the hooks in once nothing that belongs to it is under way any more."""
        name = module.__name__
        framework = _WATCHED[name]
        del vars(self._loader)["exec_module"]  # the loader is as it was
        _running.add(name)
        try:
            self._loader.exec_module(module)
        finally:
            _running.discard(name)
        if framework not in FRAMEWORKS:
            _tell(module)
        elif not _running.intersection(TOGETHER.get(framework, ())):
            hook(framework)

    # Python leaves frames of the import system out of tracebacks, by the name of their file. This is such a frame.
    execute.__code__ = execute.__code__.replace(co_filename="<frozen importlib._bootstrap>")


def _tell(pkg_resources: Any) -> None:
    """Let ``pkg_resources`` know the distributions, as ``importlib.metadata`` does."""
    for name, version in DISTRIBUTIONS.items():
        if name not in pkg_resources.working_set.by_key:
            # Not by add(), which takes each for a folder of packages.
            distribution = pkg_resources.Distribution(project_name=name, version=version)
            pkg_resources.working_set.by_key[distribution.key] = distribution


def hook(framework: str) -> None:
    """Let the hooks in, if that framework is loaded and is one. What goes wrong is said; the script goes on without."""
    module, adapter = sys.modules.get(framework), FRAMEWORKS[framework]
    if adapter in sys.modules or not hasattr(module, "__path__") or not hasattr(module, MARKS[framework]):
        return
    try:
        _load(adapter)
    except Exception as error:  # noqa: BLE001 - whatever an unknown release of a framework does
        import logging

        logging.getLogger("neuron_adapters").warning(
            "%s cannot be hooked, its models run as if neuron-run were not there: %s: %s",
            framework, type(error).__name__, error,
        )  # fmt: skip


def _load(adapter: str) -> Any:
    """An adapter. From now on our frames can be in tracebacks."""
    from neuron_adapters.run import _tracebacks

    _tracebacks.shorten()
    return importlib.import_module(adapter)


def _reason(adapter: str, error: ImportError) -> str:
    """What to say of an adapter that cannot be imported."""
    framework = next(name for name, own in FRAMEWORKS.items() if own == adapter)
    module = sys.modules.get(framework)
    if module is None or hasattr(module, "__path__"):
        extra = f"neuron-adapters[{adapter.rpartition('.')[2]}]"
        return str(error) if extra in str(error) else f"{error}: pip install '{extra}'"
    return (
        f"It needs the real {framework}, and {getattr(module, '__file__', None)} hides it: give that file another name."
    )


class Last:
    """Answers for the plug-ins' names, and for ``mxnet``, where no other finder does; and for their distributions."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        return _spec(name, _provided) if name in PROVIDED else None

    def find_distributions(self, context: Any = None) -> Iterator[Any]:
        """See importlib.metadata.DistributionFinder: what is asked for in a folder is not ours to answer."""
        if context is not None and "path" in vars(context):
            return iter(())
        from neuron_adapters.run._distributions import distributions

        return distributions(getattr(context, "name", None), DISTRIBUTIONS)


class Provider:
    """A loader whose module exists already. ``neuron_adapters`` tells the hooks that this is not a plug-in."""

    neuron_adapters = True

    def __init__(self, find: Callable[[str], ModuleType]) -> None:
        self._find = find

    def create_module(self, _spec: ModuleSpec) -> None:
        """See importlib.abc.Loader."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the real one in the place of ``module``, which was made for this import."""
        name = module.__name__
        del sys.modules[name]
        sys.modules[name] = self._find(name)

    exec_module.__code__ = exec_module.__code__.replace(co_filename="<frozen importlib._bootstrap>")


def _spec(name: str, find: Callable[[str], ModuleType]) -> ModuleSpec:
    loader: Any = Provider(find)
    return ModuleSpec(name, loader, is_package=True)


def _provided(name: str) -> Any:
    """The adapter's module of that name. Raises ImportError, with one line that says what to do."""
    try:
        adapter = _load(PROVIDED[name])
        adapter.install()
    except ImportError as error:
        raise ImportError(
            f"{name} is provided by neuron-adapters. {_reason(PROVIDED[name], error)}", name=name
        ) from None
    module = adapter if name in TWINS else sys.modules.get(name)
    if module is None:  # it has stepped aside
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return module


_provided.__code__ = _provided.__code__.replace(co_filename="<frozen importlib._bootstrap>")


def _is_twin(module: object) -> bool:
    return getattr(module, "__name__", None) in TWINS.values()


def _twin(name: str, own: str) -> ModuleSpec | None:
    """The spec of ``name``, which is the module ``own`` or an attribute of its parent; None where there is neither."""
    import importlib.util

    if importlib.util.find_spec(own) is not None:
        return _spec(name, lambda _name: importlib.import_module(own))
    parent, _dot, child = own.rpartition(".")
    attribute = vars(sys.modules[parent]).get(child)
    return _spec(name, lambda _name: attribute) if isinstance(attribute, type(sys)) else None


FIRST, LAST = First(), Last()


def install() -> None:
    """Put both finders in, once however often it is asked."""
    if LAST not in sys.meta_path:
        sys.meta_path.insert(0, FIRST)
        sys.meta_path.append(LAST)
        adapter.served = True

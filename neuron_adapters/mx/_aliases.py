"""Modules of the library by names of the adapter's: ``neuron_adapters.mx.gluon`` is ``neuron_adapters.mxnet.gluon``."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from neuron_adapters.mxnet._functions import Namespace
from neuron_adapters.mxnet._training import TRAINING, TrainingError, refuse_missing, refuse_name


class Aliases:
    """Finds and loads the library's modules by the package's name: the same module objects, not second copies.

    What neither of them has is an ImportError that says so: also the name in ``from mxnet.io import NAME``, since
    Python looks for a module there.
    """

    def __init__(self, package: str, library: str) -> None:
        self._package = package
        self._library = library

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if name.startswith(self._library + "."):
            if PathFinder.find_spec(name, path) is None:
                self._refuse(name, name.removeprefix(self._library + "."))
            return None
        if not name.startswith(self._package + "."):
            return None
        rest = name.removeprefix(self._package + ".")
        if rest.partition(".")[0] in TRAINING:
            refuse_name(name, imported=True)
        if "." not in rest and PathFinder.find_spec(name, path) is not None:
            return None
        if self._find(name) is None and PathFinder.find_spec(name, path) is None:
            self._refuse(name, rest)
        return ModuleSpec(name, self, is_package=True) if self._find(name) else None  # type: ignore[arg-type]

    def _refuse(self, name: str, rest: str) -> None:
        """Raise the error for a module that is missing. Names with an underscore are Python's, or somebody's own."""
        parent, _dot, child = name.rpartition(".")
        if child.startswith("_"):
            return
        try:
            getattr(sys.modules.get(parent), child)
        except TrainingError:
            refuse_name(f"mx.{rest}", imported=True)
        except AttributeError:
            pass
        refuse_missing(f"mx.{rest}", imported=True)

    def _find(self, name: str) -> Any:
        """Return what ``name`` means: the library's module of that name as a string, or an attribute of its parent in
        the library or in the package, a module or the operators that MXNet has a module for; None where there is
        none."""
        target = self._library + name.removeprefix(self._package)
        try:
            if importlib.util.find_spec(target) is not None:
                return target
        except ModuleNotFoundError:
            pass
        for place in (target, name):
            parent, _dot, child = place.rpartition(".")
            attribute = vars(sys.modules[parent]).get(child) if parent in sys.modules else None
            if isinstance(attribute, (ModuleType, Namespace)):
                return attribute
        return None

    def create_module(self, _spec: ModuleSpec) -> None:
        """See importlib.abc.Loader."""

    def exec_module(self, module: ModuleType) -> None:
        """Replace ``module``, which was made for this import, by the library's module."""
        name = module.__name__
        del sys.modules[name]
        target = self._find(name)
        meant = import_module(target) if isinstance(target, str) else target
        if isinstance(meant, ModuleType) and not hasattr(meant, "__path__"):
            meant.__path__ = []  # so that Python asks this finder for the names that are imported from it
        sys.modules[name] = meant


def alias(package: str, library: str) -> None:
    """Make ``package.x`` mean ``library.x`` for every ``x`` that ``package`` lacks."""
    sys.meta_path.insert(0, Aliases(package, library))

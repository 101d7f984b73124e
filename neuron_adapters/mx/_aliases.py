"""Modules of the library by names of the adapter's: ``neuron_adapters.mx.gluon`` is ``neuron_adapters.mxnet.gluon``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from neuron_adapters.mxnet._training import TRAINING, refuse_name


class Aliases:
    """Finds and loads the library's modules by the package's name: the same module objects, not second copies."""

    def __init__(self, package: str, library: str) -> None:
        self._package = package
        self._library = library

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if not name.startswith(self._package + "."):
            return None
        if name.removeprefix(self._package + ".").partition(".")[0] in TRAINING:
            refuse_name(name, imported=True)
        own = importlib.machinery.PathFinder.find_spec(name, path) if name.count(".") == 2 else None
        try:
            spec = own is None and importlib.util.find_spec(self._target(name))
        except ModuleNotFoundError:
            spec = None
        return ModuleSpec(name, self, is_package=True) if spec else None  # type: ignore[arg-type]

    def _target(self, name: str) -> str:
        return self._library + name.removeprefix(self._package)

    def create_module(self, _spec: ModuleSpec) -> None:
        """See importlib.abc.Loader."""

    def exec_module(self, module: ModuleType) -> None:
        """Replace ``module``, which was made for this import, by the library's module."""
        name = module.__name__
        del sys.modules[name]
        sys.modules[name] = importlib.import_module(self._target(name))


def alias(package: str, library: str) -> None:
    """Make ``package.x`` mean ``library.x`` for every ``x`` that ``package`` lacks."""
    sys.meta_path.insert(0, Aliases(package, library))

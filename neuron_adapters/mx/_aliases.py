"""Modules of the library by names of the adapter's: ``neuron_adapters.mx.gluon`` is ``neuron_adapters.mxnet.gluon``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class Aliases:
    """A finder and loader: what the package has not is a module of the library, not a second copy of its file."""

    def __init__(self, package: str, library: str) -> None:
        self._package = package
        self._library = library

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if not name.startswith(self._package + "."):
            return None
        own = importlib.machinery.PathFinder.find_spec(name, path) if name.count(".") == 2 else None
        try:
            found = own is None and importlib.util.find_spec(self._target(name))
        except ModuleNotFoundError:
            found = None
        return ModuleSpec(name, self, is_package=True) if found else None  # type: ignore[arg-type]

    def _target(self, name: str) -> str:
        return self._library + name.removeprefix(self._package)

    def create_module(self, _spec: ModuleSpec) -> None:
        """See importlib.abc.Loader."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the library's module in the place of ``module``, which was made for this import."""
        name = module.__name__
        del sys.modules[name]
        sys.modules[name] = importlib.import_module(self._target(name))


def alias(package: str, library: str) -> None:
    """Let ``package.x`` be ``library.x`` for every ``x`` that ``package`` has not."""
    sys.meta_path.insert(0, Aliases(package, library))

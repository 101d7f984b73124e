"""Names of blocks: ``dense0_``, ``dense1_``; inside a block's ``name_scope()`` they begin with its own."""

from __future__ import annotations

import threading
from typing import Any

from neuron_adapters.mxnet import name as names
from neuron_adapters.mxnet.gluon.parameter import ParameterDict


class _Current(threading.local):
    scope: NameScope | None = None


_current = _Current()


class NameScope:
    """The names inside one block. ``counts``: how many of each kind there are."""

    def __init__(self, block: Any, counts: dict[str, int] | None = None) -> None:
        self._block = block
        self._counts = {} if counts is None else counts
        self._entered: list[tuple[NameScope | None, names.Prefix]] = []

    def __enter__(self) -> NameScope:  # noqa: PYI034 - Self is younger than Python 3.10
        if self._block._empty_prefix:
            return self
        prefix = names.Prefix(self._block.prefix)
        self._entered.append((_current.scope, prefix))
        _current.scope = self
        prefix.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._block._empty_prefix:
            return
        _current.scope, prefix = self._entered.pop()
        prefix.__exit__()

    def next_prefix(self, hint: str) -> str:
        """Return the next prefix of its kind."""
        count = self._counts.get(hint, 0)
        self._counts[hint] = count + 1
        return f"{hint}{count}_"

    @staticmethod
    def create(prefix: str | None, params: ParameterDict | None, hint: str) -> tuple[str, ParameterDict]:
        """Return the prefix and the parameters of a new block: of its own, or those that it shares with ``params``."""
        scope = _current.scope
        if prefix is None:
            prefix = f"{names.current().get(None, hint)}_" if scope is None else scope.next_prefix(hint)
        if params is not None:
            parameters = ParameterDict(params.prefix, params)
        elif scope is None:
            parameters = ParameterDict(prefix)
        else:
            parent = scope.block.params
            parameters = ParameterDict(parent.prefix + prefix, parent._shared)
        return prefix if scope is None else scope.block.prefix + prefix, parameters

    @property
    def block(self) -> Any:
        """The block whose scope it is."""
        return self._block

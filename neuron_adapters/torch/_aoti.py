"""Packages of AOTInductor (``torch._inductor.aoti_load_package``): each takes one NC, and its calls run there.

``torch._inductor`` takes seconds to import, so it is hooked when somebody imports it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from neuron_adapters.adapter.hooks import Hooks, hook
from neuron_adapters.adapter.placed import model_of, remember
from neuron_adapters.torch import _context
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._untraced import untraced
from neuron_rt import Model, init

_NAME = "torch._inductor"
_waiting: list[Hooks] = []
"""The adapter's hooks, once they are to be told of the import."""


def put_in(hooks: Hooks) -> None:
    """Hook ``torch._inductor``, now or when it is imported; never where wrapt, which tells of it, is not installed."""
    if _NAME in sys.modules:
        _patch(hooks)
    elif not _waiting:
        try:
            from wrapt import register_post_import_hook
        except ImportError:
            return
        _waiting.append(hooks)  # for good: wrapt cannot unregister
        register_post_import_hook(lambda _module: _patch(hooks) if hooks.installed else None, _NAME)


def _patch(hooks: Hooks) -> None:
    load = getattr(sys.modules[_NAME], "aoti_load_package", None)
    if load is not None:
        with hooks.lock:
            hooks.rebind({load: hook(load, functools.partial(_wrap_load, hooks))})


def _wrap_load(hooks: Hooks, load: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``aoti_load_package``: what is loaded is placed."""

    def aoti_load_package(path: Any, *args: Any, **kwargs: Any) -> Any:
        runtime = init()
        package = load(path, *args, **kwargs)
        if runtime.config.place == "all":
            source = os.path.abspath(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else ""
            name = os.path.basename(source) or "package"
            model = Model(name, 1, FRAMEWORK, kind="torch", file=source, why="compiled by AOTInductor")
            runtime.place(model, _context.current_place())
            remember(package, model)
            _run_placed(hooks, type(package))
        return package

    return aoti_load_package


def _run_placed(hooks: Hooks, kind: Any) -> None:
    """Let calls of packages that are placed run on their NCs."""
    own = kind.__call__
    if hasattr(own, "__wrapped__") or not hooks.installed:
        return

    @functools.wraps(own)
    @untraced
    def placed_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        model = model_of(self)
        if model is None:
            return own(self, *args, **kwargs)
        return (model.slot or model.pick()).run(own, (self, *args), kwargs)

    hooks.set(kind, "__call__", placed_call)

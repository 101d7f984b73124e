"""The hooks: the import name ``mx_neuron``, and the patches of the real mxnet, if it is imported (SPEC H1-H4)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from neuron_adapters.adapter.hooks import Hooks, is_foreign
from neuron_adapters.mx import _plugin
from neuron_adapters.mx._framework import loaded_mxnet

_hooks = Hooks("neuron_adapters.mx", ("mx_neuron",))
_waiting = False


def install() -> bool:
    """See ``neuron_adapters.adapter.hooks.Hooks.install``.

    mxnet is not imported: its hooks are put in now where it is there, else when it is imported. Raises ImportError
    where mxnet is installed and wrapt, which tells of its import, is not.
    """
    return _hooks.install({"mx_neuron": _plugin}, _put_in, aside=hasattr(loaded_mxnet(), "neuron"))


uninstall = _hooks.uninstall


def _put_in(hooks: Hooks) -> None:
    if "mxnet" not in sys.modules and is_foreign("mxnet", None):
        _await_mxnet()
    mxnet = loaded_mxnet()
    if mxnet is not None:
        _hook(hooks, mxnet)


def _await_mxnet() -> None:
    """Hook mxnet when it is imported. Registered once: wrapt cannot unregister it."""
    global _waiting
    if _waiting:
        return
    try:
        from wrapt import register_post_import_hook
    except ImportError:
        raise ImportError(
            "neuron_adapters.mx serves the mxnet that is installed here by a hook on its import, which takes wrapt: "
            "pip install 'neuron-adapters[mx]', or import mxnet first."
        ) from None
    register_post_import_hook(_imported, "mxnet")
    _waiting = True


def _imported(mxnet: Any) -> None:
    if _hooks.installed:
        with _hooks.recording():
            _hook(_hooks, mxnet)


def _hook(hooks: Hooks, mxnet: Any) -> None:
    from neuron_adapters.mx._real import block, context, executor, module, symbol

    load, load_json = mxnet.symbol.symbol.load, mxnet.symbol.symbol.load_json
    hooks.rebind({load: symbol.wrap_load(load), load_json: symbol.wrap_load_json(load_json)})
    makers: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (mxnet.symbol.Symbol, "bind", executor.wrap_bind),
        (mxnet.symbol.Symbol, "simple_bind", executor.wrap_simple_bind),
        (mxnet.symbol.Symbol, "eval", executor.wrap_eval),
        (mxnet.module.Module, "bind", module.wrap_bind),
        (mxnet.module.executor_group.DataParallelExecutorGroup, "forward", module.wrap_forward),
        (mxnet.gluon.HybridBlock, "_build_cache", block.wrap_build_cache),
        (mxnet.gluon.HybridBlock, "export", block.wrap_export),
        (mxnet.gluon.HybridBlock, "forward", block.wrap_forward),
        (mxnet.gluon.Parameter, "set_data", block.wrap_write),
        (mxnet.gluon.Parameter, "_init_impl", block.wrap_write),
    ]
    for owner, name, make in makers:
        hooks.set(owner, name, make(vars(owner)[name]))
    imports = mxnet.gluon.SymbolBlock.imports
    hooks.set(mxnet.gluon.SymbolBlock, "imports", staticmethod(block.wrap_imports(imports)))
    for owner in (mxnet, mxnet.context):
        hooks.set(owner, "neuron", context.neuron)
    hooks.set(mxnet.contrib, "neuron", _plugin)
    hooks.set(sys.modules, "mxnet.contrib.neuron", _plugin)

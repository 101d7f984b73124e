"""The hooks: ``mx_neuron``, and what puts the real mxnet on NeuronCores where it is imported (SPEC H1-H4)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from neuron_adapters.adapter.hooks import Patches, is_foreign
from neuron_adapters.mx import _plugin
from neuron_adapters.mx._framework import loaded_mxnet

log = logging.getLogger("neuron_adapters")

REAL_PLUGIN = "mx_neuron"

_patches = Patches()
_waiting = False


def install() -> bool:
    """Put the hooks in, once however often it is asked (SPEC H1).

    mxnet is not imported: its hooks are put in now where it is there, else when it is imported. False where the real
    plug-in is installed: then the adapter steps aside (SPEC H4). Raises ImportError where mxnet is installed and wrapt,
    which tells of its import, is not.
    """
    if _patches.installed:
        return True
    loaded = loaded_mxnet()
    if is_foreign(REAL_PLUGIN, _plugin) or hasattr(loaded, "neuron"):
        log.warning("%s is installed here: neuron_adapters.mx steps aside and hooks nothing", REAL_PLUGIN)
        return False
    if "mxnet" not in sys.modules and is_foreign("mxnet", None):
        _await_mxnet()
    with _patches.recording():
        _patches.set(sys.modules, REAL_PLUGIN, _plugin)
        if loaded is not None:
            _hook(loaded)
    return True


def uninstall() -> None:
    """Put everything back. What is bound stays where it is, and runs there (SPEC H1)."""
    _patches.revert()


def _await_mxnet() -> None:
    """Hook mxnet when it is imported. Asked for once: there is no way to wait no longer."""
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
    if _patches.installed:
        with _patches.recording():
            _hook(mxnet)


def _hook(mxnet: Any) -> None:
    from neuron_adapters.mx._real import block, context, executor, module, symbol

    load, load_json = mxnet.symbol.symbol.load, mxnet.symbol.symbol.load_json
    _patches.rebind({load: symbol.loading(load), load_json: symbol.loading_json(load_json)})
    makers: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (mxnet.symbol.Symbol, "bind", executor.binding),
        (mxnet.symbol.Symbol, "simple_bind", executor.simple_binding),
        (mxnet.symbol.Symbol, "eval", executor.evaluating),
        (mxnet.module.Module, "bind", module.binding),
        (mxnet.module.executor_group.DataParallelExecutorGroup, "forward", module.forwarding),
        (mxnet.gluon.HybridBlock, "_build_cache", block.building),
        (mxnet.gluon.HybridBlock, "export", block.exporting),
        (mxnet.gluon.HybridBlock, "forward", block.going_forward),
        (mxnet.gluon.Parameter, "set_data", block.counting),
        (mxnet.gluon.Parameter, "_init_impl", block.counting),
    ]
    for owner, name, make in makers:
        _patches.set(owner, name, make(vars(owner)[name]))
    imports = mxnet.gluon.SymbolBlock.imports
    _patches.set(mxnet.gluon.SymbolBlock, "imports", staticmethod(block.importing(imports)))
    for owner in (mxnet, mxnet.context):
        _patches.set(owner, "neuron", context.neuron)
    _patches.set(mxnet.contrib, "neuron", _plugin)
    _patches.set(sys.modules, "mxnet.contrib.neuron", _plugin)

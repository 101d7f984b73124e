"""``neuron-run``: an unmodified script finds the plug-ins' import names, and what it loads is placed (SPEC T2).

``neuron-run`` starts plain Python with two environment variables set. The rest happens while that Python starts, before
the script: ``_site/sitecustomize.py`` calls ``activate``. So the script is the one program that runs, with its own
tracebacks, exit code and signals, and each Python that it starts is served as well.
"""

from __future__ import annotations

import os
import sys

from neuron_adapters import adapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

__all__ = ["activate", "activate_notebook", "active", "export", "main"]

#: Set to 1 where Python processes are to be served.
VARIABLE = "NEURON_ADAPTERS_RUN"
SITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_site")
#: Commands of the compiler, behind all others on PATH: one that is installed is found first.
COMMANDS = os.path.join(os.path.dirname(SITE), "_commands")


def active() -> bool:
    """Whether this process is served."""
    return adapter.served


def activate() -> None:
    """Serve this process: import names, and hooks for frameworks that are imported from now on."""
    from neuron_adapters.run import _finder

    _finder.install()


def activate_notebook(_shell: Any = None) -> None:
    """Serve a process that is running already, and those that it starts; what is imported already is hooked now."""
    from neuron_adapters.run import _finder
    from neuron_adapters.run._names import FRAMEWORKS

    _finder.install()
    for framework in FRAMEWORKS:
        _finder.hook(framework)
    export(os.environ)


def export(environ: MutableMapping[str, str]) -> None:
    """Let Python processes with this environment be served."""
    environ[VARIABLE] = "1"
    others = environ.get("PYTHONPATH", "")
    if others.split(os.pathsep)[0] != SITE:
        environ["PYTHONPATH"] = f"{SITE}{os.pathsep}{others}" if others else SITE
    path = environ.get("PATH", os.defpath)
    if COMMANDS not in path.split(os.pathsep):
        environ["PATH"] = f"{path}{os.pathsep}{COMMANDS}"
    environ.setdefault("_NEURON_RUN_PYTHON", sys.executable)


def main() -> int:
    """The command ``neuron-run``."""
    from neuron_adapters.run._command import run

    try:
        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before there is a script that could say so
        exec("")  # noqa: S102 - else Python may end by SIGINT: see tools.shared.terminal.forget_interrupt
        return 130

"""What the three adapters do alike, written once: hooks, the choice of an engine, compiler flags, the registry."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

#: Systems that run processes of their own: a module that only a process which uses the system has loaded, and the room
#: that knows what is to be done in its workers (``attach``) and where such a process is (``where``). The package above
#: fills it: this room knows none of them.
HOSTS: dict[str, str] = {}

#: Whether ``neuron-run`` serves this process, and says so here: some hooks are for unmodified scripts alone.
served = False


def hosts() -> list[ModuleType]:
    """The rooms of the systems that this process uses."""
    import importlib
    import sys

    return [importlib.import_module(room) for module, room in HOSTS.items() if module in sys.modules]

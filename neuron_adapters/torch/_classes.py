"""``torch.classes.neuron``: the small runtime object that scripts ask for the number of NeuronCores."""

from __future__ import annotations

from types import SimpleNamespace

from neuron_adapters.torch import _context
from neuron_rt import init


class Runtime:
    """``torch.classes.neuron.Runtime()``."""

    def initialize(self) -> None:
        """Start the runtime now. Raises RuntimeError where it can't start."""
        init()

    def get_visible_nc_count(self) -> int:
        """NeuronCores this process sees."""
        return len(init().instance_ncs)

    def set_default_neuron_cores(self, start_nc: int, nc_count: int) -> None:
        """Set where models go that are loaded outside any context; -1 for the runtime's choice."""
        _context.set_default_neuron_cores(start_nc, nc_count)

    def get_default_start_nc(self) -> int:
        """Start of the innermost context, or the default."""
        return _context.default_neuron_cores()[0]

    def get_default_nc_count(self) -> int:
        """Count of the innermost context, or the default."""
        return _context.default_neuron_cores()[1]


namespace = SimpleNamespace(Runtime=Runtime)

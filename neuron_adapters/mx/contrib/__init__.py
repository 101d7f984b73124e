"""``mx.contrib``: where mx_neuron's compiler is."""

from __future__ import annotations

from neuron_adapters.mx.contrib import neuron

__all__ = ["neuron"]

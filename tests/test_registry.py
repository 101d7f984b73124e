"""SPEC P6, X4: the end of a model's object frees its NeuronCores in C, where no exception comes in between."""

from __future__ import annotations

import sys

import neuron_rt
from neuron_adapters.adapter.placed import model_of, remember


class FrameworkObject:
    """A framework's object."""


def test_an_object_that_ends_runs_no_python() -> None:
    """An exception of a signal handler in a destructor or in the callback of a weak reference is lost, and so is what
    these would have done."""
    table = neuron_rt.runtime.Usage((0, 1), ())
    allocation, _said = table.choose(1)
    table.add(allocation)
    model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
    model.settle(neuron_rt.runtime.Placed((), allocation, neuron_rt.undo.Undo(int), None), by_thread=False)
    instance, other = FrameworkObject(), FrameworkObject()
    remember(instance, model)
    remember(other, neuron_rt.Model("n", 1, neuron_rt.PlainFramework(), kind="plain"))
    assert model_of(instance) is model
    del model, allocation
    ran: list[str] = []
    sys.setprofile(lambda frame, event, _arg: ran.append(frame.f_code.co_name) if event == "call" else None)
    del instance
    sys.setprofile(None)
    assert (ran, table.use) == ([], [0, 0])
    assert model_of(other).name == "n"
    assert model_of(object()) is None

"""An MXNet-style library: symbols, arrays, Gluon blocks, modules, data iterators and images of MXNet 1.9.1's API.

It reads MXNet's files and infers. What computes a bound graph, and on which NeuronCores, it asks its backend
(``_backend.py``). ``import neuron_adapters.mx as mx`` shows this library with the adapter as its backend.
"""

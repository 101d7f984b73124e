"""Readers and writers of compiled files, each format once, for the adapters and ``neuron-adapters inspect``.

No framework is imported here. A file is untrusted input: nothing is run, unpickled or extracted, no length is believed,
and what is wrong with a file is one :class:`~neuron_rt.ArtifactError`.
"""

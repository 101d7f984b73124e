"""Readers and writers of compiled files, each format once, for the adapters and ``neuron-adapters inspect``.

No framework is imported here. A file is untrusted input: nothing is run, unpickled or extracted, every length is
checked, and a damaged file raises ``ArtifactError``.
"""

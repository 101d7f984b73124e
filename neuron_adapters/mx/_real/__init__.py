"""The real mxnet on NeuronCores. Imported once mxnet is there, by its hooks, and never before (SPEC H3)."""

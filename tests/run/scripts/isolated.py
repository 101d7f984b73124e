"""PATHS: neuron-run in an interpreter that was started with -E."""

import sys

sys.path[:0] = sys.argv[1:]
sys.argv[1:] = ["-c", "1"]
sys.orig_argv[:] = [sys.executable, "-E", "x", "-c", "1"]
from neuron_adapters.run import main

main()

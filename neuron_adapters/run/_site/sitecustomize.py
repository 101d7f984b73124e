# ruff: noqa: D100, INP001
# Python imports a module of this name when it starts. ``neuron-run`` puts this folder in front of PYTHONPATH, so that
# this one is found: here, and in every Python that the script starts. Any Python may be: old syntax, no messages.
import os
import sys

sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(__file__)]
if sys.version_info >= (3, 10) and os.environ.get("NEURON_ADAPTERS_RUN") == "1":
    try:
        from neuron_adapters.run import activate
    except ImportError:  # an interpreter that does not have this package runs as it always does
        pass
    else:
        activate()

# And now the one that Python would have found. Where there is none, the ImportError tells Python so.
del sys.modules["sitecustomize"]
import sitecustomize  # type: ignore # noqa: E402, F401

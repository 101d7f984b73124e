"""SPEC X4: signals find a stack of their own in the main thread, of a forked child too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

SCRIPT = """
import faulthandler, os, signal, sys, threading
if sys.argv[1] == "faulthandler":
    faulthandler.enable()
import neuron_rt
from neuron_rt import signal_stack

print(signal_stack.present())

def fork():
    print(signal_stack.present(), flush=True)
    child = os.fork()
    if not child:
        print(signal_stack.present(), flush=True)
        signal.signal(signal.SIGUSR1, lambda *_: print("signal", flush=True))
        os.kill(os.getpid(), signal.SIGUSR1)
        os._exit(0)
    os.waitpid(child, 0)

thread = threading.Thread(target=fork)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("who", ["ours", "faulthandler"])
def test_the_main_thread_has_a_stack_for_signals(run_script: Callable[..., str], who: str) -> None:
    head = "warnings.filterwarnings('ignore', '.*multi-threaded', DeprecationWarning)\n"  # Python 3.12's, of the fork
    assert run_script(SCRIPT, who, head=head).split() == ["True", "False", "True", "signal"]

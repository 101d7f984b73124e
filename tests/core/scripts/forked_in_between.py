import os
import signal
import threading
import warnings

import neuron_rt
from neuron_rt import ownership

warnings.simplefilter("ignore")  # that it forks with a thread
come_alive, inside, go_on = ownership._come_alive, threading.Event(), threading.Event()


def slowly(lock):
    inside.set()
    go_on.wait()
    return come_alive(lock)


ownership._come_alive = slowly
ready, tell = os.pipe()
thread = threading.Thread(target=neuron_rt.init)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    os.write(tell, b"running")  # from its first line on; until then the kernel has but copied the parent
    signal.pause()
os.read(ready, 7)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)

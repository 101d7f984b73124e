import signal
import sys
import threading
import time

import neuron_rt

runtime = neuron_rt.init()
model = neuron_rt.Model("m", int(sys.argv[1]), neuron_rt.PlainFramework(), kind="plain")
runtime.place(model)
signal.signal(signal.SIGALRM, lambda *_: print("handler", model.run(lambda: 7), flush=True))
held, others = threading.Event(), []
threading.Thread(target=lambda: model.run(lambda: (held.set(), time.sleep(0.4)))).start()
held.wait()
for _ in range(int(sys.argv[2])):
    others.append(threading.Thread(target=lambda: model.run(int)))
    others[-1].start()
while len(runtime._lanes.waiters) < len(others):
    time.sleep(0.001)
signal.setitimer(signal.ITIMER_REAL, 0.1)
print("main", model.run(lambda: 1), flush=True)
for other in others:
    other.join()

import os
import signal
import sys
import threading

import neuron_rt

runtime = neuron_rt.init()
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
runtime.place(model)
finish, held = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: model.run(lambda: (held.set(), finish.wait())))
thread.start()
held.wait()
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    model.run(lambda: print("must not run"))
except KeyboardInterrupt:
    print("interrupted")
finish.set()
thread.join()
print(model.run(lambda: "fine"))

import os
import sys
import threading

import neuron_rt

model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
neuron_rt.init().place(model)


class Last:
    def __del__(self, model=model, write=os.write):
        write(1, f"{model.run(lambda: 9)}\n".encode())


last = Last()
if "called" in sys.argv[1]:
    model.run(int)
if "held" in sys.argv[1]:  # by a thread that never runs again
    threading.Thread(target=model.run, args=(threading.Event().wait,), daemon=True).start()
    while model.slots[0].idle():
        pass

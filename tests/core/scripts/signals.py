import signal

import neuron_rt

runtime = neuron_rt.init()
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
runtime.place(model)
handled = []
signal.signal(signal.SIGALRM, lambda *_: handled.append(model.run(lambda: "handled")))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
calls = 0
while len(handled) < 500:
    calls += model.run(lambda: 1)
signal.setitimer(signal.ITIMER_REAL, 0)
assert model.slots[0].calls >= calls + 500
print("done")

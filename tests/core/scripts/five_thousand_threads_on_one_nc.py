import threading

import neuron_rt

threading.stack_size(1 << 16)
runtime = neuron_rt.init()
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
runtime.place(model)
threads = [threading.Thread(target=lambda: [model.run(int) for _ in range(4)]) for _ in range(5000)]
hold = threading.Thread(target=lambda: model.run(lambda: [thread.start() for thread in threads]))
hold.start()
for thread in (hold, *threads):
    thread.join()
print(model.slots[0].calls)

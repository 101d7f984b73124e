import neuron_rt

runtime = neuron_rt.init()
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="python")
runtime.place(model)
print("ready", flush=True)
while True:
    model.run(int)

import neuron_rt

try:
    neuron_rt.init()
except neuron_rt.NeuronConfigError as error:
    raise SystemExit(str(error)) from None

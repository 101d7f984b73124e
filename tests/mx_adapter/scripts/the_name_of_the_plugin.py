from neuron_adapters import mx
import mx_neuron

symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=1, no_bias=True, name="fc")
sym, args, aux = mx_neuron.compile(symbol, {"fc_weight": mx.nd.ones((1, 2))}, {}, inputs={"data": mx.nd.ones((1, 2))})
print(mx.sym.load_json(sym.tojson()).list_arguments(), mx_neuron.__version__)
mx.uninstall()
try:
    del mx_neuron
    import mx_neuron
except ModuleNotFoundError as error:
    print(error)

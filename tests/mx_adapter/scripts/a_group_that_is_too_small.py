from documented_scripts_head import pixels
from neuron_adapters import mx

import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)
try:
    sym, args, aux = mx.model.load_checkpoint("model0", 0)
    args["data"], args["softmax_label"] = pixels, mx.nd.zeros((1,))
    sym.bind(ctx=mx.neuron(1), args=args, aux_states=aux, grad_req="null")
except mx.MXNetError as error:
    print(error.status)

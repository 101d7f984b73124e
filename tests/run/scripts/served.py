"""A model behind a web server, as handlers for Inf1 have it: WSGI as ``app``, ASGI as ``asgi``."""

import json
import os

import mxnet as mx
import mx_neuron
import numpy as np

sym, args, aux = mx.model.load_checkpoint("mx", 0)
args["data"] = mx.nd.ones((1, 4))
model = sym.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")


def answer():
    import neuron_adapters

    result = model.forward(data=mx.nd.array(np.arange(4, dtype="f4").reshape(1, 4)))[0].asnumpy()
    ncs = neuron_adapters.placement(model)[0].instance_ncs
    return json.dumps({"pid": os.getpid(), "ncs": ncs, "result": result.tolist()}).encode()


with open(f"worker-{os.getpid()}.json", "wb") as file:
    file.write(answer())


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer()]


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer()})

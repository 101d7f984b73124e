from documented_scripts_head import pixels
from neuron_adapters import mx

import json


def operators(nodes):
    return sum(node["op"] != "null" for node in nodes)


def statistics(symbol):
    nodes = json.loads(symbol.tojson())["nodes"]
    parts = [node for node in nodes if node["op"] == "_neuron_subgraph_op"]
    inside = sum(operators(part["nodes"]) for node in parts for part in node["subgraphs"])
    return operators(nodes), len(parts), inside


sym, args, aux = mx.model.load_checkpoint("model0-plain", 0)
csym, _, _ = mx.contrib.neuron.compile(sym, args, aux, inputs={"data": pixels})
print(statistics(sym), statistics(csym))
excluded, _, _ = mx.contrib.neuron.compile(sym, args, aux, inputs={"data": pixels}, excl_node_names=["conv"])
print(statistics(excluded))

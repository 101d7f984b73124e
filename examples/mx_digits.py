"""A classifier of handwritten digits as an MXNet graph: the accuracy is that of the library that trained it.

scikit-learn trains a network. Its weights go into a graph, which is saved as MXNet saves it, compiled, and used in
three ways: an executor, a ``Module`` over two NeuronCores at once, and a Gluon block (SPEC K1, K3, P7).
"""

import os
import tempfile
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "4"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import numpy as np
from _mx_models import difference, require
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import neuron_adapters
import neuron_adapters.mx as mx

BATCH = 50


def graph_of(trained: MLPClassifier) -> tuple[mx.Symbol, dict[str, mx.nd.NDArray]]:
    """The trained network as a graph with its arguments."""
    net, args = mx.sym.var("data"), {}
    for number, (weight, bias) in enumerate(zip(trained.coefs_, trained.intercepts_)):
        if number:
            net = mx.sym.Activation(net, act_type="relu")
        net = mx.sym.FullyConnected(net, num_hidden=len(bias), name=f"dense{number}")
        args[f"dense{number}_weight"] = mx.nd.array(weight.T)  # MXNet has a row for each output
        args[f"dense{number}_bias"] = mx.nd.array(bias)
    return mx.sym.SoftmaxOutput(net, name="softmax"), args


def main() -> None:
    pixels, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(pixels / 16, labels, test_size=0.25, random_state=0)
    trained = MLPClassifier((64,), tol=1e-3, n_iter_no_change=5, random_state=0).fit(x_train, y_train)
    probabilities = trained.predict_proba(x_test)
    expected = float(np.mean(probabilities.argmax(axis=1) == y_test))
    print(f"scikit-learn  accuracy {expected:.4f} on {len(y_test)} digits")
    require(expected > 0.9, "the training went wrong")

    rows = mx.io.NDArrayIter(x_test, batch_size=BATCH)
    answers: dict[str, tuple[object, np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        prefix = str(Path(folder) / "digits")
        symbol, args = graph_of(trained)
        example = {"data": mx.nd.zeros((BATCH, 64))}
        compiled = mx.contrib.neuron.compile(symbol, args, {}, example, **{"--neuroncore-pipeline-cores": 2})
        mx.model.save_checkpoint(prefix, 0, *compiled)

        sym, args, aux = mx.model.load_checkpoint(prefix, 0)
        args["data"], args["softmax_label"] = mx.nd.zeros((BATCH, 64)), mx.nd.zeros((BATCH,))
        executor = sym.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")
        module = mx.mod.Module.load(prefix, 0, context=[mx.neuron(0), mx.neuron(2)])
        module.bind(rows.provide_data, for_training=False)
        block = mx.gluon.SymbolBlock.imports(
            f"{prefix}-symbol.json", ["data", "softmax_label"], f"{prefix}-0000.params", ctx=mx.neuron(2)
        )

    batches = [(batch.data[0], BATCH - (batch.pad or 0)) for batch in rows]
    parts = [executor.forward(data=data)[0].asnumpy()[:used] for data, used in batches]
    answers["executor"] = executor, np.concatenate(parts)
    answers["Module"] = module, module.predict(rows).asnumpy()
    parts = [block(data, mx.nd.zeros((BATCH,))).asnumpy()[:used] for data, used in batches]
    answers["SymbolBlock"] = block, np.concatenate(parts)

    print(f"\n{neuron_adapters.describe()}\n")
    for how, (model, answer) in answers.items():
        where = ", ".join(map(str, neuron_adapters.placement(model)))
        accuracy = float(np.mean(answer.argmax(axis=1) == y_test))
        far = difference(answer, probabilities)
        print(f"{how:11}  accuracy {accuracy:.4f}  on {where}, largest difference {far:.1e}")
        require(accuracy == expected, f"the {how} has another accuracy than scikit-learn")
        require(far < 1e-4, f"the {how} answers otherwise than scikit-learn")
    places = [str(place) for place in neuron_adapters.placement(module)]
    require(places == ["NC0-NC1", "NC2-NC3"], f"the Module is on {places}")
    print("The same digits are recognised in all three ways.")


if __name__ == "__main__":
    main()

"""``mx.neuron(i)`` as the index of a group: what older MXNet scripts mean by it.

Where ``NEURONCORE_GROUP_SIZES`` is set, ``mx.neuron(i)`` is the i-th group, not the NeuronCore i (SPEC C4, P3). The
variable is deprecated; the runtime says so once. A model that is larger than its group is refused.
"""

import os
import tempfile
import warnings
from pathlib import Path

os.environ["NEURONCORE_GROUP_SIZES"] = "[2,4,3,4]"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

from _mx_models import IMAGE, answer, compile_and_save, difference, image_network, load, require

import neuron_adapters
import neuron_adapters.mx as mx

NCS = [2, 4, 3, 4]
EXPECTED = ["NC0-NC1", "NC2-NC5", "NC6-NC8", "NC9-NC12"]


def main() -> None:
    mx.random.seed(0)
    image = mx.nd.random_uniform(shape=IMAGE)
    plain = [image_network(width=8 + 4 * number) for number in range(4)]

    loaded = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for number, (model, cores) in enumerate(zip(plain, NCS)):
            compile_and_save(model, cores, Path(folder) / f"model{number}")
            loaded.append(load(Path(folder) / f"model{number}", mx.neuron(number)))
        try:
            load(Path(folder) / "model1", mx.neuron(0))
        except mx.MXNetError as error:
            refused = error
        else:
            require(False, "a model of 4 NeuronCores was loaded into a group of 2")

    deprecations = [warning for warning in said if warning.category is DeprecationWarning]
    told = [warning for warning in deprecations if "NEURONCORE_GROUP_SIZES" in str(warning.message)]
    require(len(told) == 1, f"{len(told)} warnings say that the variable is deprecated")
    print(f"warning: {told[0].message}\n")

    print(f"{neuron_adapters.describe()}\n")
    for number, (executor, model) in enumerate(zip(loaded, plain)):
        (where,) = neuron_adapters.placement(executor)
        far = difference(executor.forward(data=image)[0].asnumpy(), answer(model, image))
        print(f"mx.neuron({number}) is {where}: largest difference from the original {far:.1e}")
        require(str(where) == EXPECTED[number], f"group {number} is on {where}, and should be on {EXPECTED[number]}")
        require(far < 1e-4, f"model {number} answers otherwise than the original")
    require(refused.status == 9, f"the error carries the status {refused.status}")
    print(f"\nA model of 4 in the group of 2: {refused}")


if __name__ == "__main__":
    main()

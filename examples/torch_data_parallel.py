"""One batch on four NeuronCores: ``torch.neuron.DataParallel`` (SPEC R2).

Trains a small network on the handwritten digits that come with scikit-learn, compiles it for a batch of 32, and lets
DataParallel split the test images over four NeuronCores. The AWS Neuron document "Data Parallel Inference on Torch
Neuron" describes the call. The accuracy with and without the adapter must be the same.
"""

import os

os.environ["NEURON_RT_NUM_CORES"] = "4"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import torch
from _models import difference, require, vector_network
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import neuron_adapters
import neuron_adapters.torch as torch_neuron


def data() -> list[torch.Tensor]:
    """Training images, test images, training labels, test labels. An image is 64 numbers from 0 to 1."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split((images / 16).astype("float32"), labels, test_size=0.4, random_state=0)
    return [torch.from_numpy(part) for part in parts]


def train(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """A few seconds of plain PyTorch."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _epoch in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()


def main() -> None:
    torch.manual_seed(0)
    train_images, test_images, train_labels, test_labels = data()
    network = vector_network(inputs=64, outputs=10)
    train(network, train_images, train_labels)

    compiled = torch_neuron.trace(network, test_images[:32])
    parallel = torch_neuron.DataParallel(compiled)

    with torch.no_grad():
        plain = network(test_images)
        placed = parallel(test_images)

    correct = {
        "plain PyTorch": (plain.argmax(1) == test_labels).sum().item(),
        "DataParallel on 4 NeuronCores": (placed.argmax(1) == test_labels).sum().item(),
    }
    for how, count in correct.items():
        print(f"{how:30} {count} of {len(test_labels)} test digits right, accuracy {count / len(test_labels):.4f}")
    print(f"\n{neuron_adapters.describe()}\n")

    worst = difference(plain, placed)
    replicas = [str(place) for place in neuron_adapters.placement(parallel)]
    require(len(set(correct.values())) == 1, "the two accuracies differ")
    require(worst < 1e-3, f"the outputs differ by {worst:.1e}")
    require(min(correct.values()) > 0.9 * len(test_labels), "the network has not learnt to read digits")
    require(replicas == ["NC0", "NC1", "NC2", "NC3"], f"the replicas are on {replicas}")
    print(f"The accuracies are equal; the largest difference of an output is {worst:.1e}.")


if __name__ == "__main__":
    main()

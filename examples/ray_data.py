"""Batch inference over a folder of images: Ray Data reads them, a pool of placed models computes.

Each worker of the pool is an actor with one NeuronCore (SPEC M1) and loads the compiled model once.

Run it alone, or on a cluster whose nodes all see the folder: RAY_ADDRESS=HEAD:6379 python examples/ray_data.py
"""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tell nobody

import numpy as np
import ray
import torch
from _models import difference, image_network, require
from PIL import Image

import neuron_adapters.ray
import neuron_adapters.torch as torch_neuron

IMAGES = 48
SIZE = 64


def tensor_of(images: np.ndarray) -> torch.Tensor:
    """Bytes, row by row and colours last, as the network takes them."""
    return torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2).contiguous()


class Classifier:
    """What runs in each actor of the pool."""

    def __init__(self, path: str) -> None:
        import torch

        import neuron_adapters.torch

        self.model = torch.jit.load(path)
        (where,) = neuron_adapters.placement(self.model)
        self.where = f"process {os.getpid()} on NC{where.instance_ncs[0]}"

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        scores = self.model(tensor_of(batch["image"])).numpy()
        return {"path": batch["path"], "scores": scores, "where": np.array([self.where] * len(scores))}


def main() -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "images")
        folder.mkdir()
        pixels = random.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
        for number, image in enumerate(pixels):
            Image.fromarray(image).save(folder / f"{number:03}.png")
        network = image_network(width=8)
        file = str(Path(temporary, "model.pt"))
        torch_neuron.trace(network, tensor_of(pixels[:1]), dynamic_batch_size=True).save(file)
        with torch.no_grad():
            expected = network(tensor_of(pixels))

        neuron_adapters.ray.init()
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = (
            ray.data.read_images(str(folder), include_paths=True, mode="RGB")
            .map_batches(
                Classifier,
                fn_constructor_args=(file,),
                batch_size=8,
                compute=ray.data.ActorPoolStrategy(size=2),
                num_cpus=0,  # a NeuronCore brings its CPUs
                resources={"neuron_cores": 1},
            )
            .take_all()
        )
    require(len(rows) == IMAGES, f"{len(rows)} results for {IMAGES} images")
    require(
        {Path(row["path"]).name for row in rows} == {f"{number:03}.png" for number in range(IMAGES)}, "wrong images"
    )
    for where in sorted({str(row["where"]) for row in rows}):
        print(f"{where} computed {sum(row['where'] == where for row in rows)} images")
    worst = max(
        difference(torch.from_numpy(np.array(row["scores"])), expected[int(Path(row["path"]).stem)]) for row in rows
    )
    require(worst < 1e-4, f"an answer differs from plain PyTorch by {worst}")
    print(f"All {IMAGES} images have the scores of plain PyTorch.")


if __name__ == "__main__":
    main()

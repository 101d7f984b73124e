from bombs_head import bounded, printed
from bombs import one_class, shared_parts, type_bomb
from pathlib import Path
from archives import CLASS
from archives import new_style
from archives import write

import io
import warnings

warnings.simplefilter("ignore")
import torch
import neuron_adapters.torch
from neuron_rt import ArtifactError

torch.jit.load(write(Path("first.pt"), new_style()))  # from now on every archive is looked through
files = {
    "tuples of tuples": one_class(type_bomb()),
    "classes": one_class(new_style()["data.pkl"], b"".join(b"# %s%d\n" % (CLASS.encode(), n) for n in range(50_000))),
    "operators": one_class(new_style()["data.pkl"], b"".join(b"# ops.neuron.forward_%d\n" % n for n in range(100_000))),
    "a list of many": one_class(shared_parts(b"](" + b"N" * 1_000_000 + b"e", 1)),
}
paths = {name: write(Path(f"{number}.pt"), members) for number, (name, members) in enumerate(files.items())}
bounded(20, 6000)
for name, path in paths.items():
    for source in (path, io.BytesIO(path.read_bytes())):
        try:
            torch.jit.load(source)
            assert name == "a list of many", name
        except ArtifactError as error:
            print(name, printed(error))

import logging
import os
import random
import resource
import sys
import warnings
import zipfile
from pathlib import Path

seed, count = map(int, sys.argv[1:])
warnings.simplefilter("ignore")
logging.disable()  # a form for the engine that cannot be used is said
sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
import neuron_adapters.torch
import neuron_adapters
from archives import new_style, old_style, write
from damage import damaged
from neuron_rt import ArtifactError

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
rng = random.Random(seed)
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
neuron_adapters.torch.trace(net, torch.ones(1, 3)).save("own.pt")
torch.jit.script(net).save("plain.pt")
write(Path("new.pt"), new_style()), write(Path("old.pt"), old_style())
validate = os.environ["NEURON_RT_VALIDATE_HASH"] == "true"
own = dict.fromkeys(("ran", "refused", "PyTorch's own"), 0)
words = [
    b"Infinity",
    b"1e999",
    b"NaN",
    b"-1",
    b'"\\ud800"',
    b"\xff\xfe",
    b"[" * 3000,
    b"9" * 5000,
    b"null",
    b"{}",
    b"\x1b[2J\n",
]
for number in range(count):
    name = ("own.pt", "plain.pt", "own.pt", "new.pt", "old.pt")[number % 5]
    if number % 2:
        body = damaged(Path(name).read_bytes(), rng)
    else:  # one member, in a whole archive: what is in the record, the code, the pickles and the debug information
        with zipfile.ZipFile(name) as old, zipfile.ZipFile("y.pt", "w") as new:
            victim = rng.choice(old.infolist()).filename
            for entry in old.infolist():
                data = old.read(entry)
                if entry.filename == victim:
                    at = rng.randrange(len(data) + 1)
                    word = rng.choice(words)
                    data = damaged(data, rng) if rng.random() < 0.5 else data[:at] + word + data[at + len(word) :]
                new.writestr(entry.filename, data)
        body = Path("y.pt").read_bytes()
    Path("x.pt").write_bytes(body)
    try:
        module = torch.jit.load("x.pt")
    except ArtifactError as error:
        text = str(error)
        assert 0 < len(text) < 2000 and text.isprintable(), text
        own["refused"] += 1
        continue
    except Exception as error:
        assert not validate, error
        assert type(error).__module__ == "builtins" or "torch" in type(error).__module__, error
        own["PyTorch's own"] += 1
        continue
    own["ran"] += 1
    neuron_adapters.unload(module)
assert own["refused"] > count // 20 and own["ran"] > count // 20, own
assert neuron_adapters.describe().models == ()
print("whole", own)

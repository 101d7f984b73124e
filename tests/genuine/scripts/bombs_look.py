from bombs_head import bounded, printed
from pathlib import Path

import sys
import bombs
from neuron_adapters.files.inspect import look
from neuron_adapters.tools.inspect import _lines
from neuron_rt import ArtifactError

path = bombs.INSPECTED[sys.argv[1]](Path.cwd())
bounded(6, 450)
try:
    contents = look(str(path))
    assert all(line.isprintable() and len(line) < 300 for line in _lines(contents))
    assert len(str(contents.as_json())) < 40 << 20
except ArtifactError as error:
    printed(error)
with open("/proc/self/status") as status:
    assert next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) < 250 << 10

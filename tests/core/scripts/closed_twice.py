import contextlib
import os
import subprocess
import sys

import neuron_rt
from neuron_rt import ownership

first = neuron_rt.init()
first.close()
second = neuron_rt.init()
first.close()
files = [open(os.devnull) for _ in range(8)]  # noqa: SIM115  # closed at the end
folder = neuron_rt.Config.read().state_dir
assert not second.closed
assert len(ownership.owned(folder, 16)) == 4
second.close()
files += [open(os.devnull) for _ in range(8)]  # noqa: SIM115
second.close()
assert [file.read() for file in files] == [""] * 16, "a descriptor was not its own"
with contextlib.closing(neuron_rt.init()) as parents:
    child = os.fork()
    if child == 0:
        mine = neuron_rt.init()
        assert mine.instance_ncs == (4, 5, 6, 7)
    else:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
if child == 0:
    parents.close()
    assert not mine.closed
    assert [file.read() for file in files] == [""] * 16
    other = subprocess.run(
        [sys.executable, "-c", "import neuron_rt; print(neuron_rt.init().instance_ncs)"], capture_output=True, text=True
    )
    os._exit(other.stdout != "(8, 9, 10, 11)\n")  # the parent's are taken, and so are the child's
for file in files:
    file.close()
print("done")

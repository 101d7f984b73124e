"""Two processes, each with two NeuronCores of its own, and no coordination between them.

The section "Running multiple models using multiple processes" of the AWS Neuron guide "Parallel Execution using
NEURON_RT_NUM_CORES": each process says how many NeuronCores it wants and gets the next free ones (SPEC O1, O2). When a
process dies, by SIGKILL too, its NeuronCores are free at once.

The same from a shell:

    NEURON_RT_NUM_CORES=2 python first_application.py &
    NEURON_RT_NUM_CORES=2 python second_application.py &
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from _models import difference, require, vector_network

import neuron_adapters
import neuron_adapters.torch as torch_neuron
import neuron_rt


def application(folder: Path) -> None:
    """What each child process does. Its NeuronCores come from its environment alone."""
    model = torch.jit.load(folder / "model.pt")
    x, answer = torch.load(folder / "example.pt")
    require(difference(model(x), answer) < 1e-4, "the model differs from plain PyTorch")
    (where,) = neuron_adapters.placement(model)
    print(*where.instance_ncs, flush=True)  # tells the parent that it is ready
    sys.stdin.read()  # a server would serve now


def start(tag: str, folder: Path, state: Path) -> tuple[subprocess.Popen[str], tuple[int, ...]]:
    """Start an application and wait until its model is loaded. Returns it and its NeuronCores."""
    environment = {
        **os.environ,
        "NEURON_RT_NUM_CORES": "2",
        "NEURON_PROCESS_TAG": tag,
        # A directory of our own, so that this example is alone on its instance. Leave it out in real life.
        "NEURON_ADAPTERS_STATE_DIR": str(state),
    }
    environment.pop("NEURON_RT_VISIBLE_CORES", None)
    command = [sys.executable, __file__, "application", str(folder)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        process.wait()
        sys.exit(f"WRONG: the {tag} application ended with status {process.returncode}")
    ncs = tuple(map(int, line.split()))
    print(f"started the {tag} application: it got " + " and ".join(f"NC{nc}" for nc in ncs))
    return process, ncs


def show_owners(state: Path) -> tuple[tuple[int, ...], ...]:
    """Print who owns which NeuronCores, as any process may ask."""
    owners = neuron_rt.owners(state)
    for owner in owners:
        print(f"  pid {owner.pid} [{owner.tag}] owns " + ", ".join(f"NC{nc}" for nc in owner.ncs))
    return tuple(owner.ncs for owner in owners)


def main() -> None:
    torch.manual_seed(0)
    x, plain = torch.rand(1, 64), vector_network()
    with torch.no_grad():
        answer = plain(x)
    processes = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, state = Path(temporary), Path(temporary, "state")
        state.mkdir(mode=0o700)
        compiled = torch_neuron.trace(plain, x, compiler_args=["--neuroncore-pipeline-cores", "2"])
        compiled.save(str(folder / "model.pt"))
        torch.save((x, answer), folder / "example.pt")
        try:
            first, ncs = start("first", folder, state)
            processes.append(first)
            require(ncs == (0, 1), f"the first application got {ncs}, not NC0 and NC1")
            second, ncs = start("second", folder, state)
            processes.append(second)
            require(ncs == (2, 3), f"the second application got {ncs}, not NC2 and NC3")
            require(show_owners(state) == ((0, 1), (2, 3)), "the owners are not the two applications")

            first.kill()
            first.wait()
            print("killed the first application (SIGKILL)")
            require(show_owners(state) == ((2, 3),), "the NeuronCores of a dead process are not free")

            third, ncs = start("third", folder, state)
            processes.append(third)
            require(ncs == (0, 1), f"the third application got {ncs}, not the freed NC0 and NC1")
            require(show_owners(state) == ((0, 1), (2, 3)), "the owners are not the two applications")
        finally:
            for process in processes:
                process.communicate()
    for process in (second, third):
        require(process.returncode == 0, f"an application ended with status {process.returncode}")
    print("All applications got NeuronCores of their own and answered as plain PyTorch does.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["application"]:
        application(Path(sys.argv[2]))
    else:
        main()

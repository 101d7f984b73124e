"""``neuron-ls``: the devices of the instance, and the processes on them (SPEC T1).

It reads what running processes publish, waits for none of them and takes no NeuronCores. The instance is the one that
the running processes agree on (where that is not this environment's, the first line says so), else the one of
NEURON_ADAPTERS_INSTANCE. No other variable is read but NEURON_ADAPTERS_STATE_DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from neuron_adapters.tools.ls._text import text_of
from neuron_adapters.tools.ls._view import NONE, Process, View, look
from neuron_adapters.tools.shared.devices import logical_config
from neuron_adapters.tools.shared.terminal import ending, parser_of, say
from neuron_adapters.tools.shared.text import ranges

PROGRAM = "neuron-ls"
EPILOG = """\
exit codes:
  0 done, 1 the instance or the state directory cannot be used,
  2 the arguments are wrong

examples:
  neuron-ls           who uses which device
  neuron-ls --wide    whole commands, and the NeuronCores of each process
  neuron-ls -j | jq 'map(.nc_count) | add'    how many NeuronCores there are

NEURON_ADAPTERS_INSTANCE says which instance it is while no process runs, and
NEURON_ADAPTERS_STATE_DIR where processes publish. Nothing is started or taken.
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Show the devices of the emulated Neuron instance, and the processes on them.", EPILOG)
    parser.add_argument("-w", "--wide", action="store_true", help="every column and whole commands, however wide")
    parser.add_argument("-a", "--show-all-procs", action="store_true", help="list this command, too, on every device")
    parser.add_argument("-t", "--topology", action="store_true", help="draw which device is connected to which")
    parser.add_argument("-j", "--json-output", action="store_true", help="JSON for scripts, with whole commands")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = make_parser().parse_args(arguments)
    return ending(PROGRAM, lambda: _show(options, arguments))


def _show(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    view = look(_itself(arguments) if options.show_all_procs else ())
    say(_json(view) if options.json_output else text_of(view, wide=options.wide, topology=options.topology))
    return 0


def _itself(arguments: Sequence[str]) -> tuple[Process, ...]:
    """Name this process as scripts that leave it out expect it, however it was started."""
    return (Process(os.getpid(), "", " ".join([PROGRAM, *arguments]), NONE, ()),)


def _json(view: View) -> str:
    """Write the documented array: an element for each device, with the documented fields and types."""
    return json.dumps(
        [
            {
                "neuron_device": device.index,
                "bdf": device.bdf,
                "cpu_affinity": ranges(device.cpus),
                "numa_node": str(device.numa_node),
                "connected_to": list(device.connected_to) or None,
                "nc_count": len(device.ncs),
                "logical_neuroncore_config": logical_config(view.instance),
                "memory_size": device.memory,
                "neuroncore_ids": list(device.ncs),
                "neuron_processes": [
                    {"pid": process.pid, "command": process.command, "neuron_runtime_version": process.version}
                    for process in processes
                ],
            }
            for device, processes in zip(view.devices, view.processes)
        ],
        indent=4,
    )

"""Places a model and warns. "format": the application formats records itself; a path: where the system's log
listens."""

import logging
import sys

import neuron_rt
from neuron_rt import logs

arguments = sys.argv[1:]
if arguments == ["format"]:
    logging.basicConfig(format="%(levelname)s %(event)s %(ncs)s", level=0)
elif arguments:
    (logs.SYSLOG_SOCKET,) = arguments
runtime = neuron_rt.init()
model = neuron_rt.Model("a model.pt", 2, neuron_rt.PlainFramework(), kind="python")
runtime.place(model)
if arguments != ["format"]:
    logging.getLogger("neuron_adapters").warning("careful")

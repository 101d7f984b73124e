"""What the runtime makes of a machine, of which CPUs are switched off one set after the other: topology.py JSON, a list of
lists of CPUs. Prints a line of JSON for each: the CPUs of 1 to 8 NCs, and what the doctor says of groups of 3 and 1."""

import json
import os
import sys
from pathlib import Path

from neuron_adapters.tools.doctor._examination import Findings, _instance
from neuron_adapters.tools.doctor._host import limits_of
from neuron_rt import Config, cpus_of_ncs
from neuron_rt.instance import machine_cpus

for off in json.loads(sys.argv[1]):
    for cpu in off:
        Path(f"/sys/devices/system/cpu/cpu{cpu}/online").write_text("0")
    cpus = machine_cpus()
    os.environ["NEURON_ADAPTERS_INSTANCE"] = "4"
    os.environ["NEURON_RT_NUM_CORES"] = "3,1"
    findings = Findings()
    _instance(findings, Config.read(), limits_of())
    said = [line.text for _title, lines in findings.sections for line in lines if line.name == "NUMA"]
    ncs = {count: [sorted(behind) for behind in cpus_of_ncs(count, cpus)] for count in range(1, 9)}
    print(json.dumps({"cpus": [(cpu.index, cpu.node, cpu.core) for cpu in cpus], "ncs": ncs, "doctor": said}))

"""What ``import neuron_adapters.torch`` takes beyond ``import torch``, and ``import neuron_adapters.mx`` in all.

Fresh processes with and without it take turns. Two figures: the difference of the two, round by round, which has the
noise of PyTorch's own import in it, and the time of the one line in a process that has imported torch. As with PyTorch,
and with any package that pip has installed, the bytecode is there already.
"""

from __future__ import annotations

import compileall
import os

from _children import environment, scratch
from _measure import Spread, differences, values
from _report import Report, parser, settings, table
from _scripts import interleave

SCRIPT = """
import json, sys, time
began = time.perf_counter()
import torch
middle = time.perf_counter()
if sys.argv[1:]:
    import neuron_adapters.torch
end = time.perf_counter()
print(json.dumps({"all": (end - began) * 1e3, "line": (end - middle) * 1e3}))
"""
MX_SCRIPT = """
import json, time
began = time.perf_counter()
import neuron_adapters.mx
print(json.dumps({"all": (time.perf_counter() - began) * 1e3}))
"""
MX = "import neuron_adapters.mx"
WITHOUT, WITH = "import torch", "import torch; import neuron_adapters.torch"


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=10).parse_args()
    rounds, _seconds = settings(options)
    report = Report("imports", options)
    env = environment(scratch())
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
    for package in ("core/neuron_rt", "neuron_adapters"):
        compileall.compile_dir(os.path.join(root, package), quiet=1)
    answers = interleave({WITHOUT: (SCRIPT, env), WITH: (SCRIPT, env, "with"), MX: (MX_SCRIPT, env)}, rounds)
    beyond = differences(answers[WITH], answers[WITHOUT], "all")
    lines = values(answers[WITH], "line")
    rows = [[name, spread.text(0)] for name in answers if (spread := Spread.of(values(answers[name], "all")))]
    rows += [["the difference, by round", spread.text(0)]] if (spread := Spread.of(beyond)) else []
    rows += [["the second line alone", spread.text(0)]] if (spread := Spread.of(lines)) else []
    table("imports in fresh processes, ms", ["", "median (quartiles)"], rows)
    report.data = {"all": {name: values(answers[name], "all") for name in answers}, "beyond": beyond, "line": lines}
    report.goal("import neuron_adapters.torch after import torch", 50, lines, at_least=False, unit="ms")
    report.goal("the same, as a difference of processes", 50, beyond, at_least=False, unit="ms")
    report.goal(f"{MX}, NumPy included", 150, values(answers[MX], "all"), at_least=False, unit="ms")
    report.finish()


if __name__ == "__main__":
    main()

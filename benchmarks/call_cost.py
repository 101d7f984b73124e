"""What one call costs: a tiny network, one thread, called again and again.

Nothing else shows what stands between the caller and the model as clearly as a model that takes 15 us. Blocks of calls
take turns between processes (a process with the adapter cannot be one without). Reported is the median call of each
block; what the adapter adds is the difference to plain PyTorch in the same round.
"""

from __future__ import annotations

import os
import tempfile
import timeit

from _children import Child, environment, model, scratch
from _measure import Side, Spread, differences, entries_of, interleave, ratios, values
from _report import Report, parser, settings, table
from two_models import ONE_THREAD, RESERVATION

PLAIN, ADAPTER, COMPILED = "plain TorchScript", "adapter", "adapter, compiled"


def side(name: str, way: str, **how: object) -> Side:
    """One process with one model and one client."""
    return Side(name, lambda: [Child(way, [model("tiny", way)], environment(scratch()), **how)])


def publishing(rounds: int, calls: int) -> list[float]:
    """Microseconds a call for telling the tools, beyond an empty call: what Slot.run does for it, on a mapped file."""
    from neuron_rt.telemetry import SINCE, STARTED, Board
    from neuron_rt.undo import Undo

    file, path = tempfile.mkstemp()
    os.unlink(path)
    row = Board(16, Undo(os.close, file)).row(1, 0, range(1))
    words = row.words

    def publish() -> None:
        words[SINCE] = 1
        words[STARTED] = row.calls + 1
        words[SINCE] = 0
        row.count(123_456, 0)

    def nothing() -> None:
        pass

    return [
        (timeit.timeit(publish, number=calls) - timeit.timeit(nothing, number=calls)) / calls * 1e6
        for _ in range(rounds)
    ]


def main() -> None:
    """Measure."""
    make = parser(__doc__, rounds=60)
    make.add_argument("--calls", type=int, default=2000, metavar="N", help="calls in a block; default 2000")
    options = make.parse_args()
    rounds, _seconds = settings(options)
    report = Report("call_cost", options)
    sides = [
        side(PLAIN, "torch"),
        side(ADAPTER, "adapter"),
        side(COMPILED, "adapter_compiled"),
        side("OpenVINO by hand", "openvino", options=ONE_THREAD),
        side("OpenVINO by hand, in the caller", "openvino", options={**RESERVATION, "NUM_STREAMS": "0"}),
        side("ONNX Runtime by hand", "onnxruntime", threads=1),
    ]
    windows = interleave(entries_of(sides, calls=options.calls), rounds, 1.0)
    rows = []
    for name, mine in windows.items():
        cost, added = Spread.of(values(mine, "p50")), Spread.of(differences(mine, windows[PLAIN], "p50"))
        if cost is None or added is None:
            rows.append([name, *["-"] * 3])
            continue
        tail = Spread.of(values(mine, "p99"))
        rows.append([name, cost.text(2, 1e6), added.text(2, 1e6), f"{tail.median * 1e6:,.1f}"])
        report.data[name] = {"cost": vars(cost), "added": vars(added), "p99": tail.median}
    table("one call of the tiny network, us", ["side", "median (quartiles)", "beyond plain TorchScript", "p99"], rows)
    added = [seconds * 1e6 for seconds in differences(windows[ADAPTER], windows[PLAIN], "p50")]
    report.goal("added to a call of an uncompiled model", 2.0, added, at_least=False, unit="us")
    report.goal("publishing what a call did", 1.0, publishing(rounds, options.calls), at_least=False, unit="us")
    report.goal("compiled ÷ plain TorchScript", 1.0, ratios(windows[COMPILED], windows[PLAIN], "p50"), at_least=False)
    report.finish()


if __name__ == "__main__":
    main()

"""What DataParallel gains: a batch of 16 images on all NeuronCores, on one, and in plain PyTorch with all threads.

The model is compiled for the part of the batch that each NeuronCore gets. On one NeuronCore the batch runs in slices of
that size, one after the other.
"""

from __future__ import annotations

import os

from _children import Child, environment, model, models_folder, scratch
from _files import arrays
from _measure import Side, Spread, entries_of, interleave, ratios, values
from _report import Report, parser, settings, table

BATCH = 16
ALL, ONE_NC, PLAIN = "DataParallel, all NCs", "one NC", "plain PyTorch, all threads"


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=4, seconds=2.0).parse_args()
    rounds, seconds = settings(options)
    report = Report("data_parallel", options)
    part = max(1, BATCH // len(os.sched_getaffinity(0)))

    def side(name: str, way: str, batch: int, **more: object) -> Side:
        def start() -> list[Child]:
            served = model("resnet50", way, batch=batch, **more) | {
                "inputs": arrays(models_folder(), "resnet50", BATCH)
            }
            return [Child(way, [served], environment(scratch()))]

        return Side(name, start)

    sides = [
        side(PLAIN, "torch", BATCH),
        side(ONE_NC, "adapter_compiled", part),
        side(ALL, "adapter_compiled", part, parallel=True),
    ]
    windows = interleave(entries_of(sides), rounds, seconds)
    rows = []
    for name, mine in windows.items():
        rate = Spread.of([rate * BATCH for rate in values(mine)])
        over = [Spread.of(ratios(mine, windows[other])) for other in (ONE_NC, PLAIN)]
        rows.append([name, rate.text(1) if rate else "-", *(ratio.text() if ratio else "-" for ratio in over)])
        if rate:
            report.data[name] = {"images": vars(rate), "over_one": over[0] and vars(over[0])}
    columns = ["side", "images/s (quartiles)", "÷ one NC", "÷ plain PyTorch"]
    table(f"ResNet-50, batches of {BATCH}", columns, rows)
    report.finish()


if __name__ == "__main__":
    main()

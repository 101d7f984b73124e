# ruff: noqa: T201 - it is a command, and prints
"""The whole differential test: ``make numerics``.

Prints what came of each case, and writes the table of docs/numerics.md. With a pattern, only the cases that it matches,
and no file.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .outcome import table
from .worker import examined, start

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def main() -> int:
    """Examine the cases; 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.numerics", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="")
    options = parser.parse_args()
    from .torch_table import cases

    began = time.time()
    chosen = [index for index, case in enumerate(cases()) if re.search(options.pattern, case.name)]
    outcomes = []
    with ProcessPoolExecutor(
        min(len(chosen), len(os.sched_getaffinity(0))), multiprocessing.get_context("spawn"), start
    ) as pool:
        for outcome in pool.map(examined, chosen, chunksize=8):
            outcomes.append(outcome)
            print(outcome, flush=True)
    there = [outcome for outcome in outcomes if not outcome.missing]
    wrong = sum(len(outcome.wrong) for outcome in there)
    reasons = Counter(re.sub(r"'.*'|\[.*\]|\d+", "...", outcome.why) for outcome in there if outcome.why)
    print("\nWhy PyTorch computes:")
    for reason, count in reasons.most_common():
        print(f"{count:5}  {reason}")
    engine = sum(not outcome.why for outcome in there)
    calls, guarded = (sum(getattr(o, name).total() for o in there) for name in ("engine", "guarded"))
    summary = (
        f"{len(there):,} cases, of which the engine has {engine:,} and PyTorch {len(there) - engine:,}; of "
        f"{calls + guarded:,} calls the engine answered {calls:,} and PyTorch {guarded:,}; {wrong} wrong answers."
    )
    print(f"\n{summary} {time.time() - began:.0f} s")
    if not options.pattern:
        before, _begin, rest = PAGE.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{summary}\n\n{table(there)}\n{END}{after}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

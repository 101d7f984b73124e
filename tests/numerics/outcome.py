"""What came of a case, and the table of many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .values import KINDS


@dataclass
class Outcome:
    """What happened to a case. ``why``: why the framework computes it, "" where the engine does. ``missing``: why the
    framework itself does not have it. ``engine``, ``guarded``: calls of each kind of values that they answered.
    ``wrong``: what differed."""

    name: str
    why: str = ""
    missing: str = ""
    engine: Counter[str] = field(default_factory=Counter)
    guarded: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.missing:
            return f"{self.name:36} not there: {self.missing[:90]}"
        if self.why:
            return f"{self.name:36} framework: {self.why[:110]}"
        counts = f"engine {self.engine.total()}, guarded {self.guarded.total()}, wrong {len(self.wrong)}"
        return "\n     ".join([f"{self.name:36} {counts}", *self.wrong[:4]])


def _operator(name: str) -> tuple[str, str]:
    """The operator of a case, and as what it was tried."""
    if match := re.fullmatch(r"linear>(.*)>linear", name):
        return match[1], "in a network"
    operator, _, dtype = name.partition("[")
    return operator, dtype.rstrip("]") or "as named"


def table(outcomes: Sequence[Outcome]) -> str:
    """Operators x kinds, in Markdown."""
    rows: dict[str, list[tuple[str, Outcome]]] = {}
    for outcome in outcomes:
        operator, form = _operator(outcome.name)
        rows.setdefault(operator, []).append((form, outcome))
    lines = [
        "| operator | on the engine | values that the engine answers | values that are guarded | left to PyTorch |",
        "|---|---|---|---|---|",
    ]
    for operator, forms in sorted(rows.items()):
        lowered = [(form, outcome) for form, outcome in forms if not outcome.why]
        engine = {kind for _form, outcome in lowered for kind in outcome.engine}
        guarded = {kind for _form, outcome in lowered for kind in outcome.guarded}
        left = [form for form, outcome in forms if outcome.why]
        cells = (
            [form for form, _outcome in lowered],
            [kind for kind in KINDS if kind in engine and kind not in guarded],
            [kind if kind not in engine else f"{kind} (some)" for kind in KINDS if kind in guarded],
            left,
        )
        lines.append(f"| `{operator}` | " + " | ".join(", ".join(cell) for cell in cells) + " |")
    return "\n".join(lines)

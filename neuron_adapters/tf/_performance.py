"""``measure_performance``: latency and throughput of calls, as tensorflow-neuron reported them."""

from __future__ import annotations

import atexit
import functools
import json
import logging
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from neuron_adapters.tf import _placed

log = logging.getLogger("neuron_adapters")

DESCRIPTION = (
    "Latency in seconds. Throughput in calls per second, from windows of time: calls that cross the edge of a window "
    "and windows without a call do not count, so it is a lower bound."
)


class Tracker:
    """Times of calls, and the report on them."""

    def __init__(self, function: Callable[..., Any] | None, window_size: float) -> None:
        self._function = function
        self._window = window_size
        self._calls: list[tuple[float, float]] = []
        self._guard = threading.RLock()  # a signal handler may be here again

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function that is measured."""
        if self._function is None:
            raise TypeError("measure_performance() was given no function to call")
        return self.time(self._function, *args, **kwargs)

    def time(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` and note how long it took."""
        began = time.time()
        result = function(*args, **kwargs)
        with self._guard:
            self._calls.append((began, time.time()))
        return result

    def report(self, verbosity: int = 0) -> dict[str, Any] | None:
        """Latency (``p50``, ``p90``, ``p99``, ``p100``, seconds) and throughput (``peak``, ``median``, ``average``,
        calls per second; with ``verbosity`` 1 also the ``trend`` by window); None without calls. Logged as INFO."""
        with self._guard:
            calls = list(self._calls)
        if not calls:
            return None
        latencies = [end - began for began, end in calls]
        windows = Counter(self._window_of(began, end) for began, end in calls)
        rates = [count / self._window for window, count in sorted((w, n) for w, n in windows.items() if w is not None)]
        throughput: dict[str, Any] = {
            "peak": max(rates, default=0.0),
            "median": _percentile(rates, 50) if rates else 0.0,
            "average": sum(rates) / len(rates) if rates else 0.0,
        }
        if verbosity > 0:
            throughput["trend"] = rates
        report = {
            "pid": os.getpid(),
            "throughput": throughput,
            "latency": {f"p{percent}": _percentile(latencies, percent) for percent in (50, 90, 99, 100)},
            "description": DESCRIPTION,
        }
        log.info("performance report:\n%s", json.dumps(report, indent=4))
        return report

    def _window_of(self, began: float, end: float) -> float | None:
        window = math.floor(began / self._window)
        return window if end <= (window + 1) * self._window else None


class measure_performance:  # noqa: N801 - the documented name
    """Measure calls: of ``func`` where it is given, else of all placed models of TensorFlow.

    >>> with tfn.measure_performance() as perf:
    ...     model(x)
    >>> perf.report()

    As a context manager it gives the Tracker, and reports at its end; without ``with``, at the end of the process.
    ``window_size``: seconds of a window for the throughput.
    """

    def __init__(self, func: Callable[..., Any] | None = None, window_size: float = 1) -> None:
        if window_size <= 0:
            raise ValueError(f"window_size is a number of seconds above 0, got {window_size!r}")
        self._tracker = Tracker(func, window_size)
        atexit.register(self._tracker.report)
        self._measures_all = func is None
        if self._measures_all:
            _placed.observers.append(self._tracker.time)

    def __enter__(self) -> Tracker:
        return self._tracker

    def __exit__(self, *_error: object) -> None:
        atexit.unregister(self._tracker.report)
        if self._measures_all:
            _placed.observers.remove(self._tracker.time)
        self._tracker.report()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate ``function``: each call of it is measured as one block."""

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return measured


def _percentile(numbers: Sequence[float], percent: float) -> float:
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(len(ordered) * percent / 100) - 1))]

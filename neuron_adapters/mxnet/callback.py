"""``mx.callback``: what ``score`` calls after each batch. Those of training's epochs save checkpoints."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet import model
from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = [
    "LogValidationMetricsCallback", "ProgressBar", "Speedometer", "do_checkpoint", "log_train_metric",
    "module_checkpoint",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.callback")


def module_checkpoint(
    mod: Any, prefix: str, period: int = 1, save_optimizer_states: bool = False
) -> Callable[..., None]:
    """Return a function that saves ``mod`` every ``period`` epochs."""
    every = max(1, int(period))

    def save(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:  # noqa: ARG001 - MXNet's
        if (iter_no + 1) % every == 0:
            mod.save_checkpoint(prefix, iter_no + 1, save_optimizer_states)

    return save


def do_checkpoint(prefix: str, period: int = 1) -> Callable[..., None]:
    """Return a function that saves a graph and its parameters every ``period`` epochs."""
    every = max(1, int(period))

    def save(iter_no: int, sym: Any, arg: Any, aux: Any) -> None:
        if (iter_no + 1) % every == 0:
            model.save_checkpoint(prefix, iter_no + 1, sym, arg, aux)

    return save


def log_train_metric(period: int, auto_reset: bool = False) -> Callable[[Any], None]:
    """Return a function that logs the metric every ``period`` batches; ``auto_reset``: and starts it again."""

    def log(param: Any) -> None:
        if param.nbatch % period == 0 and param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.getLogger().info("Iter[%d] Batch[%d] Train-%s=%f", param.epoch, param.nbatch, name, value)
            if auto_reset:
                param.eval_metric.reset_local()

    return log


class Speedometer:
    """Logs samples a second, and the metric, every ``frequent`` batches of ``batch_size``."""

    batch_size: int
    frequent: int
    auto_reset: bool
    init: bool
    last_count: int

    def __init__(self, batch_size: int, frequent: int = 50, auto_reset: bool = True) -> None:
        self.batch_size, self.frequent, self.auto_reset = batch_size, frequent, auto_reset
        self.init = False
        self.tic: float = 0
        self.last_count = 0

    def __call__(self, param: Any) -> None:
        """Count a batch. ``param``: has ``epoch``, ``nbatch`` and ``eval_metric``."""
        count = param.nbatch
        if self.last_count > count:
            self.init = False
        self.last_count = count
        if not self.init:
            self.init, self.tic = True, time.time()
        elif count % self.frequent == 0:
            taken = time.time() - self.tic
            speed = self.frequent * self.batch_size / taken if taken else math.inf
            self._log(param, count, speed)
            self.tic = time.time()

    def _log(self, param: Any, count: int, speed: float) -> None:
        if param.eval_metric is None:
            logging.getLogger().info("Iter[%d] Batch [%d]\tSpeed: %.2f samples/sec", param.epoch, count, speed)
            return
        metrics = "".join(f"\t{name}={value:f}" for name, value in param.eval_metric.get_name_value())
        if self.auto_reset:
            param.eval_metric.reset_local()
            count_text = f"{count - self.frequent}-{count}"
        else:
            count_text = f"0-{count}"
        logging.getLogger().info(
            "Epoch[%d] Batch [%s]\tSpeed: %.2f samples/sec%s", param.epoch, count_text, speed, metrics
        )


class ProgressBar:
    """Shows how many of ``total`` batches are done, in ``length`` characters."""

    bar_len: int
    total: int

    def __init__(self, total: int, length: int = 80) -> None:
        self.bar_len, self.total = length, total

    def __call__(self, param: Any) -> None:
        """Show it."""
        filled = round(self.bar_len * param.nbatch / float(self.total))
        percent = math.ceil(100.0 * param.nbatch / float(self.total))
        sys.stdout.write(f"[{'=' * filled}{'-' * (self.bar_len - filled)}] {percent}%\r")


class LogValidationMetricsCallback:
    """Logs the metric at the end of an evaluation."""

    def __call__(self, param: Any) -> None:
        """Log it."""
        if param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.getLogger().info("Epoch[%d] Validation-%s=%f", param.epoch, name, value)

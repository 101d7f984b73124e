"""Reads the arguments of ``neuron-adapters plan`` that argparse does not understand by itself."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from typing import Any

from neuron_adapters.tools.plan._plan import Load
from neuron_rt import MOST_NCS

_MODEL = re.compile(r"(?:(?P<name>[^:,]{1,64}):|(?P<copies>[0-9]{1,4})x)?(?P<need>[0-9]{1,4})")
_MOST_MODELS = 4096


def loads_of(options: Namespace) -> list[Load]:
    """Read the models of the command line. Raises ArgumentTypeError."""
    needs: list[tuple[str, int]] = []
    for text in ",".join(options.models).split(","):
        match = _MODEL.fullmatch(text.strip())
        if not match or not 1 <= int(match["need"]) <= MOST_NCS or match["copies"] == "0":
            raise ArgumentTypeError(
                f"{text!r} is not a model: give a number of NeuronCores from 1 to {MOST_NCS}, 'NAME:2' with a name, "
                "or '16x1' for sixteen models of one"
            )
        if match["name"] and not match["name"].isprintable():
            raise ArgumentTypeError(f"{match['name']!r} is not a name: it has unprintable characters")
        needs += [(match["name"] or "", int(match["need"]))] * int(match["copies"] or 1)
        if len(needs) > _MOST_MODELS:
            raise ArgumentTypeError(f"more than {_MOST_MODELS} models")
    starts = _starts(options, len(needs))
    replicas = _replicas(options, len(needs))
    loads = [Load(need, name, start, many) for (name, need), start, many in zip(needs, starts, replicas)]
    for load in loads:
        if load.need > 1 and load.replicas is not None and options.framework == "tf":
            raise ArgumentTypeError(
                f"--replicas: TensorFlow's auto_multicore takes models of one NeuronCore, got one of {load.need}"
            )
        if load.start is not None and load.replicas == "all":
            raise ArgumentTypeError(
                "--replicas: 'all' is a replica on every NeuronCore, so --start cannot be given with it"
            )
    return loads


def _starts(options: Namespace, count: int) -> list[int | None]:
    if options.start is None:
        return [None] * count
    if options.framework == "tf":
        raise ArgumentTypeError("--start: TensorFlow cannot choose where a model starts; torch and mx can")
    what = "neither a NeuronCore index nor '.', which leaves it open"
    texts = _words("--start", options.start, r"[.]|[0-9]{1,4}", what)
    if len(texts) != count:
        raise ArgumentTypeError(
            f"--start: {len(texts)} for {count} model{'s' * (count != 1)}: give one for each, '.' to leave it open"
        )
    return [None if text == "." else int(text) for text in texts]


def _replicas(options: Namespace, count: int) -> list[Any]:
    if options.replicas is None:
        return [None] * count
    if options.framework == "mx":
        raise ArgumentTypeError("--replicas: MXNet cannot replicate a model; torch and tf can")
    texts = _words("--replicas", options.replicas, r"all|[1-9][0-9]{0,3}", "neither a number from 1 nor 'all'")
    if len(texts) not in {1, count}:
        raise ArgumentTypeError(f"--replicas: {len(texts)} for {count} models: give one for each, or one for all")
    many = ["all" if text == "all" else int(text) for text in texts]
    return many * count if len(many) == 1 else many


def _words(option: str, value: str, pattern: str, what: str) -> list[str]:
    """Split the value of an option at its commas. Raises ArgumentTypeError, which says ``what`` a wrong word is."""
    words = [word.strip() for word in value.split(",")]
    for word in words:
        if not re.fullmatch(pattern, word):
            raise ArgumentTypeError(f"{option}: {word!r} is {what}")
    return words

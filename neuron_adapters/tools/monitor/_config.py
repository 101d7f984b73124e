"""Reads the configuration file of ``neuron-monitor``: what to report, of which processes, how often (SPEC T1).

The format is the documented one. An unknown key is an error: otherwise a misspelt metric would silently be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuron_adapters.tools.shared.text import size
from neuron_rt import NeuronConfigError

#: Metric groups, in the order of a report.
RUNTIME_GROUPS = ("neuroncore_counters", "execution_stats", "memory_used", "neuron_runtime_vcpu_usage")
SYSTEM_GROUPS = ("neuron_hw_counters", "vcpu_usage", "memory_info")
DEFAULT_PERIOD = 5.0  # seconds, as documented

_LARGEST_FILE = 1 << 20
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_LEAST, _MOST = 0.01, 86400.0  # seconds
_PERIODS = "a text such as '500ms', '1s', '2m' or '1m30s', from 10ms to 24h"


@dataclass(frozen=True)
class Group:
    """A metric group to report, and the seconds between two updates of it."""

    kind: str
    period: float


@dataclass(frozen=True)
class Selection:
    """Processes whose tag has a match for ``tag_filter``, and what is reported of them."""

    tag_filter: re.Pattern[str]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class MonitorConfig:
    """What to report. The first of the ``runtimes`` that a process matches decides for it."""

    runtimes: tuple[Selection, ...]
    system: tuple[Group, ...]

    @classmethod
    def of(cls, path: str | None) -> MonitorConfig:
        """Read a file, or take the default without one. Raises NeuronConfigError."""
        return cls.default() if path is None else cls.read(path)

    @classmethod
    def default(cls) -> MonitorConfig:
        """Ask for all groups of all processes every five seconds, as documented."""
        everything = tuple(Group(kind, DEFAULT_PERIOD) for kind in RUNTIME_GROUPS)
        system = tuple(Group(kind, DEFAULT_PERIOD) for kind in SYSTEM_GROUPS)
        return cls((Selection(re.compile(""), everything),), system)

    @classmethod
    def read(cls, path: str) -> MonitorConfig:
        """Read a file. Raises NeuronConfigError, which names the file, the key, the value and what is accepted."""
        return _Reader(path).config(_load(path))


def _load(path: str) -> object:
    try:
        with open(path, "rb") as file:
            body = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise NeuronConfigError(f"{path}: cannot be read: {why}. Accepted: a JSON file.") from None
    if len(body) > _LARGEST_FILE:
        raise NeuronConfigError(f"{path}: is larger than {size(_LARGEST_FILE)}. Accepted: a JSON file.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError, too
        raise NeuronConfigError(f"{path}: is not JSON: {error}. Accepted: a JSON object.") from None


class _Reader:
    """Reads one file, which every error names."""

    def __init__(self, path: str) -> None:
        self._path = path

    def config(self, root: object) -> MonitorConfig:
        top = self._object(root, "", ("period", "neuron_runtimes", "system_metrics"))
        period = self._period(top, "", DEFAULT_PERIOD)
        runtimes = tuple(
            self._selection(value, f"neuron_runtimes[{place}]", period)
            for place, value in enumerate(self._array(top, "neuron_runtimes"))
        )
        system = self._groups(top, "system_metrics", SYSTEM_GROUPS, period)
        if not system and not any(selection.groups for selection in runtimes):
            raise self._error(
                "", root, "names no metric group", "at least one in neuron_runtimes[...].metrics or in system_metrics"
            )
        return MonitorConfig(runtimes, system)

    def _selection(self, value: object, where: str, period: float) -> Selection:
        selection = self._object(value, where, ("tag_filter", "period", "metrics"))
        text = selection.get("tag_filter", "")
        try:
            tag_filter = re.compile(text)
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            why = f"is not a regular expression ({error})"
            raise self._error(f"{where}.tag_filter", text, why, "a regular expression, '.*' for all") from None
        period = self._period(selection, where, period)
        return Selection(tag_filter, self._groups(selection, f"{where}.metrics", RUNTIME_GROUPS, period))

    def _groups(self, owner: Mapping[str, Any], where: str, kinds: tuple[str, ...], period: float) -> tuple[Group, ...]:
        groups: dict[str, Group] = {}
        for place, value in enumerate(self._array(owner, where)):
            here = f"{where}[{place}]"
            group = self._object(value, here, ("type", "period"))
            kind = group.get("type")
            if not isinstance(kind, str) or kind not in kinds:
                raise self._error(f"{here}.type", kind, "is not a metric group of this list", ", ".join(kinds))
            if kind in groups:
                raise self._error(f"{here}.type", kind, "is listed twice", "each metric group once")
            groups[kind] = Group(kind, self._period(group, here, period))
        return tuple(groups[kind] for kind in kinds if kind in groups)

    def _array(self, owner: Mapping[str, Any], where: str) -> list[Any]:
        value = owner.get(where.rpartition(".")[2], [])
        if not isinstance(value, list):
            raise self._error(where, value, "is not an array", "an array of objects")
        return value

    def _object(self, value: object, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error(where, value, "is not an object", f"an object with the keys {', '.join(keys)}")
        for key in value:
            if key not in keys:
                raise self._error(f"{where}.{key}".lstrip("."), value[key], "is not a known key", ", ".join(keys))
        return value

    def _period(self, owner: Mapping[str, Any], where: str, default: float) -> float:
        if "period" not in owner:
            return default
        text = owner["period"]
        parts = _PART.findall(text) if isinstance(text, str) and len(text) < 32 else []
        seconds: float = sum(float(number) * _UNITS[unit] for number, unit in parts)
        if "".join(number + unit for number, unit in parts) != text or not _LEAST <= seconds <= _MOST:
            raise self._error(f"{where}.period".lstrip("."), text, "is not a period", _PERIODS)
        return seconds

    def _error(self, where: str, value: object, why: str, accepted: str) -> NeuronConfigError:
        return NeuronConfigError.of(f"{self._path}: {where or 'the file'}", value, why, accepted)

"""The plug-ins' distributions, as far as ``importlib.metadata`` is asked for them: name and version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any


class Emulated(Distribution):
    """A distribution that stands for a plug-in."""

    def __init__(self, name: str, version: str) -> None:
        self._text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Emulated by neuron-adapters\n"

    def read_text(self, filename: str) -> str | None:
        """See importlib.metadata.Distribution: it has nothing but its metadata."""
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        """See importlib.metadata.Distribution."""
        return Path(__file__).parent / path


def distributions(name: str | None, known: Mapping[str, str]) -> Iterator[Emulated]:
    """Those of that name, in whatever spelling, or all."""
    wanted = None if name is None else re.sub(r"[-_.]+", "-", name).lower()
    return (Emulated(name, version) for name, version in known.items() if wanted in (None, name))

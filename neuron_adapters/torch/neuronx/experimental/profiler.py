"""torch_neuronx.experimental.profiler: records the timeline of this process."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any

from neuron_rt import timeline

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["profile"]

log = logging.getLogger("neuron_adapters")
_numbers = itertools.count()


class profile:  # noqa: N801 - its name there
    """A context manager that records who runs when on which NeuronCore, as ``neuron_adapters.timeline`` does, in a new
    file of ``output_dir`` or, where that is not given, of ``neuron_tensorboard_plugin_dir``.

    ``auto_start=False``: only from ``start()`` on. The other options are accepted: there is no server, and one kind of
    profile. ``path``: the file, for Perfetto. Raises OSError where it cannot be written.
    """

    def __init__(
        self,
        port: int = 9012,  # noqa: ARG002
        ms_duration: int = 60000,  # noqa: ARG002 - the block's end is the end
        neuron_tensorboard_plugin_dir: str | os.PathLike[str] = "logs/plugins/neuron",
        profile_type: str = "operator",  # noqa: ARG002
        auto_start: bool = True,
        delete_working: bool = True,  # noqa: ARG002
        traced_only: bool = False,  # noqa: ARG002
        *,
        output_dir: str | os.PathLike[str] | None = None,
        output_path: str | os.PathLike[str] | None = None,
        **_: Any,
    ) -> None:
        self._folder = os.path.abspath(output_dir or output_path or neuron_tensorboard_plugin_dir)
        self._auto_start = auto_start
        self._recording: contextlib.ExitStack | None = None
        self.path: str = ""

    def start(self) -> None:
        """Record from now on, unless it does already."""
        if self._recording is not None:
            return
        os.makedirs(self._folder, exist_ok=True)
        self.path = os.path.join(self._folder, f"timeline-{os.getpid()}-{next(_numbers)}.json")
        with contextlib.ExitStack() as recording:
            recording.enter_context(timeline(self.path))
            self._recording = recording.pop_all()

    def stop(self) -> None:
        """Record no more, and complete the file."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()
            log.info("the profile is in %s", self.path)

    def __enter__(self) -> Self:
        if self._auto_start:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

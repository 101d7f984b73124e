"""``tf-neuron-auto-multicore``: spreads a compiled SavedModel over NeuronCores (SPEC R3)."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
from collections.abc import Iterator, Sequence

from neuron_adapters.tools.shared.terminal import INTERRUPTED, fail, forget_interrupt, parser_of, say

PROGRAM = "tf-neuron-auto-multicore"
EPILOG = """\
exit codes: 0 done, 1 the model cannot be used, 2 the arguments are wrong, 130 interrupted

example:
  tf-neuron-auto-multicore ./resnet --num_cores 8 --new_model_dir ./resnet_8
  then: tf.keras.models.load_model("./resnet_8") runs calls on 8 NeuronCores in turn
"""

#: What a SavedModel consists of.
_SAVED_MODEL = {"assets", "assets.extra", "fingerprint.pb", "keras_metadata.pb", "saved_model.pb", "variables"}


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    description = "Write a copy of a compiled SavedModel that loads as replicas on several NeuronCores."
    parser = parser_of(PROGRAM, description, EPILOG)
    parser.allow_abbrev = True  # scripts may have shortened options
    parser.add_argument(
        "model_dir", metavar="MODEL_DIR", help="a SavedModel that tensorflow.neuron compiled for one NC"
    )
    parser.add_argument(
        "--num_cores", type=int, default=1, metavar="N", help="NeuronCores to replicate on, from 1 (default: 1)"
    )
    parser.add_argument(
        "--new_model_dir", default="new_model", metavar="DIR", help="where to write the copy (default: new_model)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    interrupts: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with _scratch(os.path.dirname(os.path.abspath(options.new_model_dir))) as scratch:
            _convert(parser, options, scratch, interrupts)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, one line says it
        if interrupts:  # TensorFlow's import may make another error of it
            forget_interrupt()
            return fail(PROGRAM, "interrupted", INTERRUPTED)
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return fail(PROGRAM, reason[0])
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


@contextlib.contextmanager
def _scratch(beside: str) -> Iterator[str]:
    """Name a folder for unfinished files; it is removed at the end, after Ctrl-C too."""
    folder = os.path.join(beside, f".{PROGRAM}-{os.getpid()}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _convert(
    parser: argparse.ArgumentParser, options: argparse.Namespace, scratch: str, interrupts: Sequence[int]
) -> None:
    from neuron_rt import Config

    config = Config.read()
    most = config.instance.nc_count
    if not 1 <= options.num_cores <= most:
        parser.error(
            f"--num_cores {options.num_cores}: {config.instance.name} has room for 1 to {most} replicas; "
            "NEURON_ADAPTERS_INSTANCE chooses another instance"
        )
    if os.path.exists(options.new_model_dir) and not _is_empty(options.new_model_dir):
        if os.path.realpath(options.new_model_dir) == os.path.realpath(options.model_dir):
            parser.error("--new_model_dir is MODEL_DIR itself: name another directory")
        if not _is_replaceable(options.new_model_dir):
            parser.error(
                f"--new_model_dir {options.new_model_dir}: exists and is not just a SavedModel, so it is not replaced"
            )
    say(f"{PROGRAM}: reading {options.model_dir} (TensorFlow takes a few seconds to start)")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from neuron_adapters.tf import _compile, _open_saved_model

    aws_compiled = _open_saved_model.aws_compiled(options.model_dir, config)
    if aws_compiled is None:
        artifact = _open_saved_model.read(options.model_dir, config)
        _compile.check_single(artifact.record.pipeline_cores, options.model_dir)
        say(f"{PROGRAM}: writing {options.new_model_dir}")
        artifact.of_replicas(options.num_cores).save(scratch)
    else:
        _compile.check_single(aws_compiled.nc_count, options.model_dir)
        say(f"{PROGRAM}: writing {options.new_model_dir}")
        _open_saved_model.copy_for_replicas(options.model_dir, scratch, options.num_cores)
    if interrupts:  # a library, at its import say, has caught the KeyboardInterrupt
        raise KeyboardInterrupt
    _replace(options.new_model_dir, scratch)
    say(f"{PROGRAM}: done: calls of {options.new_model_dir} will run on {options.num_cores} NeuronCore(s) in turn")


def _replace(target: str, finished: str) -> None:
    """Move a finished directory to ``target``, which is a SavedModel, empty or not there."""
    old = f"{finished}.old"
    if os.path.exists(target):
        os.rename(target, old)
    os.rename(finished, target)
    shutil.rmtree(old, ignore_errors=True)


def _is_replaceable(path: str) -> bool:
    """Tell whether ``path`` is a SavedModel and holds nothing else that would be lost."""
    names = set(os.listdir(path)) if os.path.isdir(path) else set()
    return "saved_model.pb" in names and names <= _SAVED_MODEL


def _is_empty(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)

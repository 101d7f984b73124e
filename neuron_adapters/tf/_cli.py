"""``tf-neuron-auto-multicore``: spread a compiled SavedModel over several NeuronCores (SPEC R3)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

PROGRAM = "tf-neuron-auto-multicore"
EPILOG = """\
exit codes: 0 done, 1 the model cannot be used, 2 the arguments are wrong, 130 interrupted

example:
  tf-neuron-auto-multicore ./resnet --num_cores 8 --new_model_dir ./resnet_8
  then: tf.keras.models.load_model("./resnet_8") runs calls on 8 NeuronCores in turn
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Write a copy of a compiled SavedModel that loads as replicas on several NeuronCores.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model_dir", metavar="MODEL_DIR", help="a SavedModel that tensorflow.neuron compiled for one NC"
    )
    parser.add_argument(
        "--num_cores", type=int, default=1, metavar="N", help="NeuronCores to replicate on, from 1 (default: 1)"
    )
    parser.add_argument(
        "--new_model_dir", default="new_model", metavar="DIR", help="where to write the copy (default: new_model)"
    )
    options = parser.parse_args(arguments)
    try:
        _convert(parser, options)
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it is, one line says it
        reason = str(error).strip().splitlines() or [type(error).__name__]
        print(f"{PROGRAM}: {reason[0]}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _convert(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    from neuron_rt import Config

    config = Config.read()
    most = config.instance.nc_count
    if not 1 <= options.num_cores <= most:
        parser.error(
            f"--num_cores {options.num_cores}: {config.instance.name} has NeuronCores for 1 to {most} replicas; "
            "NEURON_ADAPTERS_INSTANCE chooses another instance"
        )
    if os.path.exists(options.new_model_dir) and not _is_empty(options.new_model_dir):
        if os.path.realpath(options.new_model_dir) == os.path.realpath(options.model_dir):
            parser.error("--new_model_dir is MODEL_DIR itself: name another directory")
        if not os.path.exists(os.path.join(options.new_model_dir, "saved_model.pb")):
            parser.error(f"--new_model_dir {options.new_model_dir}: exists, and is no SavedModel to be replaced")
    _say(f"reading {options.model_dir} (TensorFlow takes a few seconds to start)")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from neuron_adapters.tf import _compile, _saved_model

    artifact = _saved_model.read(options.model_dir, config)
    _compile.check_single(artifact, options.model_dir)
    _say(f"writing {options.new_model_dir}")
    artifact.of_replicas(options.num_cores).save(options.new_model_dir)
    _say(f"done: calls of {options.new_model_dir} will run on {options.num_cores} NeuronCore(s) in turn")


def _is_empty(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _say(text: str) -> None:
    print(f"{PROGRAM}: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())

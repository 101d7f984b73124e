"""``neuron-adapters inspect``: shows what is in a model file, its compiler, and whether it runs here (SPEC K6, T1).

It needs no framework, and neither runs, unpickles nor extracts anything in the file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence

from neuron_adapters.files.inspect import Contents, Part, compiler_of, look
from neuron_adapters.files.neff import Header
from neuron_adapters.files.printable import printable
from neuron_adapters.files.record import Leaf
from neuron_adapters.tools.shared.terminal import ending, fail, parser_of, say
from neuron_adapters.tools.shared.text import size
from neuron_rt import ArtifactError

PROGRAM = "neuron-adapters inspect"
EPILOG = """\
exit codes:
  0 done, 1 a file cannot be read, 2 the arguments are wrong

examples:
  neuron-adapters inspect model.pt            a TorchScript archive
  neuron-adapters inspect resnet/1            a SavedModel directory
  neuron-adapters inspect resnet-0000.params  an MXNet checkpoint; resnet will do
  neuron-adapters inspect --json model.pt | jq .nc_count

Nothing is loaded or run, and no framework is needed.
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(
        PROGRAM,
        "Show what is in a compiled model file: its inputs, outputs and NeuronCores, and whether it runs here.",
        EPILOG,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file, a directory, or the prefix of a checkpoint")
    parser.add_argument("-j", "--json", action="store_true", help="JSON, one line for each file")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = make_parser().parse_args(arguments)
    return ending(PROGRAM, lambda: _show(options.files, as_json=options.json))


def _show(files: Sequence[str], *, as_json: bool) -> int:
    code = 0
    for index, file in enumerate(files):
        try:
            contents = look(file)
        except (ArtifactError, OSError) as error:
            code = fail(PROGRAM, f"{file}: {error.strerror or error}" if isinstance(error, OSError) else error)
            continue
        separator = "\n" if index and not as_json else ""
        say(separator + (json.dumps(contents.as_json()) if as_json else "\n".join(_lines(contents))))
    return code


def _lines(contents: Contents) -> Iterator[str]:
    yield printable(contents.file)
    yield _line("kind", contents.kind)
    yield _line("compiled by", contents.compiled_by or "not compiled")
    yield _line("size", size(contents.bytes))
    replicas = f", replicated on {contents.replicas}" if contents.replicas is not None else ""
    yield _line("NeuronCores", f"{contents.nc_count}{replicas}")
    yield from _leaves("inputs", contents.inputs)
    yield from _leaves("outputs", contents.outputs)
    for part in contents.parts:
        yield from _part(part)
    yield _line("runs here", f"{'yes' if contents.runs_here else 'no'}: {contents.how}")
    if contents.advice:
        yield _line("what to do", contents.advice)


def _part(part: Part) -> Iterator[str]:
    yield _line("part", f"{part.name}: {part.nc_count} NeuronCore(s), {part.batch} batch, {size(part.bytes)}")
    yield from _leaves("  takes", part.inputs)
    yield from _leaves("  returns", part.outputs)
    if part.operators:
        yield _line("  operators", ", ".join(f"{name} {count}" for name, count in part.operators.items()))
    if part.neff is None:
        yield _line("  NEFF", "none")
    else:
        yield from _neff(part.neff)


def _neff(header: Header) -> Iterator[str]:
    checksum = f"WRONG: {header.problem}" if header.problem else "right"
    yield _line("  NEFF", f"version {header.version}, UUID {header.uuid}")
    yield _line("  compiler", compiler_of(header) or header.name or "unknown")
    yield _line("  checksum", checksum)


def _leaves(what: str, leaves: Sequence[Leaf]) -> Iterator[str]:
    for index, (name, shape, dtype) in enumerate(leaves):
        sizes = ", ".join("?" if length < 0 else str(length) for length in shape)
        yield _line(what if not index else "", f"{name}  {dtype} [{sizes}]")


def _line(what: str, text: str) -> str:
    return f"  {what:12} {printable(text)}".rstrip()

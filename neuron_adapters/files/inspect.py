"""Reports what is in a model file of any framework and compiler (SPEC K6), without a framework. Nothing is run,
unpickled or extracted."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass, field, replace

from neuron_adapters.files import bounded_json, mxnet, savedmodel, torchscript, zips
from neuron_adapters.files.bounded_file import check_regular, read_below
from neuron_adapters.files.neff import HEADER, Header, is_neff, read_header
from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.files.record import Leaf, Record, cores
from neuron_rt import ArtifactError

#: How the compilers for the hardware begin the name in a NEFF: 1.6.13.0+9f61b2f75-/tmp/...
_COMPILER = re.compile(r"\d+(\.\d+){2,4}(\+[0-9a-f]+)?")
_OURS = re.compile(r"neuron_adapters \d+(\.\w+)*")
_RECORD = '{"version": '
_LONGEST_RECORD = _PIECE = 1 << 20
_MOST_TRIED = 64
#: Finds the end of a record. Its numbers stay texts: Record.loads checks them.
_ANY = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
#: Where a .pt2 archive keeps its record.
_EXTRA = "neuron_artifact.json"
_LARGEST_NEFF = 1 << 32
_RUNS = "the graph that it was compiled from runs on emulated NeuronCores"
_PLAIN = "it was never compiled, and is placed as a model of 1 NeuronCore"
_AGAIN = "compile the original model again, with the compile call of the adapter"


@dataclass(frozen=True)
class Part:
    """One binary in a file."""

    name: str
    nc_count: int
    bytes: int
    inputs: tuple[Leaf, ...] = ()
    outputs: tuple[Leaf, ...] = ()
    batch: str = "fixed"
    neff: Header | None = None
    operators: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """The report on a file. ``runs_here``: whether an emulated NeuronCore runs it; ``how``: what runs it, or why
    nothing does; ``advice``: what to do then."""

    file: str
    kind: str
    bytes: int
    compiled_by: str = ""
    nc_count: int = 1
    replicas: int | None = None
    inputs: tuple[Leaf, ...] = ()
    outputs: tuple[Leaf, ...] = ()
    parts: tuple[Part, ...] = ()
    runs_here: bool = True
    how: str = _PLAIN
    advice: str = ""

    def as_json(self) -> dict[str, object]:
        """The report for scripts: tensors become objects."""
        report = asdict(self)
        for tensors in (report, *report["parts"]):
            for side in ("inputs", "outputs"):
                tensors[side] = [
                    {"name": name, "shape": list(shape), "dtype": dtype} for name, shape, dtype in tensors[side]
                ]
        for part in report["parts"]:
            if part["neff"] is not None:
                part["neff"]["ncs_per_node"] = list(part["neff"]["ncs_per_node"])
        return report


def look(path: str) -> Contents:
    """Report on a file, a directory, or the prefix of a checkpoint. Work and memory are bounded by the size of the file
    (SPEC F2). Raises ArtifactError, one printable line, for a damaged or unknown file, OSError where reading fails."""
    try:
        return _look(path)
    except (ArtifactError, OSError):
        raise
    except Exception as error:  # whatever a reader raises about a damaged file
        raise damaged(f"{path} is damaged: {one_line(error)}") from error


def _look(path: str) -> Contents:
    prefix = mxnet.prefix_of(path)
    if prefix is not None:
        return _checkpoint(path, prefix)
    if os.path.isdir(path):
        return _saved_model(path)
    check_regular(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(HEADER)
    if is_neff(head):
        return _neff(path, read_below(path, _LARGEST_NEFF, "a NEFF"))
    if head.startswith(b"PK"):
        return _archive(path, size)
    if head.startswith(b"\x89HDF"):
        return Contents(path, "Keras file (HDF5)", size)
    raise damaged(
        f"{path} is of an unknown kind. Known: a TorchScript archive (.pt), the prefix or a file of an MXNet "
        "checkpoint, a SavedModel directory, a Keras file and a NEFF."
    )


def compiler_of(header: Header | None) -> str:
    """The compiler that wrote a NEFF; empty where its name does not say."""
    name = header.name if header else ""
    if ours := _OURS.match(name):
        return f"{ours[0]}, for emulated NeuronCores"
    version = _COMPILER.match(name)
    return f"neuron-cc {version[0]}, for the hardware" if version else ""


def _neff(path: str, data: bytes) -> Contents:
    try:
        header = read_header(data)
    except ValueError as error:
        raise damaged(f"{path} is damaged, or not a NEFF: {error}.") from error
    part = Part(os.path.basename(path), header.nc_count, len(data), neff=header)
    return Contents(
        path,
        "NEFF",
        len(data),
        compiler_of(header),
        header.nc_count,
        parts=(part,),
        runs_here=False,
        how="a NEFF alone holds instructions for the hardware, without a graph",
        advice=_AGAIN,
    )


def _saved_model(path: str) -> Contents:
    model = savedmodel.load(path) if os.path.isfile(os.path.join(path, "saved_model.pb")) else None
    if model is None:
        raise damaged(f"{path} is not a SavedModel: it has no saved_model.pb.")
    size = sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _names, files in os.walk(path) for name in files
    )
    kind = f"TensorFlow SavedModel (TensorFlow {model.tensorflow})" if model.tensorflow else "TensorFlow SavedModel"
    name = "serving_default" if "serving_default" in model.signatures else next(iter(sorted(model.signatures)), "")
    inputs, outputs = model.signatures.get(name, ((), ()))
    parts, erased, refused = [], "", ""
    for node in model.nodes:
        batch = "any" if node.batched else "fixed"
        kinds = savedmodel.operators(node.graph)
        parts.append(
            Part(node.name, node.nc_count, len(node.binary), node.inputs, node.outputs, batch, node.header, kinds)
        )
        erased = erased or node.erased
        refused = refused or savedmodel.refused_operator(node.graph)
    contents = Contents(path, kind, size, inputs=inputs, outputs=outputs, parts=tuple(parts))
    if not parts:
        return _with_record(contents, os.path.join(path, "saved_model.pb"))
    contents = replace(
        contents, compiled_by=_first(parts) or "tensorflow-neuron", nc_count=model.nc_count, replicas=model.replicas
    )
    if erased:
        why = f"the compiler took large constants, such as {erased!r}, out of the graph that it embedded"
        return replace(contents, runs_here=False, how=why, advice=_AGAIN)
    if refused:
        why = f"the graph that it embeds holds the operator {refused!r}, which is not known to only compute"
        return replace(contents, runs_here=False, how=why, advice=_AGAIN)
    return replace(contents, how=_RUNS)


def _checkpoint(path: str, prefix: str) -> Contents:
    checkpoint = mxnet.load(prefix)
    kind = f"MXNet checkpoint (MXNet {checkpoint.mxnet})" if checkpoint.mxnet else "MXNet checkpoint"
    parts = [
        Part(part.name, part.nc_count, part.size, part.inputs, (), "fixed", part.header, dict(Counter(part.operators)))
        for part in checkpoint.parts
    ]
    inputs = {leaf[0]: leaf for part in parts for leaf in part.inputs}
    contents = Contents(
        path, kind, checkpoint.size, inputs=tuple(inputs.values()), outputs=checkpoint.outputs, parts=tuple(parts)
    )
    if not parts:
        return contents
    count = max(part.nc_count for part in parts)
    return replace(contents, compiled_by=_first(parts) or "mx_neuron.compile", nc_count=count, how=_RUNS)


def _archive(path: str, size: int) -> Contents:
    try:
        with zips.opened(path) as packed:
            names = packed.namelist()
            if "config.json" in names and "metadata.json" in names:
                return Contents(path, "Keras file", size)
            if any(name.endswith("/archive_format") for name in names):
                return _exported(Contents(path, "PyTorch exported program", size), packed)
            archive = torchscript.read(packed)
    except (*zips.DAMAGED, TypeError) as error:
        raise damaged(f"{path} is damaged: {one_line(error)}") from error
    contents = Contents(path, "TorchScript archive", size)
    if not archive.compiled:
        if not archive.operators:
            return _with_record(contents, path)
        missing = "its binary is missing"
        return replace(contents, compiled_by="torch-neuron", runs_here=False, how=missing, advice=_AGAIN)
    parts = []
    for index, part in enumerate(archive.compiled):
        name, batch = part.class_name or f"binary {index}", "any" if part.batched else "fixed"
        parts.append(Part(name, part.nc_count, part.size, part.inputs, part.outputs, batch, part.header))
    single = parts[0] if len(parts) == 1 else Part("", 1, 0)
    return replace(
        contents,
        compiled_by=_first(parts) or "torch-neuron",
        nc_count=archive.nc_count,
        inputs=single.inputs,
        outputs=single.outputs,
        parts=tuple(parts),
        runs_here=False,
        how="its weights exist only in the hardware's own layout: it loads, shows its graph and is placed, no more",
        advice=_AGAIN,
    )


def _exported(contents: Contents, packed: zipfile.ZipFile) -> Contents:
    """Add what the record of an exported program says, where it has one."""
    entry = next((member for member in packed.infolist() if member.filename.endswith(f"/{_EXTRA}")), None)
    if entry is None:
        return contents
    count = cores(bounded_json.loads(zips.read(packed, entry, _LONGEST_RECORD))["pipeline_cores"])
    compiler = "neuron_adapters, for emulated NeuronCores"
    return replace(contents, compiled_by=compiler, nc_count=count, how="runs on PyTorch")


def _with_record(contents: Contents, file: str) -> Contents:
    """Add what the record of this package says, where the file has one."""
    record = _record(file)
    if record is None:
        return contents
    return replace(
        contents,
        compiled_by=f"{record.compiler or 'neuron_adapters'}, for emulated NeuronCores",
        replicas=record.replicas,
        nc_count=record.pipeline_cores,
        inputs=record.inputs or contents.inputs,
        outputs=record.outputs or contents.outputs,
        how=f"runs on {record.engine or 'its framework'}",
    )


def _record(file: str) -> Record | None:
    """The first record in a file, at any position: it is JSON, in ASCII. The file is read once, and at most _MOST_TRIED
    MiB of it are parsed. So a record is not found after _MOST_TRIED texts that only look like one (SPEC F2)."""
    tried = 0
    with open(file, "rb") as opened:
        text, at = "", 0
        while tried < _MOST_TRIED:
            at = text.find(_RECORD, at)
            if at < 0:
                text, at = text[1 - len(_RECORD) :], 0  # a record may lie across two pieces
            if len(text) - at < _LONGEST_RECORD and (piece := opened.read(_PIECE)):
                text, at = text[at:] + piece.decode("latin-1"), 0
                continue
            if not text.startswith(_RECORD, at):
                break
            record = text[at : at + _LONGEST_RECORD]
            try:
                _value, end = _ANY.raw_decode(record)
                return Record.loads(record[:end], lambda _name: True)
            except (ValueError, TypeError, KeyError, RecursionError):
                at += len(_RECORD)
                tried += 1
    return None


def _first(parts: list[Part]) -> str:
    return next((compiler for part in parts if (compiler := compiler_of(part.neff))), "")

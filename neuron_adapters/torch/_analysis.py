"""Which operators of a model a NeuronCore runs: all, since an emulated core is a set of CPUs."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch

from neuron_adapters.adapter.versions import NEURONX_CC, TORCH_NEURONX
from neuron_adapters.torch import _compile
from neuron_adapters.torch._traced import arguments, as_module, frozen_form, torchscript_of


def analyze_model(
    model: torch.nn.Module | Callable[..., Any],
    example_inputs: Any,
    compiler_workdir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """torch_neuron.analyze_model: say which operators of ``model`` a NeuronCore runs.

    Prints a summary, as torch_neuron does, and returns it: ``percent_supported``, ``supported_count``, ``total_count``,
    ``supported_operators``, ``unsupported_operators``, ``operators``, ``operator_count``.
    """
    frozen = frozen_form(_traced(model, example_inputs))
    operators = Counter(node.kind() for node in frozen.inlined_graph.nodes() if node.kind().startswith("aten::"))
    total = sum(operators.values())
    report: dict[str, Any] = {
        "percent_supported": 100.0,
        "supported_count": total,
        "total_count": total,
        "supported_operators": set(operators),
        "unsupported_operators": [],
        "operators": sorted(operators),
        "operator_count": dict(operators),
    }
    print(f"The following operations are supported: {', '.join(report['operators']) or 'none needed'}")  # noqa: T201
    print(f"100.00% of all operations ({total} of {total}) are supported")  # noqa: T201
    if compiler_workdir is not None:
        folder = _compile.work_folder(Path(compiler_workdir))
        text = json.dumps({**report, "supported_operators": sorted(operators)}, indent=2)
        (folder / "analysis.json").write_text(text)
    return report


def get_supported_operations() -> list[str]:
    """Names of all operators an emulated NeuronCore runs: those of this PyTorch's CPU build."""
    return sorted({s.name for s in torch._C._jit_get_all_schemas() if s.name.startswith(("aten::", "prim::"))})


def analyze(
    func: torch.nn.Module | Callable[..., Any],
    example_inputs: Any,
    compiler_workdir: str | os.PathLike[str] | None = None,
    *,
    additional_ignored_ops: Collection[str] | None = None,
) -> dict[str, Any]:
    """torch_neuronx.analyze: a dictionary for ``json.dumps``. ``supported_operators`` counts the operators of ``func``
    as it was traced, in the order in which they come first, without ``additional_ignored_ops``."""
    graph: Any = _traced(func, example_inputs).inlined_graph
    kinds = [node.kind() for node in graph.nodes()]
    ignored = frozenset(additional_ignored_ops or ())
    operators = Counter(kind for kind in kinds if kind.startswith("aten::") and kind not in ignored)
    report = {
        "torch_neuronx_version": TORCH_NEURONX,
        "neuronx_cc_version": NEURONX_CC,
        "support_percentage": "100.00%",
        "supported_operators": dict(operators),
        "unsupported_operators": [],
    }
    if compiler_workdir is not None:
        (_compile.work_folder(Path(compiler_workdir)) / "analysis.json").write_text(json.dumps(report, indent=2))
    return report


def _traced(model: torch.nn.Module | Callable[..., Any], example_inputs: Any) -> torch.jit.ScriptModule:
    inputs = arguments(example_inputs)
    return torchscript_of(as_module(model), inputs, {"strict": False})

"""Compiler flags: what documents and public programs pass is known, and an error names what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neuron_adapters.adapter import flags
from neuron_adapters.adapter.flags import read_flags
from neuron_rt import CompileError

#: As documented notebooks, benchmarks and public programs have them: torch-neuron's and torch-neuronx's samples, the
#: compilers' command lines, Hugging Face's and NeuronX Distributed's exporters.
PUBLIC = [
    ["--enable-fast-math"],
    "--enable-fast-math --enable-saturate-infinity",
    ["--tensor-layout-heuristics=spatial-locality"],
    ["--model-type=unet-inference", "--enable-fast-loading-neuron-binaries"],
    "--model-type=transformer --enable-saturate-infinity --auto-cast=all --auto-cast-type=bf16",
    "--model-type transformer-inference --cache_dir=./compiler_cache --retry_failed_compilation",
    ["--temp-dir=encoder", "--auto-cast=none"],
    (
        "--auto-cast=none --model-type=transformer --tensorizer-options='--enable-ccop-compute-overlap "
        "--cc-pipeline-tiling-factor=2 --vectorize-strided-dma' -O1 --hbm-scratchpad-page-size=1024 "
        "--internal-hlo2tensorizer-options='--verify-hlo=true'"
    ),
    (
        "--enable-saturate-infinity --enable-mixed-precision-accumulation --model-type transformer -O3 --auto-cast=none "
        "--internal-enable-dge-levels vector_dynamic_offsets --internal-max-instruction-limit=15000000"
    ),
    (
        "--retry_failed_compilation --disable-internal-data-race-checker --internal-dram-page-size=2048 "
        "--enable-experimental-spmd --internal-allreduce-buffer-size=135 --internal-layers-per-module 4 "
        "--internal-ccop-bucketing --internal-ccop-bucketing-allgather-size-in-bytes 1"
    ),
    "-O1 --auto-cast=none --enable-native-kernel=1 --remat --enable-ccop-compute-overlap",
    "--framework=XLA --target=trn2 --internal-num-neuroncores-per-sengine=2 --no-internal-hlo-remat",
    (
        "-O1 --verbose=debug --logical-nc-config=1 --logfile=neuron-compiler.log --internal-compiler-debug-mode=all "
        "--compile_workdir=workdir"
    ),
    "--target trn2 --lnc 2",
    "--model-type=transformer --disable-dge",
    " --no_cache",
    " --no-cache --log_level=INFO",
    "--llm-training --distribution-strategy=llm-training",
    "--native-int64 enabled --implicit-integer-downcast dot,pow -lnc 2 --disable-mixed-precision-accumulation",
    ["--verbose", "2", "--pipeline", "compile", "SaveTemps"],
    ["--fp32-cast", "matmult", "--fast-math", "fp32-cast-matmult", "no-fast-relayout"],
    ["--static-weights", "--extract-weights", "inf1.2xlarge", "--extract-weights"],
    "--experimental-unsafe-fp8e4m3fn-as-fp8e4m3",
    "--internal-hlo2tensorizer-options=--fuse-dot-logistic=false --cache_dir=",
]


@pytest.mark.parametrize("args", PUBLIC)
def test_public_flags(args: str | list[str]) -> None:
    assert read_flags(args).pipeline_cores == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--model-type = generic", "--model-type has a space beside its equals sign: write '--model-type=generic'."),
        ("--model-type =generic", "write '--model-type=generic'"),
        ("--model-type= generic", "write '--model-type=generic'"),
        ("-O1 --neuroncore-pipeline-cores = 4", "write '--neuroncore-pipeline-cores=4'"),
        (["--auto-cast", "=", "none"], "write '--auto-cast=none'"),
        (["--model-type transformer"], "It has a space in it: write ['--model-type', 'transformer']"),
        (["--static_weights"], "Unknown compiler flag '--static_weights'. Did you mean --static-weights?"),
        (["--neuroncore-pipeline-core", "4"], "Did you mean --neuroncore-pipeline-cores?"),
        (["--neuroncore_pipeline_cores=4"], "Did you mean --neuroncore-pipeline-cores?"),
        (["--autocast=none"], "Did you mean --auto-cast?"),
        (["--enable-saturate-infinty"], "Did you mean --enable-saturate-infinity?"),
        (["--something-else-entirely"], "Unknown compiler flag '--something-else-entirely'. Known: "),
        (["transformer"], "Unknown compiler flag 'transformer'"),
        (["--model-type"], "needs a value"),
        ("--auto-cast=matmul", "--auto-cast takes all, matmult, none; got 'matmul'. Did you mean matmult?"),
    ],
)  # fmt: skip
def test_what_is_wrong(args: str | list[str], says: str) -> None:
    """One line, about the flag and not about what stands beside it."""
    with pytest.raises(CompileError, match=re.escape(says)) as caught:
        read_flags(args)
    assert "\n" not in str(caught.value)


def test_documented() -> None:
    """docs/torch.md names every flag that is known."""
    text = (Path(__file__).parents[1] / "docs" / "torch.md").read_text()
    names = {*flags.PIPELINE, *flags._ACCEPTED, *flags._CASTS, *flags._PERHAPS}
    assert sorted(name for name in names if f"`{name}`" not in text and f"`{name} N`" not in text) == []
    assert [start for start in flags._OWN if f"`{start}...`" not in text] == []

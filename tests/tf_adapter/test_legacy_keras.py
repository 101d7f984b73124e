"""Scripts of the plug-in's time: Keras 2, which ``tf.keras`` is under TF_USE_LEGACY_KERAS=1 with tf_keras."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Script = Callable[..., str]


@pytest.fixture
def legacy(script: Script) -> Script:
    """Run a script under Keras 2, which has been imported."""
    return lambda *arguments, **variables: script(
        *arguments, **{"imported": True, "TF_USE_LEGACY_KERAS": "1", **variables}
    )


def test_the_seed_script(legacy: Script) -> None:
    """P8: four models compiled for 2, 4, 3 and 4 NCs, saved and loaded as the guide has it, on 13 NCs."""
    out = legacy("the_seed_script.py", imported=False)
    assert out.split("\n")[:4] == ["[(0, 2)]", "[(2, 4)]", "[(6, 3)]", "[(9, 4)]"]


@pytest.mark.parametrize("name", ["saved_model_directory", "model.h5", "model.keras"])
def test_formats_of_keras_2(legacy: Script, name: str) -> None:
    """K2: each of its own formats comes back as its own model, placed, with its own numbers, and learns."""
    legacy("formats_of_keras_2.py", name)


def test_unnamed_and_bare_sizes(legacy: Script) -> None:
    """Input(3), lists of inputs and outputs: what the plug-in's users wrote."""
    legacy("unnamed_and_bare_sizes.py")


def test_both_generations_in_one_process(script: Script) -> None:
    """A program that uses tf_keras beside Keras 3: the models of both are placed, one after the other."""
    out = script("both_generations_in_one_process.py", imported=True)
    assert out.split() == ["0", "1", "2"]


def test_uninstall(legacy: Script) -> None:
    """H1: everything is put back."""
    legacy("legacy_keras_uninstall.py", imported=False)

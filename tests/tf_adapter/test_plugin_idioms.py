"""What scripts and test suites of tensorflow-neuron do, under both generations of Keras (SPEC K1, X2, R3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(params=["keras3", "keras2"])
def run(request: pytest.FixtureRequest, run_script: Callable[..., str]) -> Callable[..., str]:
    """Run a script in a process of its own, which has TensorFlow imported."""
    legacy = {"TF_USE_LEGACY_KERAS": "1"} if request.param == "keras2" else {}
    return lambda script, *arguments: run_script(
        script, *arguments, imported=True, TF_CPP_MIN_LOG_LEVEL="3", NEURON_RT_NUM_CORES="1", **legacy
    )


def test_arguments_meet_by_name_and_position(run: Callable[..., str]) -> None:
    """Never by the alphabet: z and a, in either order, compiled by position or by name."""
    run("arguments_meet_by_name_and_position.py")


def test_mappings_of_tokenizers(run: Callable[..., str]) -> None:
    """A BatchEncoding is a UserDict."""
    run("mappings_of_tokenizers.py")


def test_signatures_of_a_loaded_model(run: Callable[..., str]) -> None:
    """What was compiled and what was not: signatures run, by name."""
    run("signatures_of_a_loaded_model.py")


def test_a_compiled_file_is_called_as_the_original(run: Callable[..., str]) -> None:
    """saved_model.compile keeps the object's own structure, in and out."""
    run("a_compiled_file_is_called_as_the_original.py")


def test_trace_of_a_signature(run: Callable[..., str]) -> None:
    """A list of examples is in the order of the signature's inputs."""
    run("trace_of_a_signature.py")


def test_saved_inside_something_else(run: Callable[..., str]) -> None:
    """A compiled model within a serving function, a tf.Module and a keras.Model; Keras' own way to save."""
    run("saved_inside_something_else.py")


def test_the_function_shown_is_its_graph(run: Callable[..., str]) -> None:
    """``aws_neuron_function``: its tensors are of its graph, which is one NeuronOp, and runs wherever it is
    imported."""
    run("the_function_shown_is_its_graph.py")


def test_operators_outside(run: Callable[..., str]) -> None:
    """``subgraph_builder_function``: what it refuses is outside the NeuronOps of ``aws_neuron_function``, which computes
    the same."""
    run("operators_outside.py")


def test_compile_of_older_files(run: Callable[..., str]) -> None:
    """The arguments of the older call mean what they say, and a signature keeps its name."""
    run("compile_of_older_files.py")


def test_recurrent_layers_outlive_their_original(run: Callable[..., str]) -> None:
    """The functions that Keras calls inside are kept, and run on the NCs' CPUs; those that nobody calls do not
    count."""
    run("recurrent_layers_outlive_their_original.py")


@pytest.mark.parametrize(
    "flags", ["--extract-weights", "--extract-weights inf1.2xlarge", "--reduce-neff-size --log-level=20"]
)
def test_flags_that_the_plugin_read(run: Callable[..., str], flags: str) -> None:
    run("flags_that_the_plugin_read.py", flags)


def test_channels_first(run: Callable[..., str]) -> None:
    """Models written for accelerators have their channels first, for which TensorFlow has few operators on a CPU."""
    run("channels_first.py")


def test_learning_phase(run: Callable[..., str]) -> None:
    """Scripts ask for inference before they build a model; Keras 3 has no such call."""
    run("learning_phase.py")


def test_a_frozen_signature_keeps_the_call(run: Callable[..., str]) -> None:
    """How scripts tell that a file is compiled: what is left of its signature when TensorFlow has frozen it."""
    run("a_frozen_signature_keeps_the_call.py")


def test_outputs_keep_their_names(run: Callable[..., str]) -> None:
    """Of a file that is compiled again: also of outputs that differ only by the input that they take, and of integers,
    whose examples may be the same."""
    run("outputs_keep_their_names.py")


def test_names_in_signatures(run: Callable[..., str]) -> None:
    """input_1 and output_1, which servers' clients of tensorflow-neuron feed and read; the keys of dictionaries."""
    run("names_in_signatures.py")


def test_compile_tells_outputs_apart(run: Callable[..., str]) -> None:
    """Of a file that is compiled again: whatever the example is, also where only its signature takes it."""
    run("compile_tells_outputs_apart.py")


def test_autograph_leaves_hooks_alone(run: Callable[..., str]) -> None:
    """A placed model in a tf.function, or as one: no warning that names this package."""
    run("autograph_leaves_hooks_alone.py")


def test_forked_after_tensorflow_has_run(run: Callable[..., str]) -> None:
    """TensorFlow's threads do not survive: said once, at the first load."""
    run("forked_after_tensorflow_has_run.py")


def test_names_of_tensorflow_1(run: Callable[..., str]) -> None:
    """They can be imported, and a call says what to do."""
    run("names_of_tensorflow_1.py")


def test_a_deleted_kernel_waits_for_no_lock(run: Callable[..., str]) -> None:
    """TensorFlow deletes a NeuronOp while it holds locks, and what the operator has may need them."""
    run("a_deleted_kernel_waits_for_no_lock.py")


def test_an_object_that_keras_wrote_is_called(run: Callable[..., str]) -> None:
    """tf.saved_model.load(...)(inputs), of one input and of several; Keras 3 has another name for the call."""
    run("an_object_that_keras_wrote_is_called.py")

"""SPEC C: the environment is read once, into one immutable object; what is wrong is one clear error."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuron_rt import Config, NeuronConfigError
from neuron_rt.config import VARIABLES
from neuron_rt.placement import Group

WRONG_NUMBERS = [
    "-1",
    "+4",
    "4.0",
    "1e1",
    "0x4",
    "four",
    "4 4",
    "4;4",
    "4x1",
    "4x2",
    "[4]",
    "17",
    "999999999",
    "9" * 5000,
    "٤",
    "４",
    "½",
    "\x00",
    "\n\n",
    "4\x00",
    "None",
    "nan",
    "inf",
    "1,",
    ",1",
    "1,,2",
    "1,-2",
    "1,0",
    "8,9",
    "16,1",
    "1, two",
    "--4",
    "4-",
    "0-3",
    "{4}",
    "(4)",
    "'4",
    '4"',
    "'4\"",
    "''4''",
    "4_0",
    "1 2",
    "²",
    "true",
    "",
    " ",
]
WRONG_VISIBLE = [
    "-1", "16", "0-16", "3-1", "0,0", "0-3,3", "0-2,1", "1,,2", ",", "1,", ",1", "a", "0-b", "0--3", "-", "0-", "-3",
    "0.5", "1e0", "0x1", "٣", "999999999999", "0-99999999999", "9" * 5000, "1;2", "1:2", "[0,1]", "\x00", "0 1", "1_0",
]  # fmt: skip
WRONG_GROUPS = [
    "", " ", "0", "-1", "2,0", "2,-2", "[2,2", "2,2]", "[]", "[[2]]", "4x2", "4x0", "0x1", "x1", "4x", "17x1", "1x1x1",
    "-4x1", "17", "8,9", "2,,2", "2,", "a,b", "2.0", "²", "٤", "9" * 5000, "\x00", "(2,2)", "2;2",
]  # fmt: skip
WRONG = {
    "NEURON_RT_NUM_CORES": WRONG_NUMBERS,
    "NEURON_RT_VISIBLE_CORES": WRONG_VISIBLE,
    "NEURONCORE_GROUP_SIZES": WRONG_GROUPS,
    "NEURON_ADAPTERS_INSTANCE": ["", "inf1", "inf1.xlarge2", "INF1.XLARGE", "0", "-1", "4.5", "99999", "٤", "9" * 5000],
    "NEURON_RT_EXEC_TIMEOUT": ["", "0", "-1", "abc", "1e3", "inf", "nan", "9" * 5000, "1,5", "٤"],
    "NEURON_ADAPTERS_WAIT": ["", "-1", "abc", "1e3", "inf", "nan", "9" * 5000],
    "NEURON_ADAPTERS_AFFINITY": ["", "maybe", "2", "ON!", "none"],
    "NEURON_RT_VALIDATE_HASH": ["", "maybe", "2"],
    "NEURON_ADAPTERS_PLACE": ["", "none", "compiled,all", "1"],
    "NEURON_ADAPTERS_STATE_DIR": ["", "relative/path", "a\x00b"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_values_are_one_clear_error(name: str, value: str) -> None:
    """SPEC C5: the error names the variable and what is accepted, and is a ValueError."""
    with pytest.raises(NeuronConfigError) as caught:
        Config.read({name: value})
    assert isinstance(caught.value, ValueError)
    assert caught.value.variable == name
    assert str(caught.value).startswith(f"{name}=")
    assert "Accepted: " in str(caught.value)
    assert len(str(caught.value)) < 1500


@given(st.sampled_from(sorted(VARIABLES)), st.text(max_size=30) | st.text("0123456789-,x[] .", max_size=12))
def test_any_text_is_read_or_refused(name: str, value: str) -> None:
    """SPEC C5: nothing but NeuronConfigError ever comes out."""
    try:
        config = Config.read({name: value})
    except NeuronConfigError as error:
        assert error.variable == name  # noqa: PT017  # or it is read
    else:
        assert 0 <= config.count <= config.instance.nc_count
        assert sum(group.size for group in config.groups) <= config.count
        assert config.sources[name] == "environment"


@pytest.mark.parametrize(
    ("value", "ncs"),
    [("3", (3,)), ("0-3", (0, 1, 2, 3)), ("0-0", (0,)), ("0,2,5", (0, 2, 5)), ("0-1,4-5", (0, 1, 4, 5)),
     ("1,3,5-8", (1, 3, 5, 6, 7, 8)), ("5,0", (5, 0)), (" 0 , 1 ", (0, 1)), ("", ()), ("  ", ())],
)  # fmt: skip
def test_visible_cores(value: str, ncs: tuple[int, ...]) -> None:
    """SPEC C2: exactly those NCs, in the order given; empty means none. It wins over C3."""
    config = Config.read({"NEURON_RT_VISIBLE_CORES": value, "NEURON_RT_NUM_CORES": "13"})
    assert config.visible == ncs
    assert config.count == len(ncs)


@pytest.mark.parametrize(
    ("value", "count", "sizes"), [("13", 13, []), ("0", 16, []), (" 4 ", 4, []), ("2,4,3,4", 13, [2, 4, 3, 4])]
)
def test_num_cores(value: str, count: int, sizes: list[int]) -> None:
    """SPEC C3: a count, or a list that takes the sum and forms the groups."""
    config = Config.read({"NEURON_RT_NUM_CORES": value})
    assert (config.count, [group.size for group in config.groups]) == (count, sizes)
    assert config.visible is None


@pytest.mark.parametrize(
    ("value", "sizes", "replicas"),
    [("2,4,3,4", [2, 4, 3, 4], None), ("[2,4,3,4]", [2, 4, 3, 4], None), ("4x1", [1, 1, 1, 1], 4), ("4", [4], None)],
)
def test_group_sizes(value: str, sizes: list[int], replicas: int | None) -> None:
    """SPEC C4: groups side by side; alone, their sum is the allocation."""
    config = Config.read({"NEURONCORE_GROUP_SIZES": value})
    assert [group.size for group in config.groups] == sizes
    assert config.replicas == replicas
    assert config.count == sum(sizes)
    assert config.groups[0] == Group(0, sizes[0])
    hint = f"NEURON_RT_NUM_CORES={','.join(map(str, sizes))} for the same groups" if len(sizes) > 1 else "least used"
    with pytest.warns(DeprecationWarning, match=hint):
        config.warn_of_use()
    with pytest.warns(DeprecationWarning, match="without it, NEURON_RT_VISIBLE_CORES"):
        Config.read({"NEURONCORE_GROUP_SIZES": value, "NEURON_RT_VISIBLE_CORES": "0-12"}).warn_of_use()


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_a_value_are_not_part_of_it(quote: str) -> None:
    """As notebooks (%env) and env-files leave them; the raw value is what a later change is compared with."""
    raw = {"NEURONCORE_GROUP_SIZES": f"{quote}4x1{quote}", "NEURON_PROCESS_TAG": quote}
    config = Config.read(raw)
    assert (config.replicas, config.count, config.tag) == (4, 4, quote)
    assert config.changes(raw) == {}


def test_groups_must_fit_the_allocation() -> None:
    """SPEC C4: a sum larger than the allocation is an error, whichever variable makes the allocation."""
    for allocation in ({"NEURON_RT_NUM_CORES": "4"}, {"NEURON_RT_VISIBLE_CORES": "0-3"}):
        with pytest.raises(NeuronConfigError, match="5 NeuronCores in all where the process has 4"):
            Config.read({**allocation, "NEURONCORE_GROUP_SIZES": "2,3"})
        assert Config.read({**allocation, "NEURONCORE_GROUP_SIZES": "2,1"}).count == 4


def test_two_variables_that_form_other_groups() -> None:
    """SPEC C5: contradicting values are refused, equal ones are not."""
    with pytest.raises(NeuronConfigError, match="forms other groups"):
        Config.read({"NEURON_RT_NUM_CORES": "2,4", "NEURONCORE_GROUP_SIZES": "4,2"})
    same = Config.read({"NEURON_RT_NUM_CORES": "2,4", "NEURONCORE_GROUP_SIZES": "2,4"})
    assert [group.size for group in same.groups] == [2, 4]


def test_it_is_immutable_and_knows_its_sources() -> None:
    """SPEC C1: one object, read once."""
    config = Config.read({"NEURON_RT_NUM_CORES": "2"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.count = 3
    with pytest.raises(TypeError):
        config.environ["NEURON_RT_NUM_CORES"] = "3"  # type: ignore[index]
    assert config.sources["NEURON_RT_NUM_CORES"] == "environment"
    assert config.sources["NEURON_ADAPTERS_WAIT"] == "default"
    assert config.changes({"NEURON_RT_NUM_CORES": "3"}) == {"NEURON_RT_NUM_CORES": ("2", "3")}


def test_the_default_directory_depends_on_the_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC O5: a login, cron and a service of one user share the instance."""
    before = Config.read({}).state_dir
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/somewhere")
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    assert Config.read({}).state_dir == before


@pytest.mark.parametrize("value", ["0", "[0]", "0,0", "2,0", "0x1", " 0 "])
def test_no_groups(value: str) -> None:
    """A script that computes the variable may compute 0: one error says what to set instead."""
    with pytest.raises(NeuronConfigError, match=r"0 (NeuronCores|groups).*unset it for no groups\.$") as caught:
        Config.read({"NEURONCORE_GROUP_SIZES": value})
    assert "\n" not in str(caught.value)

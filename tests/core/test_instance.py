"""SPEC I: the instance, and the CPUs behind its NeuronCores."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuron_rt import Config, NeuronConfigError
from neuron_rt.instance import INSTANCE_TYPES, Cpu, Instance, cpus_of_ncs, cpus_of_process, machine_cpus


def machine(nodes: int, cores: int, threads: int) -> list[Cpu]:
    """A machine as Linux numbers it: first one thread of every core, then the siblings."""
    total = nodes * cores
    return [
        Cpu(sibling * total + core, node=core // cores, core=core)
        for sibling in range(threads)
        for core in range(total)
    ]


@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 2), st.integers(1, 64))
def test_cpus_of_ncs(nodes: int, cores: int, threads: int, nc_count: int) -> None:
    """SPEC I3: equal, disjoint where there are CPUs enough, in turn where there are not, the same whenever asked."""
    cpus = machine(nodes, cores, threads)
    sets = cpus_of_ncs(nc_count, cpus)
    assert len(sets) == nc_count
    assert len({len(cpu_set) for cpu_set in sets}) == 1
    assert sets == cpus_of_ncs(nc_count, list(reversed(cpus)))
    if nc_count > len(cpus):
        assert [sorted(cpu_set) for cpu_set in sets] == [[nc % len(cpus)] for nc in range(nc_count)]
        return
    assert len(frozenset().union(*sets)) == sum(map(len, sets)), "no CPU stands behind two NCs"
    core_of = {cpu.index: cpu.core for cpu in cpus}
    node_of = {cpu.index: cpu.node for cpu in cpus}
    if nc_count <= nodes * cores:
        for cpu_set in sets:
            whole = {cpu.index for cpu in cpus if cpu.core in {core_of[index] for index in cpu_set}}
            assert cpu_set == whole, "SMT siblings stay together"
    if nodes <= nc_count:
        assert all(len({node_of[index] for index in cpu_set}) == 1 for cpu_set in sets), "no NC spans NUMA nodes"


#: The threads of each core of each node: nodes of unequal size, cores with a thread switched off, cores of two kinds.
topologies = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=8), min_size=1, max_size=4)


def machine_of(topology: list[list[int]]) -> list[Cpu]:
    """A machine as QEMU numbers it: node by node, and the threads of a core together."""
    cpus: list[Cpu] = []
    for node, cores in enumerate(topology):
        for threads in cores:
            cpus += [Cpu(len(cpus) + thread, node, len(cpus)) for thread in range(threads)]
    return cpus


@given(topologies, st.integers(1, 40), st.randoms())
def test_uneven_machines(topology: list[list[int]], nc_count: int, random: Random) -> None:
    """SPEC I3, on a machine of any shape."""
    cpus = machine_of(topology)
    sets = cpus_of_ncs(nc_count, cpus)
    assert sets == cpus_of_ncs(nc_count, random.sample(cpus, len(cpus)))
    assert len(sets) == nc_count
    assert len({len(behind) for behind in sets}) == 1
    if nc_count > len(cpus):
        return
    assert sum(map(len, sets)) == len(frozenset().union(*sets)), "no CPU stands behind two NCs"
    cores = [{cpus[index].core for index in behind} for behind in sets]
    if nc_count <= sum(map(len, topology)):
        assert sum(map(len, cores)) == len(set().union(*cores)), "no core is behind two NCs"
    else:
        assert {len(behind) for behind in cores} == {1}, "no NC has threads of two cores"
    if nc_count >= len(topology):
        assert all(len({cpus[index].node for index in behind}) == 1 for behind in sets), "no NC spans NUMA nodes"


@pytest.mark.parametrize(
    ("topology", "nc_count", "expected"),
    [
        # A thread of a core is switched off: the others are whole.
        ([[1, 2, 2, 2]], 3, [{1, 2}, {3, 4}, {5, 6}]),
        # Two cores of two threads, four of one: an NC a core, or as many CPUs each.
        ([[2, 2, 1, 1, 1, 1]], 6, [{0}, {2}, {4}, {5}, {6}, {7}]),
        ([[2, 2, 1, 1, 1, 1]], 4, [{0, 1}, {2, 3}, {4, 5}, {6, 7}]),
        # The larger node holds both NCs: half of it is more than the smaller node.
        ([[1] * 6, [1] * 2], 2, [{0, 1, 2}, {3, 4, 5}]),
        ([[1] * 6, [1] * 2], 1, [set(range(8))]),
        # Whole nodes where there are fewer NCs than nodes.
        ([[1] * 2] * 4, 2, [set(range(4)), set(range(4, 8))]),
        ([[2, 2]] * 2, 4, [{0, 1}, {2, 3}, {4, 5}, {6, 7}]),
    ],
)
def test_uneven_machine(topology: list[list[int]], nc_count: int, expected: list[set[int]]) -> None:
    """SPEC I3: as many CPUs as can be, of whole cores and nodes."""
    assert cpus_of_ncs(nc_count, machine_of(topology)) == tuple(map(frozenset, expected))


def test_one_nc_has_the_machine() -> None:
    """Whole nodes to an NC where nodes are as many as NCs."""
    assert cpus_of_ncs(1, machine(2, 4, 2)) == (frozenset(range(16)),)
    assert cpus_of_ncs(2, machine(2, 4, 1)) == (frozenset(range(4)), frozenset(range(4, 8)))


@pytest.mark.parametrize(
    ("ncs", "nc_count", "mask", "expected"),
    [
        (range(4), 4, {4, 5, 6, 7}, [{4}, {5}, {6}, {7}]),  # a job that has half of the machine
        (range(2), 2, {3, 4, 5, 6}, [{3}, {4, 5, 6}]),  # both have a CPU there: each keeps to its own
        (range(2), 2, {4, 5, 6, 7}, [{4, 5}, {6, 7}]),
        (range(4), 8, {2, 3, 4, 5}, [{2}, {3}, {4}, {5}]),
        (range(4), 8, {0, 1, 2, 3}, [{0}, {1}, {2}, {3}]),
        (range(4, 8), 8, {4, 5, 6, 7}, [{4}, {5}, {6}, {7}]),  # NCs that were chosen to fit a mask
        (range(4), 4, {5}, [{5}] * 4),
    ],
)
def test_a_mask(ncs: range, nc_count: int, mask: set[int], expected: list[set[int]]) -> None:
    """SPEC I1: a process with a narrower mask keeps to it, and its NCs share it evenly where it leaves some of them
    without a CPU."""
    assert cpus_of_process(ncs, nc_count, machine(2, 4, 1), frozenset(mask)) == tuple(map(frozenset, expected))


@pytest.mark.parametrize(("name", "count"), [*((n, c) for n, (c, _d) in INSTANCE_TYPES.items()), ("host", 6), ("5", 5)])
def test_names(name: str, count: int) -> None:
    """SPEC I2: the documented types, host, and a number."""
    instance = Instance.named(name, host_cpus=6)
    assert instance.nc_count == count
    assert instance.device_count * instance.ncs_per_device >= count


def test_the_default_is_the_documented_example() -> None:
    """SPEC I2: every documented script runs with nothing configured."""
    assert Config.read({}).instance == Instance("inf1.6xlarge", 16, 4)
    with pytest.raises(NeuronConfigError, match=r"inf1\.24xlarge"):
        Instance.named("inf3.huge", host_cpus=2)


def test_machine_cpus_reads_the_container(tmp_path: Path) -> None:
    """SPEC I1: the cgroup's CPUs where there is one, with their NUMA node and SMT core."""
    system = tmp_path / "devices/system"
    (system / "node/node0").mkdir(parents=True)
    (system / "node/node1").mkdir()
    (system / "node/node0/cpulist").write_text("0-1,4-5\n")
    (system / "node/node1/cpulist").write_text("2-3,6-7\n")
    for cpu in range(8):
        topology = system / f"cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    (system / "cpu/online").write_text("0-7\n")
    assert [cpu.index for cpu in machine_cpus(tmp_path)] == list(range(8))
    (tmp_path / "fs/cgroup").mkdir(parents=True)
    (tmp_path / "fs/cgroup/cpuset.cpus.effective").write_text("1-2,5\n")
    assert machine_cpus(tmp_path) == (Cpu(1, 0, 1), Cpu(2, 1, 2), Cpu(5, 0, 1))
    (tmp_path / "fs/cgroup/cpuset.cpus.effective").write_text("nonsense")
    assert len(machine_cpus(tmp_path)) == 8


def test_machine_cpus_without_those_that_are_off(tmp_path: Path) -> None:
    """SPEC I1: CPUs that are switched off are not there; nor is a node that has memory only."""
    system = tmp_path / "devices/system"
    for node, listed in enumerate(("0,2-3", "4-7", "")):  # the kernel leaves CPU 1 out of all lists
        (system / f"node/node{node}").mkdir(parents=True)
        (system / f"node/node{node}/cpulist").write_text(f"{listed}\n")
    (system / "cpu/cpu1").mkdir(parents=True)
    for cpu, siblings in enumerate(("0", "", "2-3", "2-3", "4-5", "4-5", "6-7", "6-7")):
        if siblings:
            topology = system / f"cpu/cpu{cpu}/topology"
            topology.mkdir(parents=True)
            (topology / "thread_siblings_list").write_text(f"{siblings}\n")
    (system / "cpu/online").write_text("0,2-7\n")
    cpus = machine_cpus(tmp_path)
    assert [(cpu.index, cpu.node, cpu.core) for cpu in cpus] == [
        (0, 0, 0), (2, 0, 2), (3, 0, 2), (4, 1, 4), (5, 1, 4), (6, 1, 6), (7, 1, 6),
    ]  # fmt: skip
    assert cpus_of_ncs(3, cpus) == (frozenset({2, 3}), frozenset({4, 5}), frozenset({6, 7}))

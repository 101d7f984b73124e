"""SPEC I: the instance, and the CPUs behind its NeuronCores."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuron_rt import Config, NeuronConfigError
from neuron_rt.instance import INSTANCE_TYPES, Cpu, Instance, cpus_of_ncs, machine_cpus


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
    assert len({len(one) for one in sets}) == 1
    assert sets == cpus_of_ncs(nc_count, list(reversed(cpus)))
    if nc_count > len(cpus):
        assert [sorted(one) for one in sets] == [[nc % len(cpus)] for nc in range(nc_count)]
        return
    assert len(frozenset().union(*sets)) == sum(map(len, sets)), "no CPU stands behind two NCs"
    core_of = {cpu.index: cpu.core for cpu in cpus}
    node_of = {cpu.index: cpu.node for cpu in cpus}
    if nc_count <= nodes * cores:
        for one in sets:
            whole = {cpu.index for cpu in cpus if cpu.core in {core_of[index] for index in one}}
            assert one == whole, "SMT siblings stay together"
    if nodes <= nc_count:
        assert all(len({node_of[index] for index in one}) == 1 for one in sets), "no NC spans NUMA nodes"


def test_one_nc_has_the_machine() -> None:
    """Whole nodes to an NC where nodes are as many as NCs."""
    assert cpus_of_ncs(1, machine(2, 4, 2)) == (frozenset(range(16)),)
    assert cpus_of_ncs(2, machine(2, 4, 1)) == (frozenset(range(4)), frozenset(range(4, 8)))


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

"""Which launcher started a process is read from its environment, and from nothing else."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driver.instances.errors import LaunchError
from driver.instances.launch import DERIVED_PORTS, Launch, derived_port, detect, first_host

RANK = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "node7", "MASTER_PORT": "29500"}
TORCHRUN = {
    **RANK,
    "LOCAL_WORLD_SIZE": "4",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
MPIRUN = {
    "OMPI_COMM_WORLD_RANK": "2",
    "OMPI_COMM_WORLD_SIZE": "3",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "3",
    "PMIX_NAMESPACE": "2054750209",
}
SBATCH_SHELL = {
    "SLURM_JOB_ID": "77",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "0",
    "SLURM_NNODES": "2",
    "SLURM_JOB_NODELIST": "n[1-2]",
}
SRUN = {
    **SBATCH_SHELL,
    "SLURM_PROCID": "3",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "n[1-2]",
}


class TestLaunchers:
    def test_rank_and_world_size(self) -> None:
        assert detect(RANK) == Launch("RANK/WORLD_SIZE", 1, 4, False, "", "node7", 29500)

    def test_torchrun(self) -> None:
        assert detect(TORCHRUN) == Launch("torchrun", 1, 4, True, "none 0", "node7", 29500, True)

    def test_a_second_attempt_of_torchrun_is_another_job(self) -> None:
        again = detect({**TORCHRUN, "TORCHELASTIC_RESTART_COUNT": "1"})
        assert again is not None
        assert again.job == "none 1"

    def test_mpirun_on_one_host_needs_no_address(self) -> None:
        assert detect(MPIRUN) == Launch(
            "mpirun", 2, 3, True, "2054750209", "127.0.0.1", derived_port("2054750209")
        )

    def test_srun_on_several_hosts_finds_the_first_one(self) -> None:
        job = "slurm 77.0"
        assert detect(SRUN) == Launch("srun", 3, 4, False, job, "n1", derived_port(job))

    def test_srun_on_one_host_needs_no_address(self) -> None:
        assert detect({**SRUN, "SLURM_STEP_NUM_NODES": "1"}) == Launch(
            "srun", 3, 4, True, "slurm 77.0", "127.0.0.1", derived_port("slurm 77.0")
        )

    def test_what_the_user_sets_beats_what_is_derived(self) -> None:
        launch = detect({**SRUN, "MASTER_ADDR": "n9", "MASTER_PORT": "4000"})
        assert launch is not None
        assert (launch.address, launch.port) == ("n9", 4000)

    def test_loopback_means_one_host(self) -> None:
        launch = detect({**RANK, "MASTER_ADDR": "127.0.0.1"})
        assert launch is not None
        assert launch.one_host

    @pytest.mark.parametrize("outer", [MPIRUN, SRUN])
    def test_torchrun_inside_another_launcher_is_torchrun(self, outer: dict[str, str]) -> None:
        assert detect({**outer, **TORCHRUN}) == detect(TORCHRUN)

    @pytest.mark.parametrize("inner", [MPIRUN, SRUN])
    def test_a_world_size_that_a_batch_script_exported_leaves_the_rank_to_the_launcher(
        self, inner: dict[str, str]
    ) -> None:
        assert detect({**inner, "WORLD_SIZE": "4"}) == detect(inner)


class TestOrdinaryRuns:
    @pytest.mark.parametrize(
        "environment",
        [
            {},
            {"WORLD_SIZE": "1"},
            {"RANK": "0", "WORLD_SIZE": "1"},
            {
                **MPIRUN,
                "OMPI_COMM_WORLD_RANK": "0",
                "OMPI_COMM_WORLD_SIZE": "1",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
            },
            {**SRUN, "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1"},
            {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"},
            SBATCH_SHELL,
            {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "8"},  # salloc's shell
            # salloc's shell as a step of its own
            {**SBATCH_SHELL, "SLURM_STEP_ID": "4294967290", "SLURM_STEP_NUM_TASKS": "1"},
            # one process of a job of several, whose environment describes a single process
            {**SRUN, "RANK": "0", "WORLD_SIZE": "1"},
        ],
    )
    def test_nothing_becomes_a_run_of_many_by_accident(self, environment: dict[str, str]) -> None:
        assert detect(environment) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("environment", "names"),
        [
            ({"RANK": "0"}, "WORLD_SIZE is not"),
            ({"WORLD_SIZE": "2"}, "RANK is not"),
            ({**RANK, "RANK": "4"}, "RANK=4 with WORLD_SIZE=4: expected a number from 0 to 3"),
            ({**RANK, "RANK": "one"}, "RANK=one"),
            ({**RANK, "RANK": "-1"}, "RANK=-1"),
            ({**RANK, "WORLD_SIZE": ""}, "WORLD_SIZE="),
            ({**RANK, "WORLD_SIZE": "0"}, "WORLD_SIZE=0"),
            ({**RANK, "MASTER_PORT": "high"}, "MASTER_PORT=high"),
            ({**RANK, "MASTER_PORT": "65536"}, "MASTER_PORT=65536"),
            ({"RANK": "0", "WORLD_SIZE": "2"}, "MASTER_ADDR is not"),
            ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "n1"}, "MASTER_PORT is not"),
            ({"OMPI_COMM_WORLD_RANK": "0"}, "OMPI_COMM_WORLD_SIZE is not"),
            ({**MPIRUN, "OMPI_COMM_WORLD_RANK": "3"}, "OMPI_COMM_WORLD_RANK=3"),
            ({**MPIRUN, "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, "-x MASTER_ADDR=HOST"),
            ({**SRUN, "SLURM_STEP_NUM_TASKS": "many"}, "SLURM_STEP_NUM_TASKS=many"),
            ({**SRUN, "SLURM_PROCID": "4"}, "SLURM_PROCID=4"),
        ],
    )
    def test_what_contradicts_itself_is_refused_by_name(
        self, environment: dict[str, str], names: str
    ) -> None:
        with pytest.raises(LaunchError, match=names):
            detect(environment)

    @given(st.dictionaries(st.sampled_from(sorted({*TORCHRUN, *MPIRUN, *SRUN})), st.text(max_size=6)))
    def test_no_environment_does_anything_else(self, environment: dict[str, str]) -> None:
        with suppress(LaunchError):
            launch = detect(environment)
            assert launch is None or 0 <= launch.index < launch.count > 1


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True), st.lists(st.integers(0, 999), max_size=3)
        ),
        min_size=1,
        max_size=3,
    )
)
def test_the_first_host_of_slurms_notation_is_found(groups: list[tuple[str, list[int]]]) -> None:
    texts = [
        f"{name}[{','.join(f'{n:03}-{n + 1:03}' for n in numbers)}]" if numbers else name
        for name, numbers in groups
    ]
    name, numbers = groups[0]
    assert first_host(",".join(texts)) == (f"{name}{numbers[0]:03}" if numbers else name)


@given(st.text())
def test_a_job_has_one_port_that_no_outgoing_connection_takes(job: str) -> None:
    assert derived_port(job) == derived_port(job)
    assert derived_port(job) in DERIVED_PORTS

"""Which of several processes this one is, and what share of the draws is its own."""

import os
from typing import NamedTuple

import jax
from jax.experimental import multihost_utils

_LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)
"""What Open MPI's mpirun, MPICH's, and srun set; the last is there in what srun starts only."""


class Share(NamedTuple):
    """What falls to process `rank` of `size`."""

    rank: int
    size: int

    def of(self, samples: int, chunk: int) -> tuple[int, int]:
        """The draws [first, last) of this process: whole chunks, shares alike to one of them."""
        chunks = -(-samples // chunk)
        first, last = (chunks * i // self.size for i in (self.rank, self.rank + 1))
        return min(first * chunk, samples), min(last * chunk, samples)


def found() -> Share:
    """As the launcher says; alone where there is none, or where it says but half."""
    for rank, size in _LAUNCHERS:
        mine, all_of_them = (os.environ.get(name, "").strip() for name in (rank, size))
        if not mine or not all_of_them:
            continue
        if not (mine.isdigit() and all_of_them.isdigit() and int(mine) < int(all_of_them)):
            raise ValueError(
                f"`{rank}` and `{size}` in the environment must be the number of this process and "
                f"how many there are, but are {mine!r} and {all_of_them!r}."
            )
        return Share(int(mine), int(all_of_them))
    return Share(0, 1)


def join(coordinator: str | None, processes: int | None, process: int | None) -> Share:
    """Join the others by JAX's distributed runtime, which finds them on Slurm and Open MPI."""
    jax.distributed.initialize(coordinator, processes, process)
    return Share(jax.process_index(), jax.process_count())


def wait_for_all() -> None:
    """Until every process that joined has come here: all that it made is stored by then."""
    multihost_utils.sync_global_devices("entropax")


def use_cpu_devices(number: int) -> None:
    """So many devices, all of them cores of this machine; before anything is computed."""
    jax.config.update("jax_num_cpu_devices", number)

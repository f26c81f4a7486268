"""Sizes from which on another algorithm is faster, with the measurement behind each.

Measured on two cores of an AMD EPYC (Zen 4) with jax 0.9.2 (`docs/performance.md`). The numbers for
GPUs are reasoned, not measured (`docs/gpu.md`), but for those that are a matter of memory.
"""

from typing import NamedTuple

import jax


class Crossover(NamedTuple):
    """The largest size for which the first algorithm is taken, on a CPU and on a GPU."""

    cpu: int
    gpu: int

    @property
    def here(self) -> int:
        """That of the devices in use."""
        return self.gpu if jax.default_backend() in ("gpu", "cuda", "rocm") else self.cpu


EIGENVALUES_OF_A_LEAD = Crossover(cpu=1500, gpu=300)
"""Modes up to which the entropy of a lead goes by eigenvalues, above by elimination. CPU: 0.22 s
against 0.42 at 1000, 0.81 against 0.69 at 1500, 7.5 against 2.3 at 3000. GPU: a tridiagonal form
has some launches a column, elimination has K sequential steps of 88 shifts at once."""

EXPONENTIAL_OF_POPULATIONS = Crossover(cpu=48, gpu=48)
"""Populations of window baths up to which the exponential of their generator is taken instead of a
solver. CPU: an eigenproblem of 48 takes 0.4 ms, as long as a solver's hundred steps."""

EXPONENTIAL_OF_ONE_COUPLING = Crossover(cpu=256, gpu=256)
"""The same where there is one coupling: a batch over strengths shares its eigenproblem (CPU: 4096
strengths of 64 populations in 22 ms)."""

EXPONENTIAL_OF_A_GENERATOR = Crossover(cpu=64, gpu=64)
"""Numbers in a state between ideal baths up to which the exponential of a constant generator is
taken: its dense powers are n^3, a solver's steps m n^2."""

GENERATOR_AS_A_MATRIX = Crossover(cpu=256, gpu=1024)
"""Numbers in a state up to which a driven generator is made a matrix once, instead of acting at
each step. CPU: n^2 numbers stay in a core's cache up to 256. GPU: one product of a matrix and a
vector is one launch, the action some ten of them."""

STEADY_STATE_BY_LU = Crossover(cpu=2500, gpu=2500)
"""Numbers in a state up to which a steady state is solved for by LU decomposition: 50 levels, 7 s
on two cores and 50 MB; above by GMRES, which needs the generator's action alone."""

ALL_COHERENCES = Crossover(cpu=40, gpu=40)
"""Levels up to which all coherences of a secular equation are followed: d^4 numbers a bath, 20 MB
at 40 levels (memory, not speed)."""

HOUSEKEEPING = Crossover(cpu=16, gpu=16)
"""Levels up to which the steady state of the moment is found at every time unasked: an LU
decomposition of 256 rows, 1 ms on a CPU."""

ROTATIONS_TOGETHER = Crossover(cpu=64, gpu=256)
"""Rotations of split steps that are applied together. CPU: products of matrices run at full speed
from 64 rows on. GPU: fewer launches, larger products."""

PRODUCTS_AS_THEY_ARE = Crossover(cpu=100**3, gpu=2**62)
"""Terms of a complex matrix product up to which it is left as it is; above it is three real ones,
in 0.6 of the time on a CPU. On a GPU complex products run at full speed."""

ROWS_OF_A_SUM = Crossover(cpu=8, gpu=128)
"""Rows of a table that are formed and summed at once. CPU: eight stay in the first cache, and XLA
vectorises a loop over them (20 times faster than one reduction at n = 2000). GPU: enough of them to
fill it."""

DRAWS_ON_A_CORE = 8
"""Draws of an ensemble at a time on a core of a CPU: fewer wait for calls, more bring nothing."""

DETERMINANTS_WRITTEN_OUT = Crossover(cpu=500, gpu=500)
"""Sites of a junction below which generating functions go by determinants of matrices written out,
from there by elimination. CPU, seconds a value of u: 0.02 against 0.02 at 600, 1.2 against 0.3 at
2000. GPU: not measured; elimination has as many steps as sites, each for many values at once."""

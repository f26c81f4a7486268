"""A pure Gaussian start against TensorCircuit-NG's simulator of fermionic Gaussian states.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import entropax as ex
from benchmarks import models
from benchmarks.harness import SMALL, agreement, measured, median_seconds, report, timed


def imported() -> Any:
    """The rival. Importing it switches 64-bit JAX off, and off it stays until `set_dtype`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its sympy uses names that mpmath has renamed
        import tensorcircuit
    tensorcircuit.set_dtype("complex128")
    return tensorcircuit


def left_block(state: Any) -> jax.Array:
    return state.blocks[0]


def test_pure_start(benchmark: Any, capsys: Any) -> None:
    """One pure start at 20 times to Γt = 30: the left lead's correlation matrix and entropy.

    The rival is TensorCircuit-NG's `FGSSimulator` on JAX, one compiled step from each time to the
    next. It keeps particles and holes, 2(2K + 1) rows; ours has the whole ledger behind it.
    Matrices must agree to 1e-8, and our entropies with those of its matrices; its own entropies
    lack up to 2e-9 a mode, for what it adds to eigenvalues inside the logarithm.
    """
    tensorcircuit = imported()
    modes, steps = (6, 3) if SMALL else (100, 20)
    dt = 0.5
    junction = ex.pure_start(models.usui(modes), jax.random.key(0))
    ts = dt * np.arange(1, steps + 1)

    def ours() -> tuple[jax.Array, jax.Array]:
        found = ex.solve(junction, ts, save=left_block)
        return found.saved, found.ledger.bath_entropy[:, 0]

    first, (blocks, entropies) = timed(ours)
    h = np.asarray(ex.FermionNetwork.from_junction(junction).hamiltonian)
    filled = np.flatnonzero(np.asarray(junction.initial_occupations)).tolist()
    rest = [0, *range(1 + modes, len(h))]

    with tensorcircuit.runtime_backend("jax"):
        turn = dt * jnp.asarray(np.block([[h, 0 * h], [0 * h, -h.T]]))
        begin = tensorcircuit.FGSSimulator.init_alpha(filled, len(h))

        @jax.jit
        def step(alpha: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            simulator = tensorcircuit.FGSSimulator(len(h), alpha=alpha)
            simulator.evol_hamiltonian(turn)
            # of (c, c^dag): the lower block is <c_i^dag c_j>
            block = simulator.get_reduced_cmatrix(rest)[modes:, modes:]
            return simulator.get_alpha(), block, simulator.entropy(rest)

        def theirs() -> list[tuple[jax.Array, jax.Array]]:
            alpha, found = begin, []
            for _ in ts:
                alpha, block, entropy = step(alpha)
                found.append((block, entropy))
            return found

        its_first, expected = timed(theirs)
        rival = median_seconds(theirs, repeat=1 if SMALL else 3)

    matrices, its_entropies = (np.array(x) for x in zip(*expected, strict=True))
    exact = [float(ex.entropy.gaussian_entropy(jnp.asarray(c))) for c in matrices]
    errors = {
        "matrices": agreement(blocks, matrices, atol=1e-8),
        "entropies": agreement(entropies, exact, atol=1e-8),
        "its own entropies": agreement(entropies, its_entropies, atol=2.1e-9 * modes),
    }
    seconds, _ = measured(benchmark, ours, rounds=1 if SMALL else 3)
    report(
        benchmark,
        capsys,
        "Ensembles",
        f"a pure start, K = {modes}, {steps} times",
        ours=seconds,
        rivals={"TensorCircuit-NG": rival},
        beside={"first call of TensorCircuit-NG": its_first},
        first_call=first,
        errors=errors,
    )

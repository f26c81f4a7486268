"""Driven junctions: a run, its gradient, and the same by finite differences and by dense steps.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from benchmarks.harness import SMALL, agreement, measured, median_seconds, report, timed

FAMILY = "Driven junctions"
MODES = 10 if SMALL else 200
STEPS = 40 if SMALL else 1000
PIECES = 4 if SMALL else 64
DURATION = 10.0
REPEAT = 1 if SMALL else 5


def junction(level: Any) -> ex.Junction:
    leads = [
        ex.Lead.flat(modes=MODES, width=10.0, coupling=1.0, beta=beta, mu=mu)
        for beta, mu in ((2.0, 0.3), (1.0, -0.3))
    ]
    return ex.Junction(level, 0.3, leads)


def ledger(protocol: Any, order: int) -> ex.FermionLedger:
    method = ex.SplitStep(steps=STEPS, order=order)
    return ex.solve(junction(protocol), [DURATION], method, throw=False).ledger


def sigma(protocol: Any, order: int) -> jax.Array:
    return ledger(protocol, order).entropy_production[0]


def dense_steps(protocol: Any) -> np.ndarray:
    """C(t) by NumPy: one diagonalisation of the midpoint Hamiltonian a step."""
    model = junction(0.0)
    h = np.array(ex.FermionNetwork.from_junction(model).hamiltonian)
    u, step = np.eye(len(h), dtype=complex), DURATION / STEPS
    levels = jax.vmap(protocol)((jnp.arange(STEPS) + 0.5) * step)
    for level in np.asarray(levels):
        h[0, 0] = level
        values, vectors = np.linalg.eigh(h)
        u = (vectors * np.exp(-1j * step * values)) @ (vectors.T @ u)
    n = np.asarray(model.initial_occupations)
    return (u.conj() * n) @ u.T


@pytest.mark.parametrize("order", [2, 4])
def test_driven_junction(benchmark: Any, capsys: Any, order: int) -> None:
    """Σ at the end of a ramp of 64 pieces in 1000 steps, by all 65 nodes.

    Central differences are 2 x 65 of our values; the gradient must agree with them to 1e-6 along
    a random direction, and take less than 0.2 GB.
    """
    ramp = ex.PiecewiseLinear.ramp(0.0, 3.0, duration=DURATION, pieces=PIECES)
    value = jax.jit(lambda values: sigma(with_values(ramp, values), order))
    gradient = jax.jit(jax.grad(lambda values: sigma(with_values(ramp, values), order)))
    nodes = ramp.protocol.values
    start = time.perf_counter()
    gradient = gradient.lower(nodes).compile()
    jax.block_until_ready(gradient(nodes))
    first = time.perf_counter() - start
    memory = gradient.memory_analysis()
    assert memory is not None
    gigabytes = memory.temp_size_in_bytes / 1e9
    assert 0.0 < gigabytes < (0.1 if SMALL else 0.2)
    timed(value, nodes)
    plain = median_seconds(value, nodes, repeat=REPEAT)
    ours, found = measured(benchmark, gradient, nodes, rounds=REPEAT)
    along = np.random.default_rng(0).normal(size=nodes.shape)
    step = 1e-4
    central = (value(nodes + step * along) - value(nodes - step * along)) / (2 * step)
    error = agreement(found @ along, central, atol=1e-6)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"gradient of Σ by {nodes.size} nodes, K = {MODES}, {STEPS} steps of order {order}",
        ours=ours,
        rivals={"central differences": 2 * nodes.size * plain},
        beside={"our value of Σ": plain},
        first_call=first,
        memory={"temporary": gigabytes},
        errors={"difference": error},
    )


def with_values(ramp: Any, values: jax.Array) -> Any:
    return eqx.tree_at(lambda r: r.protocol.values, ramp, values)


def test_against_dense_steps(benchmark: Any, capsys: Any) -> None:
    """A run of order 2 and one time's ledger; NumPy diagonalises the midpoint Hamiltonian a step.

    Occupations of the level must agree to 1e-4.
    """
    ramp = ex.PiecewiseLinear.ramp(0.0, 3.0, duration=DURATION, pieces=PIECES)
    run = jax.jit(lambda values: sigma_and_filling(with_values(ramp, values)))
    nodes = ramp.protocol.values
    first, _ = timed(run, nodes)
    ours, found = measured(benchmark, run, nodes, rounds=REPEAT)
    rival, c = timed(dense_steps, ramp)
    error = agreement(found[1], c[0, 0].real, atol=2e-2 if SMALL else 1e-4)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"a run of {STEPS} steps of order 2, K = {MODES}",
        ours=ours,
        rivals={"NumPy, dense steps": rival},
        first_call=first,
        errors={"difference": error},
    )


def sigma_and_filling(protocol: Any) -> tuple[jax.Array, jax.Array]:
    found = ledger(protocol, 2)
    return found.entropy_production[0], found.system_occupation[0]

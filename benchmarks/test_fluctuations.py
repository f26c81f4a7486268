"""Fluctuations against a dense determinant for each u, and against QuTiP's counting statistics.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import entropax as ex
from benchmarks.harness import SMALL, agreement, measured, median_seconds, report, timed

FAMILY = "Fluctuations"
REPEAT = 1 if SMALL else 3
MODES, POINTS = (20, 4) if SMALL else (1000, 64)
LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])


def test_generating_function(benchmark, capsys) -> None:
    """<e^{ux}> of the particles that a lead of a junction gains, at one time.

    The rival has U from NumPy's eigh, and for each u one matrix product and one determinant; two
    are timed and scaled.
    """
    leads = [
        ex.Lead.flat(modes=MODES, width=20.0, coupling=0.1, beta=1.0, mu=mu) for mu in (0.5, -0.5)
    ]
    junction = ex.Junction(0.5, 0.0, leads)
    count = ex.counting(junction, [20.0], "particles", bath=1)
    u = jnp.linspace(-1.0, 1.0, POINTS)
    first, found = timed(count.generating, u)
    h = np.asarray(ex.FermionNetwork.from_junction(junction).hamiltonian)
    values, vectors = np.linalg.eigh(h)
    propagator = (vectors * np.exp(-20j * values)) @ vectors.T
    n = np.asarray(junction.initial_occupations)
    counted = np.arange(n.size) > MODES

    def one(x: float) -> float:
        weights = np.exp(x * counted)
        moved = propagator.conj().T @ (weights[:, None] * propagator)
        return np.linalg.det(np.diag(1 - n) + (n / weights)[:, None] * moved).real

    some = (0, POINTS - 1)
    error = agreement([float(found[i, 0]) for i in some], [one(float(u[i])) for i in some], 1e-8)
    rival = median_seconds(one, 0.3, repeat=REPEAT) * POINTS
    ours, _ = measured(benchmark, count.generating, u, rounds=REPEAT)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"{POINTS} values of <e^(ux)>, K = {MODES} a lead",
        ours=ours,
        rivals={"dense determinants": rival},
        first_call=first,
        errors={"difference": error},
    )


def test_noise(benchmark, capsys) -> None:
    """Noise of the current through a dot, for many levels in one `vmap`.

    QuTiP's `countstat_current_noise` goes one after the other; 20 are timed and scaled.
    """
    import qutip

    count, some = (3, 2) if SMALL else (1000, 20)
    levels = jnp.linspace(-2.0, 2.0, count)

    def model(level: Any) -> ex.OpenSystem:
        baths = [
            ex.ThermalBath(1.0, ex.FlatSpectrum(0.1), mu=mu, statistics="fermi")
            for mu in (0.5, -0.5)
        ]
        links = [ex.Coupling(LOWER, bath) for bath in baths]
        return ex.OpenSystem((0.0, level), links, ex.Product(system=0))

    def noise(level: jax.Array) -> jax.Array:
        return ex.steady_state(model(level), ex.Davies()).noise[1, 1]

    def by_qutip(level: float) -> float:
        fillings = [1.0 / (1.0 + np.exp(level - mu)) for mu in (0.5, -0.5)]
        a = qutip.Qobj(LOWER)
        jumps = []
        for filled in fillings:
            jumps += [np.sqrt(0.1 * (1 - filled)) * a, np.sqrt(0.1 * filled) * a.dag()]
        generator = qutip.liouvillian(level * a.dag() * a, jumps)
        # out into the right bath, less what comes back
        down, up = (qutip.sprepost(c, c.dag()) for c in jumps[2:])
        steady = qutip.steadystate(generator)
        current = qutip.expect(jumps[2].dag() * jumps[2] - jumps[3].dag() * jumps[3], steady)
        vector = qutip.operator_to_vector(steady)
        trace = qutip.operator_to_vector(qutip.qeye(2)).dag()
        direct = (trace * ((down + up) * vector)).real
        moved = (down - up) * vector - current * vector
        dense = np.vstack([generator.full(), trace.full()])
        inverse = np.linalg.lstsq(dense, np.append(moved.full().ravel(), 0.0), rcond=None)[0]
        later = trace.full() @ ((down - up).full() @ inverse)
        return float(direct - 2.0 * later.real.item())

    together = jax.jit(jax.vmap(noise))
    first, found = timed(together, levels)
    expected = [by_qutip(float(level)) for level in levels[:some]]
    error = agreement(found[:some], expected, rtol=1e-9)

    def loop() -> None:
        for level in levels[:some]:
            by_qutip(float(level))

    rival = median_seconds(loop, repeat=REPEAT) * count / some
    ours, _ = measured(benchmark, together, levels, rounds=REPEAT)
    task = f"noise of {count} dots"
    report(
        benchmark,
        capsys,
        FAMILY,
        task,
        ours=ours,
        rivals={"QuTiP": rival},
        first_call=first,
        errors={"difference": error},
        bars=[(f"{task}, beside QuTiP", "at least", 50.0, rival / ours)],
    )

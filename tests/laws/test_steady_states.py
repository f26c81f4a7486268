"""Steady states against cited currents, closed forms and each other."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method.ideal.block_generator import BlockGenerator
from entropax.method.ideal.conservation import blocks_of, conserved
from entropax.method.ideal.davies import DaviesEquation
from entropax.method.ideal.equation import AbstractEquation
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator, SecularGenerator
from entropax.method.ideal.local_equation import LocalEquation

LEADS = ((1.0, 0.4, 0.9), (2.5, 0.2, 0.1))


@eqx.filter_jit
def generator_of(equation: AbstractEquation, model: ex.OpenSystem) -> AbstractGenerator:
    return equation.generator(model)


@jax.jit
def applied(generator: AbstractGenerator, state: jax.Array) -> tuple[jax.Array, ...]:
    """What a form keeps of a state; its change, energy from each bath and trace."""
    y = generator.pack(state)
    energy = generator.energy_given(generator.dissipated(y))
    trace = jnp.sum(generator.trace() * y)
    return generator.unpack(y), generator.unpack(generator(y)), energy, trace


def test_forms_of_generators_agree() -> None:
    """On a chain: sector against tensor, blocks against whole matrices, jumps against tensors."""
    chain = ex.machines.spin_chain(3)
    sector = generator_of(ex.Davies().steady_equation(chain), chain)
    whole = generator_of(DaviesEquation(lamb_shift=False, pairs=None), chain)
    assert isinstance(sector, SecularGenerator)
    assert isinstance(whole, MatrixGenerator)
    jumps = generator_of(ex.Local().steady_equation(chain), chain)
    every = LocalEquation(heat="full", lamb_shift=False, labels=None, counts=())
    tensors = generator_of(every, chain)
    assert isinstance(jumps, MatrixGenerator)
    operators = [np.asarray(op) for part in jumps.dissipators for op in part.operators]
    h = np.asarray(jumps.hamiltonian)
    parted = blocks_of(h, operators)
    assert sorted(map(len, parted.members)) == [1, 1, 3, 3]
    assert conserved(h, operators) == []
    blocks = eqx.filter_jit(BlockGenerator)(jumps, parted)
    state = np.zeros((8, 8), complex)
    rho = twin.random_state(np.random.default_rng(5), 8)
    for block in parted.members:
        state[np.ix_(block, block)] = rho[np.ix_(block, block)]
    commuting = applied(sector, jnp.asarray(state))[0]
    for few, many, start in (
        (sector, whole, commuting),
        (blocks, jumps, state),
        (jumps, tensors, state),
    ):
        kept, change, energy, trace = applied(few, jnp.asarray(start))
        np.testing.assert_allclose(kept, start, rtol=0, atol=1e-14)
        _, expected, given, _ = applied(many, jnp.asarray(start))
        np.testing.assert_allclose(change, expected, rtol=0, atol=1e-13)
        np.testing.assert_allclose(energy, given, rtol=0, atol=1e-13)
        np.testing.assert_allclose(trace, np.trace(start).real, rtol=1e-13)


def test_large_chains_are_solved_by_action() -> None:
    """Six qubits: blocks and GMRES for Local, sector and LU for Davies."""
    chain = ex.machines.spin_chain(6)
    local, davies = ex.steady_state(chain, ex.Local()), ex.steady_state(chain, ex.Davies())
    np.testing.assert_allclose(local.heat_currents[0], 0.0447507595079696, rtol=1e-10)
    np.testing.assert_allclose(jnp.sum(local.heat_currents), 0.0, atol=1e-12)
    np.testing.assert_allclose(jnp.sum(davies.heat_currents), 0.0, atol=1e-12)
    np.testing.assert_allclose(davies.heat_currents[0], 0.185013631699, rtol=1e-9)  # qthermo 0.7


# validation.md, V7
V7 = {
    "qubit": (
        lambda: ex.OpenSystem(
            energies=(0.0, 1.0),
            couplings=[
                ex.Coupling(twin.SX, ex.ThermalBath(1 / t, ex.FlatSpectrum(g)))
                for t, g in ((3.0, 0.3), (0.5, 0.7))
            ],
            start=ex.Gibbs(beta=1.0),
        ),
        ex.Davies(),
        (0.182016605306935,),
        0.303361008844892,
    ),
    "XX chain of 2": (lambda: ex.machines.spin_chain(2), ex.Local(), (0.0447507595079696,), None),
    "XX chain of 4": (lambda: ex.machines.spin_chain(4), ex.Local(), (0.0447507595079696,), None),
    "refrigerator": (
        ex.machines.absorption_refrigerator,
        ex.Davies(),
        (0.000753795715964, 0.00227304374764, -0.0030268394636),
        0.000885256635165,
    ),
    "refrigerator, local": (
        ex.machines.absorption_refrigerator,
        ex.Local(),
        (),
        0.00081237652687,
    ),
}


@pytest.mark.parametrize("name", V7)
def test_cited_currents(name: str) -> None:
    model, method, currents, sigma = V7[name]
    found = ex.steady_state(model(), method)
    np.testing.assert_allclose(found.heat_currents[: len(currents)], currents, rtol=0, atol=1e-9)
    np.testing.assert_allclose(jnp.sum(found.heat_currents), 0.0, atol=1e-13)
    if sigma is not None:
        np.testing.assert_allclose(found.entropy_production_rate, sigma, rtol=0, atol=1e-12)
    if name == "refrigerator, local":
        cooling, driving, _ = found.heat_currents
        np.testing.assert_allclose(cooling / driving, 1.0 / 3.0, rtol=1e-10)


def test_thermoelectric_dot_at_maximum_power() -> None:
    hot, cold = 2.03273980639, 2.8607529115
    dot = ex.machines.thermoelectric_dot(0.0, (1.0, 0.5), (-hot, -0.5 * cold))
    found = ex.steady_state(dot, ex.Davies())
    np.testing.assert_allclose(-found.chemical_power, 0.0371537353818, rtol=0, atol=1e-12)
    efficiency = -found.chemical_power / found.heat_currents[0]
    np.testing.assert_allclose(efficiency, 0.296330769314, rtol=0, atol=1e-10)
    for method in (ex.Davies(coherences=True), ex.Redfield(), ex.Local()):
        other = ex.steady_state(dot, method)
        np.testing.assert_allclose(other.particle_currents, found.particle_currents, atol=1e-14)
        np.testing.assert_allclose(other.heat_currents, found.heat_currents, atol=1e-14)


@pytest.mark.kernels
def test_interacting_dot_counts_particles() -> None:
    """Two levels with Coulomb repulsion: Pauli's equation over the four Fock states."""
    levels, repulsion = (0.3, 0.8), 1.1
    energies = np.array([0.0, levels[1], levels[0], sum(levels) + repulsion])
    first = np.kron(twin.LOWER, np.eye(2))
    second = np.kron(np.diag([1.0, -1.0]), twin.LOWER)
    leads = [ex.ThermalBath(b, ex.FlatSpectrum(g), "fermi", mu) for b, g, mu in LEADS]
    couplings = [ex.Coupling(c, lead) for lead in leads for c in (first, second)]
    model = ex.OpenSystem(energies=energies, couplings=couplings, start=ex.Product(system=0))
    found = ex.steady_state(model, ex.Davies())
    each = []
    for b, g, mu in LEADS:
        w = np.zeros((4, 4))
        for lower in (first, second):
            for i, j in np.argwhere(lower):
                f = 1.0 / (np.exp(b * (energies[j] - energies[i] - mu)) + 1.0)
                w[i, j] += g * (1.0 - f)
                w[j, i] += g * f
        each.append(w - np.diag(w.sum(0)))
    p = np.linalg.svd(sum(each))[2][-1]
    p = p / p.sum()
    number = np.array([0.0, 1.0, 1.0, 2.0])
    np.testing.assert_allclose(np.diagonal(found.state).real, p, rtol=0, atol=1e-13)
    particles = [number @ w @ p for w in each]
    np.testing.assert_allclose(found.particle_currents, particles, rtol=0, atol=1e-13)
    heat = [(energies - mu * number) @ w @ p for (_, _, mu), w in zip(LEADS, each, strict=True)]
    np.testing.assert_allclose(found.heat_currents, heat, rtol=0, atol=1e-13)
    assert float(found.entropy_production_rate) > 0.0
    currents = jnp.sum(found.heat_currents) + found.chemical_power
    np.testing.assert_allclose(currents, 0.0, atol=1e-13)


def test_quanta_are_counted_where_mu_is_given() -> None:
    """Whether or not it is traced, and 0 gives the same dynamics."""

    def currents(mu):
        bath = ex.ThermalBath(1.0, ideal.OHMIC, mu=mu)
        cold = ex.ThermalBath(2.0, ideal.DRUDE)
        model = ex.OpenSystem(
            energies=(0.0, 1.0),
            couplings=[ex.Coupling(twin.SX, bath), ex.Coupling(twin.SX, cold)],
            start=ex.Product(system=0),
        )
        found = ex.steady_state(model, ex.Davies(coherences=False))
        return found.particle_currents, found.heat_currents

    known, traced, uncounted = currents(0.0), jax.jit(currents)(0.0), currents(None)
    np.testing.assert_allclose(known[0], traced[0], rtol=1e-13)
    np.testing.assert_allclose(known[1], uncounted[1], rtol=1e-13)
    np.testing.assert_array_equal(uncounted[0], 0.0)
    np.testing.assert_allclose(known[0], [float(known[1][0]), 0.0], rtol=1e-12)  # quanta of 1

"""Gibbs states, free energies and ergotropy: closed forms and edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import check_derivative
from twins import textbook

from entropax.entropy import relative_entropy
from entropax.equilibrium import (
    equilibrium_free_energy,
    ergotropy,
    expectation,
    free_energy,
    gibbs_state,
    over_temperature,
    per_beta,
)

INF = np.inf


@pytest.mark.parametrize("beta", [0.1, 0.9, 1.1, 30.0, -5.0])
def test_equilibrium_free_energy(beta: float) -> None:
    energies = np.array([-0.4, 0.1, 0.5])
    found = equilibrium_free_energy(jnp.asarray(energies), jnp.asarray(beta))
    expected = -np.log(np.mean(np.exp(-beta * energies))) / beta
    assert float(found) == pytest.approx(expected, abs=1e-13)
    args = (energies, np.array(beta))
    check_derivative(equilibrium_free_energy, args, (np.array([1.0, -0.3, 0.2]), np.array(0.4)))


GAP = 0.8
QUBIT = jnp.diag(jnp.array([0.0, GAP]))
# a qubit's Hamiltonian with coherences, of the same energies
TURN = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
TILTED = jnp.asarray(TURN @ np.asarray(QUBIT) @ TURN.T)


@pytest.mark.parametrize("beta", [1.3, -2.0, 0.0, 1e5, -1e5])
def test_gibbs_state_of_a_qubit(beta: float) -> None:
    """Weights f and 1 - f of the Fermi function, however cold or inverted."""
    excited = textbook.occupations_of(np.array(beta * GAP))
    found = gibbs_state(TILTED, jnp.array(beta))
    expected = TURN @ np.diag([1.0 - excited, excited]) @ TURN.T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 if abs(beta) > 10 else 1e-15)


def test_free_energy_exceeds_that_of_equilibrium_by_the_relative_entropy() -> None:
    """S(rho || rho_beta) = beta (F(rho) - F(rho_beta)), F(rho_beta) = -T ln Z."""
    beta, state = jnp.array(1.7), jnp.array([[0.6, 0.1], [0.1, 0.4]])
    gibbs = gibbs_state(TILTED, beta)
    equilibrium = free_energy(gibbs, TILTED, beta)
    assert equilibrium == pytest.approx(-np.log1p(np.exp(-1.7 * GAP)) / 1.7, abs=1e-14)
    excess = beta * (free_energy(state, TILTED, beta) - equilibrium)
    assert excess == pytest.approx(float(relative_entropy(state, gibbs)), abs=1e-14)
    assert excess > 0.05


def test_ergotropy_of_inverted_passive_and_coherent_states() -> None:
    assert ergotropy(jnp.diag(jnp.array([0.1, 0.9])), QUBIT) == pytest.approx(0.8 * GAP, abs=1e-15)
    assert ergotropy(gibbs_state(TILTED, jnp.array(0.7)), TILTED) == pytest.approx(0.0, abs=1e-15)
    # half up and half down, with all its coherence, is pure: it can be brought to the ground
    plus = jnp.full((2, 2), 0.5)
    assert ergotropy(plus, QUBIT) == pytest.approx(0.5 * GAP, abs=1e-15)


def test_entropy_per_beta_and_expectation() -> None:
    entropies, betas = jnp.array([0.0, 0.0, 0.6, 0.6]), jnp.array([0.0, 2.0, 2.0, -3.0])
    np.testing.assert_allclose(per_beta(entropies, betas), [0.0, 0.0, 0.3, -0.2], rtol=1e-15)
    assert np.isinf(per_beta(jnp.array(0.6), jnp.array(0.0)))
    sigma_y, state = jnp.array([[0, -1j], [1j, 0]]), jnp.array([[0.5, -0.3j], [0.3j, 0.5]])
    assert expectation(sigma_y, state) == pytest.approx(0.6, abs=1e-15)
    assert expectation(sigma_y, state.T) == pytest.approx(-0.6, abs=1e-15)


def test_heat_over_temperature() -> None:
    beta = jnp.array([2.0, 0.0, -1.0, INF, INF, INF, -INF])
    energy = jnp.array([[1.5, 1e300, 3.0, 1.0, -1.0, 1e-12, 1.0]])
    found = over_temperature(beta, energy, 1e-11)
    np.testing.assert_array_equal(found, [[3.0, 0.0, -3.0, INF, -INF, 0.0, -INF]])


def test_what_flows_from_a_bath_at_zero_temperature_leaves_other_slopes_alone() -> None:
    """No infinity times zero: the bath beside it keeps its derivative."""

    def total(energy: jax.Array) -> jax.Array:
        return over_temperature(jnp.array([2.0, INF]), energy, 1e-11)[0]

    slope = jax.grad(total)(jnp.array([1.5, 1.0]))
    np.testing.assert_array_equal(slope, [2.0, 0.0])


@pytest.mark.kernels
def test_thermal_state_and_its_energies(rng: np.random.Generator) -> None:
    gibbs, most_work, free, apart = map(
        jax.jit, (gibbs_state, ergotropy, free_energy, relative_entropy)
    )
    h = rng.normal(size=(4, 4))
    h = (h + h.T) / 2
    for beta in (-2.0, 0.0, 3.0):
        state = gibbs(jnp.asarray(h), jnp.array(beta))
        e, v = np.linalg.eigh(h)
        p = np.exp(-beta * e)
        np.testing.assert_allclose(state, v * (p / p.sum()) @ v.T, rtol=0, atol=1e-14)
    hot = gibbs(jnp.asarray(h), jnp.array(0.5))
    assert abs(float(most_work(hot, jnp.asarray(h)))) < 1e-14  # passive
    # S(rho||rho_beta) = beta (F - F_beta); all of a pure state's energy above the ground's
    pure = jnp.diag(jnp.array([0.0, 0.0, 1.0, 0.0]))
    np.testing.assert_allclose(most_work(pure, jnp.asarray(h)), h[2, 2] - e[0], rtol=1e-14)
    beta = jnp.array(0.5)
    gained = free(pure, jnp.asarray(h), beta) - free(hot, jnp.asarray(h), beta)
    np.testing.assert_allclose(apart(pure, hot), beta * gained, rtol=0, atol=1e-13)

"""Fermi's distribution and log odds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian, with_eigenvalues
from derivatives import check_derivative
from twins import textbook

from entropax.equilibrium import Fermi, fermi, log_odds
from entropax.linalg import matfn


def test_fermi_and_log_odds() -> None:
    x = np.array([-800.0, -40.0, -1.0, 0.0, 1e-3, 1.0, 40.0, 700.0])
    np.testing.assert_allclose(fermi(jnp.asarray(x)), textbook.occupations_of(x), rtol=2e-13)
    np.testing.assert_allclose(fermi(jnp.array([40.0, 700.0])), np.exp([-40.0, -700.0]), rtol=4e-15)
    energies = jnp.array([-1.0, 0.5, 2.0])
    np.testing.assert_allclose(log_odds(energies, jnp.array(2.0), jnp.array(0.5)), [-3, 0, 3])
    cold = log_odds(energies, jnp.array(np.inf), jnp.array(0.5))
    np.testing.assert_array_equal(cold, [-np.inf, 0.0, np.inf])
    np.testing.assert_array_equal(fermi(cold), [1.0, 0.5, 0.0])


def test_log_odds_at_zero_temperature_have_no_slope() -> None:
    """Steps, on the Fermi level's energy too; with signs turned where beta is -inf."""
    energies, mu = jnp.array([-1.0, 0.5, 2.0]), jnp.array(0.5)
    inverted = log_odds(energies, jnp.array(-np.inf), mu)
    np.testing.assert_array_equal(inverted, [np.inf, 0.0, -np.inf])
    slopes = jax.jit(jax.jacrev(lambda *x: fermi(log_odds(*x)), argnums=(0, 1, 2)))
    for slope in slopes(energies, jnp.array(np.inf), mu):
        np.testing.assert_array_equal(slope, 0.0)


def test_particles_and_holes_are_alike() -> None:
    x = jnp.array([-700.0, -30.0, -1.0, 0.0, 1e-9, 5.0, 36.0])
    np.testing.assert_allclose(fermi(x) + fermi(-x), 1.0, rtol=4e-16)
    # the slope of a hole is right to the rounding of 1
    slope = jax.vmap(jax.grad(fermi))(x)
    np.testing.assert_allclose(slope, -fermi(x) * fermi(-x), rtol=1e-14, atol=2.0**-53)


def of_matrix(h: jax.Array, beta: jax.Array, mu: jax.Array) -> jax.Array:
    return matfn(Fermi(beta, mu), h)


occupied = jax.jit(of_matrix)


@pytest.mark.kernels
@pytest.mark.parametrize("beta", [2.0, -1.5, 40.0])
def test_fermi_of_a_matrix(beta: float, rng: np.random.Generator) -> None:
    h = random_hermitian(rng, 4)
    energies, vectors = np.linalg.eigh(h)
    n = textbook.occupations_of(beta * (energies - 0.3))
    found = occupied(jnp.asarray(h), jnp.array(beta), jnp.array(0.3))
    np.testing.assert_allclose(found, (vectors * n) @ vectors.conj().T, rtol=0, atol=1e-12)


def test_fermi_of_a_matrix_at_its_limits(rng: np.random.Generator) -> None:
    """A step at zero temperature, half everywhere at infinite."""
    h = jnp.asarray(with_eigenvalues(rng, (-1.0, -1.0, 0.3, 2.0)))
    vectors = np.linalg.eigh(h)[1]
    steps = (vectors * np.array([1.0, 1.0, 0.0, 0.0])) @ vectors.conj().T
    cold, hot, mu = jnp.array(jnp.inf), jnp.array(0.0), jnp.array(0.1)
    np.testing.assert_allclose(occupied(h, cold, mu), steps, rtol=0, atol=1e-14)
    np.testing.assert_allclose(occupied(h, -cold, mu), np.eye(4) - steps, rtol=0, atol=1e-14)
    np.testing.assert_allclose(occupied(h, hot, mu), 0.5 * np.eye(4), rtol=0, atol=1e-15)
    turned = jax.jit(jax.jacfwd(of_matrix, argnums=1))(h, hot, mu)
    np.testing.assert_allclose(turned, -(h - 0.1 * np.eye(4)) / 4.0, rtol=0, atol=1e-14)


WEIGHTS = np.random.default_rng(5).normal(size=(4, 4))


def weighed(h: jax.Array, beta: jax.Array, mu: jax.Array) -> jax.Array:
    return jnp.sum(WEIGHTS * of_matrix(h, beta, mu)).real


@pytest.mark.parametrize("energies", [(-1.0, 0.2, 0.7, 2.0), (-1.0, 0.7, 0.7, 0.7), (0.5,) * 4])
@pytest.mark.parametrize("beta", [2.0, 0.0])
def test_derivatives_of_fermi_at_degenerate_energies(
    energies: tuple[float, ...], beta: float, rng: np.random.Generator
) -> None:
    """Of the matrix, of beta and of mu together: what parts a level moves, too."""
    h = with_eigenvalues(rng, energies)
    along = random_hermitian(rng, 4, float)
    args = h, np.array(beta), np.array(0.1)
    check_derivative(weighed, args, (along, np.array(0.3), np.array(-0.7)))


def test_at_zero_temperature_what_is_full_and_what_is_empty_mix(rng: np.random.Generator) -> None:
    """Between them by 1 over the gap; among themselves nothing moves."""
    h = with_eigenvalues(rng, (-1.0, -1.0, 1.5, 1.5))
    along = random_hermitian(rng, 4, float)
    args = h, np.array(np.inf), np.array(0.1)
    check_derivative(weighed, args, (along, np.array(0.0), np.array(0.5)))


def test_derivatives_of_fermi_to_third_order() -> None:
    """Elementwise, as JAX has them of the sigmoid."""
    x, beta, mu = jnp.linspace(-2.0, 2.0, 9), jnp.array(1.7), jnp.array(0.3)
    ours, theirs = Fermi(beta, mu), lambda e: jax.nn.sigmoid(-beta * (e - mu))
    for _ in range(3):
        ours, theirs = ours.derivative(), jax.grad(theirs)
        np.testing.assert_allclose(ours(x), jax.vmap(theirs)(x), rtol=1e-12, atol=1e-14)

"""Fermi's distribution and log odds."""

import jax
import jax.numpy as jnp
import numpy as np
from twins import textbook

from entropax.equilibrium import fermi, log_odds


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

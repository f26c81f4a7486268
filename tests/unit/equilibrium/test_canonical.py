"""Canonical states of windows, found from their energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import check_derivative

from entropax.equilibrium import match_canonical

WINDOWS, VOLUMES = jnp.array([1.0, 0.0, 2.0]), jnp.array([200.0, 100.0, 400.0])


recover = jax.jit(match_canonical)


@jax.jit
@jax.grad
def entropy_slope(energy: jax.Array) -> jax.Array:
    return match_canonical(WINDOWS, VOLUMES, energy).entropy


def canonical(beta: float) -> tuple[float, float]:
    """Mean energy and entropy by the definition."""
    weight = np.asarray(VOLUMES) * np.exp(-beta * (np.asarray(WINDOWS) - (0 if beta > 0 else 2)))
    p = weight / weight.sum()
    return float(p @ np.asarray(WINDOWS)), float(-np.sum(p * np.log(p / np.asarray(VOLUMES))))


@pytest.mark.parametrize("beta", [-12.0, -1.0, -1e-9, 0.0, 1e-5, 0.3, 5.0, 30.0])
def test_canonical_state_is_found(beta: float) -> None:
    energy, entropy = canonical(beta)
    found = recover(WINDOWS, VOLUMES, energy)
    # where the mean is within 1e-13 of an edge, it does not say more
    assert abs(float(found.beta) - beta) < 1e-9 * max(1.0, abs(beta)) + 1e-16 * np.exp(abs(beta))
    np.testing.assert_allclose(found.entropy, entropy, rtol=0, atol=1e-13)
    assert bool(found.determined)


def test_canonical_state_at_its_edges() -> None:
    cold, hot = (recover(WINDOWS, VOLUMES, e) for e in (0.0, 2.0))
    assert (float(cold.beta), float(hot.beta)) == (np.inf, -np.inf)
    np.testing.assert_allclose([cold.entropy, hot.entropy], np.log([100.0, 400.0]), rtol=1e-14)
    alone = match_canonical(WINDOWS[:1], VOLUMES[:1], jnp.array(1.0))
    same = recover(np.ones(2), np.array([3.0, 4.0]), 1.0)
    for found, volume in ((alone, 200.0), (same, 7.0)):
        assert np.isnan(found.beta)
        np.testing.assert_allclose(found.entropy, np.log(volume), rtol=1e-14)
    assert not any(bool(x.determined) for x in (cold, hot, alone, same))
    assert not bool(recover(WINDOWS, VOLUMES, np.nan).determined)
    assert np.all(np.isfinite([entropy_slope(0.0), entropy_slope(2.0)]))


def test_canonical_state_of_extreme_windows() -> None:
    energies, volumes = jnp.array([0.0, 1e-6, 5.0]), jnp.array([1.0, 1e12, 1e-3])
    p = np.array([0.2, 0.5, 0.3])
    found = recover(energies, volumes, p @ np.asarray(energies))
    weights = np.log(np.asarray(volumes)) - float(found.beta) * np.asarray(energies)
    weights = np.exp(weights - weights.max())
    mean = weights @ np.asarray(energies) / weights.sum()
    np.testing.assert_allclose(mean, p @ np.asarray(energies), rtol=1e-12)


def test_derivatives_of_the_canonical_state() -> None:
    """dS = beta dU, and all others by differences; a batch is a loop."""

    def both(energies: jax.Array, volumes: jax.Array, energy: jax.Array) -> jax.Array:
        found = match_canonical(energies, volumes, energy)
        return found.beta + 2.0 * found.entropy

    directions = (np.array([0.3, -0.2, 0.1]), np.array([5.0, 3.0, -7.0]), np.array(0.4))
    check_derivative(both, (WINDOWS, VOLUMES, jnp.array(0.8)), directions, tolerance=1e-8)
    beta = recover(WINDOWS, VOLUMES, 0.8).beta
    np.testing.assert_allclose(entropy_slope(0.8), beta, rtol=1e-12)
    grid = np.linspace(0.0, 2.0, 7)
    together = jax.jit(jax.vmap(match_canonical, in_axes=(None, None, 0)))(WINDOWS, VOLUMES, grid)
    together = together.beta
    alone = [recover(WINDOWS, VOLUMES, e).beta for e in grid]
    np.testing.assert_array_equal(together, alone)

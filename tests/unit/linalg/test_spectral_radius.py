"""The modulus of the largest eigenvalue, by squaring."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import check_derivative

from entropax.linalg.spectral_radius import log_spectral_radius


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_it_is_that_of_the_eigenvalues(scale: float, rng: np.random.Generator) -> None:
    for size in (1, 2, 7):
        matrix = scale * rng.normal(size=(size, size))
        expected = np.log(np.abs(np.linalg.eigvals(matrix)).max())
        found = jax.jit(log_spectral_radius)(jnp.asarray(matrix))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_nothing_is_left_of_a_nilpotent_matrix() -> None:
    assert float(log_spectral_radius(jnp.array([[0.0, 1.0], [0.0, 0.0]]))) == -np.inf


def test_slopes_of_a_pair_and_of_nothing(rng: np.random.Generator) -> None:
    """A pair turns with the matrix: its modulus alone has a slope here."""
    matrix = np.diag([0.3, 0.0, 0.0]) + 0.01 * rng.normal(size=(3, 3))
    matrix[1:, 1:] += 0.9 * np.array([[np.cos(1.1), -np.sin(1.1)], [np.sin(1.1), np.cos(1.1)]])
    check_derivative(log_spectral_radius, (matrix,), (rng.normal(size=(3, 3)),), tolerance=1e-7)
    slope = jax.grad(lambda x: 0.0 * log_spectral_radius(x) + x[0, 0])(jnp.zeros((2, 2)))
    assert np.all(np.isfinite(slope[0, 0]))


def test_slopes(rng: np.random.Generator) -> None:
    matrix, change = rng.normal(size=(2, 3, 3))
    symmetric = matrix @ matrix.T
    check_derivative(log_spectral_radius, (symmetric,), (change,), tolerance=1e-7)

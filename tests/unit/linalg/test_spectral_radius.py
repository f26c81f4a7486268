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


def test_slopes(rng: np.random.Generator) -> None:
    matrix, change = rng.normal(size=(2, 3, 3))
    symmetric = matrix @ matrix.T
    check_derivative(log_spectral_radius, (symmetric,), (change,), tolerance=1e-7)

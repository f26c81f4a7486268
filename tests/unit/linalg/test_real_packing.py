"""Hermitian matrices as real arrays, and back."""

import jax.numpy as jnp
import numpy as np
from cases.matrices import random_hermitian

from entropax.linalg import from_real, to_real


def test_there_and_back_is_the_identity(rng: np.random.Generator) -> None:
    """Of a batch too; and what is linear over Hermitian matrices is a real matrix."""
    batch = np.array([random_hermitian(rng, 3) for _ in range(2)])
    packed = to_real(jnp.asarray(batch))
    assert packed.dtype == float
    np.testing.assert_allclose(from_real(packed), batch, rtol=1e-15)
    np.testing.assert_allclose(
        np.linalg.norm(packed, axis=(1, 2)), np.linalg.norm(batch, axis=(1, 2)), rtol=1e-15
    )
    mixed = 0.3 * batch[0] - 2.0 * batch[1]
    np.testing.assert_allclose(
        to_real(jnp.asarray(mixed)), 0.3 * packed[0] - 2.0 * packed[1], atol=1e-15
    )


def test_any_real_array_is_a_hermitian_matrix(rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 4))
    matrix = np.asarray(from_real(jnp.asarray(x)))
    np.testing.assert_array_equal(matrix, matrix.conj().T)
    np.testing.assert_allclose(to_real(jnp.asarray(matrix)), x, rtol=1e-15)
    # sigma_y is all imaginary, and antisymmetric: its sign is kept
    sigma_y = np.array([[0, -1j], [1j, 0]])
    np.testing.assert_array_equal(to_real(jnp.asarray(sigma_y)), [[0, -1], [1, 0]])

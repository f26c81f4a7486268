"""Determinants from displacement, against the matrices written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.linalg import CauchyLike, log_determinant_of, log_determinants
from entropax.linalg.cauchy_like import equal_columns


def cauchy_like(size: int, shared: int, batch: int = 2) -> CauchyLike:
    """Random ones; so many energies belong to two rows each."""
    rng = np.random.default_rng(size)
    energies = np.sort(rng.uniform(-1.0, 1.0, size - shared))
    energies = rng.permutation(np.concatenate([energies, energies[:shared]]))
    columns = equal_columns(energies, 1e-12)

    first = np.argmax(energies[:, None] == energies, axis=0)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=(batch, *shape)) + 1j * rng.normal(size=(batch, *shape))

    # q_j x_k - x_j q_k, which vanishes where both rows have one energy
    q, x = draw(2, size)[..., first].swapaxes(0, 1)
    left, right = 0.02 * np.stack([q, x], axis=1), 0.3 * np.stack([x, -q], axis=1)
    parts = left, right, draw(len(columns), size)
    return CauchyLike(jnp.asarray(energies), *map(jnp.asarray, parts), jnp.asarray(columns))


def test_columns_of_equal_energies() -> None:
    columns = equal_columns(np.array([0.3, 0.1, 0.3, 0.7]), 1e-9)
    np.testing.assert_array_equal(columns, [[0, 1, 2, 3], [2, -1, 0, -1]])


def test_the_matrix_commutes_with_energies_up_to_its_rank() -> None:
    c = cauchy_like(9, 3)
    matrix = np.asarray(c.matrix())
    gaps = np.subtract.outer(c.energies, c.energies)
    outer = np.einsum("brj,brk->bjk", c.left, c.right)
    apart = gaps != 0
    np.testing.assert_allclose((gaps * matrix)[:, apart], outer[:, apart], rtol=1e-13)
    np.testing.assert_array_equal(matrix[:, np.arange(9), np.arange(9)], c.equal[:, 0])


@pytest.mark.kernels
@pytest.mark.parametrize(("size", "shared"), [(1, 0), (7, 0), (12, 5), (90, 30)])
def test_elimination_against_matrices(size: int, shared: int) -> None:
    c = cauchy_like(size, shared)
    found = jax.jit(log_determinants)(c)
    for value, matrix in zip(found, c.matrix(), strict=True):
        sign, log = np.linalg.slogdet(matrix)
        np.testing.assert_allclose(value.real, log, rtol=0, atol=1e-12 * size)
        np.testing.assert_allclose(np.exp(1j * value.imag), sign, rtol=0, atol=1e-12 * size)


def test_slopes_are_those_of_the_matrix() -> None:
    c = cauchy_like(8, 3, batch=1)

    def by_elimination(x: jax.Array) -> jax.Array:
        return log_determinants(CauchyLike(c.energies, x * c.left, *(c.right, c.equal), c.columns))

    def dense(x: jax.Array) -> jax.Array:
        scaled = CauchyLike(c.energies, x * c.left, *(c.right, c.equal), c.columns)
        return log_determinant_of(scaled.matrix()[0])

    for part in (jnp.real, jnp.imag):
        slope = jax.grad(lambda x, part=part: part(by_elimination(x)[0]))(jnp.array(1.3))
        expected = jax.grad(lambda x, part=part: part(dense(x)))(jnp.array(1.3))
        np.testing.assert_allclose(slope, expected, rtol=1e-12)

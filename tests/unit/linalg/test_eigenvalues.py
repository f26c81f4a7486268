"""Eigenvalues alone: LAPACK asked for no vectors, and the way back where it cannot be asked."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.spectra import over_dtypes
from rounding import EPS, eigenvalue_rounding

from entropax.linalg import eigenvalues

pytestmark = pytest.mark.kernels


@over_dtypes
@pytest.mark.parametrize("n", [1, 2, 41])
def test_eigenvalues(n: int, dtype: type, rng: np.random.Generator) -> None:
    batch = np.array([random_hermitian(rng, n, dtype) for _ in range(3)])
    expected = np.linalg.eigvalsh(batch)
    off = 2.0 * eigenvalue_rounding(n, np.abs(expected).max())
    for found in (
        [eigenvalues(jnp.asarray(m)) for m in batch[:1]],
        jax.vmap(eigenvalues)(jnp.asarray(batch)),
        jax.jit(jax.vmap(eigenvalues))(jnp.asarray(batch)),
    ):
        np.testing.assert_allclose(found, expected[: len(found)], rtol=0, atol=off)


def test_eigenvalues_leave_their_argument_alone(rng: np.random.Generator) -> None:
    """LAPACK overwrites its input: here it must have had a copy."""
    matrix = jnp.asarray(random_hermitian(rng, 5))
    before = np.array(matrix)

    @jax.jit
    def both(m):
        return eigenvalues(m), m @ m

    values, square = both(matrix)
    np.testing.assert_array_equal(matrix, before)
    norm = np.linalg.norm(before, 2)
    np.testing.assert_allclose(square, before @ before, rtol=0, atol=5 * EPS * norm**2)
    off = 2.0 * eigenvalue_rounding(5, norm)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(before), rtol=0, atol=off)


def test_eigenvalues_of_nan_are_nan() -> None:
    assert np.all(np.isnan(eigenvalues(jnp.full((3, 3), jnp.nan))))


def test_a_diagonal_with_nan_has_an_eigenvalue_nan() -> None:
    assert np.any(np.isnan(eigenvalues(jnp.diag(jnp.array([0.5, jnp.nan])))))


# `entropax.linalg.eigenvalues` is the function; this is its file
eigenvalues_module = importlib.import_module("entropax.linalg.eigenvalues")


def test_lapack_answers_for_values_alone() -> None:
    assert eigenvalues_module.values_only_available(), (
        "JAX's LAPACK entry has changed (`lapack_zheevd_ffi`): `eigenvalues` is right but 2 to 4 "
        "times slower; bring `_lapack_values` up to date"
    )


@over_dtypes
def test_eigenvalues_fall_back_where_lapack_has_changed(
    dtype: type, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = jnp.asarray(random_hermitian(rng, 7, dtype))
    expected = np.linalg.eigvalsh(np.asarray(matrix))
    off = 2.0 * eigenvalue_rounding(7, np.abs(expected).max())

    def changed(matrix):
        raise RuntimeError(f"no such LAPACK entry for {matrix.dtype}")

    def wrong(matrix):
        return jnp.zeros(matrix.shape[-1])

    available = eigenvalues_module.values_only_available
    for broken in (changed, wrong):
        available.cache_clear()
        monkeypatch.setattr(eigenvalues_module, "_lapack_values", broken)
        assert not available()
        np.testing.assert_allclose(eigenvalues(matrix), expected, rtol=0, atol=off)
    monkeypatch.undo()
    available.cache_clear()
    assert available()

"""Matrices known by their displacement: a multiple of 1 and a projector, whose entropy is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rounding import entropy_rounding
from twins import textbook

from entropax.linalg import Displaced, displaced_entropy
from entropax.linalg.low_displacement_rank import log_determinant

FLOOR, RISE = 0.2, 0.7


def projector(n: int) -> tuple[Displaced, np.ndarray]:
    """0.2 + 0.7 |x><x|: as e x_j x_k - x_j x_k e = (q x - x q), with q = e x; and it, dense.

    The other two columns of G cancel, as t p - p t with real t = p would.
    """
    rng = np.random.default_rng(n)
    x = rng.normal(size=n) + 1j * rng.normal(size=n)
    x /= np.linalg.norm(x)
    energies, idle = np.sort(rng.uniform(-1.0, 1.0, n)), rng.normal(size=n)
    generators = np.stack([RISE * energies * x, x, idle, idle])
    diagonal = FLOOR + RISE * np.abs(x) ** 2
    dense = FLOOR * np.eye(n) + RISE * np.outer(x, x.conj())
    return Displaced(*map(jnp.asarray, (energies, diagonal, generators))), dense


@pytest.mark.parametrize("n", [5, 70])
def test_matrix_from_its_displacement(n: int) -> None:
    c, dense = projector(n)
    np.testing.assert_allclose(jax.jit(Displaced.matrix)(c), dense, rtol=0, atol=1e-13)


def test_entropy_by_elimination_and_by_eigenvalues() -> None:
    """n - 1 eigenvalues of 0.2 and one of 0.9."""
    c, _ = projector(5)
    expected = float(textbook.binary_entropy(np.array([FLOOR] * 4 + [FLOOR + RISE])).sum())
    by_elimination = jax.jit(lambda c: displaced_entropy(c, dense=4))(c)
    assert by_elimination == pytest.approx(expected, abs=1.5e-13 * 5)  # what it promises
    dense = jax.jit(lambda c: displaced_entropy(c, dense=5))(c)
    assert dense == pytest.approx(expected, abs=2 * entropy_rounding(5, edges=0))


def test_log_determinant_by_halves() -> None:
    """Of 70 rows half is eliminated, then what has been is left out."""
    c, _ = projector(70)
    program = jax.jit(log_determinant)
    for shift in (1e3, 1.0, 1e-2, 1e-8):
        y = shift + 0.5
        expected = 69 * np.log((shift + FLOOR) / y) + np.log((shift + FLOOR + RISE) / y)
        assert program(c, shift) == pytest.approx(expected, abs=1e-12)

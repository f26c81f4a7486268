"""Random Hermitian matrices, with given eigenvalues or without."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray


def random_hermitian(rng: np.random.Generator, n: int, dtype: Any = complex) -> Array:
    """A Hermitian matrix with entries of order one; real symmetric for `dtype` float."""
    m = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if dtype is complex else 0.0)
    return (m + m.conj().T) / 2


def with_eigenvalues(rng: np.random.Generator, values: Any, dtype: Any = complex) -> Array:
    """V diag(values) V^dagger in a random basis."""
    vectors = np.linalg.eigh(random_hermitian(rng, len(values), dtype))[1]
    return (vectors * np.asarray(values)) @ vectors.conj().T


def seeded_hermitian(n: int, seed: int) -> Array:
    """A complex Hermitian matrix that is told by a number."""
    return random_hermitian(np.random.default_rng(seed), n)


def seeded_correlation(n: int, seed: int, filling: Sequence[float] | None = None) -> Array:
    """0 <= C <= 1 in a random complex basis, with the given eigenvalues or random ones."""
    values = np.random.default_rng(seed).uniform(size=n) if filling is None else filling
    return with_eigenvalues(np.random.default_rng(seed), values)

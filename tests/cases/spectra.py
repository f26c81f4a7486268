"""Hermitian matrices with eigenvalues apart and meeting, and functions of them in NumPy too."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases.matrices import random_hermitian, with_eigenvalues
from entropax.linalg import (
    BinaryEntropy,
    Exponential,
    Logarithm,
    LogOdds,
    ShannonTerm,
    SpectralFunction,
)

Array = np.ndarray
REAL_SCALE, TIME = 0.7, 1.9


def binary_entropy(x: Array) -> Array:
    return -x * np.log(x) - (1 - x) * np.log(1 - x)


# The library's function, and the same in NumPy.
FUNCTIONS: dict[str, tuple[SpectralFunction | Callable, Callable]] = {
    "exponential": (
        Exponential(np.array(REAL_SCALE), np.array(1.3)),
        lambda x: 1.3 * np.exp(REAL_SCALE * x),
    ),
    "evolution": (Exponential(np.array(-1j * TIME)), lambda x: np.exp(-1j * TIME * x)),
    "binary entropy": (BinaryEntropy(), binary_entropy),
    "log odds": (LogOdds(), lambda x: np.log((1 - x) / x)),
    "Shannon": (ShannonTerm(), lambda x: -x * np.log(x)),
    "logarithm": (Logarithm(), np.log),
    "callable": (lambda x: jnp.tanh(3.0 * x), lambda x: np.tanh(3.0 * x)),
}
REAL_FUNCTIONS = [name for name in FUNCTIONS if name != "evolution"]
STEEPEST = 6.25  # slope of any of them at the eigenvalues below: that of the log odds at 0.2
SPECTRA = {
    "generic": (0.2, 0.35, 0.55, 0.8),
    "two pairs": (0.2, 0.2, 0.7, 0.7),
    "nearly two pairs": (0.3, 0.3 + 1e-9, 0.7, 0.7 + 1e-6),
    "all equal": (0.4, 0.4, 0.4, 0.4),
}
DTYPES = {"real": float, "complex": complex}
STEP = 2e-4
over_dtypes = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)


def dense(f: Callable, matrix: Array) -> Array:
    """V f(lambda) V^dagger in NumPy."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * f(values)[..., None, :]) @ np.swapaxes(vectors.conj(), -1, -2)


def dense_trace(f: Callable, matrix: Array) -> Array:
    return np.sum(f(np.linalg.eigvalsh(matrix)), axis=-1)


@functools.cache
def examples(dtype: type) -> tuple[Array, Array, Array]:
    """For each spectrum a matrix, three Hermitian directions, and weights of a matrix's entries."""
    rng = np.random.default_rng(5)
    matrices = np.array([with_eigenvalues(rng, s, dtype) for s in SPECTRA.values()])
    directions = np.array([[random_hermitian(rng, 4, dtype) for _ in range(3)] for _ in SPECTRA])
    weights = rng.normal(size=(4, 4, 4)) + 1j * rng.normal(size=(4, 4, 4))
    return matrices, directions, weights


def along(matrix: jax.Array, directions: jax.Array, x: jax.Array) -> jax.Array:
    return matrix + jnp.einsum("k,kij->ij", x, directions)

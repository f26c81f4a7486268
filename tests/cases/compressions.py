"""Diagonals with a direction to be removed, and functions to trace, with their dense twin."""

from collections.abc import Callable

import jax
import numpy as np
import scipy.linalg
from rounding import eigenvalue_rounding, entropy_rounding
from twins import textbook

from entropax.linalg import BinaryEntropy, Exponential, SpectralFunction, compressed_trace
from entropax.linalg.spectral_functions import Elementwise

Array = np.ndarray
SIZE = 6
WEIGHTS = np.array([0.3, 0.05, 0.2, 0.15, 0.1, 0.2])
DISTINCT = np.array([0.31, 0.9, 0.07, 0.55, 0.2, 0.74])
CASES: dict[str, tuple[Array, Array]] = {
    "distinct": (DISTINCT, WEIGHTS),
    "coinciding": (np.array([0.31, 0.9, 0.31, 0.31, 0.9, 0.74]), WEIGHTS),
    "all equal": (np.full(SIZE, 0.3), WEIGHTS),
    "close": (np.array([0.31, 0.31 + 1e-13, 0.9, 0.9 - 1e-9, 0.2, 0.74]), WEIGHTS),
    "zero weights": (DISTINCT, np.array([0.5, 0.0, 0.0, 0.3, 0.2, 0.0])),
    "tiny weights": (DISTINCT, np.array([0.5, 1e-30, 1e-16, 0.3, 0.2 - 1e-8, 1e-8])),
    "one weight": (DISTINCT, np.eye(SIZE)[2]),
    "coinciding, zero weights": (
        np.array([0.31, 0.9, 0.31, 0.31, 0.9, 0.74]),
        np.array([0.6, 0.0, 0.0, 0.3, 0.0, 0.1]),
    ),
}
EDGES: dict[str, tuple[Array, Array]] = {
    "empty and filled": (np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]), WEIGHTS),
    "empty": (np.zeros(SIZE), WEIGHTS),
    "filled": (np.ones(SIZE), WEIGHTS),
    "empty, filled, half": (np.array([0.0, 1.0, 0.5, 1.0, 0.5, 0.0]), WEIGHTS),
    "pure, zero weights": (
        np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
        np.array([0.6, 0.4, 0.0, 0.0, 0.0, 0.0]),
    ),
    "one weight": (np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]), np.eye(SIZE)[1]),
}
FUNCTIONS: dict[str, tuple[SpectralFunction, Callable]] = {
    "binary entropy": (BinaryEntropy(), textbook.binary_entropy),
    "exponential": (Exponential(np.array(1.7)), lambda x: np.exp(1.7 * x)),
    "cube": (Elementwise(lambda x: x**3), lambda x: x**3),
}
# How much of the rounding of SIZE eigenvalues the trace of each may show: as often as it is steep,
# at an edge or inside, where the entropy has slopes of 3 at most.
AT_AN_EDGE = (
    entropy_rounding(SIZE),
    SIZE * 1.7 * np.exp(1.7) * eigenvalue_rounding(SIZE),
    SIZE * 3.0 * eigenvalue_rounding(SIZE),
)
INSIDE = (entropy_rounding(SIZE, edges=0), *AT_AN_EDGE[1:])


def dense(f: Callable, diagonal: Array, weights: Array) -> float:
    """tr f of diag(n) on the complement of x = sqrt(weights), which may have any norm."""
    complement = scipy.linalg.null_space(np.sqrt(weights)[None, :])
    block = complement.T @ (diagonal[:, None] * complement)
    return np.sum(f(np.linalg.eigvalsh(block)))


@jax.jit
def traces(diagonal, weights) -> tuple:
    return tuple(compressed_trace(fn, diagonal, weights) for fn, _ in FUNCTIONS.values())

"""Divided differences of spectral functions against mpmath, close, equal and at the edges."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.spectra import FUNCTIONS, REAL_SCALE, TIME

from entropax.linalg import (
    BinaryEntropy,
    Logarithm,
    LogOdds,
    ShannonTerm,
    SpectralFunction,
    trace_fn,
)


def clipped(x: float) -> mpmath.mpf:
    return min(max(mpmath.mpf(x), mpmath.mpf(2) ** -53), 1 - mpmath.mpf(2) ** -53)


def raised(x: float) -> mpmath.mpf:
    return max(mpmath.mpf(x), mpmath.mpf(2) ** -53)


# The function, where it clips its argument, the function in mpmath.
EXACT = {
    "exponential": (
        FUNCTIONS["exponential"][0],
        mpmath.mpf,
        lambda x: mpmath.mpf(1.3) * mpmath.exp(mpmath.mpf(REAL_SCALE) * x),
    ),
    "evolution": (
        FUNCTIONS["evolution"][0],
        mpmath.mpf,
        lambda x: mpmath.exp(-1j * mpmath.mpf(TIME) * x),
    ),
    "binary entropy": (
        BinaryEntropy(),
        clipped,
        lambda x: -x * mpmath.log(x) - (1 - x) * mpmath.log(1 - x),
    ),
    "log odds": (LogOdds(), clipped, lambda x: mpmath.log((1 - x) / x)),
    "Shannon": (ShannonTerm(), raised, lambda x: -x * mpmath.log(x)),
    "Shannon slope": (ShannonTerm().derivative(), raised, lambda x: -mpmath.log(x) - 1),
    "logarithm": (Logarithm(), lambda x: max(mpmath.mpf(x), mpmath.mpf(2) ** -1022), mpmath.log),
}
POINTS = (0.0, 1e-12, 1e-10, 2e-10, 3e-7, 1e-6, 9e-6, 1e-3, 0.2, 0.2 + 1e-10, 0.2 + 3e-5, 0.5, 0.7)
POINTS += tuple(1.0 - x for x in POINTS[:8])


def exact_divided_difference(f: Callable, *points: mpmath.mpf) -> mpmath.mpf:
    """f[x, y, ...] at 80 digits; coinciding points are moved apart by 1e-30 and less of their size.

    The nearest end of the interval is at least 1e-16 away after clipping.
    """
    points = tuple(sorted(points))
    apart = []
    for i, x in enumerate(points):
        room = min(x, 1 - x) if 0 < x < 1 else max(x, mpmath.mpf(1))
        apart.append(x + i * room * mpmath.mpf(10) ** -30)
    table = [f(x) for x in apart]
    for order in range(1, len(apart)):
        table = [
            (table[i + 1] - table[i]) / (apart[i + order] - apart[i]) for i in range(len(table) - 1)
        ]
    return table[0]


@pytest.mark.parametrize("name", EXACT)
def test_divided_difference_at_close_equal_and_edge_arguments(name: str) -> None:
    fn, clip, exact = EXACT[name]
    x, y = (np.ravel(grid) for grid in np.meshgrid(POINTS, POINTS))
    if name == "logarithm":
        x, y = x[x * y > 0], y[x * y > 0]  # at 0 the exact value is not a float64
    found = np.asarray(jax.jit(lambda x, y: fn.divided_difference(x, y))(x, y))
    with mpmath.workdps(80):
        expected = [
            complex(exact_divided_difference(exact, clip(a), clip(b)))
            for a, b in zip(x, y, strict=True)
        ]
    # XLA's log1p is right to 3e-14 only
    np.testing.assert_allclose(found, expected, rtol=5e-14, atol=5e-14)
    np.testing.assert_allclose(fn.divided_difference(y, x), found, rtol=5e-15, atol=5e-15)


@pytest.mark.parametrize("name", EXACT)
def test_second_divided_difference(name: str) -> None:
    """Also among small occupations, where second derivatives of entropies are largest."""
    fn, clip, exact = EXACT[name]
    points = (1e-6, 9e-6, 4e-5, 1e-3, 0.2, 0.2 + 1e-10, 0.2 + 3e-5, 1.0 - 2e-6)
    if name not in ("Shannon slope", "logarithm", "log odds", "Shannon", "binary entropy"):
        points += (0.0, 1.0)
    x, y, z = (np.ravel(grid) for grid in np.meshgrid(points, points, points))
    found = np.asarray(jax.jit(lambda x, y, z: fn.second_divided_difference(x, y, z))(x, y, z))
    with mpmath.workdps(80):
        expected = np.array(
            [
                complex(exact_divided_difference(exact, clip(a), clip(b), clip(c)))
                for a, b, c in zip(x, y, z, strict=True)
            ]
        )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("fn", "slope"),
    [(BinaryEntropy(), EXACT["log odds"][2]), (ShannonTerm(), EXACT["Shannon slope"][2])],
    ids=["fermions", "density matrix"],
)
def test_hessian_of_entropies_of_nearly_empty_states(
    fn: SpectralFunction, slope: Callable, rng: np.random.Generator
) -> None:
    """tr f has the second derivative f'[x, y] |d_xy|^2, whatever the size of x and y."""
    small = np.array([1e-6, 9e-6, 4e-5, 0.3])
    direction = random_hermitian(rng, 4)

    def scalar(x):
        return trace_fn(fn, jnp.diag(jnp.asarray(small, complex)) + x * direction)

    with mpmath.workdps(80):
        pairs = [
            [exact_divided_difference(slope, raised(a), raised(b)) for a in small] for b in small
        ]
    expected = np.sum(np.array(pairs, float) * np.abs(direction) ** 2)
    found = jax.jit(jax.grad(jax.grad(scalar)))(0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_plain_entropy_fails_at_empty_and_filled() -> None:
    n = jnp.array([0.0, 0.0, 1.0, 0.3])

    def naive(n):
        return -jnp.sum(n * jnp.log(n) + (1.0 - n) * jnp.log(1.0 - n))

    assert np.isnan(naive(n))
    assert np.all(np.isnan(jax.grad(naive)(n)[:3]))

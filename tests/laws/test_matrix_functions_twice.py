"""Second derivatives of functions of Hermitian matrices, where eigenvalues meet too."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.spectra import FUNCTIONS, STEP, along, dense, examples, over_dtypes
from derivatives import difference

from entropax.linalg import (
    BinaryEntropy,
    LogOdds,
    ShannonTerm,
    SpectralFunction,
    held_spectrum,
    matfn,
    trace_fn,
)

Array = np.ndarray


ORDERS = {
    "forward over forward": (jax.jacfwd, jax.jacfwd),
    "forward over reverse": (jax.jacfwd, jax.jacrev),
    "reverse over forward": (jax.jacrev, jax.jacfwd),
    "reverse over reverse": (jax.jacrev, jax.jacrev),
}
HESSIAN = "forward over reverse"  # as `jax.hessian` has it


@pytest.mark.parametrize(
    ("name", "order", "dtype"),
    [(name, HESSIAN, complex) for name in FUNCTIONS if name not in ("exponential", "evolution")]
    + [("evolution", order, complex) for order in ORDERS]
    + [("evolution", HESSIAN, float)],
)
def test_matfn_second_derivative(name: str, order: str, dtype: type) -> None:
    check_hessian(matrix_entries, name, dtype, order)


def test_matfn_second_derivative_from_values_alone() -> None:
    """Less sharply, but with nothing of this library's in the reference."""
    fn, twin = FUNCTIONS["evolution"]
    matrices, directions, weights = examples(complex)

    def forward(a, d):
        return jax.jvp(lambda a: matfn(fn, a), (a,), (d[1],))[1]

    @jax.jit
    @jax.vmap
    def second(a, d, w):
        return jnp.sum(w * jax.jvp(lambda a: forward(a, d), (a,), (d[0],))[1]).real

    def value(a: Array) -> Array:
        return np.sum(weights * dense(twin, a), axis=(1, 2)).real

    def slope(a: Array) -> Array:
        return difference(value, (a,), (directions[:, 1],), 2e-3)

    mixed = difference(slope, (matrices,), (directions[:, 0],), 2e-3)
    np.testing.assert_allclose(second(matrices, directions, weights), mixed, rtol=0, atol=1e-7)


def matrix_entries(name: str) -> Callable:
    fn, _ = FUNCTIONS[name]
    return lambda a, d, w, x: jnp.sum(w * matfn(fn, along(a, d, x))).real


def trace(name: str) -> Callable:
    fn, _ = FUNCTIONS[name]
    return lambda a, d, w, x: trace_fn(fn, along(a, d, x))


over_examples = functools.partial(jax.vmap, in_axes=(0, 0, 0, None))


@functools.cache
def hessian_by_differences(of: Callable, name: str, dtype: type) -> Array:
    """The difference of the gradient, one for all orders of differentiation."""
    gradient = jax.jit(over_examples(jax.grad(of(name), argnums=3)))

    def at(x: Array) -> Array:
        return gradient(*examples(dtype), x)

    return np.stack([difference(at, (np.zeros(3),), (unit,), STEP) for unit in np.eye(3)], axis=2)


def check_hessian(
    of: Callable, name: str, dtype: type, order: str, tolerance: float = 1e-8
) -> None:
    """The Hessian in three directions at each spectrum against the gradient's difference."""
    outer, inner = ORDERS[order]
    hessian = jax.jit(over_examples(outer(inner(of(name), argnums=3), argnums=3)))
    expected = hessian_by_differences(of, name, dtype)
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert np.all(size > 1e-2)
    found = np.asarray(hessian(*examples(dtype), np.zeros(3)))
    worst = float(np.max(np.abs(found - expected) / size))
    assert worst < tolerance
    np.testing.assert_allclose(found / size, np.swapaxes(found, 1, 2) / size, rtol=0, atol=1e-9)


@jax.jit
def second_derivative_of_a_cube(a, b, c):
    def slope(a):
        return jax.jvp(lambda a: matfn(lambda x: x**3, a), (a,), (b,))[1]

    return jax.jvp(slope, (a,), (c,))[1]


def test_second_derivative_of_a_cube_is_exact_at_every_degeneracy() -> None:
    for matrix, (b, c, _), _ in zip(*examples(complex), strict=True):
        found = second_derivative_of_a_cube(matrix, b, c)
        orders = ((matrix, b, c), (b, matrix, c), (b, c, matrix))
        expected = sum(p @ q @ r for p, q, r in orders) + sum(r @ q @ p for p, q, r in orders)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "order", "dtype"),
    [(name, HESSIAN, complex) for name in ("exponential", "log odds", "Shannon", "callable")]
    + [("binary entropy", order, complex) for order in ORDERS]
    + [("binary entropy", HESSIAN, float)],
)
def test_trace_fn_second_derivative(name: str, order: str, dtype: type) -> None:
    check_hessian(trace, name, dtype, order)


def test_third_derivative_of_trace_fn_exists_and_the_fourth_raises() -> None:
    matrices, directions, _ = examples(complex)
    matrix, direction = matrices[1], directions[1, 0]

    def scalar(x):
        return trace_fn(BinaryEntropy(), matrix + x * direction)

    curvature = jax.jit(jax.grad(jax.grad(scalar)))
    found = jax.jit(jax.grad(jax.grad(jax.grad(scalar))))(0.0)
    np.testing.assert_allclose(found, difference(curvature, (0.0,), (1.0,), 2e-4), rtol=1e-7)
    with pytest.raises(NotImplementedError, match="third derivatives of `matfn`"):
        jax.eval_shape(jax.grad(jax.grad(jax.grad(jax.grad(scalar)))), 0.0)


EDGE_SPECTRA = {
    "empty and filled": (0.0, 0.0, 1.0, 0.3),
    "pure": (0.0, 1.0, 0.0, 1.0),
    "empty": (0.0, 0.0, 0.0, 0.0),
    "filled": (1.0, 1.0, 1.0, 1.0),
    "beyond by rounding": (-5e-18, 1.0 + 2e-16, 0.3, -1e-16),
}


@over_dtypes
@pytest.mark.parametrize("spectrum", EDGE_SPECTRA.values(), ids=EDGE_SPECTRA)
@pytest.mark.parametrize("fn", [BinaryEntropy(), LogOdds(), ShannonTerm()])
def test_derivatives_are_finite_at_empty_and_filled(
    fn: SpectralFunction, spectrum: tuple, dtype: type, rng: np.random.Generator
) -> None:
    basis = np.linalg.eigh(random_hermitian(rng, 4, dtype))[1]
    for vectors in (basis, np.eye(4)):
        matrix = jnp.asarray((vectors * np.array(spectrum)) @ vectors.conj().T, dtype)
        directions = jnp.asarray([random_hermitian(rng, 4, dtype) for _ in range(2)])
        first, hessian = edge_derivatives(fn)(matrix, directions)
        assert np.all(np.isfinite(first))
        assert np.all(np.isfinite(hessian))


@functools.cache
def edge_derivatives(fn: SpectralFunction) -> Callable:
    def scalar(x, a, d):
        moved = along(a, d, x)
        return trace_fn(fn, moved) + jnp.sum(matfn(fn, moved)).real

    def gradient(x, a, d):
        slope = jax.grad(scalar)(x, a, d)
        return slope, slope

    @jax.jit
    def derivatives(a, d):
        hessian, slope = jax.jacfwd(gradient, has_aux=True)(jnp.zeros(2), a, d)
        return slope, hessian

    return derivatives


@pytest.mark.parametrize("name", ["binary entropy", "evolution", "callable"])
def test_third_derivative_of_matfn_raises(name: str) -> None:
    fn, _ = FUNCTIONS[name]
    matrices, directions, _ = examples(complex)

    def scalar(x):
        return jnp.sum(matfn(fn, matrices[0] + x * directions[0, 0]).real)

    jax.eval_shape(jax.grad(jax.grad(scalar)), 0.1)
    for derivative in (jax.grad, jax.jacfwd):
        with pytest.raises(NotImplementedError, match="third derivatives of `matfn`"):
            jax.eval_shape(derivative(derivative(derivative(scalar))), 0.1)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_the_square_of_a_trace_has_both_slopes(order: str, known: bool) -> None:
    r"""$(S^2)'' = 2 S'^2 + 2 S S''$: the value that a rule returns has a derivative, too."""
    x, outer = 0.1, ORDERS[order]

    def squared(x: jax.Array) -> jax.Array:
        rho = jnp.diag(jnp.stack([0.5 + x, 0.3 - x, 0.2 * jnp.ones_like(x)]))
        spectrum = held_spectrum(rho) if known else None
        return trace_fn(ShannonTerm(), rho, spectrum=spectrum) ** 2

    p, slope = np.array([0.5 + x, 0.3 - x, 0.2]), np.log((0.3 - x) / (0.5 + x))
    expected = 2.0 * slope**2 + 2.0 * -(p @ np.log(p)) * -(1.0 / p[0] + 1.0 / p[1])
    assert float(outer[0](outer[1](squared))(x)) == pytest.approx(expected, rel=1e-12)

"""Functions of Hermitian matrices: edges, what is reused, what is refused; modes."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian, with_eigenvalues
from cases.spectra import binary_entropy, over_dtypes
from derivatives import check_derivative, forward_and_reverse
from rounding import eigenvalue_rounding

from entropax.linalg import (
    BinaryEntropy,
    Exponential,
    SpectralFunction,
    eigh,
    matfn,
    matfn_times,
    trace_fn,
)


@functools.partial(jax.jit, static_argnums=0)
def slope_along(function: Callable, matrix: jax.Array, direction: jax.Array) -> jax.Array:
    return jax.jvp(lambda m: matfn(function, m), (matrix,), (direction,))[1]


@pytest.mark.parametrize("function", [jnp.log, jnp.sqrt])
def test_derivative_of_any_function_at_small_eigenvalues(function: Callable) -> None:
    """Eigenvalues of 1e-6 and 3e-6 are far apart for a function with an edge at 0."""
    a, b = 1e-6, 3e-6
    flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    change = slope_along(function, jnp.diag(jnp.array([a, b])), flip)
    values = np.asarray(function(jnp.array([a, b])))
    expected = (values[0] - values[1]) / (a - b)
    assert change[0, 1] == pytest.approx(expected, rel=1e-12)


def test_parameters_of_a_function_are_numbers() -> None:
    class Line(SpectralFunction):
        slope: jax.Array

        def value(self, x: jax.Array) -> jax.Array:
            return self.slope[0] + self.slope[1] * x

        def derivative(self) -> SpectralFunction:
            raise NotImplementedError

    with pytest.raises(ValueError, match="must be numbers, not arrays"):
        jax.jacfwd(lambda c: matfn(Line(c), jnp.eye(2)))(jnp.ones(2))


@over_dtypes
def test_matfn_times_is_the_matrix_times_the_vector(dtype: type, rng: np.random.Generator) -> None:
    """With its derivatives by matrix, vector and parameter, at a degenerate spectrum."""
    a = with_eigenvalues(rng, [-1.0, 0.5, 0.5, 2.0], dtype)
    v = rng.normal(size=4)

    def scalar(times: Callable) -> Callable:
        return lambda a, v, t: jnp.sum(times(a, v, t) * jnp.arange(4.0)).real

    fast = scalar(lambda a, v, t: matfn_times(Exponential(t), a, v))
    slow = scalar(lambda a, v, t: matfn(Exponential(t), a) @ v)
    args = (a, v, np.array(0.7))
    directions = (random_hermitian(rng, 4, dtype), rng.normal(size=4), np.array(0.3))
    _, expected, slowly = forward_and_reverse(slow, args, directions)
    _, _, quickly = forward_and_reverse(fast, args, directions)
    assert quickly(*args) == pytest.approx(float(slowly(*args)), rel=1e-13)
    check_derivative(fast, args, directions, reference=expected, tolerance=1e-12)
    known = jax.jit(lambda a, v: matfn_times(Exponential(0.7), a, v, spectrum=eigh(a)))(a, v)
    # e^{0.7 x} is no steeper than 3 up to 2, where the largest eigenvalue is
    off = 2.0 * 3.0 * eigenvalue_rounding(4, norm=2.0) * np.linalg.norm(v)
    expected = jax.jit(lambda a, v: matfn(Exponential(0.7), a) @ v)(a, v)
    np.testing.assert_allclose(known, expected, rtol=0, atol=off)


def test_entropy_slope_at_the_edges() -> None:
    n = np.diag([0.0, 1.0, 0.5, 0.25])
    slope = jax.jit(jax.grad(lambda a: trace_fn(BinaryEntropy(), a)))(n)
    largest = 53 * np.log(2.0)  # ln(1 / rounding)
    np.testing.assert_allclose(
        slope, np.diag([largest, -largest, 0.0, np.log(3.0)]), rtol=0, atol=1e-13
    )
    # An empty mode mixed with one of occupation x: the change is s(x)/x, which is not clipped.
    change = slope_along(BinaryEntropy(), n, np.eye(4)[[3, 0]].T @ np.eye(4)[[0, 3]])
    assert change[0, 3] == pytest.approx(binary_entropy(0.25) / 0.25, abs=1e-13)
    change = slope_along(BinaryEntropy(), n, np.eye(4)[[1, 0]].T @ np.eye(4)[[0, 1]])
    np.testing.assert_allclose(change, 0.0, atol=1e-13)

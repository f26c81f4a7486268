"""Sums by rows, and one program for things of one shape."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from entropax._batching import each
from entropax.linalg import careful_sum


def test_careful_sum_loses_few_digits() -> None:
    """A million like numbers, whose long sum drifts."""
    x = np.full(10**6, 0.1) + 1e-3 * np.random.default_rng(0).uniform(size=10**6)
    exact = math.fsum(x)
    drift = abs(np.add.accumulate(x)[-1] - exact)
    assert abs(float(jax.jit(careful_sum)(x)) - exact) < 0.1 * drift


def test_careful_sum_of_any_shape_and_its_derivative() -> None:
    rng = np.random.default_rng(1)
    for shape in ((0,), (1,), (7,), (3, 50)):
        x, dx = rng.normal(size=(2, *shape))
        np.testing.assert_allclose(careful_sum(x), x.sum(-1), rtol=1e-13, atol=1e-14)
        _, moved = jax.jvp(careful_sum, (x,), (dx,))
        np.testing.assert_allclose(moved, dx.sum(-1), rtol=1e-13, atol=1e-14)
        slope = jax.grad(lambda x: jnp.sum(careful_sum(x)))(x)
        np.testing.assert_array_equal(slope, np.ones(shape))


def test_each_is_a_loop_in_order() -> None:
    """Of mixed shapes and kinds, and its derivative."""

    def function(x: jax.Array, pair: dict) -> jax.Array:
        return jnp.sum(x**2) * jnp.cos(pair["a"])

    rng = np.random.default_rng(2)
    xs = [rng.normal(size=n) for n in (3, 2, 3, 1, 2)]
    pairs = [{"a": value} for value in (0.1, 0.2, 0.3, 0.4, 0.5)]
    expected = [function(x, pair) for x, pair in zip(xs, pairs, strict=True)]
    np.testing.assert_allclose(jnp.stack(each(function, xs, pairs)), expected, rtol=1e-15)
    slopes = jax.grad(lambda xs: jnp.sum(jnp.stack(each(function, xs, pairs))))(xs)
    for slope, x, pair in zip(slopes, xs, pairs, strict=True):
        np.testing.assert_allclose(slope, 2.0 * x * np.cos(pair["a"]), rtol=1e-14)
    assert each(function, [], []) == []

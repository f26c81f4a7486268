"""Careful sums, and sums by blocks of rows."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from entropax.linalg import blocked_sum, sum_over_rows


def test_careful_sum_loses_few_digits() -> None:
    """A million like numbers, whose long sum drifts."""
    x = np.full(10**6, 0.1) + 1e-3 * np.random.default_rng(0).uniform(size=10**6)
    exact = math.fsum(x)
    drift = abs(np.add.accumulate(x)[-1] - exact)
    assert abs(float(jax.jit(blocked_sum)(x)) - exact) < 0.1 * drift


@jax.jit
def sum_and_slopes(x: jax.Array, dx: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    _, moved = jax.jvp(blocked_sum, (x,), (dx,))
    return blocked_sum(x), moved, jax.grad(lambda x: jnp.sum(blocked_sum(x)))(x)


def test_careful_sum_of_any_shape_and_its_derivative() -> None:
    rng = np.random.default_rng(1)
    for shape in ((0,), (1,), (7,), (3, 50)):
        x, dx = rng.normal(size=(2, *shape))
        found, moved, slope = sum_and_slopes(x, dx)
        np.testing.assert_allclose(found, x.sum(-1), rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(moved, dx.sum(-1), rtol=1e-13, atol=1e-14)
        np.testing.assert_array_equal(slope, np.ones(shape))


def test_rows_are_summed_whatever_their_number() -> None:
    """Blocks hold 8 rows; zero rows, which fill the last one, count as `terms` of zero."""

    def terms(x: jax.Array, y: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        return jnp.sum(x[:, None] * y, 0), {"squares": jnp.sum(y**2, 0)}

    rng = np.random.default_rng(3)
    for n in (1, 8, 13):
        x, y = rng.normal(size=n), rng.normal(size=(n, 3))
        first, second = sum_over_rows(terms, jnp.asarray(x), jnp.asarray(y))
        np.testing.assert_allclose(first, x @ y, rtol=0, atol=1e-14)
        np.testing.assert_allclose(second["squares"], (y**2).sum(0), rtol=1e-14)

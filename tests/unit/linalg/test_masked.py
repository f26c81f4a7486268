"""Inverses that are zero where they are not wanted."""

import jax
import jax.numpy as jnp
import numpy as np

from entropax.linalg import masked_inverse

X = np.array([2.0, 0.0, 1e-320, np.nan, np.inf, -4.0])
WANTED = np.array([True, False, False, False, False, True])


def total(x: jax.Array) -> jax.Array:
    return jnp.sum(masked_inverse(x, jnp.asarray(WANTED)))


def test_inverse_where_wanted_and_zero_elsewhere() -> None:
    found = masked_inverse(jnp.asarray(X), jnp.asarray(WANTED))
    np.testing.assert_array_equal(found, [0.5, 0, 0, 0, 0, -0.25])


def test_derivatives_are_zero_where_it_is_not_wanted() -> None:
    slope = jax.jit(jax.grad(total))
    np.testing.assert_array_equal(slope(X), [-0.25, 0, 0, 0, 0, -0.0625])
    curvature = np.diag(jax.jit(jax.jacfwd(slope))(X))
    np.testing.assert_array_equal(curvature, [0.25, 0, 0, 0, 0, -0.03125])
    # the plain way: the derivative of what is thrown away is kept
    plain = jax.jit(jax.grad(lambda x: jnp.sum(jnp.where(jnp.asarray(WANTED), 1.0 / x, 0.0))))
    assert np.isnan(plain(X)[1])

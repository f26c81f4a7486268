"""A constraint: the least of a bowl on a line, and the price of leaving it."""

import jax
import jax.numpy as jnp
import numpy as np

import entropax as ex


def test_the_least_of_a_bowl_on_a_line() -> None:
    """x^2 + 2 y^2 with x + y = 1: (2, 1) / 3."""

    def problem(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return x[0] ** 2 + 2.0 * x[1] ** 2, x[0] + x[1] - 1.0

    best = ex.optimise_with_constraint(problem, jnp.zeros(2), rounds=12)
    np.testing.assert_allclose(best.value, [2 / 3, 1 / 3], rtol=0, atol=1e-5)

"""What is left of a relation."""

import jax.numpy as jnp

from entropax.diagnosis import Identity


def test_violations_of_equalities_and_of_inequalities() -> None:
    residual = jnp.array([0.3, -0.1])
    assert Identity("x", "", "=", residual).violation == 0.3
    assert Identity("x", "", ">=", residual).violation == 0.1
    assert Identity("x", "", ">=", jnp.abs(residual)).violation == 0.0

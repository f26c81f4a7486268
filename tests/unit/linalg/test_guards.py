"""A derivative that does not exist raises; what does not need it passes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest

from entropax.linalg.guards import forbid_derivative


def guarded(x: jax.Array, y: jax.Array) -> jax.Array:
    held = forbid_derivative({"x": x, "one": jnp.ones(())}, "no slope of `x`")
    return (held["x"] + held["one"]) * y**2


@pytest.mark.parametrize("derivative", [jax.grad, jax.jacfwd, jax.jacrev, jax.hessian])
def test_a_derivative_raises_its_message(derivative: Callable) -> None:
    assert float(guarded(2.0, 3.0)) == 27.0
    with pytest.raises(NotImplementedError, match="no slope of `x`"):
        jax.eval_shape(derivative(guarded), 2.0, 3.0)


def test_derivatives_by_anything_else_pass() -> None:
    assert float(jax.grad(guarded, argnums=1)(2.0, 3.0)) == 18.0
    fixed = jax.grad(lambda x: guarded(jax.lax.stop_gradient(x), x))
    assert float(fixed(3.0)) == 24.0

"""A derivative that does not exist raises, what does not need it passes; borrowed slopes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest

from entropax.linalg.guards import forbid_derivative, with_slope_of


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


def borrowed(x: jax.Array) -> jax.Array:
    return jnp.sum(with_slope_of(jnp.floor(x), x**3))


@pytest.mark.parametrize("derivative", [jax.grad, jax.jacfwd, jax.jacrev])
def test_the_value_of_one_has_the_slope_of_the_other(derivative: Callable) -> None:
    x = jnp.array([1.5, -0.5, 2.25])
    assert float(borrowed(x)) == 2.0
    assert jnp.array_equal(derivative(borrowed)(x), 3.0 * x**2)


def test_the_second_slope_is_borrowed_too() -> None:
    x = jnp.array([1.5, -0.5])
    assert jnp.array_equal(jax.hessian(borrowed)(x), jnp.diag(6.0 * x))
    batch = jax.vmap(borrowed)(jnp.stack([x, 2.0 * x]))
    assert jnp.array_equal(batch, jnp.array([0.0, 2.0]))

"""Known minima with and without bounds and constraints, by line searches."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import entropax as ex

TARGET = jnp.array([0.3, -1.2, 2.0])


def bowl(x: jax.Array) -> jax.Array:
    return jnp.sum((x - TARGET) ** 2 * jnp.array([1.0, 3.0, 10.0])) + 0.5


def valley(x: jax.Array) -> jax.Array:
    """Rosenbrock's."""
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def test_lbfgs_and_adam_find_known_minima() -> None:
    found = ex.optimise(valley, jnp.zeros(4), steps=100, tolerance=1e-9)
    np.testing.assert_allclose(found.value, 1.0, rtol=0, atol=1e-8)
    assert found.converged
    assert found.history.shape[0] < 100
    slow = ex.optimise(bowl, jnp.zeros(3), optax.adam(0.1), steps=300)
    np.testing.assert_allclose(slow.value, TARGET, rtol=0, atol=1e-3)
    assert slow.history.shape == (300,)
    assert not slow.converged
    assert float(slow.loss) == float(jnp.min(slow.history))
    np.testing.assert_allclose(bowl(slow.value), slow.loss, rtol=1e-14)


def test_bounds_are_kept_and_reached() -> None:
    low, high = jnp.array([-1.0, -1.0, -jnp.inf]), jnp.array([1.0, jnp.inf, 1.5])
    seen = []

    def loss(x):
        jax.debug.callback(lambda v: seen.append(np.asarray(v)), x)
        return bowl(x)

    found = ex.optimise(loss, jnp.zeros(3), steps=60, bounds=(low, high))
    np.testing.assert_allclose(found.value, [0.3, -1.0, 1.5], rtol=0, atol=1e-4)
    assert np.all(np.array(seen) >= low)
    assert np.all(np.array(seen) <= high)
    free = ex.optimise(bowl, jnp.zeros(3), steps=60, bounds=(-5.0, 5.0))
    np.testing.assert_allclose(free.value, TARGET, rtol=0, atol=1e-6)
    inner = {"x": jnp.zeros(3), "name": "kept"}
    found = ex.optimise(lambda p: bowl(p["x"]), inner, steps=60, bounds=(-5.0, 5.0))
    assert found.value["name"] == "kept"


def test_resumption_at_a_bound_and_with_other_arguments() -> None:
    def loss(x, to):
        return jnp.sum((x - to) ** 2)

    found = ex.optimise(loss, jnp.zeros(2), steps=80, args=(5.0,), bounds=(-1.0, 1.0))
    np.testing.assert_allclose(found.value, 1.0, rtol=0, atol=1e-6)
    again = ex.optimise(loss, found, steps=2, args=(5.0,), bounds=(-1.0, 1.0))
    assert float(again.loss) <= float(found.loss)
    near = ex.optimise(loss, jnp.zeros(2), steps=3, args=(jnp.array(0.5),))
    moved = ex.optimise(loss, near, steps=5, args=(jnp.array(0.25),))
    assert float(moved.history[3]) == pytest.approx(2 * 0.25**2, rel=1e-6)
    np.testing.assert_allclose(moved.last, 0.25, rtol=0, atol=1e-6)


def circle(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """How far (2, 1) is from a point, and that from the unit circle."""
    return jnp.sum((x - jnp.array([2.0, 1.0])) ** 2), jnp.sum(x**2) - 1.0


def test_a_constraint_goes_on_and_is_told_of() -> None:
    with pytest.warns(UserWarning, match=r"The constraint is off by .* than the tolerance 1e-08"):
        found = ex.optimise_with_constraint(circle, jnp.array([0.3, 0.4]), steps=5, rounds=1)
    assert not found.converged
    found = ex.optimise_with_constraint(circle, found)
    assert found.converged
    np.testing.assert_allclose(found.multipliers, np.sqrt(5.0) - 1.0, rtol=1e-6)
    assert "violation=" in repr(found)


def test_constraint_by_augmented_lagrangian() -> None:
    """The point of a circle nearest to (2, 1), and its multiplier."""
    found = ex.optimise_with_constraint(circle, jnp.array([0.3, 0.4]))
    np.testing.assert_allclose(found.value, np.array([2.0, 1.0]) / np.sqrt(5), rtol=0, atol=1e-7)
    assert found.converged
    np.testing.assert_allclose(found.multipliers, np.sqrt(5.0) - 1.0, rtol=1e-6)
    assert np.all(np.abs(found.violation) <= 1e-8)

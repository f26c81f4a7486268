"""Optimisation: known minima, bounds, what stops it and what it leaves, resumption."""

import equinox as eqx
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


def test_the_best_is_kept_where_steps_go_astray() -> None:
    found = ex.optimise(bowl, jnp.zeros(3), optax.sgd(0.3), steps=6)
    assert float(found.history[-1]) > float(found.history[0])
    np.testing.assert_allclose(found.value, 0.0, atol=1e-15)
    assert float(jnp.max(jnp.abs(found.last))) > 10.0


@pytest.mark.parametrize("optimiser", [optax.adam(0.05), None])
def test_resumed_is_the_same_as_in_one(optimiser) -> None:
    whole = ex.optimise(valley, jnp.zeros(4), optimiser, steps=12)
    half = ex.optimise(valley, jnp.zeros(4), optimiser, steps=5)
    rest = ex.optimise(valley, half, optimiser, steps=7)
    np.testing.assert_array_equal(rest.history, whole.history)
    np.testing.assert_array_equal(rest.value, whole.value)
    np.testing.assert_array_equal(rest.last, whole.last)
    done = ex.optimise(valley, whole, optimiser, steps=60, tolerance=1e-9)
    again = ex.optimise(valley, done, optimiser, steps=2, tolerance=1e-9)
    assert float(again.loss) <= float(done.loss)


def test_one_program_for_all_steps_and_calls() -> None:
    traced = []

    def loss(x, scale):
        traced.append(None)
        return scale * bowl(x)

    rule = optax.adam(0.1)
    found = ex.optimise(loss, jnp.zeros(3), rule, steps=5, args=(jnp.array(1.0),))
    once = len(traced)
    ex.optimise(loss, found, rule, steps=5, args=(jnp.array(2.0),))
    ex.optimise(loss, jnp.ones(3), rule, steps=5, args=(jnp.array(2.0),))
    assert len(traced) == once <= 2
    ex.optimise(loss, jnp.ones(3), steps=5, args=(jnp.array(2.0),))
    once = len(traced)
    ex.optimise(loss, jnp.zeros(3), steps=5, args=(jnp.array(3.0),))
    assert len(traced) == once


def test_complex_parameters_descend() -> None:
    target = jnp.array([1.0 + 2.0j, -0.5j])
    found = ex.optimise(
        lambda z: jnp.sum(jnp.abs(z - target) ** 2),
        jnp.zeros(2, complex),
        optax.adam(0.1),
        steps=300,
    )
    np.testing.assert_allclose(found.value, target, rtol=0, atol=1e-3)


def test_only_what_is_free_moves() -> None:
    begin = (jnp.zeros(3), jnp.ones(3))
    found = ex.optimise(lambda p: bowl(p[0]) + bowl(p[1]), begin, steps=30, free=(True, False))
    np.testing.assert_allclose(found.value[0], TARGET, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.value[1], 1.0)


def edge(x):
    """NaN beyond 0.95."""
    return jnp.where(x < 0.95, -x, jnp.nan)


def test_nan_says_the_step_and_keeps_the_best() -> None:
    with pytest.raises(
        ex.OptimisationError, match=r"is nan at step 10\. The best so far, -0\.9"
    ) as e:
        ex.optimise(edge, jnp.array(0.0), optax.sgd(0.1), steps=20)
    assert float(e.value.best.value) == pytest.approx(0.9)
    assert e.value.best.history.shape == (10,)
    found = ex.optimise(edge, jnp.array(0.0), optax.sgd(0.1), steps=20, throw=False)
    assert float(found.value) == pytest.approx(0.9)
    assert found.failure == "`loss` must be finite, but is nan at step 10."
    assert float(found.last) == pytest.approx(0.9)
    # from there it goes on, to the same end
    assert ex.optimise(edge, found, optax.sgd(0.1), steps=1, throw=False).failure is None


def test_going_on_otherwise_is_refused() -> None:
    """Other bounds would begin elsewhere, another optimiser with another state."""
    found = ex.optimise(bowl, jnp.zeros(3), steps=4, bounds=(-2.0, 4.0))
    for changes, message in (
        ({"bounds": (-5.0, 5.0)}, "`bounds` must be those that the result was found with"),
        ({}, "`bounds` must be those that the result was found with"),
        (
            {"bounds": (-2.0, 4.0), "optimiser": optax.adam(0.1)},
            "`optimiser` must be the one that the result was found with",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            ex.optimise(bowl, found, steps=1, **changes)
    assert "loss=" in repr(found)
    assert "steps=4" in repr(found)


def test_the_best_is_of_these_arguments() -> None:
    def loss(x, to):
        return jnp.sum((x - to) ** 2)

    found = ex.optimise(loss, jnp.zeros(2), optax.sgd(0.1), steps=1, args=(1.0,))
    moved = ex.optimise(loss, found, optax.sgd(0.1), steps=2, args=(5.0,))
    assert float(moved.loss) == pytest.approx(float(loss(moved.value, 5.0)), rel=1e-12)
    kept = ex.optimise(loss, moved, optax.sgd(-0.1), steps=2, args=(5.0,))
    assert float(kept.loss) <= float(moved.loss)


def test_plain_numbers_are_values() -> None:
    traced = []

    def loss(x, to):
        traced.append(None)
        return (x - to) ** 2

    rule = optax.sgd(0.25)
    for to in (0.1, 0.2, np.float64(0.3)):
        found = ex.optimise(loss, 3.0, rule, steps=60, args=(to,))
        assert float(found.value) == pytest.approx(float(to), abs=1e-12)
    assert len(traced) == 1


def test_a_loss_that_raises_keeps_the_best_too() -> None:
    def loss(x):
        return -eqx.error_if(x, x > 0.55, "too far")

    with pytest.raises(ex.OptimisationError, match=r"(?s)failed at step 6: .*too far") as e:
        ex.optimise(loss, jnp.array(0.0), optax.sgd(0.1), steps=20)
    assert float(e.value.best.value) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ex.optimise(lambda x: x, jnp.ones(2)),
            r"`loss` must return a real .* shape \(2,\)",
        ),
        (
            lambda: ex.optimise(lambda x: x + 1j, jnp.array(1.0)),
            "`loss` must return a real .* complex",
        ),
        (
            lambda: ex.optimise(lambda x: x * jnp.nan, jnp.array(1.0), optax.sgd(0.1)),
            "must be finite at the start",
        ),
        (
            lambda: ex.optimise(jnp.sqrt, jnp.array(0.0), optax.sgd(0.1)),
            "has a gradient that is not",
        ),
        (
            lambda: ex.optimise(bowl, jnp.zeros(3), bounds=(0.0, 1.0)),
            r"between the bounds \(0 and 1\)",
        ),
        (lambda: ex.optimise(bowl, jnp.zeros(3), bounds=2.0), r"`bounds` must be a pair"),
        (
            lambda: ex.optimise(bowl, jnp.zeros(3), bounds=({"a": 1}, 2.0)),
            "a low that is a number or",
        ),
        (lambda: ex.optimise(bowl, jnp.zeros(3), steps=0), "`steps` must be a positive integer"),
        (lambda: ex.optimise(3.0, jnp.zeros(3)), "`loss` must be a function"),
        (
            lambda: ex.optimise_with_constraint(lambda x: (x, x), jnp.ones(()), rounds=0),
            "`rounds` must be a positive integer",
        ),
        (lambda: ex.optimise(bowl, 3), "must hold a number to optimise"),
        (lambda: ex.optimise(bowl, jnp.zeros(3), "adam"), "`optimiser` must be one of optax"),
        (lambda: ex.optimise(bowl, jnp.zeros(3), args=0.3), r"`args` must be a tuple"),
        (lambda: ex.optimise(lambda x: None, jnp.ones(())), "what it returns is NoneType"),
        (lambda: ex.optimise(lambda x: 3, jnp.ones(())), "what it returns is of shape"),
        (
            lambda: ex.optimise(bowl, jnp.zeros(3), bounds=(2.0, -2.0)),
            "`bounds` must be a low below a high",
        ),
        (lambda: ex.optimise_with_constraint(bowl, jnp.zeros(3)), "`problem` must return a pair"),
        (
            lambda: ex.optimise_with_constraint(lambda x: (x, x), jnp.ones(()), weight=-1.0),
            "`weight` must be positive",
        ),
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

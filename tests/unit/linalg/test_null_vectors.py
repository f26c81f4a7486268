"""Stationary states of small generators: closed forms, several of them, slopes."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.linalg import Stationary, stationary, stationary_by_action

ONES = jnp.ones(4)


def cycle(rates: np.ndarray) -> np.ndarray:
    """Jumps 0 -> 1 -> 2 -> 3 -> 0 at these rates: the state is as likely as it is slow to leave."""
    return np.roll(np.diag(rates), 1, axis=0) - np.diag(rates)


def pairs(up: float, down: float) -> np.ndarray:
    """Two pairs of states without a way from one to the other."""
    pair = np.array([[-up, down], [up, -down]])
    return np.kron(np.eye(2), pair)


RATES = np.array([0.5, 3.0, 1.0, 0.2])


def direct(generator: jax.Array) -> Stationary:
    return stationary(generator, ONES)


def no_doubt(x: jax.Array) -> jax.Array:
    del x
    return jnp.array(True)


def by_action(generator: jax.Array, certainly: Callable | None = None) -> Stationary:
    """Preconditioned by the diagonal."""
    diagonal = jnp.diagonal(generator)

    def precondition(y: jax.Array) -> jax.Array:
        return y / diagonal

    return stationary_by_action(
        lambda x: generator @ x, precondition, ONES, restart=4, certainly=certainly
    )


WAYS = {"directly": jax.jit(direct), "by action": jax.jit(by_action)}
both_ways = pytest.mark.parametrize("solve", WAYS.values(), ids=WAYS)


@both_ways
def test_state_of_a_cycle(solve: Callable) -> None:
    expected = (1.0 / RATES) / np.sum(1.0 / RATES)
    found = solve(cycle(RATES))
    assert found.unique
    assert found.converged
    np.testing.assert_allclose(found.x, expected, rtol=1e-11)


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_state_is_the_same_in_any_unit_of_time(scale: float) -> None:
    found = WAYS["directly"](scale * cycle(RATES))
    assert found.unique
    np.testing.assert_allclose(found.x, (1.0 / RATES) / np.sum(1.0 / RATES), rtol=1e-14)


@both_ways
def test_several_states_are_told_from_one(solve: Callable) -> None:
    several = solve(pairs(0.7, 1.9))
    assert not several.unique
    assert np.all(np.isfinite(several.x))
    # a leak of a millionth makes them one
    assert solve(pairs(0.7, 1.9) + 1e-6 * cycle(RATES)).unique


def test_one_state_that_is_certain_is_not_looked_for_twice() -> None:
    """The second search, which tells several from one, is left out: as `certainly` has it."""
    assert jax.jit(functools.partial(by_action, certainly=no_doubt))(pairs(0.7, 1.9)).unique


def test_weights_scale_the_state_and_nan_stays() -> None:
    """w of L whose left null vector it is, not of ones alone."""
    weights = np.array([1.0, 2.0, 0.5, 4.0])
    generator = cycle(RATES) / weights[:, None]
    x = np.asarray(jax.jit(stationary)(generator, weights).x)
    np.testing.assert_allclose(generator @ x, 0.0, atol=1e-15)
    assert weights @ x == pytest.approx(1.0, rel=1e-14)
    broken = WAYS["directly"](jnp.full((4, 4), jnp.nan))
    assert not np.any(np.isfinite(broken.x))


def test_derivative_of_the_state() -> None:
    """d p_i / d rate_j = p_j (p_i - delta_ij) / rate_j, forward and reverse."""
    p = (1.0 / RATES) / np.sum(1.0 / RATES)
    expected = p[None, :] * (p[:, None] - np.eye(4)) / RATES[None, :]

    def state(rates: jax.Array) -> jax.Array:
        return direct(jnp.roll(jnp.diag(rates), 1, axis=0) - jnp.diag(rates)).x

    both = jax.jit(lambda rates: (jax.jacfwd(state)(rates), jax.jacrev(state)(rates)))
    for found in both(RATES):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)

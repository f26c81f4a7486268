"""Split steps of a junction: one rotation, the exponentials that steps are made of, and misuse."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.fermions import driven_junction, network
from derivatives import check_derivative

import entropax as ex
from entropax.method.compositions import SPLITTINGS
from entropax.method.fermions.splitstep import Rotations, rotation
from entropax.method.stepping import Steps

SMALL = driven_junction(modes=2)

advance = jax.jit(lambda own, steps: own.advance(own.begin(), own.coefficients(steps)))


@pytest.mark.parametrize("duration", [1e-3, 0.7, -0.7])
def test_a_rotation_is_the_exponential_of_its_generator(duration: float) -> None:
    """At level and coupling zero, on both sides of where the series ends, and for long steps."""
    for level, squares in itertools.product(
        (0.0, -1e-9, 0.3, -1.0, 7.0, 60.0), (0.0, 1e-20, 1e-6, 0.2, 0.5, 400.0)
    ):
        generator = np.array([[level, 1.0, 0.0], [squares, 0.0, 0.0], [1.0, 0.0, 0.0]])
        flow = scipy.linalg.expm(-1j * duration * generator)
        at = jnp.array([level, squares, duration])
        expected = np.array([flow[0, 0], flow[2, 0] / duration, flow[2, 1] / duration**2])
        found = np.array(rotation(*at)) / np.array([1.0, duration, duration**2])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    at = jnp.array([0.0, 0.0, duration])  # where a root of the eigenvalues has no derivative
    weights = jnp.array([[0.3, -1.1, 2.0], [0.7, 0.4, -3.0]])

    def seen(x: jax.Array) -> jax.Array:
        found = jnp.stack(rotation(*x))
        return weights[0] @ found.real + weights[1] @ found.imag

    check_derivative(seen, (at,), (jnp.array([0.4, -0.3, 0.2]),))


@pytest.mark.parametrize("order", [2, 4])
def test_steps_are_exponentials_of_level_and_couplings(order: int) -> None:
    """In the picture of the modes' energies, with level and couplings frozen at each stage."""
    begin, length = np.array([0.1, 0.5]), np.array([0.4, 0.3])
    outer, inner = SPLITTINGS[order]
    stretch = jnp.zeros(2), jnp.full(2, 0.9)
    steps = Steps(jnp.asarray(begin), jnp.asarray(length), stretch)
    own = Rotations(SMALL, order)
    x, forces = advance(own, steps)

    u, couplings = np.eye(SMALL.sites, dtype=complex), np.asarray(SMALL.mode_couplings)
    energies = np.asarray(SMALL.mode_energies)
    for start, tau in zip(begin, length, strict=True):
        time = start
        for a, b in zip(outer, (*inner, 0.0), strict=True):
            time += a * tau
            gates = np.where(np.arange(5) < 2, 1.0 - 0.3 * np.cos(2.0 * time), 1.0)
            c = gates * couplings * np.exp(1j * energies * time)
            h = np.zeros_like(u)
            h[0, 0], h[1:, 0], h[0, 1:] = 0.4 + time, c, c.conj()
            u = scipy.linalg.expm(-1j * b * tau * h) @ u
    both = np.concatenate([x.level[None], x.modes])
    found = both[:, : SMALL.sites] + 1j * both[:, SMALL.sites :]
    # rounding of 24 products
    np.testing.assert_allclose(found, u, rtol=0, atol=1e-13)

    n = np.asarray(SMALL.initial_occupations)
    assert forces.shape == (2, 2)  # the level and one gate
    assert float(forces[1, 0]) == pytest.approx(n @ np.abs(u[0]) ** 2, abs=1e-13)
    gated = couplings[:2] * np.exp(1j * energies[:2] * 0.8)
    seen = gated.conj() @ u[1:3]
    assert float(forces[1, 1]) == pytest.approx(2 * (u[0].conj() * seen).real @ n, abs=1e-13)


def test_no_steps_change_nothing() -> None:
    own = Rotations(SMALL, 2)
    nothing = Steps(jnp.array([0.2, 0.2]), jnp.zeros(2), (jnp.zeros(2), jnp.full(2, 0.9)))
    x, _ = advance(own, nothing)
    unit = np.hstack([np.eye(SMALL.sites), np.zeros((SMALL.sites, SMALL.sites))])
    np.testing.assert_array_equal(np.vstack([x.level, x.modes]), unit)


def test_a_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a Junction .* Magnus"):
        ex.solve(network(), [1.0], ex.SplitStep())

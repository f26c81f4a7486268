"""The rotating picture: phases out and back, and rates as matrices beside rates by action."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.matrices import random_hermitian
from twins import lindblad as twin

import entropax as ex
from entropax.linalg import from_real, to_real
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.generators import MatrixGenerator
from entropax.method.ideal.interaction_picture import (
    Flow,
    Picture,
    action_field,
    commutator_form,
    flow_of,
    linear_field,
)


@pytest.mark.parametrize("dtype", [float, complex])
def test_the_form_of_a_commutator(rng: np.random.Generator, dtype: type) -> None:
    operator, rho = random_hermitian(rng, 3, dtype), twin.random_state(rng, 3)
    form = commutator_form(jnp.asarray(operator), to_real(jnp.asarray(rho)))
    expected = -1j * (operator @ rho - rho @ operator)
    np.testing.assert_allclose(from_real(form), expected, rtol=0, atol=1e-14)


def test_turning_is_free_evolution(rng: np.random.Generator) -> None:
    h, rho, time = random_hermitian(rng, 3), twin.random_state(rng, 3), 1.7
    picture = Picture.of(jnp.asarray(h))
    z = picture.from_given(jnp.asarray(rho))
    turned = picture.turned(z, jnp.array(time))
    unitary = scipy.linalg.expm(-1j * h * time)
    expected = unitary @ rho @ unitary.conj().T
    np.testing.assert_allclose(picture.to_given(turned), expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(picture.turned(turned, jnp.array(-time)), z, rtol=0, atol=1e-14)
    still = Picture(None)
    assert still.turned(z, jnp.array(time)) is z
    np.testing.assert_allclose(still.to_given(still.from_given(jnp.asarray(rho))), rho, atol=1e-16)


class Setting:
    """Three levels, jumps to two baths that count particles, a drive; heat by H or by a part."""

    def __init__(self, rng: np.random.Generator):
        self.h, self.v = (random_hermitian(rng, 3) for _ in range(2))
        self.bare = random_hermitian(rng, 3)
        self.rho = twin.random_state(rng, 3)
        jumps = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))
        self.parts = tuple(
            JumpDissipator(bath, jnp.asarray(jumps[bath, None]), jnp.array([0.3]), (1,))
            for bath in range(2)
        )
        self.drive = ex.Drive(self.v, ex.PiecewiseLinear(times=(0.0, 2.0), values=(0.0, 3.0)))
        self.stretch = (jnp.array(0.4), jnp.array(2.0))

    def generator(self, strength: jax.Array | float) -> MatrixGenerator:
        """With the heat of `bare`, and the work of coupling beside it."""
        total = jnp.asarray(self.h) + strength * jnp.asarray(self.v)
        bare = jnp.asarray(self.bare)
        return MatrixGenerator(total, self.parts, bare, total - bare, baths=2)


def test_rates_as_a_matrix_are_those_by_action(rng: np.random.Generator) -> None:
    """Of the state, heat, particles and work, at a time inside a stretch of a drive."""
    case = Setting(rng)
    picture, zeros = Picture(None), jnp.zeros(2)
    begin = Flow(picture.from_given(jnp.asarray(case.rho)), zeros, zeros, jnp.zeros(()))

    @jax.jit
    def both(time: jax.Array) -> tuple[Flow, Flow]:
        generators = [(case.generator(0.0), None), (case.generator(1.0), None)]
        linear = linear_field(picture, generators, [case.drive], case.stretch)
        protocol = case.drive.protocol
        action = action_field(
            picture,
            lambda t: case.generator(protocol.within(t, case.stretch)),
            lambda t: protocol.slope(t, case.stretch) * case.drive.operator,
            case.stretch[0],
        )
        return linear(time, begin, None), action(time, begin, None)

    ours, theirs = both(jnp.array(1.0))
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    # strength 1.5 and slope 1.5: energy is what the generator gives plus what the drive does
    h = case.h + 1.5 * case.v
    jumps = [np.sqrt(0.3) * np.asarray(part.operators[0]) for part in case.parts]
    moved = (twin.generator(h, jumps) @ case.rho.ravel()).reshape(3, 3)
    np.testing.assert_allclose(from_real(ours.y), moved, rtol=0, atol=1e-12)
    change = np.trace(h @ moved).real + 1.5 * np.trace(case.v @ case.rho).real
    np.testing.assert_allclose(jnp.sum(ours.energy) + ours.work, change, rtol=0, atol=1e-12)


def test_rates_in_a_picture_are_those_outside_turned_back(rng: np.random.Generator) -> None:
    """d/dt of what is turned: the action in the picture of H is what is left without H."""
    case = Setting(rng)
    generator, since = case.generator(0.0), jnp.array(0.9)
    picture = Picture.of(generator.hamiltonian)
    rho = jnp.asarray(case.rho)
    z = picture.turned(picture.from_given(rho), -since)
    zeros = jnp.zeros(2)
    begin = Flow(z, zeros, zeros, jnp.zeros(()))

    @jax.jit
    def rates(begin: Flow) -> tuple[Flow, Flow]:
        field = action_field(picture, lambda t: generator, lambda t: None, jnp.zeros(()))
        return field(since, begin, None), flow_of(generator, generator.pack(rho))

    inside, outside = rates(begin)
    h = case.h
    left = from_real(outside.y) + 1j * (h @ case.rho - case.rho @ h)
    back = picture.to_given(picture.turned(inside.y, since))
    np.testing.assert_allclose(back, left, rtol=0, atol=1e-12)
    for name in ("energy", "particles", "work"):
        np.testing.assert_allclose(
            getattr(inside, name), getattr(outside, name), rtol=0, atol=1e-12
        )
